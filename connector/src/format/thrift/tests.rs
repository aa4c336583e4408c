//! Thrift files: bytes laid out by hand, every type both ways, another implementation as the oracle, IDLs, and files that
//! lie.

use super::{ThriftOptions, ThriftProtocol, thrift_idl};
use crate::format::tests::{digest_of, read, written};
use crate::format::{BatchReader, Format, ReadOptions, WriteOptions};
use arrow_array::builder::{FixedSizeBinaryBuilder, Int64Builder, MapBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use flinkspark_model::{Error, Kind, Result};
use std::io::Cursor;
use std::sync::Arc;

mod hostile;
mod idl;
mod language;
mod oracle;
mod spec;
mod types;

const BOTH: [ThriftProtocol; 2] = [ThriftProtocol::Binary, ThriftProtocol::Compact];

fn options(protocol: ThriftProtocol, idl: Option<&str>) -> ThriftOptions {
    ThriftOptions {
        protocol,
        idl: idl.map(Into::into),
        structure: None,
    }
}

fn write_at(batches: &[RecordBatch], thrift: ThriftOptions) -> Result<Vec<u8>> {
    let options = WriteOptions {
        thrift,
        ..WriteOptions::default()
    };
    written(Format::THRIFT, batches, &options)
}

fn write(batches: &[RecordBatch], protocol: ThriftProtocol) -> Result<Vec<u8>> {
    write_at(batches, options(protocol, None))
}

fn read_options(schema: Option<SchemaRef>, thrift: ThriftOptions) -> ReadOptions {
    ReadOptions {
        schema,
        thrift,
        ..ReadOptions::default()
    }
}

fn open(bytes: &[u8], schema: SchemaRef, protocol: ThriftProtocol) -> Result<Vec<RecordBatch>> {
    let options = read_options(Some(schema), options(protocol, None));
    read(Format::THRIFT, bytes.to_vec(), &options)
}

fn open_idl(bytes: &[u8], idl: &str, protocol: ThriftProtocol) -> Result<Vec<RecordBatch>> {
    let options = read_options(None, options(protocol, Some(idl)));
    read(Format::THRIFT, bytes.to_vec(), &options)
}

fn reader_of(bytes: &[u8], options: &ReadOptions) -> Result<Box<dyn BatchReader>> {
    Format::THRIFT.read(Box::new(Cursor::new(bytes.to_vec())), "test", options)
}

/// The columns of an IDL.
fn schema_of(idl: &str) -> Result<SchemaRef> {
    let options = read_options(None, options(ThriftProtocol::Binary, Some(idl)));
    Ok(reader_of(&[], &options)?.schema())
}

/// One batch, of columns that may have nulls.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter();
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Records with their lengths before them.
fn framed(records: &[&[u8]]) -> Vec<u8> {
    let framed = records.iter().map(|record| {
        let length = u32::try_from(record.len()).unwrap().to_be_bytes();
        [&length, *record].concat()
    });
    framed.collect::<Vec<_>>().concat()
}

/// The bytes of digits in base 16, with whatever white space.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs
        .map(|pair| u8::from_str_radix(&pair, 16).unwrap())
        .collect()
}

/// Damage, said as such, with these words.
#[track_caller]
fn torn(error: &Error, says: &[&str]) {
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Data, "FS0305"),
        "{error}"
    );
    let message = "\"test\" is not a whole Thrift file";
    assert!(error.message().contains(message), "{error}");
    for word in says {
        assert!(error.detail().unwrap().contains(word), "{word}: {error}");
    }
}
