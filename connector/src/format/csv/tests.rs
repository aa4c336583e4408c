//! CSV's grammar, its types and its nulls.

use super::record::{Broken, Records};
use super::*;
use crate::format::{Format, ReadOptions, WriteOptions};
use arrow_array::*;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use flinkspark_model::{Kind, Result};
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

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
    let broken = |broken| match broken {
        Broken::Damaged(why) => why,
        Broken::Io(cause) => cause.to_string(),
        Broken::LineEnds(line) | Broken::Encoding(line) => format!("line {line}"),
    };
    let mut records = Records::new(Drip(text.as_bytes(), step), b',').unwrap();
    let mut split = Vec::new();
    while records.advance().map_err(broken)? {
        let fields = (0..records.len()).map(|index| records.field(index).unwrap());
        split.push(
            fields
                .map(|(text, quoted)| (String::from_utf8_lossy(text).into_owned(), quoted))
                .collect(),
        );
    }
    Ok(split)
}

fn write(batch: &RecordBatch, options: CsvOptions) -> String {
    let output = Shared::default();
    let options = WriteOptions {
        csv: options,
        ..WriteOptions::default()
    };
    let mut writer = Format::CSV
        .write(Box::new(output.clone()), "x.csv", batch.schema(), &options)
        .unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    let bytes = std::mem::take(&mut *output.0.lock().unwrap());
    String::from_utf8(bytes).unwrap()
}

fn read(text: &str, schema: Option<SchemaRef>, csv: CsvOptions) -> Result<Vec<RecordBatch>> {
    let options = ReadOptions {
        schema,
        csv,
        ..ReadOptions::default()
    };
    let reader = Format::CSV.read(
        Box::new(Cursor::new(text.as_bytes().to_vec())),
        "x.csv",
        &options,
    )?;
    reader.collect()
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
        // The mark at the beginning must come in one read; no system gives less than three bytes of a file.
        for step in [3, 4, 7, 1000] {
            assert_eq!(
                split(text, step).unwrap(),
                expected,
                "{text:?} in steps of {step}"
            );
        }
        if !text.starts_with('\u{feff}') {
            assert_eq!(split(text, 1).unwrap(), expected, "{text:?}");
        }
    }
}

