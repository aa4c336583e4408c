//! Lineage: which committed slots were made from which.
//!
//! A committed epoch is a root: an edge says that slots of one dataset were computed from slots
//! of another, by which run. Invariant: an edge is never changed; truncation by retention keeps
//! it, so that questions about origin still have an answer.

use crate::dataset::DatasetId;
use crate::position::SlotNo;
use serde::{Deserialize, Serialize};

/// A closed range of slots of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotRange {
    /// The dataset.
    pub dataset: DatasetId,
    /// The first slot.
    pub first: SlotNo,
    /// The last slot, at least `first`.
    pub last: SlotNo,
}

/// What one run made from what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// What was read.
    pub from: SlotRange,
    /// What was committed.
    pub to: SlotRange,
    /// The run that did it: a job run's id or a transfer's.
    pub run: String,
}
