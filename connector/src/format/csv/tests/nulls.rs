//! What is a null, what is said of it, and that each comes back.

use super::*;

fn with_nulls(nulls: &[&str]) -> CsvOptions {
    CsvOptions {
        nulls: nulls.iter().map(|null| (*null).to_owned()).collect(),
        ..CsvOptions::default()
    }
}

fn column(table: &Table, index: usize) -> Vec<Option<&str>> {
    let cells = table.1.iter().map(|row| row[index].as_deref());
    cells.collect()
}

#[test]
fn an_empty_field_is_a_null_and_is_counted() {
    let text = "n,s,d,q\n1,a,2024-01-31,\"\"\n,,,x\n3,,2024-02-29,\n,b,,\"\"\n";
    let (table, notices) = told(text.as_bytes(), CsvOptions::default());
    let expected = [
        DataType::Int64,
        DataType::Utf8,
        DataType::Date32,
        DataType::Utf8,
    ];
    assert_eq!(types(&table), expected);
    assert_eq!(column(&table, 0), [Some("1"), None, Some("3"), None]);
    assert_eq!(column(&table, 1), [Some("a"), None, None, Some("b")]);
    assert_eq!(column(&table, 3), [Some(""), Some("x"), None, Some("")]);
    assert_eq!(
        notices,
        [
            "column \"n\": 2 empty fields are null",
            "column \"s\": 2 empty fields are null",
            "column \"d\": 2 empty fields are null",
            "column \"q\": 1 empty field is null",
        ]
    );
}

#[test]
fn words_are_nulls_beside_numbers_alone_and_are_counted() {
    let text = "n,f,s\n1,1.5,NA\nNA,NaN,x\nN/A,null,null\n,NULL,\n";
    let (table, notices) = told(text.as_bytes(), CsvOptions::default());
    let expected = [DataType::Int64, DataType::Float64, DataType::Utf8];
    assert_eq!(types(&table), expected);
    assert_eq!(column(&table, 0), [Some("1"), None, None, None]);
    assert_eq!(column(&table, 1), [Some("1.5"), Some("NaN"), None, None]);
    assert_eq!(
        column(&table, 2),
        [Some("NA"), Some("x"), Some("null"), None]
    );
    assert_eq!(
        notices,
        [
            "column \"n\": 1 empty field is null",
            "column \"n\": 2 fields such as \"NA\" are null",
            "column \"f\": 2 fields such as \"null\" are null",
            "column \"s\": 1 empty field is null",
        ]
    );
}

#[test]
fn words_at_a_declared_schema_are_nulls_where_there_may_be_some_and_are_said() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
    ]));
    let text = "n,s\nNA,NA\n,\n";
    let mut reader = opened(text.as_bytes(), Some(schema.clone()), CsvOptions::default()).unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert_eq!(batch.column(0).null_count(), 2);
    let words = StringArray::from(vec![Some("NA"), None]);
    assert_eq!(batch.column(1).as_ref(), &words as &dyn Array);
    assert!(reader.next().is_none());
    assert_eq!(
        reader.notices(),
        ["column \"n\": 1 field such as \"NA\" is null"]
    );
    // A quoted field is never a null.
    let quoted = "n,s\n\"\",x\n";
    let error = read(quoted, Some(schema.clone()), CsvOptions::default()).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("FS0307", Kind::Data));
    assert!(
        error.message().contains("\"\" in line 2 is no int64"),
        "{error}"
    );
    // Whoever says what a null is means it.
    let error = read(text, Some(schema), with_nulls(&["-"])).unwrap_err();
    assert!(error.message().contains("\"NA\" in line 2"), "{error}");
    let hint = "if it stands for a null, pass --null 'NA'";
    assert_eq!(error.hint(), Some(hint));
}

#[test]
fn null_texts_that_are_told_replace_the_usual_ones() {
    let text = "n,s\n1,\nNA,-\n-,NA\n,x\n";
    let (table, notices) = told(text.as_bytes(), with_nulls(&["-", "NA"]));
    assert_eq!(types(&table), [DataType::Int64, DataType::Utf8]);
    assert_eq!(column(&table, 0), [Some("1"), None, None, None]);
    assert_eq!(column(&table, 1), [Some(""), None, None, Some("x")]);
    assert_eq!(notices, ["column \"n\": 1 empty field is null"]);
    let (table, notices) = told(b"n,s\n1,\nNA,\n", with_nulls(&[""]));
    assert_eq!(types(&table), [DataType::Utf8, DataType::Utf8]);
    assert_eq!(column(&table, 1), [None, None]);
    assert_eq!(notices, ["column \"s\": 2 empty fields are null"]);
}

#[test]
fn the_null_of_earlier_files_is_noticed_and_read_when_told() {
    let text = b"n,s\n1,\\N\n\\N,\"\"\n3,x\n";
    let says = |column| {
        format!(
            "column \"{column}\": 1 field is the text \\N, which stood for a null in files of earlier versions: \
             if it does, pass --null '\\N'"
        )
    };
    let (table, notices) = told(text, CsvOptions::default());
    assert_eq!(types(&table), [DataType::Utf8, DataType::Utf8]);
    assert_eq!(notices, [says("n"), says("s")]);
    let declared = Schema::new(vec![
        Field::new("n", DataType::Utf8, true),
        Field::new("s", DataType::Utf8, true),
    ]);
    let mut reader = opened(text, Some(declared.into()), CsvOptions::default()).unwrap();
    let rows = reader.by_ref().map(|batch| batch.unwrap().num_rows());
    assert_eq!(rows.sum::<usize>(), 3);
    assert_eq!(reader.notices(), [says("n"), says("s")]);
    let (table, notices) = told(text, with_nulls(&[r"\N"]));
    assert_eq!(types(&table), [DataType::Int64, DataType::Utf8]);
    assert_eq!(column(&table, 0), [Some("1"), None, Some("3")]);
    assert_eq!(column(&table, 1), [None, Some(""), Some("x")]);
    assert_eq!(notices, [""; 0]);
}

