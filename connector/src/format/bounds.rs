//! Bounds of batches, in rows and bytes.
//!
//! Slices only: no value is copied. Invariant: rows keep their order and none is lost, and a reader that has ended or
//! failed is not asked again.

use super::BatchReader;
use crate::fit;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::Result;

/// Cuts a reader's batches to size.
pub(super) struct Bounded {
    reader: Box<dyn BatchReader>,
    rows_max: usize,
    bytes_max: usize,
    rest: Option<RecordBatch>,
    ended: bool,
}

impl Bounded {
    pub(super) fn new(reader: Box<dyn BatchReader>, rows_max: usize, bytes_max: usize) -> Self {
        Self {
            reader,
            rows_max,
            bytes_max,
            rest: None,
            ended: false,
        }
    }

    fn cut(&mut self, batch: RecordBatch) -> RecordBatch {
        let rows = rows_within(&batch, self.rows_max, self.bytes_max);
        if rows >= batch.num_rows() {
            return batch;
        }
        self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        batch.slice(0, rows)
    }
}

impl Iterator for Bounded {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(rest) = self.rest.take() {
            return Some(Ok(self.cut(rest)));
        }
        while !self.ended {
            match self.reader.next() {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => return Some(Ok(self.cut(batch))),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => self.ended = true,
            }
        }
        None
    }
}

impl BatchReader for Bounded {
    fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }

    fn rows_total(&self) -> Option<u64> {
        self.reader.rows_total()
    }

    fn notices(&self) -> Vec<String> {
        self.reader.notices()
    }
}

/// How many of the batch's first rows make a batch within the bounds, by the mean size of a row once it is
/// plain: a key of a dictionary may stand for a long text, and a list's items are the list's own.
pub(super) fn rows_within(batch: &RecordBatch, rows_max: usize, bytes_max: usize) -> usize {
    let bytes = usize::try_from(fit::bytes_of(batch)).unwrap_or(usize::MAX);
    let pieces = bytes.div_ceil(bytes_max.max(1)).max(1);
    batch.num_rows().div_ceil(pieces).min(rows_max).max(1)
}
