//! Bodies of consumers: readers that say how far they have come.

use flinkspark_model::access::Principal;
use flinkspark_model::position::SlotNo;
use serde::{Deserialize, Serialize};

/// Action `consume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumeRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The consumer: a name that outlives restarts.
    pub consumer: String,
    /// The last slot that it has wholly done.
    pub slot: SlotNo,
}

/// The answer of `consume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumeAnswer {
    /// The consumer.
    pub consumer: String,
    /// What is recorded: the greatest slot that it has said.
    pub slot: SlotNo,
    /// The slots from there to the last one that changed rows or the watermark.
    pub lag: u64,
    /// Whether the call changed nothing.
    pub replayed: bool,
}

/// Action `consumers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumersRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
}

/// The answer of `consumers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumersAnswer {
    /// All of them, by name.
    pub consumers: Vec<ConsumerEntry>,
    /// The last slot.
    pub head: SlotNo,
    /// The last slot that changed rows or the watermark.
    pub data_head: SlotNo,
}

/// A consumer in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerEntry {
    /// The consumer.
    pub consumer: String,
    /// The last slot that it has wholly done.
    pub slot: SlotNo,
    /// The slots from there to the last one that changed rows or the watermark.
    pub lag: u64,
    /// When it was heard, to an hour, in milliseconds since the epoch.
    pub heard_at_ms: u64,
    /// Whose it is; absent where callers had no names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
}
