//! What operators, subtasks and runs count.
//!
//! Invariant: a run's totals are those of its latest checkpoint and what its subtasks have counted since
//! they started from it: no row is counted twice.

use serde::{Deserialize, Serialize};

/// What a run has counted since its first start: a part of every checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Rows that the source read.
    pub rows_read: u64,
    /// Rows that were late for their window.
    pub rows_late: u64,
    /// Results of windows that fired.
    pub windows_fired: u64,
    /// Rows that went to the sink.
    pub rows_written: u64,
}

impl Totals {
    pub(crate) fn plus(self, counters: &Counters) -> Self {
        Self {
            rows_read: self.rows_read + counters.rows_read,
            rows_late: self.rows_late + counters.operators.late,
            windows_fired: self.windows_fired + counters.operators.fired,
            rows_written: self.rows_written + counters.rows_written,
        }
    }
}

/// What a subtask has counted since it started.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) rows_read: u64,
    pub(crate) rows_written: u64,
    pub(crate) operators: Counts,
}

/// What operators count.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows that were late for their window.
    pub(crate) late: u64,
    /// Results of windows that fired.
    pub(crate) fired: u64,
}
