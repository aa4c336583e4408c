//! Avro files: every type both ways, another reader and writer as the oracle, and files that lie.

use super::container::{self, header};
use super::cursor::put_number;
use super::print;
use crate::format::tests::{digest_of, read, written};
use crate::format::{Format, ReadOptions, WriteOptions};
use arrow_array::builder::{FixedSizeBinaryBuilder, Int64Builder, MapBuilder, StringBuilder};
use arrow_array::types::*;
use arrow_array::*;
use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano, i256};
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

mod hostile;
mod oracle;
mod resolution;
mod types;

fn write(batches: &[RecordBatch]) -> Result<Vec<u8>> {
    written(Format::AVRO, batches, &WriteOptions::default())
}

fn open(bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    read(Format::AVRO, bytes.to_vec(), &ReadOptions::default())
}

/// One batch, of columns that may have nulls.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter();
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// A file of one block, with a marker that is nobody's.
fn file(schema: &str, codec: &str, rows: i64, block: &[u8]) -> Vec<u8> {
    let mut bytes = header(&[("avro.schema", schema), ("avro.codec", codec)]);
    bytes.extend([7; 16]);
    put_number(rows, &mut bytes);
    put_number(block.len() as i64, &mut bytes);
    bytes.extend(block);
    bytes.extend([7; 16]);
    bytes
}

/// The schema of rows with one column.
fn one(kind: &str) -> String {
    format!(r#"{{"type":"record","name":"r","fields":[{{"name":"a","type":{kind}}}]}}"#)
}

/// The rows of a block of one column, which are all there is.
fn column(kind: &str, rows: i64, block: &[u8]) -> Result<ArrayRef> {
    let batches = open(&file(&one(kind), "null", rows, block))?;
    Ok(Arc::clone(batches[0].column(0)))
}
