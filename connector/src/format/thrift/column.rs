//! Columns that are built value by value.
//!
//! Invariant: a column holds exactly the values that stand in the record, or there was a fault; what a value takes in
//! its column is counted before it is appended.

mod flat;
mod nested;
mod record;

pub(super) use record::Record;

use super::cursor::{Cursor, Fault, Result, damaged, unheld};
use super::layout::Wire;
use super::options::ThriftProtocol;
use arrow_array::ArrayRef;
use arrow_schema::{ArrowError, DataType};

/// A column that is being built.
pub(super) trait Column: Send {
    /// Appends the next value of the record.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()>;

    /// Appends a null, or what stands below one.
    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()>;

    /// The column so far; it begins anew.
    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError>;

    /// Says of each field that the schema lacks, below `path`, how often it was there.
    fn unknown(&self, path: &str, say: &mut Say<'_>) {
        let _ = (path, say);
    }
}

/// Hears the struct's path, the field's number, if it was kept, and how often it was there.
pub(super) type Say<'s> = dyn FnMut(&str, Option<i16>, u64) + 's;

type Boxed = Box<dyn Column>;

/// A column of this type, whose values stand in this way.
fn column(data_type: &DataType, wire: &Wire, protocol: ThriftProtocol) -> Result<Boxed> {
    match wire {
        Wire::List(_) | Wire::Set(_) | Wire::Map(_) | Wire::Struct(_) => {
            nested::of(data_type, wire, protocol)
        }
        _ => flat::of(data_type, wire),
    }
}

/// A type does not fit how its values stand, which the schema was made to prevent.
fn mismatched<T>(data_type: &DataType) -> Result<T> {
    damaged(format!(
        "its schema has another type where a column is {data_type}"
    ))
}

/// A cell takes more than a dataset holds.
fn too_large(bytes: usize, most: usize) -> Fault {
    unheld(format!(
        "it takes {bytes} bytes, and a cell has at most {most}"
    ))
}
