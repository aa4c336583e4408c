//! Files and messages: of each column one, of each encoding one, and the foreign files that the tests have.
//!
//! Invariant: nothing is read from the disk while it runs.

use super::{Failure, columns};
use crate::fixup;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{
    DictionaryTracker, FileWriter, IpcDataGenerator, IpcWriteContext, IpcWriteOptions, StreamWriter,
};
use arrow_schema::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use flinkspark_connector::format::{Format, WriteOptions};
use flinkspark_model::schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

macro_rules! cases {
    ($($path:literal),* $(,)?) => {
        [$(include_bytes!(concat!("../../../integration-tests/data/cases/", $path)).as_slice()),*]
    };
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, Failure> {
    let columns = columns.into_iter();
    let columns = columns.map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// A batch of each column, and one of all that every format holds.
pub(super) fn batches() -> Result<Vec<RecordBatch>, Failure> {
    let each = columns::all()?.into_iter();
    let mut batches = each
        .map(|column| batch(vec![column]))
        .collect::<Result<Vec<_>, _>>()?;
    batches.push(batch(columns::plain()?)?);
    batches.push(batch(columns::nested()?)?);
    Ok(batches)
}

fn repeated() -> Result<RecordBatch, Failure> {
    batch(vec![(
        "n",
        Arc::new(Int64Array::from(vec![7; 512])) as ArrayRef,
    )])
}

fn compressed(codec: CompressionType) -> Result<IpcWriteOptions, Failure> {
    Ok(IpcWriteOptions::default().try_with_compression(Some(codec))?)
}

/// Each put as the lengths of each message's header and body, header and body.
pub(super) fn messages() -> Result<Vec<Vec<u8>>, Failure> {
    let plain = IpcWriteOptions::default();
    let mut all = Vec::new();
    for batch in batches()? {
        all.push(framed(&batch, &plain)?);
    }
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        all.push(framed(&repeated()?, &compressed(codec)?)?);
        all.push(framed(&batch(columns::nested()?)?, &compressed(codec)?)?);
    }
    Ok(all)
}

fn framed(batch: &RecordBatch, options: &IpcWriteOptions) -> Result<Vec<u8>, Failure> {
    let mut tracker = DictionaryTracker::new(true);
    let generator = IpcDataGenerator::default();
    let schema =
        generator.schema_to_bytes_with_dictionary_tracker(&batch.schema(), &mut tracker, options);
    let mut context = IpcWriteContext::default();
    let (dictionaries, rows) = generator.encode(batch, &mut tracker, options, &mut context)?;
    let messages = std::iter::once(schema).chain(dictionaries).chain([rows]);
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend((message.ipc_message.len() as u32).to_le_bytes());
        bytes.extend((message.arrow_data.len() as u32).to_le_bytes());
        bytes.extend(message.ipc_message);
        bytes.extend(message.arrow_data);
    }
    Ok(bytes)
}

/// Arrow files with what a segment's footer says, of versions 3 and 2 with room for
/// checksums and seal, and of version 1.
pub(super) fn segments() -> Result<Vec<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    for batch in batches()? {
        let plain = IpcWriteOptions::default();
        all.extend([
            sealed(&batch, plain.clone(), Some("3"))?,
            sealed(&batch, plain.clone(), Some("2"))?,
            sealed(&batch, plain, None)?,
        ]);
    }
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        all.push(sealed(&repeated()?, compressed(codec)?, Some("3"))?);
    }
    Ok(all)
}

/// A segment's file; without a seal it is of version 1.
fn sealed(
    batch: &RecordBatch,
    options: IpcWriteOptions,
    seal: Option<&str>,
) -> Result<Vec<u8>, Failure> {
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
    writer.write(batch)?;
    writer.write(batch)?;
    let rows = batch.num_rows();
    writer.write_metadata("flinkspark.segment", seal.unwrap_or("1"));
    writer.write_metadata("flinkspark.log", fixup::LOG.to_string());
    writer.write_metadata("flinkspark.name", fixup::SEGMENT);
    writer.write_metadata("flinkspark.rows", format!("{rows},{rows}"));
    if seal == Some("3") {
        writer.write_metadata("flinkspark.statistics", "1");
        for (index, field) in batch.schema().fields().iter().enumerate() {
            let entry = match field.data_type() {
                DataType::Int32 | DataType::Int64 => "0,-5,7",
                DataType::Utf8 | DataType::Binary => "0,x,xff00",
                _ => "0,,",
            };
            let entries = [entry; 3].join(";");
            writer.write_metadata(format!("flinkspark.statistics.{index}"), entries);
        }
    }
    if seal.is_some() {
        writer.write_metadata("flinkspark.crc32c", "00000000,00000000,00000000");
    }
    writer.finish()?;
    let mut file = writer.into_inner()?;
    let trailer = file.len() - 10;
    let length = file[trailer..]
        .first_chunk()
        .map_or(0, |length| u32::from_le_bytes(*length));
    let footer = trailer - length as usize;
    if seal.is_some() {
        file.splice(footer..footer, *b"FSK2\0\0\0\0");
    }
    Ok(file)
}

