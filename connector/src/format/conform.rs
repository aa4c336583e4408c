//! Encodings that files do not keep, and the check that rows fit a file.
//!
//! What fits is decided by [`crate::fit`]; here are the formats' words for it. Invariant: the digest of a batch is the same before and after.

use super::BatchWriter;
use crate::fit::{self, Accept, Cut};
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use flinkspark_model::digest::Digester;
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};

/// The schema that files of a schema have: dictionaries and run-ends are plain columns, views
/// plain strings; everything else stays.
///
/// Unions (`FS0110`) and nesting that is too deep (`FS0111`) are refused.
pub fn stored_schema(schema: &Schema) -> Result<SchemaRef> {
    Digester::new(schema)?;
    Ok(fit::plain_schema(schema))
}

/// The batch with the encodings of `schema`; `FS0304` where that would take more than re-encoding.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        let (from, to) = (column.data_type(), field.data_type());
        if !fit::encodes(to, from, Accept::Any) {
            let message = format!("column \"{}\" does not fit the file", field.name());
            let (from, to) = (type_name(from), type_name(to));
            return Err(misfit(
                &message,
                format!("it is {from} and the file holds {to}"),
            ));
        }
    }
    fit::apply(batch, schema).map_err(|cause| match cause.column {
        Some(column) => misfit(
            &format!("column \"{column}\" does not fit the file"),
            cause.why,
        ),
        None => misfit("the rows do not fit the file", cause.why),
    })
}

fn misfit(message: &str, why: String) -> Error {
    Error::new(Kind::Invalid, "FS0304", message)
        .with_detail(why)
        .with_hint("cast the column to the file's type before writing, or create the file with the rows' schema")
}

/// Re-encodes and cuts what is written.
pub(super) struct Conformed {
    writer: Box<dyn BatchWriter>,
    schema: SchemaRef,
    rows_max: usize,
    bytes_max: usize,
}

impl Conformed {
    pub(super) fn new(
        writer: Box<dyn BatchWriter>,
        schema: SchemaRef,
        rows_max: usize,
        bytes_max: usize,
    ) -> Self {
        Self {
            writer,
            schema,
            rows_max,
            bytes_max,
        }
    }
}

impl BatchWriter for Conformed {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let pieces = Cut {
            rows_max: self.rows_max,
            bytes_max: self.bytes_max as u64,
        };
        for piece in fit::cut(batch, pieces) {
            self.writer.write(&conform(&piece, &self.schema)?)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.writer.finish()
    }
}
