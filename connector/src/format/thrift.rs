//! Apache Thrift: records with their lengths before them, in the binary and in the compact protocol.
//!
//! The encoding is Thrift's own and small, and this is its reader and writer. The `thrift` crate is the oracle of the
//! tests and of nothing else: its compact protocol cuts a number or a field's id that has more bits than its type and
//! goes on with another one, takes any byte of the binary protocol for a truth value, makes room for a text by what the
//! text says of its length, and knows of no place in a file. A file carries no schema: it is read at an IDL
//! (`idl`), at a dataset's schema, or not at all; what its rows look like is decided there (`layout`) before a byte is read.
//! `docs/thrift.md` specifies the mapping. Invariant: nothing that a file says of itself is believed before it was held
//! against what there is, and a value that would come out as another is an error.

mod cells;
mod column;
mod cursor;
mod frames;
mod idl;
mod layout;
mod options;
mod out;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use idl::thrift_idl;
pub use options::{ThriftOptions, ThriftProtocol};

use super::{BatchReader, BatchWriter, FileKind, Input, ReadOptions, WriteOptions};
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use std::io::Write;

/// The kind of file.
pub(super) struct Thrift;

impl FileKind for Thrift {
    fn name(&self) -> (&'static str, &'static str) {
        ("a", "Thrift")
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["thrift"]
    }

    fn read(
        &self,
        input: Box<dyn Input>,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Box<dyn BatchReader>> {
        Ok(Box::new(read::Reader::new(input, name, options)?))
    }

    fn write(
        &self,
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        options: &WriteOptions,
    ) -> Result<Box<dyn BatchWriter>> {
        let writer = write::Writer::new(output, name, schema, &options.thrift)?;
        Ok(Box::new(writer))
    }
}
