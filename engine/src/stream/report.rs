//! What subtasks tell the coordinator.
//!
//! Invariant: what an acknowledgement names is durable.

use super::checkpoint::{Progress, StateFile};
use super::counts::Counters;
use flinkspark_model::Result;
use flinkspark_model::log::SegmentRef;

/// What a subtask tells the coordinator.
pub(crate) enum Report {
    /// This source subtask has no more rows.
    DataEnded,
    /// A checkpoint's part of this subtask is durable, or failed.
    Ack(Result<Box<Ack>>),
}

/// One subtask's part of a checkpoint; everything that it names is durable.
#[derive(Debug)]
pub(crate) struct Ack {
    pub(crate) checkpoint: u64,
    pub(crate) is_sink: bool,
    /// A sink's input watermark at the barrier.
    pub(crate) sink_watermark_ms: Option<i64>,
    pub(crate) progress: Vec<Progress>,
    pub(crate) counters: Counters,
    pub(crate) states: Vec<StateFile>,
    /// Output index and segment.
    pub(crate) segments: Vec<(usize, SegmentRef)>,
}
