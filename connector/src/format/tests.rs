//! Every format brings back what it was given, and says so when it cannot.

use super::*;
use arrow_array::types::Int32Type;
use arrow_array::*;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use flinkspark_model::digest::{Digest, digest};
use flinkspark_model::{Error, Kind};
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

mod cases;
mod conformance;
mod damage;
mod types;

/// Every format, and how its files' names end.
fn formats() -> impl Iterator<Item = (Format, &'static str)> {
    let suffix = |format: Format| (format, format.suffixes()[0]);
    Format::ALL.into_iter().map(suffix)
}

fn flights() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../integration-tests/data/flights.parquet")
}

/// The flat columns of a dataset that is made to hurt.
fn hurting() -> RecordBatch {
    let words = [
        "",
        "NA",
        r"\N",
        "null",
        "a\"b",
        "line\nbreak",
        "\r\n",
        "comma, space ",
        "snow \u{2603}",
        "-0.0",
    ];
    let texts = StringArray::from_iter(words.iter().copied().map(Some).chain([None, Some("12")]));
    let floats = [
        f64::NAN,
        -0.0,
        0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
        0.1,
        f64::MAX,
        1e21,
        -1.5,
    ];
    let floats = Float64Array::from_iter(floats.into_iter().map(Some).chain([None, Some(3.0)]));
    let micros = [
        -1,
        -62_135_596_800_000_000,
        0,
        1_700_000_000_123_456,
        -999_999,
        1,
        2,
        3,
        4,
        5,
    ];
    let micros = TimestampMicrosecondArray::from_iter(
        micros
            .into_iter()
            .map(Some)
            .chain([None, Some(-86_400_000_001)]),
    );
    let unscaled = [-1, 0, 1, 99_999_999_999, -99_999_999_999, 100, 10, 7, 8, 9];
    let decimals =
        Decimal128Array::from_iter(unscaled.into_iter().map(Some).chain([None, Some(50)]))
            .with_precision_and_scale(12, 3)
            .unwrap();
    let encoded: DictionaryArray<Int32Type> = ["a", "b", "", "a", "NA", "b", "c", "d", "e", "f"]
        .into_iter()
        .map(Some)
        .chain([None, Some("a")])
        .collect();
    let fields = Fields::from(vec![
        Field::new("text", DataType::Utf8, true)
            .with_metadata([("flinkspark.length".to_owned(), "12".to_owned())].into()),
        Field::new("float", DataType::Float64, true),
        Field::new(
            "micros",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            true,
        ),
        Field::new("decimal", decimals.data_type().clone(), true),
        Field::new("nothing", DataType::Int32, true),
        Field::new("flag", DataType::Boolean, false),
        Field::new("day", DataType::Date32, false),
        Field::new("id", DataType::Int64, false),
        Field::new("bytes", DataType::Binary, true),
        Field::new("encoded", encoded.data_type().clone(), true),
    ]);
    let rows = words.len() + 2;
    let bytes: Vec<Option<&[u8]>> = (0..rows)
        .map(|row| [None, Some(&b""[..]), Some(&b"\x00\xff\n"[..])][row % 3])
        .collect();
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(texts),
            Arc::new(floats),
            Arc::new(micros),
            Arc::new(decimals),
            Arc::new(Int32Array::new_null(rows)),
            Arc::new(BooleanArray::from_iter(
                (0..rows).map(|row| Some(row % 2 == 0)),
            )),
            Arc::new(Date32Array::from_iter_values(
                (0..rows as i32).map(|row| (row - 6) * 40_000),
            )),
            Arc::new(Int64Array::from_iter_values(
                (0..rows as i64).map(|row| (row - 6) << 58),
            )),
            Arc::new(BinaryArray::from(bytes)),
            Arc::new(encoded),
        ],
    )
    .unwrap()
}

/// The same with lists, maps and structs.
fn nested() -> RecordBatch {
    nested_with(true)
}

/// The same, where there may be nulls within lists and maps.
fn nested_for(format: Format) -> RecordBatch {
    nested_with(format != Format::THRIFT)
}

/// How a file of this schema is read without one, if its format needs none.
fn without_schema(format: Format, schema: &Schema) -> ReadOptions {
    ReadOptions {
        schema: (format == Format::THRIFT).then(|| Arc::new(schema.clone())),
        ..ReadOptions::default()
    }
}

