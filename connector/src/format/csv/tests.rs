//! CSV's grammar, its types and its nulls.

use super::chunks::Chunks;
use super::record::Records;
use super::source::{Broken, Source};
use super::*;
use crate::format::{Format, ReadOptions, WriteOptions};
use arrow_array::cast::AsArray;
use arrow_array::*;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use flinkspark_model::{Kind, Result};
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

mod encodings;
mod nulls;
mod options;
mod property;
mod sniffing;

/// Gives few bytes at a time, so that every border between two reads is met.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len());
        (&mut self.0).take(length as u64).read(buffer)
    }
}

type Split = Vec<Vec<(String, bool)>>;

fn split(text: &str, step: usize) -> Result<Split, String> {
    split_so(text, step, &CsvOptions::default())
}

fn split_so(text: &str, step: usize, options: &CsvOptions) -> Result<Split, String> {
    let broken = |broken| match broken {
        Broken::Damaged(why) => why,
        Broken::Io(cause) => cause.to_string(),
        Broken::Torn(line) => format!("line {line} is torn"),
        Broken::LineEnds(line) | Broken::Encoding(_, line, _) => format!("line {line}"),
    };
    let source = Source::new(Drip(text.as_bytes(), step), None).unwrap();
    let mut chunks = Chunks::new(source, options.dialect(options.usual_delimiter()));
    let mut split = Vec::new();
    while let Some(chunk) = chunks.next(step).map_err(broken)? {
        let mut records = Records::new(&chunk, chunks.dialect());
        while records.advance().map_err(broken)? {
            let fields = (0..records.len()).map(|index| records.field(index).unwrap());
            split.push(
                fields
                    .map(|(text, quoted)| (String::from_utf8_lossy(text).into_owned(), quoted))
                    .collect(),
            );
        }
    }
    Ok(split)
}

fn write(batch: &RecordBatch, options: CsvOptions) -> String {
    String::from_utf8(write_bytes(batch, options)).unwrap()
}

fn write_bytes(batch: &RecordBatch, options: CsvOptions) -> Vec<u8> {
    try_write(batch, options).unwrap()
}

fn try_write(batch: &RecordBatch, options: CsvOptions) -> Result<Vec<u8>> {
    let output = Shared::default();
    let options = WriteOptions {
        csv: options,
        ..WriteOptions::default()
    };
    let boxed = Box::new(output.clone());
    let mut writer = Format::CSV.write(boxed, "x.csv", batch.schema(), &options)?;
    writer.write(batch)?;
    writer.finish()?;
    let bytes = std::mem::take(&mut *output.0.lock().unwrap());
    Ok(bytes)
}

fn read(text: &str, schema: Option<SchemaRef>, csv: CsvOptions) -> Result<Vec<RecordBatch>> {
    read_bytes(text.as_bytes(), schema, csv)
}

fn read_bytes(
    bytes: &[u8],
    schema: Option<SchemaRef>,
    csv: CsvOptions,
) -> Result<Vec<RecordBatch>> {
    opened(bytes, schema, csv)?.collect()
}

fn opened(
    bytes: &[u8],
    schema: Option<SchemaRef>,
    csv: CsvOptions,
) -> Result<Box<dyn BatchReader>> {
    let options = ReadOptions {
        schema,
        csv,
        ..ReadOptions::default()
    };
    let input = Box::new(Cursor::new(bytes.to_vec()));
    Format::CSV.read(input, "x.csv", &options)
}

/// Names, types and rows as text; nulls are `None`.
type Table = (Vec<(String, DataType)>, Vec<Vec<Option<String>>>);

fn types(table: &Table) -> Vec<DataType> {
    table.0.iter().map(|field| field.1.clone()).collect()
}

