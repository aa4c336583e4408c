//! JSON's grammar, its types and its nulls.

use super::rows::{Broken, Rows, Source};
use crate::format::{BatchReader, Format, ReadOptions, WriteOptions};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use flinkspark_model::{Error, Kind, Result};
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

mod damage;
mod exact;
mod foreign;
mod infer;
mod patterns;
mod property;

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

fn try_write(batch: &RecordBatch) -> Result<String> {
    let output = Shared::default();
    let options = WriteOptions::default();
    let mut writer = Format::JSON.write(
        Box::new(output.clone()),
        "x.jsonl",
        batch.schema(),
        &options,
    )?;
    writer.write(batch)?;
    writer.finish()?;
    let bytes = std::mem::take(&mut *output.0.lock().unwrap());
    Ok(String::from_utf8(bytes).unwrap())
}

fn write(batch: &RecordBatch) -> String {
    try_write(batch).unwrap()
}

fn open(bytes: &[u8], schema: Option<SchemaRef>) -> Result<Box<dyn BatchReader>> {
    let options = ReadOptions {
        schema,
        ..ReadOptions::default()
    };
    Format::JSON.read(Box::new(Cursor::new(bytes.to_vec())), "x.jsonl", &options)
}

fn read(text: &str, schema: Option<SchemaRef>) -> Result<RecordBatch> {
    let reader = open(text.as_bytes(), schema)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>>>()?;
    Ok(arrow_select::concat::concat_batches(&schema, &batches).unwrap())
}

fn nullable(columns: &[(&str, DataType)]) -> SchemaRef {
    let fields = columns.iter();
    let fields = fields.map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn one(array: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("x", array, true)]).unwrap()
}

/// Gives few bytes at a time, so that every border between two reads is met.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len());
        (&mut self.0).take(length as u64).read(buffer)
    }
}

#[test]
fn rows_are_the_same_whatever_the_reads() {
    let two = &["{\"a\":1}", "{\"b\":\"]}\\\"\"}"][..];
    for (text, expected) in [
        ("", &[][..]),
        ("\n \r\n", &[]),
        ("[]", &[]),
        (" [ ] \n", &[]),
        ("{\"a\":1}\n{\"b\":\"]}\\\"\"}", two),
        ("\u{feff}{\"a\":1}\r\n\r\n  {\"b\":\"]}\\\"\"}\r\n\n", two),
        ("[{\"a\":1},{\"b\":\"]}\\\"\"}]", two),
        (
            "\u{feff}\n[\n{\"a\":1}\r\n,\t{\"b\":\"]}\\\"\"}\n]\n\n",
            two,
        ),
    ] {
        // The mark at the beginning must come in one read; no system gives less than three bytes of a file.
        for step in [3, 4, 7, 1000] {
            let mut rows = Rows::new(Drip(text.as_bytes(), step));
            let mut found = Vec::new();
            while rows.advance().unwrap() {
                found.push(rows.text().trim_end().to_owned());
            }
            assert_eq!(found, expected, "{text:?} in steps of {step}");
            // The same by lines, wherever they are cut; an array has none.
            let mut rows = Rows::new(Drip(text.as_bytes(), step));
            let mut found = Vec::new();
            while let Some(lines) = rows.lines(step).unwrap() {
                let mut rows = lines.line_rows().unwrap();
                while rows.advance().unwrap() {
                    found.push(rows.text().trim_end().to_owned());
                }
            }
            let is_array = text.trim_start_matches(['\u{feff}', '\n']).starts_with('[');
            let expected = if is_array { &[][..] } else { expected };
            assert_eq!(found, expected, "{text:?} by lines of {step}");
        }
    }
}

#[test]
fn a_row_has_its_line_and_byte_in_both_forms() {
    let lines = "\n{\"a\":1}\n\n{\"a\":x}\n";
    let array = "[\n{\"a\":1},\n\n{\"a\":x}]\n";
    for text in [lines, array] {
        let mut rows = Rows::new(text.as_bytes());
        assert!(rows.advance().unwrap());
        assert_eq!(rows.line(), 2);
        assert!(rows.advance().unwrap());
        assert_eq!(rows.line(), 4);
        let at = rows.text().find('x').unwrap();
        let wrong = super::wrong::Wrong::broken(at, "x");
        let Broken::Wrong(_, place) = rows.broken(wrong) else {
            unreachable!()
        };
        let byte = text.find('x').unwrap() as u64 + 1;
        assert_eq!((place.line, place.byte), (4, byte), "{text:?}");
    }
    for step in [1, 9, 100] {
        let mut rows = Rows::new(lines.as_bytes());
        let mut places = Vec::new();
        while let Some(lines) = rows.lines(step).unwrap() {
            let mut rows = lines.line_rows().unwrap();
            while rows.advance().unwrap() {
                let wrong = super::wrong::Wrong::broken(5, "here");
                let Broken::Wrong(_, place) = rows.broken(wrong) else {
                    unreachable!()
                };
                places.push((place.line, place.byte));
            }
        }
        assert_eq!(places, [(2, 7), (4, 16)], "by lines of {step}");
    }
}