/// Files: every column, both codecs, and those of the tests.
pub(super) fn arrow_files() -> Result<Vec<Vec<u8>>, Failure> {
    let write = |batch: &RecordBatch, options| -> Result<Vec<u8>, Failure> {
        let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
        writer.write(batch)?;
        writer.finish()?;
        Ok(writer.into_inner()?)
    };
    let mut all = Vec::new();
    for batch in batches()? {
        all.push(write(&batch, IpcWriteOptions::default())?);
        all.extend(ours(Format::ARROW, &batch));
    }
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        all.push(write(&repeated()?, compressed(codec)?)?);
        all.push(write(&batch(columns::foreign()?)?, compressed(codec)?)?);
    }
    let cases = cases![
        "ipc-big-endian/big.arrow",
        "ipc-big-endian/little.arrow",
        "made-ipc/lz4.arrow",
        "made-ipc/spark_marker.arrow",
        "made-ipc/zstd.arrow",
        "made-seconds/seconds.arrow",
        "same-column-names/struct.arrow",
    ];
    all.extend(cases.map(Vec::from));
    Ok(all)
}

/// Streams: every column, and those of the tests.
pub(super) fn arrow_streams() -> Result<Vec<Vec<u8>>, Failure> {
    let write = |batch: &RecordBatch, options| -> Result<Vec<u8>, Failure> {
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
        writer.write(batch)?;
        writer.finish()?;
        Ok(writer.into_inner()?)
    };
    let mut all = Vec::new();
    for batch in batches()? {
        all.push(write(&batch, IpcWriteOptions::default())?);
    }
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        all.push(write(&repeated()?, compressed(codec)?)?);
    }
    let cases = cases!["made-ipc/grown.arrows", "made-ipc/replaced.arrows"];
    all.extend(cases.map(Vec::from));
    Ok(all)
}

/// Files of our own writer, of other writers' encodings and codecs, and those of the tests.
pub(super) fn parquet() -> Result<Vec<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    for batch in batches()? {
        all.extend(ours(Format::PARQUET, &batch));
    }
    let properties = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None);
    let every = batch([columns::plain()?, columns::nested()?].concat())?;
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for codec in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::LZ4_RAW,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(Default::default()),
            Compression::BROTLI(Default::default()),
        ] {
            let properties = properties.clone().set_writer_version(version);
            let properties = properties.set_compression(codec).build();
            all.push(by_arrow(&repeated()?, properties.clone())?);
            if codec == Compression::UNCOMPRESSED {
                all.push(by_arrow(&every, properties)?);
            }
        }
    }
    for (column, encodings) in ENCODINGS {
        let found = columns::plain()?
            .into_iter()
            .find(|(name, _)| name == column);
        for encoding in *encodings {
            let properties = properties.clone().set_dictionary_enabled(false);
            let properties = properties.set_encoding(*encoding).build();
            all.push(by_arrow(
                &batch(found.clone().into_iter().collect())?,
                properties,
            )?);
        }
    }
    let cases = cases![
        "made-int96/nested.parquet",
        "made-int96/zoned.parquet",
        "made-page-crc/v1_none.parquet",
        "made-page-crc/v2_snappy.parquet",
        "parquet-codecs/lz4.parquet",
        "parquet-codecs/snappy.parquet",
        "parquet-int96-far-dates/contracts.parquet",
        "parquet-int96-far-dates/pyarrow.parquet",
        "parquet-int96-instant/spark_default.parquet",
        "parquet-interval-months/terms.parquet",
        "parquet-page-crc/good.parquet",
        "parquet-spark-legacy-calendar/legacy.parquet",
        "same-column-names/join.parquet",
    ];
    all.extend(cases.map(Vec::from));
    Ok(all)
}