/// What a file without a schema holds, and what is said of it.
fn told(bytes: &[u8], csv: CsvOptions) -> (Table, Vec<String>) {
    let reader = opened(bytes, None, csv).unwrap();
    let notices = reader.notices();
    let schema = reader.schema();
    let fields = schema.fields().iter();
    let fields = fields.map(|field| (field.name().clone(), field.data_type().clone()));
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let text = |column: &ArrayRef, row| {
            let text = arrow_cast::display::array_value_to_string(column, row).unwrap();
            (!column.is_null(row)).then_some(text)
        };
        // Instants are shown as numbers: their zone has no name here.
        let shown = batch
            .columns()
            .iter()
            .map(|column| match column.data_type() {
                DataType::Timestamp(_, Some(_)) => {
                    arrow_cast::cast(column, &DataType::Int64).unwrap()
                }
                _ => Arc::clone(column),
            });
        let shown: Vec<_> = shown.collect();
        for row in 0..batch.num_rows() {
            rows.push(shown.iter().map(|column| text(column, row)).collect());
        }
    }
    ((fields.collect(), rows), notices)
}

fn inferred(text: &str) -> Vec<DataType> {
    let options = ReadOptions::default();
    let reader = Format::CSV
        .read(
            Box::new(Cursor::new(text.as_bytes().to_vec())),
            "x.csv",
            &options,
        )
        .unwrap();
    reader
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect()
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn records_are_split_the_same_whatever_the_reads() {
    let plain = |text: &str| (text.to_owned(), false);
    let quoted = |text: &str| (text.to_owned(), true);
    for (text, expected) in [
        ("", vec![]),
        ("\n", vec![]),
        (
            "\n\na\r\n\r\n\"\"\n",
            vec![vec![plain("a")], vec![quoted("")]],
        ),
        (
            "a,b\r\nc,\n",
            vec![vec![plain("a"), plain("b")], vec![plain("c"), plain("")]],
        ),
        ("a,b", vec![vec![plain("a"), plain("b")]]),
        ("a,", vec![vec![plain("a"), plain("")]]),
        (
            "\"\",\"a\"\"b\"\r\n",
            vec![vec![quoted(""), quoted("a\"b")]],
        ),
        (
            "\"a\r\n,b\"\n\"c\"",
            vec![vec![quoted("a\r\n,b")], vec![quoted("c")]],
        ),
        (
            "\u{feff}a\nb\u{feff}\n",
            vec![vec![plain("a")], vec![plain("b\u{feff}")]],
        ),
        (
            "5\" pipe,\"a\rb\"\r",
            vec![vec![plain("5\" pipe"), quoted("a\rb")]],
        ),
    ] {
        for step in [1, 2, 3, 4, 7, 1000] {
            assert_eq!(
                split(text, step).unwrap(),
                expected,
                "{text:?} in steps of {step}"
            );
        }
    }
}

#[test]
fn torn_quotes_are_errors_that_name_the_line() {
    assert_eq!(split("a\n\"b\n\nc", 5), Err("line 2 is torn".into()));
    assert!(
        split("a\n\"b\"c\n", 5)
            .unwrap_err()
            .starts_with("line 2: a quoted field is followed")
    );
    assert!(split("\"b\"\rc\n", 5).is_err());
    assert_eq!(split("a\nb\rc\n", 1), Err("line 2".into()));
}

#[test]
fn a_column_has_the_type_that_reads_all_of_it() {
    use DataType as D;
    let micros = D::Timestamp(TimeUnit::Microsecond, None);
    for (cells, expected) in [
        (&["1", r"\N", "2"][..], D::Int64),
        (&["1", "NA", "null", "2"], D::Int64),
        (&["1", "2.5"], D::Float64),
        (&["9007199254740993", "2.5"], D::Utf8),
        (&["true", "false"], D::Boolean),
        (&["true", "1"], D::Utf8),
        (&["2013-01-01"], D::Date32),
        (&["2013-01-01", "2013-01-01T00:00:00"], D::Utf8),
        (&["2013-01-01T00:00:00.5"], micros),
        (
            &["2013-01-01T00:00:00.0000005"],
            D::Timestamp(TimeUnit::Nanosecond, None),
        ),
        (
            &["2013-01-01T00:00:00Z"],
            D::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
        (&[r"\N", r"\N"], D::Utf8),
        (&[], D::Utf8),
        (&["1", "\"2\""], D::Utf8),
        (&["1", "\"NA\""], D::Utf8),
        (&["1", "na"], D::Utf8),
        (&["NA", "NA"], D::Utf8),
        (&["1.5", "NaN", "N/A"], D::Float64),
        (&["true", "NULL"], D::Boolean),
        (&["2013-01-01", "NA"], D::Date32),
    ] {
        let text = format!(
            "x\n{}",
            cells
                .iter()
                .map(|cell| format!("{cell}\n"))
                .collect::<String>()
        );
        assert_eq!(inferred(&text), [expected], "{text}");
    }
}

#[test]
fn nulls_and_texts_that_look_like_them_stay_apart() {
    let words = StringArray::from(vec![
        Some(""),
        Some("NA"),
        Some(r"\N"),
        None,
        Some("a,\"b\"\n"),
        Some("12"),
    ]);
    let words: ArrayRef = Arc::new(words);
    let batch = RecordBatch::try_from_iter([("s", Arc::clone(&words))]).unwrap();
    let two = RecordBatch::try_from_iter([("s", Arc::clone(&words)), ("t", words)]).unwrap();
    let default = write(&batch, CsvOptions::default());
    assert_eq!(
        default,
        "s\n\"\"\n\"NA\"\n\"\\N\"\n\\N\n\"a,\"\"b\"\"\n\"\n\"12\"\n"
    );
    let default = write(&two, CsvOptions::default());
    let lines: Vec<_> = default.lines().collect();
    assert_eq!(
        lines[..5],
        ["s,t", "\"\",\"\"", "\"NA\",\"NA\"", "\"\\N\",\"\\N\"", ","]
    );
    for null in [r"\N", "NA", "", "12"] {
        let options = CsvOptions {
            nulls: vec![null.into()],
            ..CsvOptions::default()
        };
        let text = write(&two, options.clone());
        assert_eq!(
            read(&text, None, options).unwrap()[0].column(0),
            batch.column(0),
            "null is {null:?}"
        );
    }
}

#[test]
fn a_number_that_equals_the_null_text_is_no_null() {
    let numbers = Int64Array::from(vec![Some(0), None, Some(1)]);
    let batch = RecordBatch::try_from_iter([("n", Arc::new(numbers) as ArrayRef)]).unwrap();
    let options = CsvOptions {
        nulls: vec!["0".into()],
        header: false,
        delimiter: Some(b';'),
        ..CsvOptions::default()
    };
    let text = write(&batch, options.clone());
    assert_eq!(text, "\"0\"\n0\n1\n");
    assert_eq!(read(&text, Some(batch.schema()), options).unwrap(), [batch]);
}

#[test]
fn wrong_fields_say_which_and_how_to_go_on() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int32, false),
        Field::new("d", DataType::Decimal128(4, 2), true),
    ]));
    let fails = |text: &str| read(text, Some(schema.clone()), CsvOptions::default()).unwrap_err();
    for (text, code, part) in [
        (
            "a,d\n1,2.5\nNA,1\n",
            "FS0307",
            "the null in line 3 has no place in column \"a\": \"NA\" stands for one",
        ),
        (
            "a,d\n1,2.5\n1,-\n",
            "FS0307",
            "\"-\" in line 3 is no decimal128(4,2)",
        ),
        (
            "a,d\n1,2.555\n",
            "FS0307",
            "\"2.555\" in line 2 is no decimal128(4,2)",
        ),
        ("a,d\n1,123.5\n", "FS0307", "123.5"),
        (
            "a,d\n,1\n",
            "FS0307",
            "the null in line 2 has no place in column \"a\"",
        ),
        ("a,d\n\\N,1\n", "FS0307", "\"\\\\N\" in line 2 is no int32"),
        ("x,y\n1,2\n", "FS0308", "header"),
        ("", "FS0305", "not a whole CSV file"),
        ("a,d\n1\n", "FS0305", "not a whole CSV file"),
        ("a,d\n1,\"2", "FS0305", "not a whole CSV file"),
    ] {
        let error = fails(text);
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Data, code),
            "{text:?}: {error}"
        );
        assert!(error.message().contains(part), "{text:?}: {error}");
        assert!(error.hint().is_some());
    }
    for (text, says) in [
        ("a,d\n1,2.5\n\\N,1\n", r"pass --null '\N'"),
        ("a,d\n1,\"2,5\"\n", "pass --decimal-comma"),
        ("a,d\n,2.5\n", "whose column may be null"),
    ] {
        let error = fails(text);
        assert!(error.hint().unwrap().contains(says), "{text:?}: {error}");
    }
    assert!(
        read(
            "a,d\n1,2.50\n2,-.5\n3,2.500\n",
            Some(schema.clone()),
            CsvOptions::default()
        )
        .is_ok()
    );
}

