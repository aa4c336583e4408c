//! Positions: where a reader stands in a dataset.
//!
//! Checkpoints and lineage hold positions, never tickets. Rows are counted as stored, before any
//! filter. Invariant: positions of one partition order as the partition's rows do.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of a slot in a log, from 1; 0 means before the first.
pub type SlotNo = u64;

/// A place between two stored rows of one partition.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Position {
    /// The slot of the next row.
    pub slot: SlotNo,
    /// The index of the segment within the slot's list.
    pub segment: u32,
    /// Stored rows of that segment before the next row.
    pub row: u64,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self {
        slot: 0,
        segment: 0,
        row: 0,
    };

    /// Before the first row of `slot`.
    pub const fn at_slot(slot: SlotNo) -> Self {
        Self {
            slot,
            segment: 0,
            row: 0,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.slot, self.segment, self.row)
    }
}
