//! The targets by name, and the bound that each is held to.
//!
//! Invariant: a target returns whatever its input is, and takes no more than [`Target::limit`] while it runs.

use crate::counting;
use crate::fixup;
#[cfg(feature = "sql")]
use crate::sql;
use flinkspark_connector::decoders;
use flinkspark_connector::format::{
    CsvOptions, Encoding, Format, ReadOptions, ThriftOptions, ThriftProtocol, thrift_idl,
};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::digest::Digest;
use flinkspark_model::handle::HandleKey;
use flinkspark_model::log::{
    LogId, SegmentFormat, SegmentName, SegmentRef, SlotRecord, Snapshot, View,
};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Reference, TxnId};
use flinkspark_model::profile::{Lossy, Profile};
use flinkspark_model::schema::{self, Compatibility};
use std::hint::black_box;
use std::io::Cursor;
use std::str::FromStr;

/// What every decoder may take, whatever arrives, in bytes.
pub const BASE: usize = 64 << 20;

/// What a decoder may take besides for each byte that arrived.
pub const TIMES: usize = 16;

/// How an input is built, so that mutations keep it in shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Bytes, with whatever checksums made right by the target.
    Bytes,
    /// Messages of a put, each with the lengths of its header and body before it.
    Frames,
    /// An Arrow file: numbers stand at multiples of four, and its end says where it begins.
    Arrow,
    /// A Parquet file: its footer's length and the magic stand at its end.
    Parquet,
    /// A byte of options, then records, each with its length before it.
    Records,
    /// The catalogue's journal: a header, then records of JSON with their lengths.
    Journal,
    /// Lines of JSON.
    Json,
    /// A statement, or a text of words.
    Words,
}

/// One decoder.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// How its inputs are built.
    pub shape: Shape,
    /// The longest input that is worth trying, in bytes.
    pub bytes_max: usize,
    /// What the encoded bodies in an input may be unpacked to, in bytes; 0 where there are none.
    unpacked: fn(&[u8]) -> usize,
    run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("flight_messages", Shape::Frames, 64 << 10, flight_messages)
        .unpacking(fixup::unpacked_messages),
    target("ticket", Shape::Json, 4 << 10, ticket),
    target("bodies", Shape::Json, 4 << 10, bodies),
    target("segment", Shape::Arrow, 32 << 10, segment).unpacking(fixup::unpacked_file),
    target("arrow_file", Shape::Arrow, 32 << 10, arrow).unpacking(fixup::unpacked_file),
    target("arrow_stream", Shape::Arrow, 32 << 10, arrow).unpacking(fixup::unpacked_stream),
    target("parquet", Shape::Parquet, 32 << 10, parquet).unpacking(fixup::unpacked_pages),
    target("csv", Shape::Words, 16 << 10, csv),
    target("json", Shape::Json, 16 << 10, json),
    target("avro", Shape::Bytes, 16 << 10, avro).unpacking(fixup::unpacked_blocks),
    target("thrift", Shape::Records, 16 << 10, thrift),
    target("thrift_idl", Shape::Words, 8 << 10, thrift_language),
    target("journal", Shape::Journal, 16 << 10, journal),
    target("slots", Shape::Json, 16 << 10, slots),
    target("snapshot", Shape::Json, 16 << 10, snapshot),
    target("records", Shape::Json, 4 << 10, records),
    target("schema", Shape::Json, 8 << 10, schema_json),
    target("names", Shape::Words, 1 << 10, names),
    #[cfg(feature = "sql")]
    target("sql", Shape::Words, 4 << 10, sql::run),
];

const fn target(name: &'static str, shape: Shape, bytes_max: usize, run: fn(&[u8])) -> Target {
    Target {
        name,
        shape,
        bytes_max,
        unpacked: nothing,
        run,
    }
}

fn nothing(_input: &[u8]) -> usize {
    0
}

/// The target with this name.
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

impl Target {
    const fn unpacking(self, unpacked: fn(&[u8]) -> usize) -> Self {
        Self { unpacked, ..self }
    }