#[test]
fn columns_are_those_of_the_header_at_the_types_of_the_schema() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int32, true),
        Field::new("t", DataType::Utf8, true),
        Field::new("absent", DataType::Int32, true),
    ]));
    let text = "t;more;n\nx;007;1\n";
    let batches = read(text, Some(schema), CsvOptions::default()).unwrap();
    let read = batches[0].schema();
    let names: Vec<&str> = read
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["t", "more", "n"]);
    let types: Vec<&DataType> = read
        .fields()
        .iter()
        .map(|field| field.data_type())
        .collect();
    assert_eq!(types, [&DataType::Utf8, &DataType::Utf8, &DataType::Int32]);
    assert_eq!(batches[0].column(1).as_string::<i32>().value(0), "007");
}

#[test]
fn ambiguous_options_are_refused() {
    let with = |change: fn(&mut CsvOptions)| {
        let mut options = CsvOptions::default();
        change(&mut options);
        options
    };
    for options in [
        with(|options| options.nulls = vec!["a,b".into()]),
        with(|options| options.nulls = vec!["NA".into(), "\"".into()]),
        with(|options| options.nulls = vec!["\u{feff}".into()]),
        with(|options| options.delimiter = Some(b'\n')),
        with(|options| options.delimiter = Some(0xe4)),
        with(|options| options.delimiter = Some(b'"')),
        with(|options| options.quote = Some(b',')),
        with(|options| options.quote = Some(b'\r')),
        with(|options| options.quote = Some(0xe4)),
        with(|options| options.comment = Some(String::new())),
        with(|options| options.comment = Some("#,".into())),
        with(|options| (options.comment, options.nulls) = (Some("#".into()), vec!["#N/A".into()])),
        with(|options| (options.decimal_comma, options.delimiter) = (true, Some(b','))),
        with(|options| options.date = Some("yy".into())),
        with(|options| {
            (options.encoding, options.nulls) = (Some(Encoding::Latin1), vec!["\u{2205}".into()])
        }),
        // With one column the null is a text of its own.
        with(|options| options.delimiter = Some(b'\\')),
        with(|options| options.comment = Some("\\".into())),
    ] {
        assert_eq!(read("a\n1\n", None, options).unwrap_err().code(), "FS0309");
    }
}

#[test]
fn columns_without_text_are_refused_by_name() {
    let item = Field::new("item", DataType::Int32, true).into();
    for data_type in [
        DataType::List(item),
        DataType::Duration(TimeUnit::Second),
        DataType::Decimal128(3, -1),
    ] {
        let schema = Arc::new(Schema::new(vec![Field::new("tags", data_type, true)]));
        let error = Format::CSV
            .write(
                Box::new(std::io::sink()),
                "x.csv",
                schema,
                &WriteOptions::default(),
            )
            .unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0306"));
        assert!(
            error.message().contains("\"tags\"") && error.hint().unwrap().contains(".parquet"),
            "{error}"
        );
    }
}