#[test]
fn one_array_over_many_lines_equals_lines() {
    let lines = "{\"a\":1,\"b\":{\"c\":[1,2]}}\n{\"a\":null,\"b\":{\"c\":[]}}\n{\"b\":null}\n";
    let array = "[\n  {\n    \"a\": 1,\n    \"b\": {\n      \"c\": [\n        1,\n        2\n      ]\n    }\n  },\n  \
                 {\n    \"a\": null,\n    \"b\": { \"c\": [ ] }\n  },\n  { \"b\": null }\n]\n";
    let rows = read(lines, None).unwrap();
    assert_eq!(rows.num_rows(), 3);
    assert_eq!(read(array, None).unwrap(), rows);
    let schema = Some(rows.schema());
    assert_eq!(read(array, schema.clone()).unwrap(), rows);
    assert_eq!(read(lines, schema).unwrap(), rows);
}

#[test]
fn a_key_that_is_not_there_is_null_and_the_order_of_keys_is_free() {
    let schema = nullable(&[("a", DataType::Int64), ("b", DataType::Utf8)]);
    let rows = read("{\"b\":\"x\",\"a\":1}\n{}\n{\"a\":2}\n", Some(schema)).unwrap();
    let numbers: Vec<_> = rows.column(0).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(numbers, [Some(1), None, Some(2)]);
    let texts: Vec<_> = rows.column(1).as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("x"), None, None]);
}

#[test]
fn strings_have_every_escape() {
    let schema = nullable(&[("s", DataType::Utf8)]);
    let text = "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\u2603\\ud83d\\ude00 \u{2603}\"}";
    let rows = read(text, Some(schema)).unwrap();
    let expected = "\"\\/\u{8}\u{c}\n\r\t\0\u{e9}\u{2603}\u{1f600} \u{2603}";
    assert_eq!(rows.column(0).as_string::<i32>().value(0), expected);
    assert_eq!(read(&write(&rows), Some(rows.schema())).unwrap(), rows);
}

/// Every type, and the text of a value.
#[test]
fn each_type_has_its_text() {
    let float = |value| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
    let nanos = IntervalMonthDayNanoType::make_value(1, -2, 500_000_000);
    let millis = IntervalDayTimeType::make_value(3, -4);
    let mut maps = builder::MapBuilder::new(
        None,
        builder::Int32Builder::new(),
        builder::StringBuilder::new(),
    );
    maps.keys().append_value(-7);
    maps.values().append_value("a");
    maps.append(true).unwrap();
    for (array, text) in [
        (Arc::new(BooleanArray::from(vec![true])) as ArrayRef, "true"),
        (
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            "18446744073709551615",
        ),
        (Arc::new(Int8Array::from(vec![-128])), "-128"),
        (float(1.0), "1.0"),
        (float(-0.0), "-0.0"),
        (float(1e21), "1e21"),
        (float(5e-324), "5e-324"),
        (float(f64::NAN), "\"NaN\""),
        (float(f64::INFINITY), "\"Infinity\""),
        (float(f64::NEG_INFINITY), "\"-Infinity\""),
        (Arc::new(Float32Array::from(vec![0.1])), "0.1"),
        (
            Arc::new(
                Decimal128Array::from(vec![-1])
                    .with_precision_and_scale(5, 2)
                    .unwrap(),
            ),
            "-0.01",
        ),
        (
            Arc::new(
                Decimal128Array::from(vec![12])
                    .with_precision_and_scale(5, -2)
                    .unwrap(),
            ),
            "1200",
        ),
        (Arc::new(Date32Array::from(vec![0])), "\"1970-01-01\""),
        (
            Arc::new(Time32SecondArray::from(vec![18_900])),
            "\"05:15:00\"",
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![1])),
            "\"1970-01-01T00:00:00.000001\"",
        ),
        (
            Arc::new(TimestampSecondArray::from(vec![0]).with_timezone("UTC")),
            "\"1970-01-01T00:00:00Z\"",
        ),
        (
            Arc::new(DurationMillisecondArray::from(vec![-1_500])),
            "\"PT-1.5S\"",
        ),
        (Arc::new(IntervalYearMonthArray::from(vec![14])), "\"P14M\""),
        (
            Arc::new(IntervalDayTimeArray::from(vec![millis])),
            "\"P3DT-0.004S\"",
        ),
        (
            Arc::new(IntervalMonthDayNanoArray::from(vec![nanos])),
            "\"P1M-2DT0.5S\"",
        ),
        (
            Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]])),
            "\"AP8=\"",
        ),
        (
            Arc::new(StringArray::from(vec!["a\"\\\n\u{1}/"])),
            "\"a\\\"\\\\\\n\\u0001/\"",
        ),
        (Arc::new(NullArray::new(1)), "null"),
        (Arc::new(maps.finish()), "{\"-7\":\"a\"}"),
    ] {
        let batch = one(array);
        assert_eq!(write(&batch), format!("{{\"x\":{text}}}\n"));
        let back = read(&write(&batch), Some(batch.schema())).unwrap();
        assert_eq!(write(&back), write(&batch));
    }
}

