//! Which delimiter is taken where none was told, and that it is said.

use super::*;

fn names(bytes: &[u8], csv: CsvOptions) -> (Vec<String>, Vec<String>) {
    let reader = opened(bytes, None, csv).unwrap();
    let schema = reader.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    (names.collect(), reader.notices())
}

fn without_header() -> CsvOptions {
    CsvOptions {
        header: false,
        ..CsvOptions::default()
    }
}

#[test]
fn a_delimiter_that_every_line_shows_is_taken_and_said() {
    for (text, fields, delimiter, shown) in [
        ("a;b\n1;2\n", 2, b';', "\";\""),
        ("a\tb\tc\r\n1\t2,5\t3\r\n", 3, b'\t', "a tab"),
        ("a|b\n1|2\n3|4", 2, b'|', "\"|\""),
        ("\u{feff}a;b\r\n\r\n1,5;2,5\r\n", 2, b';', "\";\""),
        ("a;b\n\"x;y\";1\n\"p\nq\";2\n", 2, b';', "\";\""),
        ("\"a\";\"b\"\n\"1,2\";\"3,4\"\n", 2, b';', "\";\""),
    ] {
        let (found, notices) = names(text.as_bytes(), CsvOptions::default());
        assert_eq!(found.len(), fields, "{text:?}");
        let says = format!("taken to be {shown},");
        assert!(notices[0].contains(&says), "{notices:?}");
        assert!(notices[0].contains("--delimiter"), "{notices:?}");
        // What is told is not said again.
        let options = CsvOptions {
            delimiter: Some(delimiter),
            ..CsvOptions::default()
        };
        assert_eq!(
            names(text.as_bytes(), options),
            (found, Vec::new()),
            "{text:?}"
        );
    }
}

#[test]
fn a_delimiter_that_could_be_another_is_a_comma() {
    for (text, fields) in [
        // One line tells nothing.
        ("a;b\n", 1),
        // Not every line has as many.
        ("a;b\n1;2\n3\n", 1),
        ("a;b\n1;2;3\n", 1),
        // Two of them would do.
        ("a;b|c\n1;2|3\n", 1),
        ("a,x;b\n1,y;2\n", 2),
        // They stand in quotes.
        ("\"a;b\"\n\"1;2\"\n", 1),
        ("a,b\n\"1;2\",\"3|4\"\n", 2),
        // It is none that would be looked for.
        ("a:b\n1:2\n", 1),
    ] {
        let (names, notices) = names(text.as_bytes(), CsvOptions::default());
        assert_eq!(names.len(), fields, "{text:?}");
        let taken = notices.iter().any(|notice| notice.contains("taken to be"));
        assert!(!taken, "{text:?}: {notices:?}");
    }
    let (_, notices) = names(b"a;b\n1;2\n3\n", CsvOptions::default());
    assert!(
        notices[0].contains("if \";\" stands between"),
        "{notices:?}"
    );
}

#[test]
fn a_quoted_field_that_is_longer_than_the_beginning_decides_nothing() {
    let lines = "p;q\n".repeat(40_000);
    assert!(lines.len() > 128 << 10);
    for (text, columns) in [
        (format!("\"{lines}\",2\n3,4\n"), 2),
        (format!("1,\"{lines}\"\n3,4\n"), 2),
        (format!("1;2,\"{lines}\"\n3,4\n"), 2),
        (format!("\"{lines}\"\n"), 1),
    ] {
        let (names, notices) = names(text.as_bytes(), without_header());
        assert_eq!((names.len(), notices), (columns, Vec::new()));
    }
    // It goes on within a record: that one is not counted.
    let text = format!("a;b\n1;2\n3;\"{lines}\"\n");
    let (names, notices) = names(text.as_bytes(), CsvOptions::default());
    assert_eq!(names, ["a", "b"]);
    assert!(notices[0].contains("first 2 lines"), "{notices:?}");
    // A torn file is torn, whatever else stands in it.
    let error = read("1;1,\"p;q\np;q\n", None, without_header()).unwrap_err();
    assert_eq!(error.code(), "FS0305");
}

#[test]
fn a_line_that_the_beginning_cuts_counts_for_nothing() {
    // The beginning ends within the last line that it has, before its delimiters.
    let mut text = "a;b;c\n".to_owned();
    while text.len() < (64 << 10) - 100 {
        text.push_str("12345678;12345678;123456\n");
    }
    text.push_str(&"x".repeat(200 << 10));
    text.push_str(";1;2\n");
    let (names, notices) = names(text.as_bytes(), CsvOptions::default());
    assert_eq!((names.len(), notices.len()), (3, 1), "{notices:?}");
}

#[test]
fn the_schema_knows_how_many_fields_there_are() {
    let field = |name| Field::new(name, DataType::Utf8, true);
    let one = Arc::new(Schema::new(vec![field("a;b")]));
    let rows = read("a;b\n1;2\n", Some(one), CsvOptions::default()).unwrap();
    assert_eq!(rows[0].num_columns(), 1);
    let two = Arc::new(Schema::new(vec![field("a"), field("b")]));
    let mut reader = opened(b"a;b\n1;2\n", Some(two), CsvOptions::default()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().num_columns(), 2);
    assert_eq!(reader.notices().len(), 1);
}

#[test]
fn what_we_write_is_not_taken_for_something_else() {
    let words = StringArray::from(vec!["1;2", "3;4", "x\ty"]);
    let batch = RecordBatch::try_from_iter([("a;b", Arc::new(words) as ArrayRef)]).unwrap();
    for header in [true, false] {
        let options = CsvOptions {
            header,
            ..CsvOptions::default()
        };
        for rows in [batch.clone(), batch.slice(0, 2)] {
            let text = write(&rows, options.clone());
            let back = read(&text, None, options.clone()).unwrap();
            assert_eq!(back[0].columns(), rows.columns(), "{text}");
        }
    }
}
