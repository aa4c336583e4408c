//! JSON after RFC 8259: lines of objects both ways, on reading one array of objects, too.
//!
//! Own reader and writer: no number passes through a float that is none, and a key that is unknown or there twice is an
//! error. `docs/json.md` specifies the text of each type. The modules build on one another in this order: options, wrong,
//! rows, tokens, span, leaf, column, numbers, infer, print, report, read and write. Invariant: whatever the writer writes, the
//! reader reads back as it was at the same schema.

mod column;
mod infer;
mod leaf;
mod numbers;
mod options;
mod print;
mod read;
mod report;
mod rows;
mod span;
#[cfg(test)]
mod tests;
mod tokens;
mod write;
mod wrong;

pub use options::JsonOptions;

use super::{BatchReader, BatchWriter, FileKind, Input, ReadOptions, WriteOptions};
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use read::Reader;
use std::io::Write;
use write::writer;

/// The kind of file.
pub(super) struct Json;

impl FileKind for Json {
    fn name(&self) -> (&'static str, &'static str) {
        ("a", "JSON")
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson", "json"]
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
        Ok(Box::new(writer(output, name, schema, &options.json)?))
    }
}