#[test]
fn torn_quotes_are_errors_that_name_the_line() {
    assert!(
        split("a\n\"b\n\nc", 5)
            .unwrap_err()
            .starts_with("line 2: the file ends within")
    );
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
        (&["1", "NA"], D::Utf8),
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
        "s\n\"\"\nNA\n\"\\N\"\n\\N\n\"a,\"\"b\"\"\n\"\n\"12\"\n"
    );
    for null in [r"\N", "NA", "", "12"] {
        let options = CsvOptions {
            null: null.into(),
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
        null: "0".into(),
        header: false,
        delimiter: b';',
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
            "\"NA\" in line 3 is no int32",
        ),
        (
            "a,d\n1,2.555\n",
            "FS0307",
            "\"2.555\" in line 2 is no decimal128(4,2)",
        ),
        ("a,d\n1,123.5\n", "FS0307", "123.5"),
        (
            "a,d\n\\N,1\n",
            "FS0307",
            "the null in line 2 has no place in column \"a\"",
        ),
        ("a,b\n1,2\n", "FS0308", "header"),
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
    assert!(
        fails("a,d\n1,2.5\nNA,1\n")
            .hint()
            .unwrap()
            .contains("--null \"NA\"")
    );
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
fn ambiguous_options_are_refused() {
    for options in [
        CsvOptions {
            null: "a,b".into(),
            ..CsvOptions::default()
        },
        CsvOptions {
            null: "\"".into(),
            ..CsvOptions::default()
        },
        CsvOptions {
            delimiter: b'\n',
            ..CsvOptions::default()
        },
        CsvOptions {
            delimiter: 0xe4,
            ..CsvOptions::default()
        },
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

mod property {
    use super::*;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "",
                "NA",
                r"\N",
                "NaN",
                "true",
                "12",
                "-0",
                "2013-01-01",
                "\r",
                "\u{feff}"
            ])
            .prop_map(String::from),
            "[a,\"\n\r\\\\N0-9 .-]{0,8}",
            ".{0,12}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_text_survives_with_and_without_a_schema(
            rows in prop::collection::vec((prop::option::of(word()), prop::option::of(word())), 0..12),
            names in prop::array::uniform2("[a,\" .\\\\N0-9]{1,8}"), null in prop::sample::select(vec![r"\N", "NA", "", "12"]),
            header in any::<bool>(), delimiter in prop::sample::select(vec![b',', b';', b'\t', b'a']),
        ) {
            prop_assume!(!null.as_bytes().contains(&delimiter) && names[0] != names[1]);
            let columns = [
                StringArray::from_iter(rows.iter().map(|row| row.0.as_deref())),
                StringArray::from_iter(rows.iter().map(|row| row.1.as_deref())),
            ].map(|column| Arc::new(column) as ArrayRef);
            let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
            let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.to_vec()).unwrap();
            let options = CsvOptions { null: null.into(), header, delimiter };
            let text = write(&batch, options.clone());
            let back = read(&text, Some(batch.schema()), options.clone()).unwrap();
            prop_assert_eq!(back.iter().map(RecordBatch::num_rows).sum::<usize>(), rows.len());
            for back in back {
                prop_assert_eq!(&back, &batch);
            }
            if header {
                for back in read(&text, None, options).unwrap() {
                    prop_assert_eq!(&back, &batch);
                }
            }
        }

        #[test]
        fn any_moment_survives(
            ticks in prop::collection::vec(any::<i64>(), 1..20), days in any::<i32>(), bits in any::<u64>(),
            short in any::<u32>(), unscaled in any::<i128>(),
        ) {
            let zone = |zoned: bool| zoned.then_some("UTC");
            let length = ticks.len();
            let columns: Vec<(String, ArrayRef)> = [
                Arc::new(TimestampSecondArray::from(ticks.clone())) as ArrayRef,
                Arc::new(TimestampMillisecondArray::from(ticks.clone()).with_timezone_opt(zone(true))),
                Arc::new(TimestampMicrosecondArray::from(ticks.clone())),
                Arc::new(TimestampNanosecondArray::from(ticks.clone()).with_timezone_opt(zone(true))),
                Arc::new(Date32Array::from(vec![days; length])),
                Arc::new(Time64MicrosecondArray::from(
                    ticks.iter().map(|tick| tick.rem_euclid(86_400_000_000)).collect::<Vec<_>>(),
                )),
                Arc::new(UInt64Array::from(vec![bits; length])),
                Arc::new(Decimal128Array::from(vec![unscaled / 100; length]).with_precision_and_scale(38, 7).unwrap()),
                Arc::new(BinaryArray::from(vec![&bits.to_le_bytes()[..(bits % 9) as usize]; length])),
                Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::repeat_n(bits.to_le_bytes(), length)).unwrap()),
            ].into_iter().enumerate().map(|(index, column)| (index.to_string(), column)).collect();
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let back = read(&write(&batch, CsvOptions::default()), Some(batch.schema()), CsvOptions::default()).unwrap();
            prop_assert_eq!(back, [batch]);

            let floats = RecordBatch::try_from_iter([
                ("d", Arc::new(Float64Array::from(vec![f64::from_bits(bits)])) as ArrayRef),
                ("f", Arc::new(Float32Array::from(vec![f32::from_bits(short)]))),
            ]).unwrap();
            let back = read(&write(&floats, CsvOptions::default()), Some(floats.schema()), CsvOptions::default()).unwrap();
            let digest = |batches: &[RecordBatch]| flinkspark_model::digest::digest(&floats.schema(), batches).unwrap();
            prop_assert_eq!(digest(&back), digest(std::slice::from_ref(&floats)));
        }

        #[test]
        fn any_bytes_are_a_file_or_a_typed_error(bytes in prop::collection::vec(
            prop::sample::select(b"ab1\",\n\r\\N\xef\xbb\xbf\xff".to_vec()), 0..40)
        ) {
            let read = Format::CSV.read(Box::new(Cursor::new(bytes)), "x.csv", &ReadOptions::default());
            if let Err(error) = read.and_then(|reader| reader.collect::<Result<Vec<_>>>()) {
                let named = error.code().starts_with("FS012");
                prop_assert!(named || error.kind() == Kind::Data, "{}", error);
                prop_assert!(error.hint().is_some());
            }
        }
    }
}
