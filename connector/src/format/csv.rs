//! CSV after RFC 4180: own reader and writer, because null and `""` must be told apart.
//!
//! `docs/csv.md` specifies the text of each type, which [`super::text`] prints and parses. The modules build on one
//! another in this order: encoding, options, source, record and chunks, sniff, look, nulls, met, infer, quote, schema, read and
//! write. Invariant: a quoted field is never null and never anything but text to inference; whatever the writer writes,
//! the reader reads back as it was, with the same options; what the reader takes for granted without being told, it says.

mod chunks;
mod encoding;
mod infer;
mod look;
mod met;
mod nulls;
mod options;
mod quote;
mod read;
mod record;
mod schema;
mod sniff;
mod source;
#[cfg(test)]
mod tests;
mod write;

pub use encoding::Encoding;
pub use options::CsvOptions;

use super::{BatchReader, BatchWriter, FileKind, Input, ReadOptions, WriteOptions};
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use read::Reader;
use std::io::Write;
use write::writer;

/// The kind of file.
pub(super) struct Csv;

impl FileKind for Csv {
    fn name(&self) -> (&'static str, &'static str) {
        ("a", "CSV")
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn is_text(&self) -> bool {
        true
    }

    fn read(
        &self,
        input: Box<dyn Input>,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Box<dyn BatchReader>> {
        Ok(Box::new(Reader::new(input, name, options)?))
    }

    fn write(
        &self,
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        options: &WriteOptions,
    ) -> Result<Box<dyn BatchWriter>> {
        Ok(Box::new(writer(output, name, schema, &options.csv)?))
    }
}
