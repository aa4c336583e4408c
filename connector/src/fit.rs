//! One place decides whether rows fit a schema, what they take once they are plain, and how they are cast.
//!
//! Pure: it does no I/O and keeps nothing. Flight, the store and the formats ask it, each in its own
//! words to the user. Invariant: encodings change and values never do, and nothing is reserved for a
//! column before it is known what the column takes: a view, a dictionary or a run end of a few bytes
//! may stand for terabytes.

mod align;
mod encoding;
mod recode;
mod size;
#[cfg(test)]
mod tests;

pub(crate) use align::{Alignment, Obstacle};
pub(crate) use encoding::{Accept, encodes, plain, plain_schema};
pub(crate) use size::{Cut, TooLarge, bytes_of, cut, cut_checked, plain_bytes};

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, SchemaRef};
use std::sync::Arc;

/// The largest cell that a dataset holds, in bytes once it is plain.
pub(crate) const CELL_BYTES_MAX: u64 = 32 << 20;

/// The largest row: one message of Flight carries it with its framing.
pub(crate) const ROW_BYTES_MAX: u64 = 63 << 20;

/// The most bytes that the encoded columns of a batch are made plain to.
pub(crate) const PLAIN_BYTES_MAX: u64 = 256 << 20;

/// Why rows do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The column, where it is one column's fault.
    pub(crate) column: Option<String>,
    /// What is wrong, as a clause without a capital.
    pub(crate) why: String,
}

/// The batch at `schema`, by position; a value that the schema has no room for is a misfit.
pub(crate) fn apply(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Misfit> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    if batch.num_columns() != schema.fields().len() {
        let (given, wanted) = (batch.num_columns(), schema.fields().len());
        return Err(Misfit {
            column: None,
            why: format!("they have {given} columns, {wanted} are wanted"),
        });
    }
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(array, field)| column(array, field))
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|cause| {
        Misfit {
            column: None,
            why: cause.to_string(),
        }
    })
}

/// One column at a field's type.
pub(crate) fn column(array: &ArrayRef, field: &Field) -> Result<ArrayRef, Misfit> {
    if array.data_type() == field.data_type() {
        return Ok(Arc::clone(array));
    }
    let misfit = |why: String| Misfit {
        column: Some(field.name().clone()),
        why,
    };
    if encoding::is_encoded(array.data_type()) {
        let bytes = plain_bytes(array.as_ref(), 0, array.len());
        if bytes > PLAIN_BYTES_MAX {
            return Err(misfit(format!(
                "its values take {bytes} bytes once they are plain; the limit is {PLAIN_BYTES_MAX}"
            )));
        }
    }
    recode::recode(array, field.data_type()).map_err(|cause| misfit(cause.to_string()))
}

/// One column at a field's wider type, as a schema that came later has it.
pub(crate) fn widened(array: &ArrayRef, field: &Field) -> Result<ArrayRef, Misfit> {
    recode::cast(array, field.data_type()).map_err(|cause| Misfit {
        column: Some(field.name().clone()),
        why: cause.to_string(),
    })
}
