//! What is wrong is an error that says where.

use super::*;

fn schema() -> SchemaRef {
    let item = Fields::from(vec![
        Field::new("n", DataType::Int32, true),
        Field::new("t", DataType::Utf8, false),
    ]);
    Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int64, false),
        Field::new("s", DataType::Utf8, true),
        Field::new("l", DataType::new_list(DataType::Struct(item), true), true),
        Field::new("d", DataType::Date32, true),
    ]))
}

fn fails(bytes: &[u8], schema: Option<SchemaRef>) -> Error {
    let read = open(bytes, schema).and_then(|reader| reader.collect::<Result<Vec<_>>>());
    read.unwrap_err()
}

/// Of a second line at the schema.
#[test]
fn every_error_names_line_byte_and_column() {
    const FIRST: &str = "{\"a\":1}\n";
    for (line, code, at, says) in [
        // Grammar.
        ("{\"a\":1,}", "FS0305", 7, "a key in quotes is missing"),
        (
            "{\"a\":1 \"s\":null}",
            "FS0305",
            7,
            "a comma or } is missing",
        ),
        ("{\"a\" 1}", "FS0305", 5, "a colon is missing"),
        ("{\"a\":}", "FS0305", 5, "column \"a\": a value is missing"),
        ("{\"a\":01}", "FS0305", 5, "a zero too many"),
        ("{\"a\":+1}", "FS0305", 5, "a value is missing"),
        ("{\"a\":1.}", "FS0305", 7, "a digit is missing"),
        ("{\"a\":.5}", "FS0305", 5, "a value is missing"),
        ("{\"a\":1e}", "FS0305", 7, "a digit is missing"),
        ("{\"a\":-}", "FS0305", 6, "a digit is missing"),
        ("{\"a\":NaN}", "FS0305", 5, "column \"a\": NaN is no JSON"),
        ("{\"a\":-Infinity}", "FS0305", 6, "a digit is missing"),
        ("{\"a\":True}", "FS0305", 5, "a value is missing"),
        ("{\"a\":nul}", "FS0305", 5, "a value is missing"),
        ("{'a':1}", "FS0305", 1, "a key in quotes is missing"),
        ("{a:1}", "FS0305", 1, "a key in quotes is missing"),
        ("{\"a\":1}}", "FS0305", 7, "something follows the row"),
        (
            "{\"a\":1} {\"a\":2}",
            "FS0305",
            8,
            "something follows the row",
        ),
        ("{\"a\":1}, ", "FS0305", 7, "something follows the row"),
        (
            "{\"a\":1",
            "FS0305",
            6,
            "the row ends where a comma or } is missing",
        ),
        (
            "{\"a\":1,\"l\":[{\"n\":1]}",
            "FS0305",
            18,
            "column \"l[0]\": a comma or } is missing",
        ),
        (
            "{\"a\":1,\"l\":[,]}",
            "FS0305",
            12,
            "column \"l[0]\": a value is missing",
        ),
        (
            "{\"a\":1,\"l\":[null,]}",
            "FS0305",
            17,
            "column \"l[1]\": a value is missing",
        ),
        ("[{\"a\":1}]", "FS0305", 0, "a row is an object"),
        ("1", "FS0305", 0, "a row is an object"),
        ("/* x */ {\"a\":1}", "FS0305", 0, "a row is an object"),
        // Strings.
        (
            "{\"a\":1,\"s\":\"x",
            "FS0305",
            11,
            "column \"s\": the row ends within a string",
        ),
        (
            "{\"a\":1,\"s\":\"x\ty\"}",
            "FS0305",
            13,
            "a control character",
        ),
        ("{\"a\":1,\"s\":\"\\x\"}", "FS0305", 12, "begins no escape"),
        (
            "{\"a\":1,\"s\":\"\\u12g4\"}",
            "FS0305",
            12,
            "four digits of base 16",
        ),
        (
            "{\"a\":1,\"s\":\"ab\\ud800\"}",
            "FS0305",
            14,
            "half of a surrogate pair",
        ),
        (
            "{\"a\":1,\"s\":\"\\ud800\\u0041\"}",
            "FS0305",
            12,
            "half of a surrogate pair",
        ),
        (
            "{\"a\":1,\"s\":\"\\udc00\\ud800\"}",
            "FS0305",
            12,
            "half of a surrogate pair",
        ),
        // Keys.
        (
            "{\"a\":1,\"s\":null,\"a\":1}",
            "FS0305",
            16,
            "the key \"a\" is there twice",
        ),
        (
            "{\"a\":1,\"l\":[{\"t\":\"\",\"t\":\"\"}]}",
            "FS0305",
            20,
            "column \"l[0]\": the key \"t\" is there twice",
        ),
        (
            "{\"a\":1,\"b\":2}",
            "FS0308",
            7,
            "line 2 has a key that the schema lacks: \"b\"",
        ),
        (
            "{\"a\":1,\"l\":[null,{\"u\":2}]}",
            "FS0308",
            18,
            "column \"l[1]\"",
        ),
        // Values.
        ("{\"a\":\"1\"}", "FS0307", 5, "\"1\" in line 2 is no int64"),
        ("{\"a\":1.5}", "FS0307", 5, "1.5 in line 2 is no int64"),
        (
            "{\"a\":null}",
            "FS0307",
            5,
            "line 2 has no value for column \"a\"",
        ),
        (
            "{\"s\":\"x\"}",
            "FS0307",
            8,
            "line 2 has no value for column \"a\"",
        ),
        ("{\"a\":1,\"s\":1}", "FS0307", 11, "1 in line 2 is no utf8"),
        (
            "{\"a\":1,\"s\":{}}",
            "FS0307",
            11,
            "an object in line 2 is no utf8",
        ),
        (
            "{\"a\":1,\"l\":{}}",
            "FS0307",
            11,
            "an object in line 2 is no list",
        ),
        (
            "{\"a\":1,\"l\":[{\"n\":1}]}",
            "FS0307",
            18,
            "line 2 has no value for column \"l[0].t\"",
        ),
        (
            "{\"a\":1,\"l\":[{\"n\":\"\\u00e9\",\"t\":\"\"}]}",
            "FS0307",
            17,
            "\"\u{e9}\" in line 2 is no int32",
        ),
        (
            "{\"a\":1,\"d\":\"2013-02-29\"}",
            "FS0307",
            11,
            "\"2013-02-29\" in line 2 is no date",
        ),
        ("{\"a\":1,\"d\":0}", "FS0307", 11, "0 in line 2 is no date"),
    ] {
        let error = fails(format!("{FIRST}{line}").as_bytes(), Some(schema()));
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Data, code),
            "{line}: {error}"
        );
        let text = format!("{}\n{}", error.message(), detail(&error));
        assert!(text.contains(says), "{line}: {text}");
        let place = format!("line 2, byte {} of the file", FIRST.len() + at + 1);
        assert!(text.contains(&place), "{line}: {text} and not {place}");
        assert!(
            text.contains("\"x.jsonl\"") && error.hint().is_some(),
            "{text}"
        );
        // In an array the place is another one, and it is wrong, too.
        if code != "FS0305" {
            let array = format!("[\n{{\"a\":1}},\n{line}\n]");
            let error = fails(array.as_bytes(), Some(schema()));
            assert_eq!(error.code(), code, "{line}: {error}");
            assert!(error.to_string().contains("line 3"), "{line}: {error}");
        }
    }
}

