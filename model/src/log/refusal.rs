//! Why an intent may not become a slot.
//!
//! Invariant: every refusal names the slot or the writer's state that forbids it.

use super::slot::{Generation, Ordinal, Token, WriterName};
use crate::digest::Digest;
use crate::error::{Error, Kind};
use crate::position::SlotNo;

/// The machine's refusals; each becomes a public error with a code of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// A newer incarnation owns the writer.
    #[error("writer \"{writer}\" was taken over: generation {by} owns it")]
    Fenced {
        /// The writer.
        writer: WriterName,
        /// The generation that owns it.
        by: Generation,
    },
    /// The writer commits in a generation that it never fenced.
    #[error("writer \"{writer}\" has no fence for generation {generation}")]
    NotFenced {
        /// The writer.
        writer: WriterName,
        /// The generation that it claims.
        generation: Generation,
    },
    /// Another incarnation has the generation already.
    #[error("generation {wanted} of writer \"{writer}\" is taken; the highest is {highest}")]
    GenerationTaken {
        /// The writer.
        writer: WriterName,
        /// What was asked for.
        wanted: Generation,
        /// The highest that exists.
        highest: Generation,
    },
    /// A restore below what is committed, and the user did not ask for it.
    #[error("writer \"{writer}\" restored from {restored} but has committed {committed}")]
    Rewind {
        /// The writer.
        writer: WriterName,
        /// Where it restored from.
        restored: Ordinal,
        /// Its last committed number.
        committed: Ordinal,
    },
    /// The number was given up.
    #[error("commit {n} of writer \"{writer}\" was aborted in slot {slot}")]
    Aborted {
        /// The writer.
        writer: WriterName,
        /// The number.
        n: Ordinal,
        /// Where.
        slot: SlotNo,
    },
    /// The number is committed, so it cannot be given up.
    #[error("commit {n} of writer \"{writer}\" is committed in slot {slot}")]
    AlreadyCommitted {
        /// The writer.
        writer: WriterName,
        /// The number.
        n: Ordinal,
        /// Where.
        slot: SlotNo,
    },
    /// The number is committed with other input.
    #[error(
        "commit {n} of writer \"{writer}\" is in slot {slot} with other offsets: {theirs} there, {ours} here"
    )]
    OtherOffsets {
        /// The writer.
        writer: WriterName,
        /// The number.
        n: Ordinal,
        /// Where.
        slot: SlotNo,
        /// What is committed.
        theirs: String,
        /// What was asked for.
        ours: String,
    },
    /// The number is committed with other rows, by somebody whose keys are strict.
    #[error(
        "commit {n} of writer \"{writer}\" is in slot {slot} with other rows: {theirs} there, {ours} here"
    )]
    OtherRows {
        /// The writer.
        writer: WriterName,
        /// The number.
        n: Ordinal,
        /// Where.
        slot: SlotNo,
        /// The digest of what is committed.
        theirs: Digest,
        /// The digest of what was asked for.
        ours: Digest,
    },
    /// The number is committed with another token: by another history of the same engine.
    #[error(
        "commit {n} of writer \"{writer}\" is in slot {slot} with another token: \"{theirs}\" there, \"{ours}\" here"
    )]
    OtherToken {
        /// The writer.
        writer: WriterName,
        /// The number.
        n: Ordinal,
        /// Where.
        slot: SlotNo,
        /// What is committed; empty where it has none.
        theirs: Token,
        /// What was asked for.
        ours: Token,
    },
    /// The number is committed, or was passed over, so long ago that nobody knows its token.
    #[error(
        "commit {n} of writer \"{writer}\" is forgotten: its commits up to {forgotten} are not remembered"
    )]
    Forgotten {
        /// The writer.
        writer: WriterName,
        /// The number.
        n: Ordinal,
        /// The last number that is not remembered.
        forgotten: Ordinal,
    },
    /// Another incarnation has opened the writer since its owner was read.
    #[error(
        "writer \"{writer}\" is open in generation {by} by incarnation \"{incarnation}\"; generation {after} was read"
    )]
    OpenedSince {
        /// The writer.
        writer: WriterName,
        /// The generation that the caller read; 0 where it read none.
        after: Generation,
        /// The generation that owns the writer.
        by: Generation,
        /// Who has it.
        incarnation: String,
    },
    /// The number lies below what is committed.
    #[error("commit {n} of writer \"{writer}\" is not above its last, {last}")]
    NotAbove {
        /// The writer.
        writer: WriterName,
        /// The number.
        n: Ordinal,
        /// The writer's last.
        last: Ordinal,
    },
    /// A segment's receipt is void, or its rows are committed already.
    #[error("segment {segment} cannot be committed: {why}")]
    Segment {
        /// The segment.
        segment: String,
        /// Aborted, or committed before.
        why: &'static str,
    },
    /// The range was replaced or expired since it was read, or never existed.
    #[error("slots {first} to {last} cannot be rewritten: {why}")]
    Range {
        /// The first slot.
        first: SlotNo,
        /// The last slot.
        last: SlotNo,
        /// What is wrong.
        why: &'static str,
    },
    /// Rows came or went since a row-level change read them.
    #[error("rows changed in slot {slot}, after slot {read_at} was read")]
    Changed {
        /// What was read.
        read_at: SlotNo,
        /// The first slot that changed rows since.
        slot: SlotNo,
    },
    /// The schema moved on.
    #[error("schema version {wanted} does not follow version {current}")]
    Schema {
        /// What was asked for.
        wanted: u32,
        /// What is in force.
        current: u32,
    },
}

