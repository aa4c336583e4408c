//! What a checkpoint is made of: acknowledgements, state files, and the manifest's body.
//!
//! Owns the formats: the body is versioned JSON text in a slot of the job's own log, a state file
//! is an Arrow IPC file of one operator's state for a range of key groups. Never stages or
//! commits. Invariant: a body and the state files that it names bring back exactly the rows
//! before its barrier.

use super::counts::Totals;
use super::error::damaged;
use arrow_array::RecordBatch;
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use bytes::Bytes;
use flinkspark_model::log::{SegmentRef, SourceOffsets};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::io::Cursor;
use std::ops::RangeInclusive;

/// The version of the body that this build writes and the newest that it reads.
pub(crate) const BODY_VERSION: u32 = 2;

/// Whose state it is.
#[derive(Debug, Clone)]
pub(crate) struct FrozenState {
    pub(crate) uid: String,
    pub(crate) key_groups: RangeInclusive<u8>,
}

/// Where a partition's reader stands: a part of every checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// The partition.
    pub(crate) partition: u32,
    /// The next row.
    pub(crate) next: Position,
    /// The greatest event time of the rows before it.
    pub(crate) max_time_ms: Option<i64>,
    /// Whether everything was read.
    pub(crate) ended: bool,
}

/// The durable state of one operator for a range of key groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateFile {
    pub(crate) uid: String,
    pub(crate) first_group: u8,
    pub(crate) last_group: u8,
    pub(crate) segment: SegmentRef,
}

impl StateFile {
    pub(crate) fn new(state: FrozenState, segment: SegmentRef) -> Self {
        Self {
            uid: state.uid,
            first_group: *state.key_groups.start(),
            last_group: *state.key_groups.end(),
            segment,
        }
    }

    pub(crate) fn overlaps(&self, groups: &RangeInclusive<u8>) -> bool {
        self.first_group <= *groups.end() && *groups.start() <= self.last_group
    }
}

/// What the engine keeps in a manifest for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    pub(crate) version: u32,
    /// The identity of the program: state fits no other. In version 1 the digest of its text.
    pub(crate) program: String,
    /// Whether everything was read.
    pub(crate) finished: bool,
    /// The last slot of the source that the run reads.
    pub(crate) through: SlotNo,
    pub(crate) partitions: Vec<Progress>,
    pub(crate) states: Vec<StateFile>,
    pub(crate) totals: Totals,
}

impl Body {
    pub(crate) fn encode(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|cause| {
            Error::new(
                Kind::Internal,
                "FS0620",
                "a checkpoint's manifest could not be encoded",
            )
            .with_source(cause)
        })
    }

    pub(crate) fn decode(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let versioned: Versioned =
            serde_json::from_str(text).map_err(|cause| damaged(cause.to_string()))?;
        if versioned.version > BODY_VERSION {
            return Err(Error::new(
                Kind::Invalid,
                "FS0613",
                "the checkpoint was written by a newer FlinkSpark",
            )
            .with_detail(format!(
                "it has format {}; this build reads up to {BODY_VERSION}",
                versioned.version
            ))
            .with_hint("start a build at least as new as the one that wrote it"));
        }
        serde_json::from_str(text).map_err(|cause| damaged(cause.to_string()))
    }

    /// Where the source stood, as a commit says it.
    pub(crate) fn offsets(&self, source: &str) -> SourceOffsets {
        let offset = |progress: &Progress| {
            (
                format!("{source}/{}", progress.partition),
                progress.next.to_string(),
            )
        };
        SourceOffsets(self.partitions.iter().map(offset).collect())
    }
}

/// The bytes of a state file.
pub(crate) fn encode_state(state: &RecordBatch) -> Result<Bytes> {
    let mut bytes = Vec::new();
    let write = |bytes: &mut Vec<u8>| {
        let mut writer = FileWriter::try_new(bytes, &state.schema())?;
        writer.write(state)?;
        writer.finish()
    };
    write(&mut bytes).map_err(super::message::broken)?;
    Ok(bytes.into())
}

/// The state in a file's bytes.
pub(crate) fn decode_state(bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    let reader = FileReader::try_new(Cursor::new(bytes), None)
        .map_err(|cause| damaged(cause.to_string()))?;
    reader
        .collect::<std::result::Result<_, _>>()
        .map_err(|cause| damaged(cause.to_string()))
}
