//! What somebody wants to write, and what may become of it.
//!
//! Invariant: an intent holds everything that its slot will hold: what is decided later is only where it stands.

use super::refusal::Refusal;
use super::slot::{Commit, Generation, Ordinal, Replacement, SegmentName, Slot, WriterName};
use crate::position::SlotNo;

/// What somebody wants to write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Intent {
    /// Take a writer over.
    Fence {
        /// The writer.
        writer: WriterName,
        /// The next generation, chosen from what was read.
        generation: Generation,
        /// The `n` that was restored; 0 for none.
        restored: Ordinal,
        /// Whether the user asked to restore below what is committed.
        rewind: bool,
        /// Whether what the writer committed above `restored` goes with it.
        drops: bool,
        /// Unique to the process.
        incarnation: String,
    },
    /// Make data visible.
    Commit(Commit),
    /// Give a number up, and with it these segments' receipts.
    Abort {
        /// The writer.
        writer: WriterName,
        /// Its generation.
        generation: Generation,
        /// The number.
        n: Ordinal,
        /// Segments that were staged for it.
        segments: Vec<SegmentName>,
    },
    /// Put a new schema in force.
    Schema {
        /// The version after the one in force.
        version: u32,
        /// Encoded by `model::schema`.
        schema: String,
    },
    /// Put something else in the place of a range of slots.
    Replace {
        /// The head of the log when the range was read.
        read_at: SlotNo,
        /// The first slot.
        first: SlotNo,
        /// The last slot, fixed when the work began.
        last: SlotNo,
        /// What comes in its place.
        with: Replacement,
        /// Whether an overwrite gives way to rows that came or went since `read_at`, as a row-level change must
        /// that did not see them; else they stay beside it.
        serializable: bool,
    },
    /// Let the slots up to `through` go.
    Expire {
        /// The head of the log when positions were read.
        read_at: SlotNo,
        /// The last slot to go.
        through: SlotNo,
    },
}

impl Intent {
    /// The content of the slot that it becomes.
    pub(super) fn body(&self) -> Slot {
        match self.clone() {
            Intent::Fence {
                writer,
                generation,
                restored,
                rewind,
                drops,
                incarnation,
            } => Slot::Fence {
                writer,
                generation,
                restored,
                rewind,
                drops,
                incarnation,
            },
            Intent::Commit(commit) => Slot::Epoch(commit),
            Intent::Abort {
                writer,
                generation,
                n,
                segments,
            } => Slot::Abort {
                writer,
                generation,
                n,
                segments,
            },
            Intent::Schema { version, schema } => Slot::Schema { version, schema },
            Intent::Replace {
                read_at,
                first,
                last,
                with,
                ..
            } => Slot::Replace {
                read_at,
                first,
                last,
                with,
            },
            Intent::Expire { read_at, through } => Slot::Expire { read_at, through },
        }
    }
}

/// What an intent becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Try this create.
    Create(Attempt),
    /// It is in the log already.
    Done(Appended),
    /// It may not be written.
    Refuse(Refusal),
}

/// One conditional create.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The slot.
    pub slot: SlotNo,
    /// Its content.
    pub body: Slot,
}

/// How an intent ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Appended {
    /// Where it stands.
    pub slot: SlotNo,
    /// Whether it stood there before this attempt.
    pub replayed: bool,
    /// Whether a replay carried the same rows; the first one wins, the difference is counted.
    pub same_rows: bool,
}
