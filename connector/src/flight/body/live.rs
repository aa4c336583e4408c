//! Bodies for readers that live with a log.

use super::{EndpointMetadata, Place};
use flinkspark_model::digest::Digest;
use flinkspark_model::log::{Generation, Ordinal, SlotKind, WriterName};
use flinkspark_model::position::SlotNo;
use serde::{Deserialize, Serialize};

/// The metadata at the border of a slot that is followed: a message without rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BorderMetadata {
    /// The slot.
    pub slot: SlotNo,
    /// What it did.
    pub kind: SlotKind,
    /// The watermark that it carried, in milliseconds since the epoch.
    pub watermark_ms: Option<i64>,
    /// One more than the greatest partition of which it has rows; 0 where it has none.
    pub partitions: u32,
    /// Where a reader that stops here goes on.
    pub position: Place,
    /// Whether its rows follow this message: only before the rows of an overwrite.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begins: bool,
}

/// The metadata of a message that says that nothing happened for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleMetadata {
    /// Always true.
    pub idle: bool,
    /// The last slot.
    pub head: SlotNo,
    /// The last slot that changed rows or the watermark.
    pub data_head: SlotNo,
    /// The greatest watermark, in milliseconds since the epoch.
    pub watermark_ms: Option<i64>,
    /// Where a reader that stops here goes on.
    pub position: Place,
}

/// Action `head`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The answer waits for a slot after this one.
    #[serde(default)]
    pub after: SlotNo,
    /// For so long at most, in milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
}

/// The answer of `head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadAnswer {
    /// The last slot; 0 for none.
    pub head: SlotNo,
    /// The last slot that changed rows or the watermark; 0 for none.
    pub data_head: SlotNo,
    /// The greatest watermark, in milliseconds since the epoch.
    pub watermark_ms: Option<i64>,
    /// The schema's version in force.
    pub schema_version: u32,
}

/// Action `epochs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochsRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The slots after this one are listed, and waited for.
    #[serde(default)]
    pub after: SlotNo,
    /// For so long at most, in milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
    /// The most slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// The answer of `epochs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochsAnswer {
    /// Every slot of the page, of whatever kind, in order.
    pub epochs: Vec<EpochSummary>,
    /// The last slot of the log.
    pub head: SlotNo,
    /// The last slot that changed rows or the watermark.
    pub data_head: SlotNo,
}

/// What a slot did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochSummary {
    /// The slot.
    pub slot: SlotNo,
    /// What it did.
    pub kind: SlotKind,
    /// When it was written, in milliseconds since the epoch; nothing is ordered by it.
    pub committed_at_ms: u64,
    /// Who wrote it, where it is a writer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<WriterName>,
    /// Which incarnation of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The writer's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<Ordinal>,
    /// Rows that it brought.
    pub rows: u64,
    /// Their size in the store, in bytes.
    pub bytes: u64,
    /// The segments that hold them.
    pub segments: u64,
    /// Their partitions.
    pub partitions: Vec<u32>,
    /// Of the rows, at the schema that they were written at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// That schema, or the one that the slot put in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<u32>,
    /// The watermark that it carries, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark_ms: Option<i64>,
    /// The checkpoint that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_ref: Option<String>,
    /// The first slot that it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<SlotNo>,
    /// The last slot that it took the place of, or that expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<SlotNo>,
}

impl EpochSummary {
    /// A slot that brought nothing.
    pub fn new(slot: SlotNo, kind: SlotKind, committed_at_ms: u64) -> Self {
        Self {
            slot,
            kind,
            committed_at_ms,
            writer: None,
            generation: None,
            n: None,
            rows: 0,
            bytes: 0,
            segments: 0,
            partitions: Vec::new(),
            digest: None,
            schema_version: None,
            watermark_ms: None,
            checkpoint_ref: None,
            first: None,
            last: None,
        }
    }
}

/// The answer of `ticket`, whose body is a read command with a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketAnswer {
    /// The ticket's bytes, base64.
    pub ticket: String,
    /// When it expires, in milliseconds since the epoch.
    pub expires_at_ms: u64,
    /// What it reads.
    pub endpoint: EndpointMetadata,
}
