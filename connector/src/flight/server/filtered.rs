//! What a filter leaves of the rows that are sent, and the count of what it took.
//!
//! Invariant: the rows that messages count are the stored ones, whether they were sent, did not match or were
//! passed over unread.

use crate::blocking::blocking;
use crate::filter::keep;
use crate::flight::encode;
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use flinkspark_model::Result;
use flinkspark_model::filter::{Bound, Filter};
use flinkspark_model::port::Extent;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Stored rows that pass without a match before a message without rows says so: a reader that is cut off goes on
/// behind them.
pub(super) const SILENT_ROWS_MAX: u64 = 1 << 20;

/// Rows of one message, and the stored rows that it consumes.
pub(super) struct Piece {
    pub(super) batch: RecordBatch,
    pub(super) stored: u64,
}

/// The columns that are read, and which rows of them are sent.
pub(super) struct Filtered {
    /// Columns in schema order, `None` for all.
    pub(super) columns: Option<Vec<usize>>,
    /// Where the columns that were asked for stand among them, in the order that was asked for.
    pub(super) order: Option<Vec<usize>>,
    pub(super) filter: Option<Arc<Bound>>,
    /// The most rows that are still to be sent; none for all.
    pub(super) limit: Option<u64>,
    /// Stored rows behind the last message.
    pub(super) silent: u64,
    pub(super) read: Extent,
    pub(super) skipped: Extent,
}

impl Filtered {
    /// Columns as they were asked for, and a filter at the dataset's schema.
    pub(super) fn new(
        columns: Option<&[usize]>,
        filter: Option<&Filter>,
        schema: &Schema,
    ) -> Result<Self> {
        let filter = filter.map(|filter| filter.bind(schema)).transpose()?;
        let needed = filter.as_ref().map(Bound::columns).unwrap_or_default();
        let (columns, order) = match columns {
            None => (None, None),
            Some(columns) => {
                let all: BTreeSet<usize> = columns.iter().copied().chain(needed).collect();
                let all: Vec<usize> = all.into_iter().collect();
                let place = |column: &usize| all.partition_point(|other| other < column);
                let order = columns.iter().map(place).collect();
                (Some(all), Some(order))
            }
        };
        Ok(Self {
            columns,
            order,
            filter: filter.map(Arc::new),
            limit: None,
            silent: 0,
            read: Extent::default(),
            skipped: Extent::default(),
        })
    }

    /// Counts rows that were sent.
    pub(super) fn sent(&mut self, rows: usize) {
        if let Some(limit) = &mut self.limit {
            *limit = limit.saturating_sub(rows as u64);
        }
    }

    /// How many blocks' memory a block takes: what matches of it is copied.
    pub(super) fn copies(&self) -> u64 {
        1 + u64::from(self.filter.is_some())
    }

    /// The rows of a batch that match, in pieces that make messages. Those that come after the last match are
    /// the last piece's; where nothing matches there is no piece.
    pub(super) async fn pieces(&self, batch: &RecordBatch, target: usize) -> Result<Vec<Piece>> {
        let Some(filter) = &self.filter else {
            let pieces = encode::pieces(batch, target)
                .into_iter()
                .map(|batch| Piece {
                    stored: batch.num_rows() as u64,
                    batch,
                });
            return Ok(pieces.collect());
        };
        let mut all = batch.num_rows() as u64;
        let (filter, batch, columns) = (Arc::clone(filter), batch.clone(), self.columns.clone());
        let mut kept = blocking(move || keep(&filter, &batch, columns.as_deref())).await?;
        if let Some(limit) = self.limit.and_then(|limit| usize::try_from(limit).ok())
            && limit < kept.batch.num_rows()
        {
            kept.batch = kept.batch.slice(0, limit);
            let last = limit.checked_sub(1).and_then(|last| kept.ends.get(last));
            all = last.map_or(0, |end| u64::from(*end));
        }
        let mut pieces = encode::pieces(&kept.batch, target).into_iter().peekable();
        let (mut rows, mut behind, mut all_pieces) = (0, 0, Vec::new());
        while let Some(batch) = pieces.next() {
            rows += batch.num_rows();
            let last = rows.checked_sub(1).and_then(|last| kept.ends.get(last));
            let end = match pieces.peek() {
                None => all,
                Some(_) => last.map_or(behind, |end| u64::from(*end)),
            };
            all_pieces.push(Piece {
                batch,
                stored: end - behind,
            });
            behind = end;
        }
        Ok(all_pieces)
    }
}
