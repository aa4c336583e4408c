//! Bodies of named writers: puts, openings, commits, parts.
//!
//! Invariant: a body that names a writer is never taken for a transaction's, and the other way round.

use crate::flight::limits;
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::log::{
    Generation, History, Ordinal, Rewind, SourceOffsets, Token, WriterName,
};
use flinkspark_model::port::Isolation;
use flinkspark_model::port::Mode;
use flinkspark_model::position::SlotNo;
use serde::{Deserialize, Serialize};

/// The command of a put under a named writer. It knows no number: which puts belong together is said by a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriterPutCommand {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The writer.
    pub writer: WriterName,
    /// The partition whose rows follow, from 0.
    #[serde(default)]
    pub partition: u32,
    /// The attempt, from 0, for people: each put gives a receipt of its own.
    #[serde(default)]
    pub attempt: u32,
}

/// Action `open_writer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenWriterRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The writer: a name that outlives restarts.
    pub writer: WriterName,
    /// Unique to the one party that commits, from its start to its end.
    pub incarnation: String,
    /// The generation that this party read when it started; 0 where the writer had none.
    #[serde(default)]
    pub after: Generation,
    /// The number that it restored; absent where the log is its memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_n: Option<Ordinal>,
    /// What the restored state knows by token, in place of the number: `before` and `pending`, as pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What becomes of commits above it, where the user asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewind: Option<Rewind>,
    /// How long what was put stays after the writer was last heard, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_ms: Option<u64>,
}

/// Action `commit` of a named writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriterCommitRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The writer.
    pub writer: WriterName,
    /// The generation that opening it gave.
    pub generation: Generation,
    /// The number of the commit, above the writer's last.
    pub n: Ordinal,
    /// Made once where the set is known, and kept in the engine's durable state.
    pub token: Token,
    /// The set, in order within each partition.
    #[serde(default)]
    pub receipts: Vec<String>,
    /// Keys of parts that carry more of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// Where the sources stood, if the engine knows.
    #[serde(default)]
    pub source_offsets: SourceOffsets,
    /// No row with an earlier event time follows, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark_ms: Option<i64>,
    /// The engine's name of the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_ref: Option<String>,
    /// What the rows were computed from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<SlotRange>,
    /// `append` or `replace`.
    #[serde(default)]
    pub mode: Mode,
    /// With `replace`: the last slot that goes; the log's head where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_through: Option<SlotNo>,
    /// With `replace`: `snapshot`, or `serializable` to give way to rows that came or went after that slot.
    #[serde(default)]
    pub isolation: Isolation,
    /// The run, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Action `part`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The writer.
    pub writer: WriterName,
    /// The part's key, the client's to choose.
    pub key: String,
    /// Receipts of the writer's puts.
    pub receipts: Vec<String>,
}

/// Action `abort` of a named writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The writer.
    pub writer: WriterName,
    /// What will not be committed.
    pub receipts: Vec<String>,
}

/// Action `status` of a named writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriterRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The writer.
    pub writer: WriterName,
}

/// Whether a body is a named writer's: whether it names one.
pub(in crate::flight) fn names_writer(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Names {
        writer: Option<serde::de::IgnoredAny>,
    }
    let names = json.len() <= limits::BODY_BYTES_MAX;
    names && serde_json::from_slice::<Names>(json).is_ok_and(|names| names.writer.is_some())
}
