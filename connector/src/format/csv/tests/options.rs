//! Delimiters, quotes, comments, patterns and decimal commas.

use super::*;

fn with(change: impl Fn(&mut CsvOptions)) -> CsvOptions {
    let mut options = CsvOptions::default();
    change(&mut options);
    options
}

#[test]
fn comments_are_no_records_and_stand_where_lines_begin() {
    let options = with(|options| options.comment = Some("//".into()));
    let plain = |text: &str| (text.to_owned(), false);
    let quoted = |text: &str| (text.to_owned(), true);
    for (text, expected) in [
        ("// it's \"so\n//\n", vec![]),
        ("// last", vec![]),
        (
            "\u{feff}// first\na,//b\n// \"x\r\n\"p\n// q\",\"//r\"\n\n//\n/,/\n/",
            vec![
                vec![plain("a"), plain("//b")],
                vec![quoted("p\n// q"), quoted("//r")],
                vec![plain("/"), plain("/")],
                vec![plain("/")],
            ],
        ),
    ] {
        for step in [1, 2, 3, 5, 1000] {
            let split = split_so(text, step, &options).unwrap();
            assert_eq!(split, expected, "{text:?} in steps of {step}");
        }
    }
    // The lines of errors are those of the file.
    let error = read("a,b\n// x\n// y\n1\n", None, options).unwrap_err();
    let says = "line 4 has 1 fields";
    assert!(error.detail().unwrap().contains(says), "{error}");
}

#[test]
fn a_value_that_begins_as_a_comment_is_quoted() {
    let words = StringArray::from(vec![Some("#1"), None, Some("a#")]);
    let numbers = Int64Array::from(vec![-1, 2, 3]);
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("#", Arc::new(words) as ArrayRef, true),
        ("n", Arc::new(numbers), true),
    ])
    .unwrap();
    let options = with(|options| options.comment = Some("#".into()));
    let text = write(&batch, options.clone());
    assert_eq!(text, "\"#\",n\n\"#1\",-1\n,2\na#,3\n");
    let back = read(&text, None, options).unwrap();
    assert_eq!(back[0].columns(), batch.columns());
    // Whatever its type.
    let options = with(|options| options.comment = Some("-".into()));
    let swapped = batch.project(&[1, 0]).unwrap();
    let text = write(&swapped, options.clone());
    assert_eq!(text.lines().nth(1), Some("\"-1\",#1"));
    let back = read(&text, Some(swapped.schema()), options).unwrap();
    assert_eq!(back, [swapped]);
}

#[test]
fn another_quote_and_none() {
    let words = StringArray::from(vec![
        Some("it's"),
        Some("a \"b\""),
        Some("x,y"),
        None,
        Some(""),
    ]);
    let more = StringArray::from(vec!["1", "b", "c", "d", "NA"]);
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("s", Arc::new(words) as ArrayRef, true),
        ("t", Arc::new(more), true),
    ])
    .unwrap();
    let options = with(|options| options.quote = Some(b'\''));
    let text = write(&batch, options.clone());
    assert_eq!(text, "s,t\n'it''s','1'\na \"b\",b\n'x,y',c\n,d\n'','NA'\n");
    let back = read(&text, None, options).unwrap();
    assert_eq!(back[0].columns(), batch.columns());

    let options = with(|options| options.quote = None);
    let (table, _) = told(b"a,b\n\"x,\"\"y\n'1',2\n", options.clone());
    assert_eq!(table.1[0], [Some("\"x".into()), Some("\"\"y".into())]);
    // What cannot be written without quotes is refused, and what can be is read back at its schema.
    for (rows, says) in [(batch.slice(0, 3), "row 3"), (batch.slice(3, 2), "row 2")] {
        let error = try_write(&rows, options.clone()).unwrap_err();
        assert_eq!(error.code(), "FS0311");
        assert!(error.message().contains(says), "{error}");
        assert!(error.detail().unwrap().contains("quotes"), "{error}");
    }
    let rows = batch.slice(0, 2);
    let text = write(&rows, options.clone());
    assert_eq!(text, "s,t\nit's,1\na \"b\",b\n");
    let back = read(&text, Some(rows.schema()), options.clone()).unwrap();
    assert_eq!(back, [rows]);
    let name = [("a,b", Arc::clone(batch.column(1)))];
    let error = try_write(&RecordBatch::try_from_iter(name).unwrap(), options).unwrap_err();
    assert_eq!(error.code(), "FS0306");
}

#[test]
fn a_decimal_comma_is_inferred() {
    let options = with(|options| options.decimal_comma = true);
    let text = "f;n;s;t;at\n1,5;1;1,50;1.234,5;2024-01-31 05:00:00.5\n-0,25;1;2,5;1.234;2024-01-31 05:00:00\n1e-7;2;1;2;\nNaN;3;3;4;\n";
    let (table, notices) = told(text.as_bytes(), options);
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    // A number that a float would write otherwise is text, and so is one with points for thousands.
    let expected = [
        DataType::Float64,
        DataType::Int64,
        DataType::Utf8,
        DataType::Utf8,
        micros,
    ];
    assert_eq!(types(&table), expected);
    let floats: Vec<_> = table.1.iter().map(|row| row[0].as_deref()).collect();
    assert_eq!(floats, ["1.5", "-0.25", "1e-7", "NaN"].map(Some));
    assert_eq!(table.1[0][2].as_deref(), Some("1,50"));
    assert_eq!(table.1[1][3].as_deref(), Some("1.234"));
    // The semicolon is the usual delimiter then.
    let taken = notices.iter().any(|notice| notice.contains("taken to be"));
    assert!(!taken, "{notices:?}");
}

