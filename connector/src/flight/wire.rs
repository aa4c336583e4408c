//! Schemas at the border: what is sent and what is accepted, in Flight's words.
//!
//! A dataset's rows are sent without dictionaries, run ends or views: Spark's and Flink's readers do
//! not take them, and a slice of a view carries all of its buffers. Rows that arrive must have the
//! dataset's columns; text, binary and lists may come with 32-bit or 64-bit offsets or as views.
//! Invariant: a batch that passed [`conform`] has exactly the dataset's schema, null-checked.

use super::limits;
use crate::fit::{self, Accept, Cut, TooLarge};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use flinkspark_model::digest::Digester;
use flinkspark_model::schema::{names, type_name};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// How rows that arrive are cut before they are made plain.
const PIECES: Cut = Cut {
    rows_max: 64 << 10,
    bytes_max: limits::PIECE_BYTES_MAX,
};

/// The schema that is sent for rows of `schema`: plain columns only.
pub(super) fn plain(schema: &Schema) -> Result<SchemaRef> {
    Digester::new(schema)?;
    Ok(fit::plain_schema(schema))
}

/// Refuses a schema that is not the dataset's, before anything is staged.
pub(crate) fn check(dataset: &str, expected: &Schema, given: &Schema) -> Result<()> {
    names::distinct(given)?;
    let expected = plain(expected)?;
    let (wanted, got) = (expected.fields().len(), given.fields().len());
    let count = format!("expected {wanted} columns, got {got}");
    for index in 0..wanted.max(got) {
        let (message, why) = match (expected.fields().get(index), given.fields().get(index)) {
            (Some(field), None) => (format!("column \"{}\" is missing", field.name()), count),
            (None, Some(extra)) => {
                let name = extra.name().escape_debug();
                (format!("column \"{name}\" is not in the dataset"), count)
            }
            (Some(field), Some(came)) if field.name() != came.name() => {
                let name = came.name().escape_debug();
                let why = format!("expected \"{}\", got \"{name}\"", field.name());
                (format!("column {} is named \"{name}\"", index + 1), why)
            }
            (Some(field), Some(came))
                if !fit::encodes(field.data_type(), came.data_type(), Accept::Wire) =>
            {
                let (wanted, got) = (type_name(field.data_type()), type_name(came.data_type()));
                let message = format!("column \"{}\" has another type", field.name());
                (message, format!("expected {wanted}, got {got}"))
            }
            _ => continue,
        };
        return Err(Error::new(Kind::Invalid, "FS0408", message)
            .with_detail(format!("{why} (dataset {dataset})"))
            .with_hint(format!(
                "`flinkspark dataset show {dataset}` prints the columns; cast, rename or reorder them"
            )));
    }
    Ok(())
}

/// The rows in pieces that [`conform`] makes plain in bounded memory: what a few bytes stand for is
/// bounded before any of it is made.
pub(super) fn pieces(batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
    let bytes = fit::bytes_of(batch);
    if bytes > limits::UNPACKED_BYTES_MAX {
        return Err(
            Error::new(Kind::Invalid, "FS0407", "a message is too large")
                .with_detail(format!(
                    "its rows take {bytes} bytes once they are plain; the limit is {}",
                    limits::UNPACKED_BYTES_MAX
                ))
                .with_hint(
                    "write smaller batches, or plain columns in place of views and run ends",
                ),
        );
    }
    fit::cut_checked(batch, PIECES).map_err(too_large)
}

fn too_large(cause: TooLarge) -> Error {
    let TooLarge {
        column,
        row,
        bytes,
        limit,
    } = cause;
    let what = match column {
        Some(column) => format!("a cell of column \"{column}\" is too large"),
        None => "a row is too large".into(),
    };
    Error::new(Kind::Invalid, "FS0426", what)
        .with_detail(format!(
            "row {row} of its message takes {bytes} bytes; the limit is {limit}"
        ))
        .with_hint(
            "store such values outside and their address in the dataset, or split them over rows",
        )
}

/// The batch at `schema`; a null where the schema allows none is refused.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    assemble(batch, schema, cast)
}

/// The batch at `schema`, each column as `column` makes it; a null where the schema allows none is refused.
pub(super) fn assemble(
    batch: &RecordBatch,
    schema: &SchemaRef,
    column: impl Fn(&ArrayRef, &Field) -> Result<ArrayRef>,
) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(array, field)| column(array, field));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(unfit)
}

/// Refuses a batch whose columns fit, and whose nulls do not.
pub(super) fn unfit(cause: ArrowError) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0409",
        "a batch does not fit the dataset's schema",
    )
    .with_source(cause)
    .with_hint("fill or drop the nulls of columns that the dataset declares NOT NULL")
}

/// One column at a field's type; encodings, and casts of arrow's that keep every value.
pub(super) fn cast(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    let refuse = |why: String| {
        Error::new(
            Kind::Invalid,
            "FS0409",
            format!(
                "column \"{}\" does not fit the type that was asked for",
                field.name()
            ),
        )
        .with_detail(format!(
            "from {} to {}: {why}",
            type_name(column.data_type()),
            type_name(field.data_type())
        ))
        .with_hint("cast the column, or choose another profile")
    };
    let plain = Field::new(field.name(), fit::plain(column.data_type()), true);
    let plain = fit::column(column, &plain).map_err(|misfit| refuse(misfit.why))?;
    fit::column(&plain, field).map_err(|misfit| refuse(misfit.why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::DataType;

    #[test]
    fn two_columns_of_one_name_are_refused() {
        let twice = Schema::new(vec![Field::new("id", DataType::Int64, true); 2]);
        assert_eq!(check("d", &twice, &twice).unwrap_err().code(), "FS0122");
    }
}
