//! Rows that come too late for their window, as the home's stream drops them.
//!
//! Decides by the watermark that the scan has put beside each row. Invariant: a row is late here exactly
//! where it is late on the streaming engine, at any parallelism.

use crate::expr::window;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, BooleanArray};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many rows of a run were late, counted while it runs.
#[derive(Clone, Default)]
pub struct RowsLate(Arc<AtomicU64>);

impl RowsLate {
    /// The rows so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Begins again: what was counted belongs to an attempt that was given up.
    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Which rows are in time: by the ends of their windows, and the watermarks, null where there is none.
    pub fn timely(&self, ends: &ArrayRef, watermarks: &ArrayRef) -> ArrayRef {
        let ends = ends.as_primitive::<TimestampMillisecondType>();
        let watermarks = watermarks.as_primitive::<Int64Type>();
        if watermarks.null_count() == watermarks.len() {
            return Arc::new(BooleanArray::from(vec![true; ends.len()]));
        }
        let timely: BooleanArray = ends
            .values()
            .iter()
            .zip(watermarks)
            .map(|(end, watermark)| {
                Some(!watermark.is_some_and(|watermark| window::is_late(*end, watermark)))
            })
            .collect();
        let late = timely.len() - timely.true_count();
        self.0.fetch_add(late as u64, Ordering::Relaxed);
        Arc::new(timely)
    }
}

// The same for every run: it is a part of a plan's text.
impl fmt::Debug for RowsLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowsLate")
    }
}
