//! How the rows of one put become the dataset's.
//!
//! Decided once, by the schema that comes first: by name, order and type, or by name alone. Invariant: what is made of a
//! message is counted before it is made, whatever is filled and widened, and a batch that passed has exactly the
//! dataset's schema, null-checked.

use super::body::Columns;
use super::{limits, named, wire};
use crate::fit;
use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{Schema, SchemaRef};
use flinkspark_model::matching::{self, Match, Origin};
use flinkspark_model::schema::names;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// What values within lists take at most of what they took: the widest number of the narrowest.
const ITEMS_FACTOR: u64 = 8;

/// What becomes of the rows of a put.
pub(super) struct Taking {
    schema: SchemaRef,
    named: Option<Named>,
}

struct Named {
    origins: Vec<Origin>,
    /// Bytes that a row takes whatever it holds: columns that are filled, and numbers that become wider.
    row_bytes: u64,
    factor: u64,
}

impl Taking {
    /// Refuses (`FS0408`, `FS0122`) a schema that does not become the dataset's, before anything is staged.
    pub(super) fn new(
        dataset: &str,
        expected: &Schema,
        given: &Schema,
        columns: Columns,
    ) -> Result<Self> {
        let schema = wire::plain(expected)?;
        let named = match columns.matched {
            Match::Exact => {
                wire::check(dataset, expected, given)?;
                None
            }
            Match::Name => Some(Named::new(dataset, &schema, given, columns)?),
        };
        Ok(Self { schema, named })
    }

    /// The rows in pieces of which [`apply`](Self::apply) makes the dataset's in bounded memory.
    pub(super) fn pieces(&self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let pieces = wire::pieces(batch)?;
        let Some(named) = &self.named else {
            return Ok(pieces);
        };
        let rows_max = limits::PIECE_BYTES_MAX / named.row_bytes.max(1);
        let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX).max(1);
        let cut = |piece: RecordBatch| {
            let starts = (0..piece.num_rows()).step_by(rows_max);
            let slices =
                starts.map(|start| piece.slice(start, rows_max.min(piece.num_rows() - start)));
            slices.collect::<Vec<_>>()
        };
        Ok(pieces.into_iter().flat_map(cut).collect())
    }

    /// The bytes that the piece takes at most once it is the dataset's.
    pub(super) fn bytes(&self, piece: &RecordBatch) -> u64 {
        let bytes = fit::bytes_of(piece);
        match &self.named {
            None => bytes,
            Some(named) => {
                let rows = named.row_bytes.saturating_mul(piece.num_rows() as u64);
                bytes.saturating_mul(named.factor).saturating_add(rows)
            }
        }
    }

    /// The piece at the dataset's schema; a null where it allows none is refused (`FS0409`).
    pub(super) fn apply(&self, piece: &RecordBatch) -> Result<RecordBatch> {
        let Some(named) = &self.named else {
            return wire::conform(piece, &self.schema);
        };
        let rows = piece.num_rows();
        let fields = self.schema.fields().iter().zip(&named.origins);
        let columns = fields
            .map(|(field, origin)| named::made(piece.columns(), rows, field, origin, None))
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(wire::unfit)
    }
}

impl Named {
    fn new(dataset: &str, wanted: &SchemaRef, given: &Schema, columns: Columns) -> Result<Self> {
        names::distinct(given)?;
        let origins = matching::by_name(wanted, given, columns.profile).map_err(|cause| {
            let detail = cause.detail().unwrap_or_default().to_owned();
            cause
                .with_detail(format!("{detail} (dataset {dataset})"))
                .with_hint(format!(
                    "`flinkspark dataset show {dataset}` prints the columns; cast, rename or leave out what it names"
                ))
        })?;
        let ways = origins.iter().filter_map(|origin| match origin {
            Origin::Column(_, way) => Some(way),
            Origin::Null => None,
        });
        let factor = match ways.into_iter().any(matching::Way::widens_items) {
            true => ITEMS_FACTOR,
            false => 1,
        };
        Ok(Self {
            origins,
            row_bytes: empty_row_bytes(wanted)?,
            factor,
        })
    }
}

/// What a row of nulls takes: of each column what all of its values take.
fn empty_row_bytes(schema: &SchemaRef) -> Result<u64> {
    let fields = schema.fields().iter();
    let nullable: Vec<_> = fields
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    let columns = nullable
        .iter()
        .map(|field| new_null_array(field.data_type(), 1));
    let columns = columns.collect();
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::new(nullable)), columns, &options);
    let row = row.map_err(|cause| {
        Error::new(Kind::Internal, "FS0499", "a row of nulls could not be made").with_source(cause)
    })?;
    Ok(fit::bytes_of(&row))
}

#[cfg(test)]
mod tests;
