//! Results of expressions in bounded memory.
//!
//! A short row may become a long one: `REPEAT('x', 1000000)` over a batch of 8192 rows is 8 GB. Whoever
//! computes such a column gives up with [`too_large`] as soon as it is beyond [`RESULT_BYTES_MAX`],
//! and whoever asked for it asks again for fewer rows. Invariant: at most one result beyond the limit
//! is held, and it is a single row's.

use arrow_array::RecordBatch;
use flinkspark_model::{Error, Kind, Result};

/// What a computed column of more than one row may take, in bytes.
pub const RESULT_BYTES_MAX: usize = 16 << 20;

/// What one computed value may take, in bytes: no dataset holds a larger one.
pub const VALUE_BYTES_MAX: usize = 32 << 20;

const CODE: &str = "FS0032";

/// A result that is too large to be held. Fewer rows at once may do, unless it is one row's.
pub fn too_large(bytes: usize, rows: usize) -> Error {
    Error::new(
        Kind::Invalid,
        CODE,
        "an expression's result is too large",
    )
    .with_detail(format!(
        "{bytes} bytes for {rows} rows; a column may take {RESULT_BYTES_MAX}, a single value {VALUE_BYTES_MAX}"
    ))
    .with_hint("shorten what the expression makes, or run the job with --on batch, which computes it piece by piece")
}

/// Cuts a batch into halves until a computation over it fits.
pub(crate) struct Pieces<F> {
    /// What was not computed yet, the first rows last.
    waiting: Vec<RecordBatch>,
    compute: F,
}

impl<F: Fn(&RecordBatch) -> Result<RecordBatch>> Pieces<F> {
    pub(crate) fn new(batch: RecordBatch, compute: F) -> Self {
        Self {
            waiting: vec![batch],
            compute,
        }
    }
}

impl<F: Fn(&RecordBatch) -> Result<RecordBatch>> Iterator for Pieces<F> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(piece) = self.waiting.pop() {
            let rows = piece.num_rows();
            match (self.compute)(&piece) {
                Err(error) if error.code() == CODE && rows > 1 => {
                    self.waiting.push(piece.slice(rows / 2, rows - rows / 2));
                    self.waiting.push(piece.slice(0, rows / 2));
                }
                computed => return Some(computed),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array};
    use std::sync::Arc;

    fn rows(count: i64) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    #[test]
    fn pieces_are_in_order_and_none_is_too_large() {
        for (count, fits) in [(0, 3), (1, 3), (3, 3), (4, 3), (1000, 7), (8192, 1)] {
            let compute = |piece: &RecordBatch| match piece.num_rows() {
                rows if rows > fits => Err(too_large(rows, rows)),
                _ => Ok(piece.clone()),
            };
            let pieces: Vec<_> = Pieces::new(rows(count), compute)
                .map(|p| p.unwrap())
                .collect();
            assert!(pieces.iter().all(|piece| piece.num_rows() <= fits));
            let whole = arrow_select::concat::concat_batches(&rows(0).schema(), &pieces).unwrap();
            assert_eq!(whole, rows(count));
        }
    }

    #[test]
    fn a_row_that_is_too_large_by_itself_is_an_error() {
        let compute = |piece: &RecordBatch| Err(too_large(1 << 30, piece.num_rows()));
        let error = Pieces::new(rows(4), compute).next().unwrap().unwrap_err();
        assert_eq!((error.code(), error.kind()), ("FS0032", Kind::Invalid));
    }

    #[test]
    fn another_error_is_not_asked_again() {
        let compute = |_: &RecordBatch| Err(Error::new(Kind::Data, "FS0603", "a row failed"));
        assert_eq!(Pieces::new(rows(4), compute).count(), 1);
    }
}
