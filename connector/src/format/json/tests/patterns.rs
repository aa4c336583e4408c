//! Dates and times by declared patterns.

use super::*;
use crate::format::JsonOptions;

fn declared() -> JsonOptions {
    JsonOptions {
        date: Some("dd.MM.yyyy".into()),
        time: Some("HHmm".into()),
        timestamp: Some("yyyy/MM/dd HH:mm:ss.SSS".into()),
        instant: Some("yyyyMMdd'T'HHmmssXXX".into()),
    }
}

fn read_so(text: &str, schema: Option<SchemaRef>, json: JsonOptions) -> Result<Vec<RecordBatch>> {
    let options = ReadOptions {
        schema,
        json,
        ..ReadOptions::default()
    };
    let input = Box::new(Cursor::new(text.as_bytes().to_vec()));
    Format::JSON.read(input, "x.jsonl", &options)?.collect()
}

fn write_so(batch: &RecordBatch, json: JsonOptions) -> Result<String> {
    let output = Shared::default();
    let options = WriteOptions {
        json,
        ..WriteOptions::default()
    };
    let output_of = Box::new(output.clone());
    let mut writer = Format::JSON.write(output_of, "x.jsonl", batch.schema(), &options)?;
    writer.write(batch)?;
    writer.finish()?;
    let bytes = std::mem::take(&mut *output.0.lock().unwrap());
    Ok(String::from_utf8(bytes).unwrap())
}

fn types() -> SchemaRef {
    let micros =
        |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    nullable(&[
        ("d", DataType::Date32),
        ("t", DataType::Time32(TimeUnit::Second)),
        ("l", DataType::new_list(micros(None), true)),
        ("z", micros(Some("UTC"))),
    ])
}

const TEXT: &str = "{\"d\":\"31.01.2013\",\"t\":\"0515\",\"l\":[\"2013/01/31 05:15:00.120\"],\"z\":\"20130131T051500Z\"}\n";
const ISO: &str = "{\"d\":\"2013-01-31\",\"t\":\"05:15:00\",\"l\":[\"2013-01-31T05:15:00.120000\"],\"z\":\"2013-01-31T05:15:00Z\"}\n";

#[test]
fn values_are_read_and_written_as_declared() {
    let rows = read(ISO, Some(types())).unwrap();
    assert_eq!(
        read_so(TEXT, Some(types()), declared()).unwrap(),
        std::slice::from_ref(&rows)
    );
    assert_eq!(write_so(&rows, declared()).unwrap(), TEXT);
    let offset = TEXT.replace("051500Z", "061500+01:00");
    assert_eq!(read_so(&offset, Some(types()), declared()).unwrap(), [rows]);
    // Nothing else is read then.
    for (text, options) in [(ISO, declared()), (TEXT, JsonOptions::default())] {
        let error = read_so(text, Some(types()), options).unwrap_err();
        assert_eq!(error.code(), "FS0307");
    }
}

#[test]
fn what_was_declared_is_inferred() {
    let inferred = read_so(TEXT, None, declared()).unwrap();
    let types = inferred[0].schema();
    let types: Vec<_> = types
        .fields()
        .iter()
        .map(|field| field.data_type())
        .collect();
    let micros =
        |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let expected = [
        &DataType::Date32,
        &DataType::Utf8,
        &DataType::new_list(micros(None), true),
        &micros(Some("UTC")),
    ];
    assert_eq!(types, expected);
    // An ISO date is a text where dates are declared otherwise.
    let rows = read_so("{\"d\":\"2013-01-31\"}\n", None, declared()).unwrap();
    assert_eq!(rows[0].column(0).data_type(), &DataType::Utf8);
}

#[test]
fn a_value_that_a_pattern_has_no_room_for_is_not_written() {
    let rows = read(&ISO.replace("120000", "120001"), Some(types())).unwrap();
    let error = write_so(&rows, declared()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0311"));
    assert!(error.message().contains("row 1 of column \"l\""), "{error}");
}

#[test]
fn a_pattern_that_is_none_is_refused() {
    let json = JsonOptions {
        date: Some("yy-MM-dd".into()),
        ..JsonOptions::default()
    };
    for error in [
        read_so(ISO, None, json.clone()).unwrap_err(),
        write_so(&read(ISO, None).unwrap(), json).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0309"));
        assert!(error.message().contains("yy is no part"), "{error}");
    }
}