fn nested_with(null_items: bool) -> RecordBatch {
    use arrow_array::builder::{Int64Builder, MapBuilder, StringBuilder};
    let flat = hurting();
    let rows = flat.num_rows();
    let lists =
        ListArray::from_iter_primitive::<Int32Type, _, _>((0..rows).map(|row| match row % 4 {
            0 => None,
            1 => Some(vec![]),
            _ if null_items => Some(vec![Some(row as i32), None]),
            _ => Some(vec![Some(row as i32), Some(-1)]),
        }));
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..rows {
        for entry in 0..row % 3 {
            maps.keys().append_value(format!("k{entry}"));
            maps.values()
                .append_option((entry == 0 || !null_items).then_some(row as i64));
        }
        maps.append(row % 5 != 0).unwrap();
    }
    let maps = maps.finish();
    let structs = StructArray::from(vec![(
        Arc::new(Field::new("inner", lists.data_type().clone(), true)),
        Arc::new(lists.clone()) as ArrayRef,
    )]);
    let added: Vec<(&str, ArrayRef)> = vec![
        ("list", Arc::new(lists)),
        ("map", Arc::new(maps)),
        ("struct", Arc::new(structs)),
    ];
    let schema = flat.schema();
    let fields = added
        .iter()
        .map(|(name, array)| Arc::new(Field::new(*name, array.data_type().clone(), true)));
    let fields: Fields = schema.fields().iter().cloned().chain(fields).collect();
    let columns = flat
        .columns()
        .iter()
        .cloned()
        .chain(added.into_iter().map(|(_, array)| array))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn written(
    format: Format,
    batches: &[RecordBatch],
    options: &WriteOptions,
) -> Result<Vec<u8>> {
    let output = Shared::default();
    let schema = batches.first().map(RecordBatch::schema).unwrap();
    let mut writer = format.write(Box::new(output.clone()), "test", schema, options)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    let bytes = std::mem::take(&mut *output.0.lock().unwrap());
    Ok(bytes)
}

pub(super) fn read(
    format: Format,
    bytes: Vec<u8>,
    options: &ReadOptions,
) -> Result<Vec<RecordBatch>> {
    format
        .read(Box::new(Cursor::new(bytes)), "test", options)?
        .collect()
}

pub(super) fn digest_of(schema: &Schema, batches: &[RecordBatch]) -> Digest {
    digest(schema, batches).unwrap()
}

#[test]
fn a_duckdb_parquet_file_reads_right() {
    let reader = open(flights(), &ReadOptions::default()).unwrap();
    assert_eq!(reader.rows_total(), Some(336_776));
    let schema = reader.schema();
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(
        (schema.field(0).name().as_str(), schema.field(0).data_type()),
        ("event_time", &micros)
    );
    assert_eq!(
        schema.field(1),
        &Field::new("carrier", DataType::Utf8, false)
    );
    let batches = reader.collect::<Result<Vec<_>>>().unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= BATCH_ROWS));
    // The digest that docs/digest.py computes for this file.
    assert_eq!(digest_of(&schema, &batches).to_string(), FLIGHTS_DIGEST);
}

const FLIGHTS_DIGEST: &str = "v1:336776:da50facf9655adb43faf2727f58920b0";

#[test]
fn real_flights_survive_each_format_and_texts_even_without_a_schema() {
    let reader = open(
        flights(),
        &ReadOptions {
            batch_rows: 20_000,
            ..ReadOptions::default()
        },
    )
    .unwrap();
    let batches = reader.take(2).collect::<Result<Vec<_>>>().unwrap();
    let schema = batches[0].schema();
    for (format, _) in formats() {
        let bytes = written(format, &batches, &WriteOptions::default()).unwrap();
        let back = read(format, bytes, &without_schema(format, &schema)).unwrap();
        assert_eq!(
            digest_of(&schema, &back),
            digest_of(&schema, &batches),
            "{format}"
        );
    }
}

#[test]
fn batches_are_bounded_by_rows_and_bytes() {
    let texts = StringArray::from_iter_values((0..1000).map(|row| "x".repeat(row % 7 * 100)));
    let batch = RecordBatch::try_from_iter([("s", Arc::new(texts) as ArrayRef)]).unwrap();
    for (format, _) in formats() {
        let bytes = written(
            format,
            std::slice::from_ref(&batch),
            &WriteOptions::default(),
        )
        .unwrap();
        let few = ReadOptions {
            batch_rows: 64,
            ..without_schema(format, &batch.schema())
        };
        let back = read(format, bytes.clone(), &few).unwrap();
        assert!(
            back.iter()
                .all(|batch| (1..=64).contains(&batch.num_rows())),
            "{format}"
        );
        let small = ReadOptions {
            batch_bytes: 8 << 10,
            ..without_schema(format, &batch.schema())
        };
        let back = read(format, bytes, &small).unwrap();
        assert!(
            back.len() >= 300 * 1000 / (16 << 10),
            "{format}: {} batches",
            back.len()
        );
        // Nor are they smaller than they need be: what is left of a batch is not sized by all of it.
        assert!(
            back.len() <= 300 * 1000 / (5 << 9),
            "{format}: {} batches",
            back.len()
        );
        assert_eq!(
            digest_of(&batch.schema(), &back),
            digest_of(&batch.schema(), std::slice::from_ref(&batch)),
            "{format}"
        );
    }
}

