//! Files that are read at another schema: the rules of the specification, case by case.

use super::*;
use crate::format::AvroOptions;

fn at(writer: &str, block: &[u8], reader: &str) -> Result<Vec<RecordBatch>> {
    let options = ReadOptions {
        avro: AvroOptions {
            schema: Some(reader.into()),
        },
        ..ReadOptions::default()
    };
    read(Format::AVRO, file(writer, "null", 1, block), &options)
}

fn fields(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#)
}

/// The one row, as it is printed.
fn shown(batches: &[RecordBatch]) -> String {
    let options = arrow_cast::display::FormatOptions::new().with_null("null");
    let columns = batches[0].columns().iter().map(|column| {
        let shown = arrow_cast::display::ArrayFormatter::try_new(column, &options).unwrap();
        shown.value(0).to_string()
    });
    columns.collect::<Vec<_>>().join("|")
}

const COLOURS: &str = r#"{"type":"enum","name":"e","symbols":["a","b"]}"#;
const OTHERS: &str = r#"{"type":"enum","name":"e","symbols":["b","c"],"default":"c"}"#;
const STRICT: &str = r#"{"type":"enum","name":"e","symbols":["b","c"]}"#;
const CENTS: &str = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;

#[test]
fn types_resolve_as_the_specification_says() {
    let cases: &[(&str, &[u8], &str, &str)] = &[
        (r#""int""#, &[3], r#""long""#, "-2"),
        (r#""int""#, &[3], r#""float""#, "-2.0"),
        (r#""int""#, &[3], r#""double""#, "-2.0"),
        (r#""long""#, &[3], r#""float""#, "-2.0"),
        (r#""long""#, &[3], r#""double""#, "-2.0"),
        (r#""float""#, &[0, 0, 192, 63], r#""double""#, "1.5"),
        (r#""string""#, &[2, b'x'], r#""bytes""#, "78"),
        (r#""bytes""#, &[2, b'x'], r#""string""#, "x"),
        (COLOURS, &[2], OTHERS, "b"),
        (COLOURS, &[0], OTHERS, "c"),
        (CENTS, &[2, 5], CENTS, "0.05"),
        (r#""int""#, &[4], r#"["null","long"]"#, "2"),
        (r#"["null","int"]"#, &[2, 4], r#""long""#, "2"),
        (r#"["null","int"]"#, &[2, 4], r#"["double","null"]"#, "2.0"),
        (r#"["null","int"]"#, &[0], r#"["double","null"]"#, "null"),
        (
            r#"{"type":"array","items":"int"}"#,
            &[4, 2, 4, 0],
            r#"{"type":"array","items":["null","double"]}"#,
            "[1.0, 2.0]",
        ),
        (
            r#"{"type":"map","values":"int"}"#,
            &[2, 2, b'k', 4, 0],
            r#"{"type":"map","values":"long"}"#,
            "{k: 2}",
        ),
        (
            r#"{"type":"fixed","name":"x.f","size":2}"#,
            &[1, 2],
            r#"{"type":"fixed","name":"y.f","size":2}"#,
            "0102",
        ),
        (
            r#"{"type":"fixed","name":"f","size":2}"#,
            &[1, 2],
            r#"{"type":"fixed","name":"g","aliases":["f"],"size":2}"#,
            "0102",
        ),
        (
            r#"{"type":"record","name":"in","fields":[{"name":"x","type":"int"},{"name":"y","type":"string"}]}"#,
            &[4, 2, b's'],
            r#"{"type":"record","name":"in","fields":[{"name":"y","type":"string"},{"name":"x","type":"long"}]}"#,
            "{y: s, x: 2}",
        ),
    ];
    for (writer, block, reader, expected) in cases {
        let read = at(&one(writer), block, &one(reader));
        let read = read.unwrap_or_else(|error| panic!("{writer} at {reader}: {error}"));
        assert_eq!(shown(&read), *expected, "{writer} at {reader}");
    }
}

#[test]
fn fields_are_found_by_name_alias_or_default() {
    let writer = fields(
        r#"{"name":"gone","type":{"type":"array","items":"string"}},{"name":"old","type":"int"},{"name":"a","type":"int"}"#,
    );
    let reader = fields(
        r#"{"name":"a","type":"long"},{"name":"new","aliases":["old"],"type":"double"},
        {"name":"n","type":["null","int"],"default":null},{"name":"u","type":["null","int"],"default":7},
        {"name":"s","type":"string","default":"d"},{"name":"b","type":"bytes","default":"\u00ff"},
        {"name":"l","type":{"type":"array","items":"int"},"default":[1,2]},
        {"name":"q","type":{"type":"record","name":"q","fields":[{"name":"x","type":"int"},{"name":"y","type":"boolean","default":true}]},"default":{"x":3}}"#,
    );
    let read = at(&writer, &[2, 2, b'z', 0, 4, 6], &reader).unwrap();
    assert_eq!(shown(&read), "3|2.0|null|7|d|ff|[1, 2]|{x: 3, y: true}");
}

#[test]
fn what_does_not_resolve_is_refused_with_the_field_and_both_types() {
    let micros = r#"{"type":"long","logicalType":"timestamp-micros"}"#;
    let millis = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    let cents = r#"{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}"#;
    let fixed =
        |name: &str, size: u8| format!(r#"{{"type":"fixed","name":"{name}","size":{size}}}"#);
    let cases = [
        (
            r#""long""#.into(),
            r#""int""#.into(),
            "has long, and the schema to read at has int",
        ),
        (r#""double""#.into(), r#""float""#.into(), "has double"),
        (r#""string""#.into(), r#""int""#.into(), "has string"),
        (
            r#""int""#.into(),
            r#"["null","string"]"#.into(),
            "has [null, string]",
        ),
        (
            r#"["null","string"]"#.into(),
            r#""int""#.into(),
            "has string",
        ),
        (micros.to_owned(), millis.into(), "long as timestamp-micros"),
        (CENTS.to_owned(), cents.into(), "decimal(5, 2)"),
        (fixed("f", 2), fixed("f", 3), "of 3 bytes"),
        (fixed("f", 2), fixed("g", 2), "fixed \"g\""),
        (
            r#"{"type":"array","items":"long"}"#.into(),
            r#"{"type":"array","items":"int"}"#.into(),
            "field \"a[]\"",
        ),
    ];
    for (writer, reader, says) in cases {
        let error = at(&one(&writer), &[0; 8], &one(&reader)).unwrap_err();
        assert_eq!(error.code(), "FS0324", "{writer} at {reader}: {error}");
        let detail = error.detail().unwrap();
        assert!(
            detail.contains(says) && detail.contains("field \"a"),
            "{detail}"
        );
    }
    let lacking = fields(r#"{"name":"a","type":"int"},{"name":"b","type":"int"}"#);
    let wrong = fields(r#"{"name":"b","type":"int","default":"x"}"#);
    let twice = fields(r#"{"name":"a","type":"int"},{"name":"b","type":"int","aliases":["a"]}"#);
    let other = one(r#""int""#).replace("\"r\"", "\"other\"");
    let says = [
        "field \"b\"",
        "its default is none",
        "two fields",
        "its records",
    ];
    for (reader, says) in [lacking, wrong, twice, other].iter().zip(says) {
        let error = at(&one(r#""int""#), &[0], reader).unwrap_err();
        assert_eq!(error.code(), "FS0324", "{error}");
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
    for unusable in [
        "{",
        r#""int""#,
        &one(r#"["int","string"]"#),
        &one(r#""nothing""#),
    ] {
        let error = at(&one(r#""int""#), &[0], unusable).unwrap_err();
        assert_eq!(error.code(), "FS0324", "{unusable}: {error}");
    }
}

#[test]
fn a_value_without_a_place_is_refused_with_its_row() {
    let nullable = r#"["null","int"]"#;
    for (writer, reader) in [(COLOURS, STRICT), (nullable, r#""int""#)] {
        let error = at(&one(writer), &[0], &one(reader)).unwrap_err();
        assert_eq!(error.code(), "FS0310", "{error}");
        assert!(error.message().contains("row 1"), "{error}");
    }
    // The second of the reader's columns is the first of the writer's.
    let writer = fields(&format!(
        r#"{{"name":"v","type":{nullable}}},{{"name":"n","type":"int"}}"#
    ));
    let reader = fields(r#"{"name":"n","type":"int"},{"name":"v","type":"int"}"#);
    let error = at(&writer, &[0, 2], &reader).unwrap_err();
    assert!(error.message().contains("column \"v\""), "{error}");
}

#[test]
fn what_is_skipped_must_be_whole_and_defaults_count() {
    let writer = fields(r#"{"name":"a","type":"int"},{"name":"gone","type":"string"}"#);
    let error = at(&writer, &[2, 20, b'x'], &one(r#""int""#)).unwrap_err();
    assert_eq!(error.code(), "FS0305", "{error}");
    // Each of 2^10 records without bytes comes to 2^17 of a default.
    let list = |inner: &str| {
        one(&format!(
            r#"{{"type":"array","items":{{"type":"record","name":"i","fields":[{inner}]}}}}"#
        ))
    };
    let text = "x".repeat(1 << 17);
    let reader = list(&format!(
        r#"{{"name":"t","type":"string","default":"{text}"}}"#
    ));
    let mut block = Vec::new();
    put_number(1 << 10, &mut block);
    put_number(0, &mut block);
    let error = at(&list(""), &block, &reader).unwrap_err();
    assert!(
        error.detail().unwrap().contains("a row takes more than"),
        "{error}"
    );
}