#[test]
fn the_null_of_one_column_is_no_blank_line() {
    let words = StringArray::from(vec![
        None,
        Some(""),
        Some(r"\N"),
        Some("NA"),
        None,
        Some("x"),
    ]);
    let numbers = Int64Array::from(vec![None, Some(1), None]);
    for (column, text) in [
        (
            Arc::new(words) as ArrayRef,
            "c\nNULL\n\"\"\n\"\\N\"\n\"NA\"\nNULL\nx\n",
        ),
        (Arc::new(numbers), "c\nNULL\n1\nNULL\n"),
        (Arc::new(Int64Array::new_null(2)), "c\nNULL\nNULL\n"),
        (Arc::new(NullArray::new(2)), "c\nNULL\nNULL\n"),
    ] {
        let field = Field::new("c", column.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let batch = RecordBatch::try_new(schema, vec![column]).unwrap();
        for (nulls, null) in [
            (&[][..], r"\N"),
            (&[""], r"\N"),
            (&["", "-"], "-"),
            (&["-", ""], "-"),
        ] {
            let written = write(&batch, with_nulls(nulls));
            assert_eq!(written, text.replace("NULL", null));
            let back = read(&written, Some(batch.schema()), with_nulls(nulls)).unwrap();
            assert_eq!(back, std::slice::from_ref(&batch), "{nulls:?}");
        }
    }
}

#[test]
fn the_null_of_one_column_is_said_unless_it_was_told() {
    let text = b"c\n1\n\\N\n\\N\n";
    let (table, notices) = told(text, CsvOptions::default());
    assert_eq!(types(&table), [DataType::Int64]);
    assert_eq!(column(&table, 0), [Some("1"), None, None]);
    assert_eq!(notices, ["column \"c\": 2 fields of the text \\N are null"]);
    let (again, notices) = told(text, with_nulls(&[r"\N"]));
    assert_eq!((again, notices), (table, Vec::new()));
}

#[test]
fn blank_lines_of_one_column_are_said_or_refused() {
    let (table, notices) = told(b"c\n1\n\n2\n\n", CsvOptions::default());
    assert_eq!(column(&table, 0), [Some("1"), Some("2")]);
    assert_eq!(notices.len(), 1);
    assert!(
        notices[0].contains("2 blank lines were skipped"),
        "{notices:?}"
    );
    // At a schema that was declared, too, when all was read.
    let schema = Arc::new(Schema::new(vec![Field::new("c", DataType::Int64, true)]));
    let mut reader = opened(b"c\n1\n\n2\n\n", Some(schema), CsvOptions::default()).unwrap();
    let rows = reader.by_ref().map(|batch| batch.unwrap().num_rows());
    assert_eq!(rows.sum::<usize>(), 2);
    assert_eq!(reader.notices(), notices);
    let error = read("c\n1\n\n2\n", None, with_nulls(&[""])).unwrap_err();
    assert_eq!(error.code(), "FS0309");
    let (_, notices) = told(b"c,d\n1,2\n\n", CsvOptions::default());
    assert_eq!(notices, [""; 0]);
}

#[test]
fn many_columns_with_empty_fields_are_counted() {
    let line = |cell: &str| vec![cell; 40].join(",") + "\n";
    let names: Vec<String> = (0..40).map(|index| format!("c{index}")).collect();
    let text = names.join(",") + "\n" + &line("") + &line("1");
    let (_, notices) = told(text.as_bytes(), CsvOptions::default());
    assert_eq!(notices.len(), 17);
    assert_eq!(notices[16], "24 more columns have such fields");
}

#[test]
fn a_null_text_that_data_equal_is_quoted_whatever_the_type() {
    let batch = RecordBatch::try_from_iter_with_nullable([
        (
            "i",
            Arc::new(Int64Array::from(vec![Some(0), None])) as ArrayRef,
            true,
        ),
        (
            "f",
            Arc::new(Float64Array::from(vec![Some(f64::NAN), None])),
            true,
        ),
        (
            "b",
            Arc::new(BooleanArray::from(vec![Some(true), None])),
            true,
        ),
        (
            "s",
            Arc::new(StringArray::from(vec![Some("true"), None])),
            true,
        ),
        (
            "x",
            Arc::new(BinaryArray::from(vec![Some(&b""[..]), None])),
            true,
        ),
    ])
    .unwrap();
    let digest = |batches: &[RecordBatch]| {
        flinkspark_model::digest::digest(&batch.schema(), batches).unwrap()
    };
    for nulls in [&[][..], &["0"], &["NaN", "0"], &["true", "NaN"], &["", "0"]] {
        let text = write(&batch, with_nulls(nulls));
        let back = read(&text, Some(batch.schema()), with_nulls(nulls)).unwrap();
        assert_eq!(
            digest(&back),
            digest(std::slice::from_ref(&batch)),
            "{nulls:?}: {text}"
        );
    }
}