#[test]
fn an_arrow_stream_is_read_and_without_its_end_it_is_torn() {
    let batch = nested();
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.write(&batch.slice(0, 5)).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let back = read(Format::ARROW, bytes.clone(), &ReadOptions::default()).unwrap();
    let schema = batch.schema();
    assert_eq!(
        digest_of(&schema, &back),
        digest_of(&schema, &[batch.clone(), batch.slice(0, 5)])
    );
    bytes.truncate(bytes.len() - 8);
    let error = read(Format::ARROW, bytes, &ReadOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0305"));
    assert!(error.detail().unwrap().contains("end marker"), "{error}");
}

#[test]
fn rows_of_another_type_are_refused_and_other_encodings_are_not() {
    let schema = Arc::new(Schema::new(vec![Field::new("s", DataType::Utf8, false)]));
    for (format, _) in formats() {
        let create = || {
            format
                .write(
                    Box::new(Shared::default()),
                    "test",
                    schema.clone(),
                    &WriteOptions::default(),
                )
                .unwrap()
        };
        let one = |array: ArrayRef| RecordBatch::try_from_iter([("s", array)]).unwrap();
        assert!(
            create()
                .write(&one(Arc::new(StringViewArray::from(vec!["a"]))))
                .is_ok()
        );
        assert!(
            create()
                .write(&one(Arc::new(LargeStringArray::from(vec!["a"]))))
                .is_ok()
        );
        for wrong in [
            Arc::new(Int32Array::from(vec![1])) as ArrayRef,
            Arc::new(BinaryArray::from(vec![&b"a"[..]])),
            Arc::new(StringArray::from(vec![None::<&str>])),
        ] {
            assert_eq!(
                create().write(&one(wrong)).unwrap_err().code(),
                "FS0304",
                "{format}"
            );
        }
    }
}

#[test]
fn a_file_takes_its_name_when_it_is_finished_and_leaves_nothing_before() {
    let folder = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    for (format, suffix) in formats() {
        let path = folder.path().join(format!("x.{suffix}"));
        std::fs::write(&path, "before").unwrap();
        let batch = hurting();
        let mut writer = create(&path, batch.schema(), &WriteOptions::default()).unwrap();
        writer.write(&batch).unwrap();
        assert_eq!(
            (std::fs::read(&path).unwrap(), files()),
            (b"before".to_vec(), 2)
        );
        drop(writer);
        assert_eq!(
            (std::fs::read(&path).unwrap(), files()),
            (b"before".to_vec(), 1),
            "{format}"
        );
        let mut writer = create(&path, batch.schema(), &WriteOptions::default()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        let options = ReadOptions {
            schema: Some(batch.schema()),
            ..ReadOptions::default()
        };
        let back = open(&path, &options)
            .unwrap()
            .collect::<Result<Vec<_>>>()
            .unwrap();
        assert_eq!(
            digest_of(&batch.schema(), &back),
            digest_of(&batch.schema(), std::slice::from_ref(&batch))
        );
        std::fs::remove_file(&path).unwrap();
        assert_eq!(files(), 0);
    }
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let batch = hurting();
    for (format, _) in formats() {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let error = format
            .write(
                Box::new(full),
                "out",
                batch.schema(),
                &WriteOptions::default(),
            )
            .and_then(|mut writer| {
                writer.write(&batch)?;
                writer.finish()
            })
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Unavailable, "FS0303"),
            "{format}"
        );
        assert!(error.detail().unwrap().contains("No space left"), "{error}");
    }
}

#[test]
fn names_tell_formats_and_bad_paths_are_typed() {
    for (name, format) in [
        ("a.arrow", Format::ARROW),
        ("A.PARQUET", Format::PARQUET),
        ("x.y.csv", Format::CSV),
        ("x.jsonl", Format::JSON),
        ("x.json", Format::JSON),
        ("b.avro", Format::AVRO),
        ("b.thrift", Format::THRIFT),
    ] {
        assert_eq!(Format::from_path(name).unwrap(), format);
    }
    for name in ["a", "a.txt", "csv"] {
        assert_eq!(Format::from_path(name).unwrap_err().code(), "FS0301");
    }
    let code = |result: Result<Box<dyn BatchReader>>| {
        result.map_err(|error: Error| (error.kind(), error.code().to_owned()))
    };
    let options = ReadOptions::default();
    assert_eq!(
        code(open("/nowhere/a.csv", &options)).unwrap_err(),
        (Kind::Invalid, "FS0302".into())
    );
    assert_eq!(
        code(Format::CSV.open("/", &options)).unwrap_err(),
        (Kind::Invalid, "FS0302".into())
    );
    let created = create(
        "/nowhere/a.csv",
        hurting().schema(),
        &WriteOptions::default(),
    );
    assert_eq!(created.unwrap_err().code(), "FS0303");
}