/// Structs in lists in maps, with nulls at each level.
fn deep() -> SchemaRef {
    let inner = Fields::from(vec![
        Field::new("n", DataType::Int32, true),
        Field::new("t", DataType::LargeUtf8, true),
    ]);
    let lists = DataType::new_list(DataType::Struct(inner.clone()), true);
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", lists.clone(), true),
    ]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    let fixed = Field::new("item", DataType::Struct(inner), true);
    let outer = Fields::from(vec![
        Field::new("m", DataType::Map(entries.into(), false), true),
        Field::new("f", DataType::FixedSizeList(fixed.into(), 2), true),
        Field::new("l", DataType::new_large_list(lists, true), true),
    ]);
    nullable(&[("s", DataType::Struct(outer))])
}

#[test]
fn three_levels_survive_with_nulls_at_each() {
    let lines = [
        r#"{"s":null}"#,
        r#"{"s":{"m":null,"f":null,"l":null}}"#,
        r#"{"s":{"m":{},"f":[null,null],"l":[]}}"#,
        r#"{"s":{"m":{"a":null,"b":[]},"f":[{"n":null,"t":null},null],"l":[null,[]]}}"#,
        r#"{"s":{"m":{"a":[null,{"n":1,"t":null}],"":[{"n":-1,"t":"x"}]},"f":[{"n":1,"t":"y"},{"n":2,"t":""}],"l":[[null],[{"n":3,"t":"z"}]]}}"#,
    ];
    let text = lines.map(|line| format!("{line}\n")).concat();
    let rows = read(&text, Some(deep())).unwrap();
    assert_eq!(rows.num_rows(), 5);
    assert_eq!(write(&rows), text);
    let parts = [rows.slice(3, 2), rows.slice(0, 1)].map(|part| write(&part));
    assert_eq!(
        parts.concat(),
        [lines[3], lines[4], lines[0], ""].join("\n")
    );
}

#[test]
fn rows_without_columns_are_counted() {
    let rows = read("{}\n{}\n", None).unwrap();
    assert_eq!((rows.num_columns(), rows.num_rows()), (0, 2));
    assert_eq!(write(&rows), "{}\n{}\n");
}

#[test]
fn types_that_json_has_no_text_for_are_refused_by_name() {
    let map = |key: DataType| {
        let entries = Fields::from(vec![
            Field::new("key", key, false),
            Field::new("value", DataType::Int32, true),
        ]);
        let entries = Field::new("entries", DataType::Struct(entries), false);
        DataType::Map(entries.into(), false)
    };
    for data_type in [
        DataType::Float16,
        DataType::Date64,
        DataType::new_list(DataType::Date64, true),
        map(DataType::Float64),
        map(DataType::new_list(DataType::Int32, true)),
    ] {
        let batch = RecordBatch::new_empty(nullable(&[("ok", DataType::Int64), ("x", data_type)]));
        for error in [
            try_write(&batch).unwrap_err(),
            read("", Some(batch.schema())).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0306"));
            assert!(error.message().contains("\"x\""), "{error}");
        }
    }
    assert!(
        try_write(&RecordBatch::new_empty(nullable(&[(
            "x",
            map(DataType::Date32)
        )])))
        .is_ok()
    );
}

#[test]
fn values_that_would_not_read_back_are_refused_by_row_and_column() {
    let mut maps = builder::MapBuilder::new(
        None,
        builder::StringBuilder::new(),
        builder::Int32Builder::new(),
    );
    for key in ["a", "a"] {
        maps.keys().append_value(key);
        maps.values().append_value(1);
    }
    maps.append(true).unwrap();
    let times: ArrayRef = Arc::new(Time32SecondArray::from(vec![86_400]));
    let field = Arc::new(Field::new("t", times.data_type().clone(), true));
    let structs = StructArray::from(vec![(field, times)]);
    for (array, says) in [
        (Arc::new(maps.finish()) as ArrayRef, "row 1 of column \"x\""),
        (Arc::new(structs), "row 1 of column \"x.t\""),
    ] {
        let error = try_write(&one(array)).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0311"));
        assert!(error.message().contains(says), "{error}");
    }
    // What lies beneath a null is no value.
    let times: ArrayRef = Arc::new(Time32SecondArray::new(vec![1].into(), None));
    let field = Arc::new(Field::new("t", times.data_type().clone(), true));
    let hidden: ArrayRef = Arc::new(Time32SecondArray::new(vec![i32::MAX].into(), None));
    let nulls = arrow_buffer::NullBuffer::from(vec![false]);
    let structs = StructArray::new(vec![field].into(), vec![hidden], Some(nulls));
    assert_eq!(write(&one(Arc::new(structs))), "{\"x\":null}\n");
}

fn detail(error: &Error) -> &str {
    error.detail().unwrap_or_default()
}
