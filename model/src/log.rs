//! The dataset log's slot machine: what may be written next, decided from what is written.
//!
//! A log is dense immutable slots, each made by one conditional create. [`View`] folds the slots
//! that were read; [`View::decide`] says what an [`Intent`] becomes: a create of exactly the next
//! slot, success because it is there already, or a refusal by name. [`Proposer`] carries an
//! intent through lost creates and lost responses. A job's checkpoints are slots of the job's own
//! log under the same machine.
//!
//! It never reads a store or a clock. Invariant: whatever two incarnations of a writer attempt,
//! in whatever order their creates land, the committed epochs of a writer are a single history.
//! `model/tests/enumeration` asserts it in every reachable state.

mod decide;
mod garbage;
mod intent;
mod kinds;
mod listed;
mod opening;
mod proposer;
mod range;
mod refusal;
mod slot;
mod snapshot;
mod tail;
mod view;

#[cfg(test)]
mod tests;

pub use garbage::{JobFacts, Owner, Staged, Verdict, WriterTimes, spent, verdict};
pub use intent::{Appended, Attempt, Decision, Intent};
pub use kinds::{KindRun, Kinds, SlotKind};
pub use listed::{COMMIT_SEGMENTS_MAX, LIST_SEGMENTS_MAX, ListObject, SLOT_SEGMENTS_MAX};
pub use opening::{History, Opened, Opening, Rewind};
pub use proposer::{Proposer, Step};
pub use refusal::Refusal;
pub use slot::{
    Commit, Generation, ListRef, LogId, Manifest, Ordinal, Pending, Receipt, Replacement,
    SLOT_BYTES_MAX, SLOT_FORMAT_VERSION, SegmentFormat, SegmentName, SegmentRef, Slot, SlotRecord,
    SourceOffsets, Token, WriterName,
};
pub use snapshot::{SNAPSHOT_FORMAT_VERSION, Snapshot};
pub use tail::{FoundTail, KnownHead, Tail, judge_tail};
pub use view::{COMMITS_REMEMBERED_MAX, Committed, LiveEpoch, Rewrite, View, WriterState};