/// Encodings that no writer chooses by itself.
const ENCODINGS: &[(&str, &[Encoding])] = &[
    ("bool", &[Encoding::RLE]),
    (
        "i32",
        &[Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT],
    ),
    ("i64", &[Encoding::DELTA_BINARY_PACKED]),
    ("f64", &[Encoding::BYTE_STREAM_SPLIT]),
    (
        "text",
        &[
            Encoding::DELTA_BYTE_ARRAY,
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
        ],
    ),
    (
        "fixed",
        &[Encoding::BYTE_STREAM_SPLIT, Encoding::DELTA_BYTE_ARRAY],
    ),
];

fn by_arrow(batch: &RecordBatch, properties: WriterProperties) -> Result<Vec<u8>, Failure> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// By the project's own writer; none where the format does not hold the column.
fn ours(format: Format, batch: &RecordBatch) -> Option<Vec<u8>> {
    ours_with(format, batch, &WriteOptions::default())
}

/// The same with options.
pub(super) fn ours_with(
    format: Format,
    batch: &RecordBatch,
    options: &WriteOptions,
) -> Option<Vec<u8>> {
    let file = Shared::default();
    let output: Box<dyn Write + Send> = Box::new(file.clone());
    let mut writer = format.write(output, "seed", batch.schema(), options).ok()?;
    writer.write(batch).ok()?;
    writer.finish().ok()?;
    let bytes = file.0.lock().unwrap_or_else(PoisonError::into_inner);
    Some(bytes.clone())
}

/// A file that is read when its writer is gone.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Files of our own writer, and those of another in every codec.
pub(super) fn avro() -> Result<Vec<Vec<u8>>, Failure> {
    let batches = batches()?;
    let mut all: Vec<_> = batches
        .iter()
        .filter_map(|batch| ours(Format::AVRO, batch))
        .collect();
    let cases = cases![
        "made-avro/bzip2.avro",
        "made-avro/deflate.avro",
        "made-avro/null.avro",
        "made-avro/snappy.avro",
        "made-avro/xz.avro",
        "made-avro/zstandard.avro",
    ];
    all.extend(cases.map(Vec::from));
    Ok(all)
}

/// Texts behind a byte of options: inferred, of every type, and of every delimiter.
pub(super) fn csv() -> Result<Vec<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    for batch in batches()? {
        all.extend(ours(Format::CSV, &batch).map(|text| [vec![0], text].concat()));
    }
    let typed = "b,i,u,f,s,x,d,day,tm,ts,tz\ntrue,-1,1,1.5,a,ff,1.25,2026-01-31,23:59:59,\
                 2026-01-31T00:00:00.001,2026-01-31T00:00:00+01:00\n\\N,\\N,\\N,NaN,\"q\"\"q\",\\N,\\N,\\N,\\N,\\N,\\N\n";
    all.push([b"\x20".as_slice(), typed.as_bytes()].concat());
    for choice in 0..32_u8 {
        let delimiter = [",", ";", "\t", "|"][usize::from(choice >> 3 & 3)];
        let text = "a,b,c\n1,x,\\N\n-2.5,\"y\"\"\nz\",NA\n,,\n2026-02-28,12:00:00,null\n";
        all.push([vec![choice], text.replace(',', delimiter).into_bytes()].concat());
    }
    all.extend(rare_csv());
    let cases = cases![
        "csv-inference/parts.csv",
        "csv-line-ends/bom_crlf.csv",
        "csv-line-ends/edge.csv",
        "csv-line-ends/latin1.csv",
        "csv-line-ends/lone_cr_at_end.csv",
        "csv-line-ends/nulls.csv",
        "csv-line-ends/quote_inside.csv",
        "csv-line-ends/spaces.csv",
    ];
    all.extend(cases.map(|case| [b"\x00", case].concat()));
    Ok(all)
}