    /// What it may take for this input, in bytes.
    pub fn limit(&self, input: &[u8]) -> usize {
        BASE + TIMES * input.len() + (self.unpacked)(input)
    }

    /// Runs it once. A panic is the caller's; an error says by how much the bound was missed.
    pub fn hold(&self, input: &[u8]) -> Result<(), String> {
        let bare = BASE + TIMES * input.len();
        let taken = counting::peak(bare, || (self.run)(input));
        if taken <= bare {
            return Ok(());
        }
        let limit = self.limit(input);
        if taken <= limit {
            return Ok(());
        }
        let bytes = input.len();
        Err(format!("{bytes} bytes took {taken}; the limit is {limit}"))
    }
}

fn flight_messages(input: &[u8]) {
    if let Err(error) = decoders::flight_messages(input) {
        assert_ne!(error.code(), "FS0437", "{error:?}");
    }
}

fn ticket(input: &[u8]) {
    black_box(decoders::ticket(input).is_ok());
}

fn bodies(input: &[u8]) {
    black_box(decoders::bodies(input));
}

/// As it came, and with every checksum made right.
fn segment(input: &[u8]) {
    let (file, rows) = fixup::segment(input);
    let segment = SegmentRef {
        name: SegmentName::from(fixup::SEGMENT),
        partition: 0,
        attempt: 0,
        format: SegmentFormat::Arrow,
        rows,
        bytes: file.len() as u64,
        digest: Digest::default(),
    };
    if let Err(error) = decoders::segment(LogId(fixup::LOG), &segment, file) {
        assert_ne!(error.code(), "FS1033", "{error:?}");
    }
}

fn arrow(input: &[u8]) {
    file(Format::ARROW, input, &ReadOptions::default());
}

fn parquet(input: &[u8]) {
    file(Format::PARQUET, input, &ReadOptions::default());
}

fn avro(input: &[u8]) {
    file(Format::AVRO, input, &ReadOptions::default());
}

/// The first byte chooses the options, and whether a second one chooses those that few files need.
fn csv(input: &[u8]) {
    let (choice, text) = input.split_first().unwrap_or((&0, &[]));
    let mut csv = CsvOptions {
        nulls: [vec![r"\N"], vec![""], vec!["NA", "null"], vec![]][usize::from(choice >> 1 & 3)]
            .iter()
            .map(|null| (*null).into())
            .collect(),
        header: choice & 1 == 0,
        delimiter: Some([b',', b';', b'\t', b'|'][usize::from(choice >> 3 & 3)]),
        ..CsvOptions::default()
    };
    let mut text = text;
    if choice & 0x80 != 0 {
        let (more, rest) = text.split_first().unwrap_or((&0, &[]));
        text = rest;
        csv = rare(csv, *more);
    }
    let options = ReadOptions {
        schema: (choice & 0x20 != 0).then(crate::seeds::every_csv_type),
        csv,
        ..ReadOptions::default()
    };
    file(Format::CSV, text, &options);
}

/// Options that few files need.
fn rare(csv: CsvOptions, choice: u8) -> CsvOptions {
    let declared = |pattern: &str| (choice & 0x10 != 0).then(|| pattern.to_owned());
    CsvOptions {
        delimiter: csv.delimiter.filter(|_| choice & 1 != 0),
        quote: [Some(b'"'), Some(b'\''), None, Some(b'"')][usize::from(choice >> 1 & 3)],
        comment: (choice & 8 != 0).then(|| "#".to_owned()),
        date: declared("dd.MM.yyyy"),
        time: declared("HHmm"),
        timestamp: declared("yyyyMMdd HH:mm:ss.SSS"),
        instant: declared("dd/MM/yyyy HH:mmXXX"),
        decimal_comma: choice & 0x20 != 0,
        encoding: [
            None,
            Some(Encoding::Utf16Le),
            Some(Encoding::Utf16Be),
            Some(Encoding::Windows1252),
        ][usize::from(choice >> 6)],
        ..csv
    }
}