#[test]
fn what_surrounds_the_rows_of_an_array_is_checked() {
    for (text, line, byte, says) in [
        ("[{\"a\":1}", 1, 9, "the file ends within the array"),
        ("[{\"a\":1},", 1, 10, "the file ends within the array"),
        ("[{\"a\":1},]", 1, 10, "a row is an object"),
        (
            "[{\"a\":1}\n{\"a\":1}]",
            2,
            10,
            "a comma or the end of the array is missing",
        ),
        (
            "[{\"a\":1}]\n]",
            2,
            11,
            "something follows the end of the array",
        ),
        (
            "[{\"a\":1}]{}",
            1,
            10,
            "something follows the end of the array",
        ),
        ("[,{\"a\":1}]", 1, 2, "a row is an object"),
        ("[[{\"a\":1}]]", 1, 2, "a row is an object"),
        ("[1]", 1, 2, "a row is an object"),
        ("[", 1, 2, "the file ends within the array"),
        ("[{\"a\":1", 1, 8, "the file ends within the array"),
        ("[{\"a\":\"]}", 1, 10, "the file ends within the array"),
        ("[{\"a\":1]]", 1, 8, "a comma or } is missing"),
    ] {
        let error = fails(text.as_bytes(), Some(nullable(&[("a", DataType::Int64)])));
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Data, "FS0305"),
            "{text}"
        );
        let place = format!("line {line}, byte {byte} of the file");
        assert!(detail(&error).starts_with(&place), "{text}: {error}");
        assert!(detail(&error).contains(says), "{text}: {error}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_named() {
    for (bytes, place) in [
        (
            &b"{\"a\":1}\n{\"s\":\"M\xfcnchen\"}\n"[..],
            "line 2, byte 16",
        ),
        (b"[{\"a\":1},\n{\"s\":\"\xed\xa0\x80\"}]", "line 2, byte 17"),
        (b"{\"s\":\"\xc3", "line 1, byte 7"),
    ] {
        for schema in [None, Some(schema())] {
            let error = fails(bytes, schema);
            assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0316"));
            assert!(detail(&error).starts_with(place), "{error}");
        }
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(open(nested(31).as_bytes(), None).is_ok());
    for depth in [40, 1_000_000] {
        let text = format!("{{\"a\":{}", "[".repeat(depth));
        for text in [text.clone(), format!("[{text}]"), nested(depth)] {
            let error = fails(text.as_bytes(), None);
            assert!(
                detail(&error).contains("deeper than 32") || text.starts_with('['),
                "{error}"
            );
            assert_eq!(error.code(), "FS0305");
        }
    }
    // As deep as JSON may be, and deeper than a schema may.
    assert_eq!(fails(nested(32).as_bytes(), None).code(), "FS0111");
}

#[test]
fn a_row_is_bounded() {
    let text = "x".repeat(crate::format::json::rows::ROW_BYTES_MAX - 10);
    for (row, fits) in [
        (format!("{{\"s\":\"{text}\"}}\n"), true),
        (format!("{{\"s\":\"{text}xx\"}}\n"), false),
        (format!("[{{\"s\":\"{text}xxxx\"}}]"), false),
    ] {
        let bytes = format!(
            "{}{row}",
            if row.starts_with('[') {
                ""
            } else {
                "{\"s\":\"\"}\n"
            }
        );
        match read(&bytes, Some(nullable(&[("s", DataType::Utf8)]))) {
            Ok(_) => assert!(fits),
            Err(error) => {
                assert!(!fits, "{error}");
                assert_eq!(error.code(), "FS0305");
                assert!(
                    detail(&error).contains("longer than 67108864 bytes"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn what_is_not_in_a_row_is_bounded_too() {
    let wide: Vec<Field> = (0..1_000)
        .map(|index| Field::new(index.to_string(), DataType::Int64, true))
        .collect();
    let wide = DataType::Struct(wide.into());
    let few = DataType::new_list(wide.clone(), true);
    let text = |item: &str| format!("{{\"x\":[{item}{}]}}", format!(",{item}").repeat(9_999));
    for item in ["{}", "null"] {
        let error = fails(text(item).as_bytes(), Some(nullable(&[("x", few.clone())])));
        assert_eq!(error.code(), "FS0305");
        assert!(
            detail(&error).contains("the row's nulls take more than"),
            "{error}"
        );
    }
    let huge = Field::new("item", DataType::Int64, true);
    let huge = DataType::FixedSizeList(huge.into(), i32::MAX);
    assert_eq!(
        fails(b"{}", Some(nullable(&[("x", huge)]))).code(),
        "FS0305"
    );
    // Many rows make many batches.
    let rows = "{}\n".repeat(10_000);
    let mut reader = open(rows.as_bytes(), Some(nullable(&[("x", wide)]))).unwrap();
    let first = reader.next().unwrap().unwrap();
    assert!(first.num_rows() < 1_000, "{} rows", first.num_rows());
    let rest: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(first.num_rows() + rest, 10_000);
}

const ARRAY: &str = "[ {\"a\": 12, \"s\": \"x\\n\\u00e9\", \"l\": [{\"n\": -1.0, \"t\": \"\u{e9}\"}, null], \"d\": \"2013-01-31\"},\n\
                     {\"a\": 3e1, \"l\": []} ]";

#[test]
fn every_truncation_of_an_array_is_an_error() {
    assert_eq!(read(ARRAY, Some(schema())).unwrap().num_rows(), 2);
    for length in 1..ARRAY.len() {
        for schema in [None, Some(schema())] {
            let error = fails(&ARRAY.as_bytes()[..length], schema);
            let code = error.code();
            assert!(
                ["FS0305", "FS0316"].contains(&code),
                "{length} bytes: {error}"
            );
        }
    }
}

#[test]
fn every_flipped_byte_is_harmless_or_noticed() {
    for at in 0..ARRAY.len() {
        for flip in [0x01, 0x02, 0x08, 0x20, 0x80, 0xff] {
            let mut bytes = ARRAY.as_bytes().to_vec();
            bytes[at] ^= flip;
            for schema in [None, Some(schema())] {
                let read =
                    open(&bytes, schema).and_then(|reader| reader.collect::<Result<Vec<_>>>());
                let Err(error) = read else { continue };
                let code = error.code();
                assert!(
                    code.starts_with("FS03") || code.starts_with("FS012"),
                    "{error}"
                );
            }
        }
    }
}
