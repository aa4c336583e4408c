//! Avro object container files.
//!
//! The encoding is Avro's own and small, and this is its reader and writer: `arrow-avro` unpacks without a limit, takes
//! its sync marker from ambient randomness, and says of a fault neither block nor row; `apache-avro` makes a tree of
//! values of each row, and is the oracle of the tests. A file of our own holds the schema of its columns beside Avro's,
//! and reads back with their exact types; any other reads with the types of its Avro schema, or of the one that is passed
//! to read it at (`resolve`), whose columns it has then.
//! Invariant: nothing that a file says of itself is believed before it was held against what there is, and a value that
//! would come out as another is an error.

mod cells;
mod codec;
mod column;
mod container;
mod cursor;
mod print;
mod read;
mod resolve;
mod schema;
#[cfg(test)]
mod tests;
mod write;

pub use codec::Codec as AvroCodec;

use super::error::{damaged, unheld, unread_form};
use super::{BatchReader, BatchWriter, FileKind, Format, Input, ReadOptions, WriteOptions};
use arrow_schema::SchemaRef;
use flinkspark_model::{Error, Result};
use std::io::Write;

/// What is needed to read Avro only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AvroOptions {
    /// An Avro schema, as JSON, that files are read at: the reader's schema of the specification. Without one it is the
    /// file's own.
    pub schema: Option<String>,
}

/// The kind of file.
pub(super) struct Avro;

impl FileKind for Avro {
    fn name(&self) -> (&'static str, &'static str) {
        ("an", "Avro")
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["avro"]
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
        let codec = options.avro_codec;
        Ok(Box::new(write::Writer::new(output, name, schema, codec)?))
    }
}

/// Why a schema is not read or written.
#[derive(Debug)]
enum Refusal {
    /// It is no schema.
    Damaged(String),
    /// It is one, and its values are no columns: `what` says of the file that it "has ...".
    Unread {
        what: String,
        why: String,
        hint: &'static str,
    },
    /// Avro has no type for the column.
    Unheld { column: String, why: String },
}

impl Refusal {
    /// As an error of the file with this name.
    fn as_error(&self, name: &str) -> Error {
        match self {
            Self::Damaged(why) => damaged(Format::AVRO, name, why.as_str()),
            Self::Unread { what, why, hint } => unread_form(name, what, why, hint),
            Self::Unheld { column, why } => {
                let hint = "write it as .arrow, or leave it out";
                unheld(Format::AVRO, column, why.as_str(), hint)
            }
        }
    }
}
