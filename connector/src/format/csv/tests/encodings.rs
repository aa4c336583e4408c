//! Files that are not UTF-8.

use super::*;
use proptest::prelude::*;

fn in_encoding(encoding: Encoding) -> CsvOptions {
    CsvOptions {
        encoding: Some(encoding),
        ..CsvOptions::default()
    }
}

fn utf16(text: &str, mark: bool, little: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    let units = mark.encode_utf16().chain(text.encode_utf16());
    match little {
        true => units.flat_map(u16::to_le_bytes).collect(),
        false => units.flat_map(u16::to_be_bytes).collect(),
    }
}

const TEXT: &str = "näme;größe\r\n\"a\r\n;b\";1\r\n😀€;2\r\n";

#[test]
fn utf16_is_known_by_its_mark_and_said() {
    let utf8 = told(TEXT.as_bytes(), CsvOptions::default()).0;
    assert_eq!(utf8.0[0], ("näme".into(), DataType::Utf8));
    assert_eq!(utf8.1[1], [Some("😀€".into()), Some("2".into())]);
    for (little, encoding) in [(true, Encoding::Utf16Le), (false, Encoding::Utf16Be)] {
        let (table, notices) = told(&utf16(TEXT, true, little), CsvOptions::default());
        assert_eq!(table, utf8);
        let name = encoding.name();
        let says = format!("the file is read as {name}, as its byte order mark says");
        assert_eq!((notices.len(), &notices[0]), (2, &says), "{notices:?}");
        // By name, with a mark or without one.
        for mark in [true, false] {
            let bytes = utf16(TEXT, mark, little);
            let (table, notices) = told(&bytes, in_encoding(encoding));
            assert_eq!((table, notices.len()), (utf8.clone(), 1));
        }
    }
}

#[test]
fn latin1_and_windows_1252_are_read_by_name() {
    let bytes = b"n\xe4me,x\n\"caf\xe9 \xff\",\x80\n";
    let (table, _) = told(bytes, in_encoding(Encoding::Latin1));
    assert_eq!(table.0[0].0, "näme");
    assert_eq!(table.1[0], [Some("café ÿ".into()), Some("\u{80}".into())]);
    let (table, _) = told(bytes, in_encoding(Encoding::Windows1252));
    assert_eq!(table.1[0][1].as_deref(), Some("€"));
    let error = read_bytes(bytes, None, CsvOptions::default()).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("FS0316", Kind::Data));
    assert!(error.hint().unwrap().contains("--encoding"), "{error}");
}

#[test]
fn what_the_encoding_does_not_have_is_an_error_with_its_line() {
    let lone = |half: u16, little| {
        let mut bytes = utf16("a,b\n1,2\n3,", true, little);
        bytes.extend(if little {
            half.to_le_bytes()
        } else {
            half.to_be_bytes()
        });
        bytes.extend(utf16("x\n", false, little));
        bytes
    };
    let mut at_end = utf16("a,b\n1,", true, true);
    at_end.extend(0xd83d_u16.to_le_bytes());
    let mut odd = utf16("a,b\n1,2\n", true, false);
    odd.push(0);
    let mut odd_pair = utf16("a,b\n1,", true, false);
    odd_pair.extend([0xd8, 0x3d, 0xde]);
    let usual = CsvOptions::default;
    for (bytes, options, says) in [
        (
            lone(0xd83d, true),
            usual(),
            "line 3 holds half of a surrogate pair",
        ),
        (
            lone(0xde00, false),
            usual(),
            "line 3 holds half of a surrogate pair",
        ),
        (at_end, usual(), "line 2 holds half of a surrogate pair"),
        (odd, usual(), "line 3 holds half of a character at its end"),
        (odd_pair, usual(), "line 2 holds half of a"),
        (
            b"\xff\xfea".to_vec(),
            usual(),
            "line 1 holds half of a character",
        ),
        (
            b"a,b\n1,\x81\n".to_vec(),
            in_encoding(Encoding::Windows1252),
            "line 2 holds a byte that it does not have",
        ),
        (
            utf16("a,b\n", true, true),
            in_encoding(Encoding::Utf16Be),
            "line 1 holds the byte order mark of another encoding",
        ),
        (
            b"\xef\xbb\xbfa,b\n".to_vec(),
            in_encoding(Encoding::Latin1),
            "line 1 holds the byte order mark of another encoding",
        ),
        (b"a,b\n1,\xff\n".to_vec(), usual(), "line 2 holds bytes"),
    ] {
        let error = read_bytes(&bytes, None, options).unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            ("FS0316", Kind::Data),
            "{error}"
        );
        assert!(error.detail().unwrap().contains(says), "{says}: {error}");
    }
    // A mark and nothing behind it is a file without a line.
    let error = read_bytes(b"\xff\xfe", None, usual()).unwrap_err();
    assert_eq!(error.code(), "FS0305");
}

