//! What travels between tasks: rows with the watermark in force at each, and the marks between them.
//!
//! Everything is in band: there is no side channel by which one task could overtake another.
//! Invariant: a batch's watermarks cover exactly its rows and never decrease.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use flinkspark_model::{Error, Kind, Result};

/// A watermark in milliseconds since the epoch: no row with an earlier time is expected.
pub(crate) type Watermark = i64;

/// Before the first watermark.
pub(crate) const NO_WATERMARK: Watermark = i64::MIN;

/// The watermark at the end of bounded input: every window fires.
pub(crate) const END_WATERMARK: Watermark = i64::MAX;

/// The watermark in force at each row of a batch, run-length encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Watermarks {
    runs: Vec<(usize, Watermark)>,
}

impl Watermarks {
    /// One watermark for all rows.
    pub(crate) fn constant(rows: usize, watermark: Watermark) -> Self {
        Self {
            runs: vec![(rows, watermark)],
        }
    }

    /// Adds rows at the end.
    #[inline]
    pub(crate) fn push(&mut self, rows: usize, watermark: Watermark) {
        match self.runs.last_mut() {
            Some((count, last)) if *last == watermark => *count += rows,
            _ => self.runs.push((rows, watermark)),
        }
    }

    /// Runs of rows and the watermark in force at them.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, Watermark)> + '_ {
        self.runs.iter().copied()
    }

    /// Each row's watermark.
    pub(crate) fn by_row(&self) -> impl Iterator<Item = Watermark> + '_ {
        self.runs
            .iter()
            .flat_map(|(rows, watermark)| std::iter::repeat_n(*watermark, *rows))
    }

    fn filter(&self, keep: &BooleanArray) -> Self {
        let mut kept = Self::default();
        let mut first = 0;
        for (rows, watermark) in self.runs() {
            let count = keep.values().slice(first, rows).count_set_bits();
            if count > 0 {
                kept.push(count, watermark);
            }
            first += rows;
        }
        kept
    }

    /// Those of `count` rows from `first` on.
    pub(crate) fn slice(&self, first: usize, count: usize) -> Self {
        let mut kept = Self::default();
        let mut start = 0;
        for (rows, watermark) in self.runs() {
            let from = first.max(start);
            let to = (first + count).min(start + rows);
            if from < to {
                kept.push(to - from, watermark);
            }
            start += rows;
        }
        kept
    }

    fn bytes(&self) -> usize {
        std::mem::size_of_val(self.runs.as_slice())
    }
}

/// Rows in arrival order.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// The rows.
    pub(crate) rows: RecordBatch,
    /// The watermark in force when each was read by its source.
    pub(crate) watermarks: Watermarks,
    /// The partition of the source from which all of them were read; 0 for what an aggregation emits.
    pub(crate) partition: u32,
}

impl Batch {
    /// The rows whose flag is set; `keep` has no nulls.
    pub(crate) fn filter(&self, keep: &BooleanArray) -> Result<Self> {
        Ok(Self {
            rows: filter_record_batch(&self.rows, keep).map_err(broken)?,
            watermarks: self.watermarks.filter(keep),
            partition: self.partition,
        })
    }

    /// Memory that it holds, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.rows.get_array_memory_size() + self.watermarks.bytes()
    }
}

/// An arrow kernel refused columns that are right by construction: a bug, never data.
pub(crate) fn broken(cause: arrow_schema::ArrowError) -> Error {
    Error::new(
        Kind::Internal,
        "FS0620",
        "the stream engine broke one of its own rules",
    )
    .with_source(cause)
    .with_hint("report it, with the job's text")
}

/// What happens to the job after a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It goes on.
    Continue,
    /// It stops, to be resumed.
    Suspend,
    /// It has read everything.
    Finish,
}

/// Separates the rows of one checkpoint from those of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Barrier {
    /// The checkpoint's number.
    pub(crate) checkpoint: u64,
    /// What follows it.
    pub(crate) after: After,
}

/// What a channel carries.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// Rows.
    Data(Batch),
    /// The sender's watermark after the rows before it.
    Watermark(Watermark),
    /// A checkpoint.
    Barrier(Barrier),
    /// The sender has nothing for the time being: it does not hold the watermark back.
    Idle,
    /// The sender is back.
    Active,
    /// No row follows; a last barrier may.
    EndOfData,
    /// Nothing follows.
    End,
}

impl Message {
    /// What it counts against a channel's rows: everything counts as one at least.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Data(batch) => batch.rows.num_rows().max(1),
            _ => 1,
        }
    }

    /// What it counts against a channel's bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Data(batch) => batch.bytes(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watermarks_follow_their_rows_through_a_filter() {
        let mut watermarks = Watermarks::default();
        for watermark in [1, 1, 2, 5, 5, 9] {
            watermarks.push(1, watermark);
        }
        let keep = BooleanArray::from(vec![true, false, false, true, true, true]);
        let kept = watermarks.filter(&keep);
        assert_eq!(kept.by_row().collect::<Vec<_>>(), [1, 5, 5, 9]);
        assert_eq!(kept.runs().count(), 3);
    }

    #[test]
    fn watermarks_follow_their_rows_through_a_slice() {
        let mut watermarks = Watermarks::default();
        let all = [1, 1, 2, 5, 5, 9];
        all.iter()
            .for_each(|watermark| watermarks.push(1, *watermark));
        for first in 0..=all.len() {
            for count in 0..=all.len() - first {
                let slice = watermarks.slice(first, count);
                assert!(slice.by_row().eq(all[first..first + count].iter().copied()));
            }
        }
    }
}