/// Texts behind two bytes of options: a told delimiter or none, other quotes, comments, patterns, decimal commas and
/// encodings, and what is wrong in an encoding.
fn rare_csv() -> impl Iterator<Item = Vec<u8>> {
    let text = "# it's \"so\"\na;b;c;d\n1,5;31.01.2026;20260131 12:30:00.250;'x;\"\"'\n\"#\n\";;NA;31/01/2026 12:30+01:00\n";
    let utf16 =
        |units: &[u16]| -> Vec<u8> { units.iter().flat_map(|unit| unit.to_le_bytes()).collect() };
    let marked: Vec<u16> = "\u{feff}a\tb\n\u{1f600}\t1\n".encode_utf16().collect();
    let lone = [0xfeff, 0x61, 0x0a, 0xd83d, 0x0a];
    let halves = [
        utf16(&marked),
        utf16(&lone),
        [utf16(&marked), vec![0x61]].concat(),
    ];
    let texts = (0..64_u8).map(move |more| [&[0x86, more], text.as_bytes()].concat());
    let windows = std::iter::once(b"\x86\xc0n\xe4me;x\n\x80;\x81\n".to_vec());
    let marks = halves.into_iter().flat_map(|text| {
        let own = [vec![0x86, 0], text.clone()].concat();
        [own, [vec![0x86, 0x40], text].concat()]
    });
    texts.chain(windows).chain(marks)
}

/// The schema at which a CSV target reads where its options say so.
pub fn every_csv_type() -> SchemaRef {
    static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
    let make = || {
        use DataType as D;
        let zone = Some("Europe/Berlin".into());
        let columns = [
            ("b", D::Boolean),
            ("i", D::Int32),
            ("u", D::UInt64),
            ("f", D::Float64),
            ("s", D::Utf8),
            ("x", D::Binary),
            ("d", D::Decimal128(10, 2)),
            ("day", D::Date32),
            ("tm", D::Time64(TimeUnit::Nanosecond)),
            ("ts", D::Timestamp(TimeUnit::Nanosecond, None)),
            ("tz", D::Timestamp(TimeUnit::Millisecond, zone)),
        ];
        let fields = columns.map(|(name, kind)| Field::new(name, kind, true));
        Arc::new(Schema::new(fields.to_vec())) as SchemaRef
    };
    Arc::clone(SCHEMA.get_or_init(make))
}

/// Lines of every type, and one array over many lines.
pub(super) fn json() -> Result<Vec<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    for batch in batches()? {
        all.extend(ours(Format::JSON, &batch));
    }
    let typed = r#"{"b":true,"i":-1,"u":1e2,"f":1.5,"s":"\ud83d\ude00","x":"AP8=","d":1.25,"day":"2026-01-31","tm":"23:59:59","tz":"2026-01-31T00:00:00+01:00","span":"P1M-2DT0.5S","list":[{"n":1},null],"fixed":[1,null],"map":{"1":[true]}}
{"f":"NaN","list":[],"map":{}}
"#;
    let array = format!("[\n{}\n]", typed.trim_end().replace('\n', ",\n\t"));
    let mixed = "{\"a\":1,\"b\":{\"c\":[1.5,\"x\"]}}\r\n{\"a\":18446744073709551615,\"b\":null,\"d\":\"2026-01-31\"}\n";
    all.extend([typed, &array, mixed, "[]", "{}"].map(|text| text.as_bytes().to_vec()));
    Ok(all)
}

/// The schema at which the JSON target reads.
pub fn every_json_type() -> SchemaRef {
    static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
    let make = || {
        use DataType as D;
        let field = |name, kind| Field::new(name, kind, true);
        let pair = vec![
            field("key", D::Int32).with_nullable(false),
            field("value", D::new_list(D::Boolean, true)),
        ];
        let entries = Field::new("entries", D::Struct(pair.into()), false);
        let columns = [
            ("b", D::Boolean),
            ("i", D::Int32),
            ("u", D::UInt64),
            ("f", D::Float64),
            ("s", D::LargeUtf8),
            ("x", D::Binary),
            ("d", D::Decimal128(10, 2)),
            ("day", D::Date32),
            ("tm", D::Time64(TimeUnit::Nanosecond)),
            (
                "tz",
                D::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            ),
            ("span", D::Interval(IntervalUnit::MonthDayNano)),
            (
                "list",
                D::new_list(D::Struct(vec![field("n", D::Int64)].into()), true),
            ),
            ("fixed", D::new_fixed_size_list(D::Int8, 2, true)),
            ("map", D::Map(entries.into(), false)),
        ];
        let fields = columns.map(|(name, kind)| field(name, kind));
        Arc::new(Schema::new(fields.to_vec())) as SchemaRef
    };
    Arc::clone(SCHEMA.get_or_init(make))
}

/// The JSON of the schemas of every column.
pub(super) fn schemas() -> Result<Vec<Vec<u8>>, Failure> {
    let json = |batch: &RecordBatch| Ok(schema::to_json(&batch.schema())?.into_bytes());
    batches()?.iter().map(json).collect()
}
