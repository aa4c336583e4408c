//! Records of Thrift in both protocols, and IDLs.
//!
//! Invariant: a seed's first byte says the protocol and the columns with which its records are whole.

use super::files::{batch, batches, ours_with};
use super::{Failure, columns};
use arrow_schema::{Schema, SchemaRef};
use flinkspark_connector::format::{
    Format, ThriftOptions, ThriftProtocol, WriteOptions, thrift_idl,
};
use std::sync::{Arc, OnceLock};

/// The IDL at which the Thrift target reads where its options say so.
pub const THRIFT_IDL: &str = r#"
    enum Kind { A, B = 5 }
    struct Inner { 1: required i32 n, 2: optional string s = "none", 20: optional bool yes }
    struct Row {
        1: optional bool flag, 2: byte tiny = -1, 3: i16 small, 4: i64 at (flinkspark.type = "timestamp[us, UTC]"),
        5: double real = 1.5, 6: Kind kind = Kind.B, 7: uuid id, 8: set<list<Inner>> deep, 9: map<string, Inner> words,
        300: binary price (flinkspark.type = "decimal128(10,2)"),
    }"#;

/// Of that IDL a record in each protocol.
const BY_IDL: [&[u8]; 2] = [
    b"\x00\x00\x00\x3e\x02\x00\x01\x01\x08\x00\x06\x00\x00\x00\x05\x0e\x00\x08\x0f\x00\x00\x00\x01\x0c\x00\x00\x00\x01\x08\x00\x01\x00\x00\x00\x01\x02\x00\x14\x01\x00\x0d\x00\x09\x0b\x0c\x00\x00\x00\x00\x0b\x01\x2c\x00\x00\x00\x02\x03\xe8\x08\x00\x63\x00\x00\x00\x00\x00",
    b"\x00\x00\x00\x17\x11\x55\x0a\x2a\x19\x1c\x15\x02\x01\x28\x00\x1b\x00\x08\xd8\x04\x02\x03\xe8\x1c\x12\x00\x00",
];

/// The schema at which the Thrift target reads otherwise.
pub fn every_thrift_type() -> SchemaRef {
    static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
    let make = || every().map_or_else(|_| Arc::new(Schema::empty()), |batch| batch.schema());
    Arc::clone(SCHEMA.get_or_init(make))
}

fn every() -> Result<arrow_array::RecordBatch, Failure> {
    batch([columns::plain()?, columns::nested()?].concat())
}

/// Rows of every type, and records of the IDL.
pub(super) fn files() -> Result<Vec<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    let (every, plain) = (every()?, batch(columns::plain()?)?);
    for (choice, protocol) in [(0, ThriftProtocol::Binary), (1, ThriftProtocol::Compact)] {
        let options = WriteOptions {
            thrift: ThriftOptions {
                protocol,
                ..ThriftOptions::default()
            },
            ..WriteOptions::default()
        };
        // Rows with nulls in lists have no record.
        let rows = (0..every.num_rows()).map(|row| every.slice(row, 1));
        for batch in rows.chain([plain.clone()]) {
            let file = ours_with(Format::THRIFT, &batch, &options);
            all.extend(file.map(|file| [vec![choice], file].concat()));
        }
    }
    let by_idl = BY_IDL.iter().zip([2, 3]);
    all.extend(by_idl.map(|(records, choice)| [&[choice], *records].concat()));
    Ok(all)
}

/// IDLs of every column, and one of everything else.
pub(super) fn idls() -> Result<Vec<Vec<u8>>, Failure> {
    let batches = batches()?;
    let printed = batches
        .iter()
        .filter_map(|batch| thrift_idl(&batch.schema()).ok());
    let mut all: Vec<_> = printed.map(String::into_bytes).collect();
    let rest = "# a\nnamespace * a.b // c\n/* d */ typedef map<i32, list<Row>> Many (e = 'f')\n\
        const double X = -1.5e3; const map<string, i32> Y = {'a': 1, 'b': 0x10}\n\
        service S extends T { oneway void f(1: i32 a) throws (1: E e) }\n\
        exception E { 1: string why } union U { 1: E e, 2: i64 n }\n\
        struct Row { 1: optional i32 a = 7 (deprecated) } struct Last { 1: Many m, 2: double x = X }\n";
    all.extend([rest, THRIFT_IDL].map(|text| text.as_bytes().to_vec()));
    Ok(all)
}