#[test]
fn a_decimal_comma_is_read_and_written() {
    let options = with(|options| options.decimal_comma = true);
    let schema = Arc::new(Schema::new(vec![
        Field::new("f", DataType::Float32, true),
        Field::new("d", DataType::Decimal128(10, 2), true),
        Field::new("s", DataType::Utf8, true),
    ]));
    for (cells, says) in [
        ("1.5;1;x", "\"1.5\" in line 2 is no float32"),
        ("1.234,5;1;x", "\"1.234,5\" in line 2"),
        ("1,2,3;1;x", "\"1,2,3\" in line 2"),
        ("1;1.50;x", "\"1.50\" in line 2 is no decimal128(10,2)"),
        ("1;1,505;x", "\"1,505\" in line 2 is no decimal128(10,2)"),
    ] {
        let text = format!("f;d;s\n{cells}\n");
        let error = read(&text, Some(schema.clone()), options.clone()).unwrap_err();
        assert_eq!(error.code(), "FS0307");
        assert!(error.message().contains(says), "{error}");
    }
    let decimals = Decimal128Array::from(vec![Some(-150), None, Some(7)]);
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(Float32Array::from(vec![Some(1.5), Some(-0.0), None])),
            Arc::new(decimals.with_precision_and_scale(10, 2).unwrap()),
            Arc::new(StringArray::from(vec!["1,5", "1.5", "a,b"])),
        ],
    )
    .unwrap();
    let text = write(&batch, options.clone());
    let expected = "f;d;s\n1,5;-1,50;\"1,5\"\n-0,0;;\"1.5\"\n;0,07;a,b\n";
    assert_eq!(text, expected);
    let back = read(&text, Some(schema), options.clone()).unwrap();
    assert_eq!(back, std::slice::from_ref(&batch));
    // One column of such numbers stays one, of numbers.
    let one = batch.project(&[0]).unwrap();
    let text = write(&one, options.clone());
    assert_eq!(text, "f\n1,5\n-0,0\n\\N\n");
    let back = read(&text, Some(one.schema()), options).unwrap();
    assert_eq!(back, [one]);
}

#[test]
fn dates_and_times_are_as_declared() {
    let options = with(|options| {
        options.date = Some("dd.MM.yyyy".into());
        options.time = Some("HHmm".into());
        options.timestamp = Some("yyyy/MM/dd HH:mm:ss.SSS".into());
        options.instant = Some("yyyyMMdd'T'HHmmssXXX".into());
    });
    let text = "d,t,l,z\n31.01.2013,0515,2013/01/31 05:15:00.120,20130131T051500Z\n,,,\n";
    let (table, _) = told(text.as_bytes(), options.clone());
    let micros =
        |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let expected = [
        DataType::Date32,
        DataType::Utf8,
        micros(None),
        micros(Some("UTC")),
    ];
    assert_eq!(types(&table), expected);
    assert_eq!(table.1[0][0].as_deref(), Some("2013-01-31"));

    let schema = Arc::new(Schema::new(vec![
        Field::new("d", DataType::Date32, true),
        Field::new("t", DataType::Time32(TimeUnit::Second), true),
        Field::new("l", micros(None), true),
        Field::new("z", micros(Some("UTC")), true),
    ]));
    let rows = read(text, Some(schema.clone()), options.clone()).unwrap();
    assert_eq!(rows[0].num_rows(), 2);
    assert_eq!(write(&rows[0], options.clone()), text);
    // Where a pattern is declared, nothing else is a date.
    let mixed = b"d,e\n2013-01-31,31.01.2013\n2013-02-01,2013-02-01\n";
    let (table, _) = told(mixed, options.clone());
    assert_eq!(types(&table), [DataType::Utf8, DataType::Utf8]);
    let iso = "d,t,l,z\n2013-01-31,,,\n";
    let error = read(iso, Some(schema), options.clone()).unwrap_err();
    assert_eq!(error.code(), "FS0307");
    // A year for which the pattern has no room.
    let far: ArrayRef = Arc::new(Date32Array::from(vec![0, i32::MAX]));
    let far = RecordBatch::try_from_iter([("d", far)]).unwrap();
    let error = try_write(&far, options.clone()).unwrap_err();
    assert_eq!(error.code(), "FS0311");
    assert!(error.message().contains("row 2 of column \"d\""), "{error}");
    // Texts that look like the declared dates stay texts.
    for words in [
        ["31.01.2013", "01.02.2013"],
        ["2013-01-31", "2013-02-01"],
        ["0515", "20130131T051500Z"],
    ] {
        let words: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
        let words = RecordBatch::try_from_iter([("s", words)]).unwrap();
        let text = write(&words, options.clone());
        let back = read(&text, None, options.clone()).unwrap();
        assert_eq!(back[0].columns(), words.columns(), "{text}");
    }
}

#[test]
fn numbers_are_dates_only_where_all_of_a_column_are_of_the_pattern() {
    let options = with(|options| options.date = Some("yyyyMMdd".into()));
    let (table, _) = told(b"d,n,z\n20130131,20130131,007\n,5,20130131\n", options);
    let expected = [DataType::Date32, DataType::Int64, DataType::Utf8];
    assert_eq!(types(&table), expected);
}