/// Inferred, and at a schema of every type.
fn json(input: &[u8]) {
    file(Format::JSON, input, &ReadOptions::default());
    let options = ReadOptions {
        schema: Some(crate::seeds::every_json_type()),
        ..ReadOptions::default()
    };
    file(Format::JSON, input, &options);
}

/// The first byte chooses the protocol, and whether an IDL says the columns or a schema of every type.
fn thrift(input: &[u8]) {
    let (choice, records) = input.split_first().unwrap_or((&0, &[]));
    let by_idl = choice & 2 != 0;
    let thrift = ThriftOptions {
        protocol: match choice & 1 {
            0 => ThriftProtocol::Binary,
            _ => ThriftProtocol::Compact,
        },
        idl: by_idl.then(|| crate::seeds::THRIFT_IDL.to_owned()),
        structure: None,
    };
    let options = ReadOptions {
        schema: (!by_idl).then(crate::seeds::every_thrift_type),
        thrift,
        ..ReadOptions::default()
    };
    file(Format::THRIFT, records, &options);
}

/// An IDL, and what is printed for the schema that it says.
fn thrift_language(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let read = |idl: String| {
        let options = ReadOptions {
            thrift: ThriftOptions {
                idl: Some(idl),
                ..ThriftOptions::default()
            },
            ..ReadOptions::default()
        };
        let input = Box::new(Cursor::new(Vec::new()));
        let reader = Format::THRIFT.read(input, "input", &options)?;
        Ok::<_, flinkspark_model::Error>(reader.schema())
    };
    let Ok(schema) = read(text.to_owned()) else {
        return;
    };
    // Refused by its size alone, or for a type that stands in an annotation only.
    if let Ok(again) = thrift_idl(&schema).and_then(read) {
        assert_eq!(again, schema);
    }
}

fn file(format: Format, bytes: &[u8], options: &ReadOptions) {
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let Ok(reader) = format.read(input, "input", options) else {
        return;
    };
    for batch in reader {
        let Ok(batch) = batch else { return };
        black_box(batch.num_rows());
    }
}

fn journal(input: &[u8]) {
    black_box(flinkspark_metadata::decoders::journal(&fixup::journal(input)).is_ok());
}

/// Each line a slot: its record with the checksum made right, then the log as far as it folds.
fn slots(input: &[u8]) {
    let mut view = View::empty();
    for line in input.split(|byte| *byte == b'\n') {
        black_box(SlotRecord::decode(line).is_ok());
        let Ok(record) = SlotRecord::decode(&fixup::checked(line)) else {
            continue;
        };
        black_box(record.encode().is_ok());
        if view.apply(record.slot, &record.body).is_err() {
            continue;
        }
        black_box((view.totals(), view.watermark_ms()));
        black_box(view.as_of(1, record.slot));
    }
    black_box(Snapshot::from(&view));
}

fn snapshot(input: &[u8]) {
    let Ok(snapshot) = serde_json::from_slice::<Snapshot>(input) else {
        return;
    };
    if let Ok(view) = View::try_from(snapshot) {
        black_box((view.totals(), view.watermark_ms(), Snapshot::from(&view)));
    }
}

fn records(input: &[u8]) {
    black_box(decoders::store_records(&fixup::checked(input)));
}

fn schema_json(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(schema) = schema::from_json(text) {
        black_box(schema::names::check(&schema).is_ok());
        let again = schema::to_json(&schema).and_then(|json| schema::from_json(&json));
        // Refused by its size alone: the form that is written may be longer than the one that was read.
        if let Ok(again) = again {
            assert_eq!(again, schema);
        }
    }
}

fn names(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    black_box(DatasetName::new(text).is_ok());
    holds::<DatasetId>(text);
    holds::<HandleKey>(text);
    holds::<Reference>(text);
    holds::<TxnId>(text);
    holds::<Digest>(text);
    holds::<Profile>(text);
    holds::<Lossy>(text);
    holds::<Compatibility>(text);
}

fn holds<T: FromStr>(text: &str) {
    black_box(text.parse::<T>().is_ok());
}