impl Refusal {
    /// The public code of this refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Fenced { .. } => "FS0210",
            Self::NotFenced { .. } => "FS0211",
            Self::GenerationTaken { .. } => "FS0212",
            Self::Rewind { .. } => "FS0213",
            Self::Aborted { .. } => "FS0214",
            Self::AlreadyCommitted { .. } => "FS0215",
            Self::OtherOffsets { .. } => "FS0216",
            Self::OtherRows { .. } => "FS0440",
            Self::NotAbove { .. } => "FS0217",
            Self::Segment { .. } => "FS0218",
            Self::Range { .. } => "FS0219",
            Self::Schema { .. } => "FS0220",
            Self::Changed { .. } => "FS0224",
            Self::OtherToken { .. } => "FS0227",
            Self::Forgotten { .. } => "FS0228",
            Self::OpenedSince { .. } => "FS0229",
        }
    }

    const fn hint(&self) -> &'static str {
        match self {
            Self::Fenced { .. } => "stop this incarnation; the newer one goes on",
            Self::NotFenced { .. } => "take the writer over first, then commit in that generation",
            Self::GenerationTaken { .. } => "read the log again and fence the next generation",
            Self::Rewind { .. } => "restore the latest checkpoint, or ask for the rewind by name",
            Self::Aborted { .. } => "read what is committed and take the next number for the rest",
            Self::AlreadyCommitted { .. } => "nothing is left to abort",
            Self::OtherOffsets { .. } => "read what is committed and go on after it",
            Self::OtherRows { .. } => {
                "what is committed stays; take a new id or key for other rows"
            }
            Self::OtherToken { .. } => {
                "the engine restored another history: restore the checkpoint after that commit, or rewind"
            }
            Self::Forgotten { .. } => {
                "an engine that was away for so long asks for the writer's status and goes on above its last"
            }
            Self::OpenedSince { .. } => {
                "stop where that incarnation lives; a successor reads the writer's status first and opens after that generation"
            }
            Self::NotAbove { .. } => "take a number above the writer's last",
            Self::Segment { .. } => "stage the rows again under a new segment",
            Self::Range { .. } => "read the log again and choose the range anew",
            Self::Changed { .. } => "read the dataset as it is now and compute the change again",
            Self::Schema { .. } => "read the schema in force and derive the next version from it",
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match &refusal {
            Refusal::Fenced { .. } | Refusal::OpenedSince { .. } => Kind::Fenced,
            Refusal::NotFenced { .. } => Kind::Invalid,
            _ => Kind::Conflict,
        };
        Self::new(kind, refusal.code(), refusal.to_string()).with_hint(refusal.hint())
    }
}