#[test]
fn what_stands_before_a_wrong_place_is_read() {
    let mut bytes = utf16("a,b\n1,2\n", true, true);
    bytes.extend(0xd83d_u16.to_le_bytes());
    bytes.extend(utf16("\n", false, true));
    let field = |name| Field::new(name, DataType::Int64, true);
    let options = ReadOptions {
        schema: Some(Arc::new(Schema::new(vec![field("a"), field("b")]))),
        batch_rows: 1,
        ..ReadOptions::default()
    };
    let input = Box::new(Cursor::new(bytes));
    let mut reader = Format::CSV.read(input, "x.csv", &options).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().num_rows(), 1);
    assert_eq!(reader.next().unwrap().unwrap_err().code(), "FS0316");
    assert!(reader.next().is_none());
}

#[test]
fn what_is_written_in_an_encoding_is_read_in_it() {
    let words = StringArray::from(vec![Some("ÿþ"), None, Some("ï»¿é"), Some("þÿ"), Some("")]);
    let numbers = Int64Array::from(vec![1, 2, 3, 4, 5]);
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("ÿþ", Arc::new(words) as ArrayRef, true),
        ("n", Arc::new(numbers), true),
    ])
    .unwrap();
    for encoding in [
        Encoding::Utf8,
        Encoding::Utf16Le,
        Encoding::Utf16Be,
        Encoding::Latin1,
        Encoding::Windows1252,
    ] {
        for header in [true, false] {
            let options = CsvOptions {
                header,
                ..in_encoding(encoding)
            };
            let schema = Schema::new(vec![
                Field::new("ÿþ", DataType::Utf8, true),
                Field::new("n", DataType::Int64, true),
            ]);
            let bytes = write_bytes(&batch, options.clone());
            let back = read_bytes(&bytes, Some(schema.into()), options).unwrap();
            assert_eq!(back, std::slice::from_ref(&batch), "{encoding:?}");
        }
        // UTF-16 needs no name.
        if matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be) {
            let bytes = write_bytes(&batch, in_encoding(encoding));
            let back = read_bytes(&bytes, None, CsvOptions::default()).unwrap();
            assert_eq!(back[0].columns(), batch.columns());
        }
    }
    let euro = StringArray::from(vec!["a", "€"]);
    let batch = RecordBatch::try_from_iter([("s", Arc::new(euro) as ArrayRef)]).unwrap();
    let error = try_write(&batch, in_encoding(Encoding::Latin1)).unwrap_err();
    assert_eq!(error.code(), "FS0311");
    assert!(error.message().contains("row 2 of column \"s\""), "{error}");
    assert!(error.detail().unwrap().contains("U+20AC"), "{error}");
    let bytes = write_bytes(&batch, in_encoding(Encoding::Windows1252));
    assert_eq!(bytes, b"s\na\n\x80\n");
}

#[test]
fn names_of_encodings_are_known() {
    for (name, encoding) in [
        ("UTF-8", Encoding::Utf8),
        ("utf-16le", Encoding::Utf16Le),
        ("UTF-16BE", Encoding::Utf16Be),
        ("latin1", Encoding::Latin1),
        ("ISO-8859-1", Encoding::Latin1),
        ("cp1252", Encoding::Windows1252),
    ] {
        assert_eq!(name.parse::<Encoding>().unwrap(), encoding);
        assert_eq!(encoding.name().parse::<Encoding>().unwrap(), encoding);
    }
    let error = "utf-16".parse::<Encoding>().unwrap_err();
    assert_eq!(error.code(), "FS0309");
}

mod property {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn bytes_are_decoded_the_same_whatever_the_reads(
            units in prop::collection::vec(
                prop::sample::select(vec![0x0a_u16, 0x2c, 0x61, 0xe9, 0x20ac, 0xd83d, 0xde00, 0xfeff, 0x22]), 0..24,
            ),
            odd in any::<bool>(), step in 1_usize..6, encoding in prop::sample::select(vec![
                Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Latin1, Encoding::Windows1252, Encoding::Utf8,
            ]),
        ) {
            let mut bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            bytes.extend(odd.then_some(0x61));
            let all = |step| {
                let mut source = match Source::new(Drip(&bytes, step), Some(encoding)) {
                    Ok(source) => source,
                    Err(broken) => return (Vec::new(), format!("{broken:?}")),
                };
                let mut text = Vec::new();
                loop {
                    match source.fill(1) {
                        Ok([]) => return (text, String::new()),
                        Ok(more) => text.extend_from_slice(more),
                        Err(broken) => return (text, format!("{broken:?}")),
                    }
                    let length = source.buffer().len();
                    source.consume(length);
                }
            };
            let (text, broken) = all(1 << 20);
            prop_assert_eq!(all(step), (text.clone(), broken.clone()));
            if encoding == Encoding::Utf16Le && broken.is_empty() {
                let skip = usize::from(units.first() == Some(&0xfeff));
                prop_assert_eq!(String::from_utf16(&units[skip..]).unwrap().into_bytes(), text);
            }
        }
    }
}
