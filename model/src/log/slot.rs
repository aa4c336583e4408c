//! What a slot holds, and its bytes.
//!
//! Invariant: equal records have equal bytes, so that a repeated create can be told from a lost race.

use crate::checksum;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::lineage::SlotRange;
use crate::position::SlotNo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The version of the slot format that this build writes and the newest that it reads.
///
/// Version 2 has commits with a token, fences that drop, principals, and lists of segments.
pub const SLOT_FORMAT_VERSION: u32 = 2;

/// The largest encoded slot, in bytes.
pub const SLOT_BYTES_MAX: usize = 16 << 20;

/// Which incarnation of a writer: 0 before the first fence, then one more at each.
pub type Generation = u64;

/// The writer's own number of a commit, from the engine's durable log: a checkpoint id, a batch id, a stage.
pub type Ordinal = u64;

/// A log's identity: the dataset's id, or the job's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogId(pub Uuid);

impl LogId {
    /// The log of the job run with this id: derived from it, so that it is found without an index.
    pub fn of_job(run: &str) -> Self {
        let hash = xxhash_rust::xxh3::xxh3_128(format!("flinkspark job {run}").as_bytes());
        Self(uuid::Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid())
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<crate::dataset::DatasetId> for LogId {
    fn from(id: crate::dataset::DatasetId) -> Self {
        Self(id.0)
    }
}

macro_rules! shared_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

shared_text! {
    /// A writer's name: it outlives restarts. Job id, query id, run and attempt are attributes, never the name.
    WriterName
}

shared_text! {
    /// A segment's name: chosen by the server, unique, never written twice.
    SegmentName
}

shared_text! {
    /// Tells two commits of one number apart: random, made once where the set is known and kept in the
    /// engine's durable state, or the engine's own durable identity of the epoch.
    Token
}

/// Where the writer's sources stood after a commit: source partition to position, as text.
///
/// Two commits of one `n` without a [`Token`] are the same commit exactly when their offsets are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceOffsets(pub BTreeMap<String, String>);

impl SourceOffsets {
    /// The offsets of one source.
    pub fn of(source: impl Into<String>, position: impl fmt::Display) -> Self {
        Self(BTreeMap::from([(source.into(), position.to_string())]))
    }
}

impl fmt::Display for SourceOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (source, position)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{source}={position}")?;
        }
        Ok(())
    }
}

/// How a segment is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentFormat {
    /// An Arrow IPC file.
    Arrow,
    /// A Parquet file.
    Parquet,
    /// Opaque bytes, counted as one row: an operator's state.
    Bytes,
}

/// A durable, immutable segment as a slot names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentRef {
    /// Its name.
    pub name: SegmentName,
    /// The partition whose rows it holds, from 0.
    pub partition: u32,
    /// The attempt that wrote it, from 0.
    pub attempt: u32,
    /// How it is stored.
    pub format: SegmentFormat,
    /// Rows in it.
    pub rows: u64,
    /// Its size in the store.
    pub bytes: u64,
    /// Of its rows.
    pub digest: Digest,
}

/// Says that a segment is durable; a commit carries it, so it survives a restart of the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The segment.
    pub segment: SegmentRef,
    /// Over the log's id and the segment, with the key in the data directory; base64.
    pub signature: String,
}

/// What an engine's checkpoint must bring back: a slot of the job's own log carries it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Epochs that are sealed and may or may not be committed yet, in order.
    pub pending: Vec<Pending>,
    /// What the engine keeps for itself: source positions, operators' state files. JSON text.
    pub body: String,
}

/// An epoch that a checkpoint made durable and that has still to be committed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The log that it is for.
    pub log: LogId,
    /// The commit, but for its generation, which is the committer's.
    pub commit: Commit,
}

/// Data becomes visible: what `Epoch` and an overwriting `Replace` say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Who commits.
    pub writer: WriterName,
    /// Which incarnation of it.
    pub generation: Generation,
    /// The writer's number of this commit, from 1.
    pub n: Ordinal,
    /// Its identity beside writer and number, where a foreign engine commits; ours have their offsets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// The run, for people: a job run's id, a transfer's id.
    pub run: String,
    /// Where the sources stood.
    pub source_offsets: SourceOffsets,
    /// The schema that the segments follow.
    pub schema_version: u32,
    /// No row with an earlier event time follows, in milliseconds since the epoch.
    #[serde(default)]
    pub watermark_ms: Option<i64>,
    /// The checkpoint that this belongs to: reads at one reference are consistent across datasets.
    #[serde(default)]
    pub checkpoint_ref: Option<String>,
    /// What it was computed from.
    #[serde(default)]
    pub lineage: Vec<SlotRange>,
    /// The data; empty where an epoch only carries its watermark.
    pub segments: Vec<SegmentRef>,
    /// In a job's own log: the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
}

impl Commit {
    /// The digest of all rows.
    pub fn digest(&self) -> Digest {
        self.segments
            .iter()
            .fold(Digest::default(), |sum, segment| sum + segment.digest)
    }
}

/// What stands in place of a range of slots.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "slots are folded one at a time: a box would only move what is moved once"
)]
pub enum Replacement {
    /// The same rows in fewer segments; `ordinals` maps positions.
    Compaction {
        /// The new segments, in partition order.
        segments: Vec<SegmentRef>,
    },
    /// Other rows: a commit by rule 3.
    Overwrite(Commit),
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Slot {
    /// These segments are data.
    Epoch(Commit),
    /// This writer is now at this generation.
    Fence {
        /// The writer.
        writer: WriterName,
        /// Its new generation.
        generation: Generation,
        /// The `n` that it restored from; 0 for none.
        restored: Ordinal,
        /// Whether the user asked to restore below what is committed.
        rewind: bool,
        /// Whether the writer's epochs above `restored` go with it, so that their numbers are free again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        drops: bool,
        /// Unique to the process that fences: two may choose one generation, one of them wins.
        incarnation: String,
    },
    /// This writer's `n` will never commit, and neither will these segments.
    Abort {
        /// The writer.
        writer: WriterName,
        /// The generation that gives up.
        generation: Generation,
        /// What it gives up.
        n: Ordinal,
        /// Segments whose receipts are void.
        segments: Vec<SegmentName>,
    },
    /// The schema from here on.
    Schema {
        /// Its version.
        version: u32,
        /// Encoded by `model::schema`.
        schema: String,
    },
    /// The slots `first` to `last` are now something else.
    Replace {
        /// The head of the log when the range was read.
        read_at: SlotNo,
        /// The first slot of the range.
        first: SlotNo,
        /// The last slot of the range.
        last: SlotNo,
        /// What they are now.
        with: Replacement,
    },
    /// The slots up to `through` are gone.
    Expire {
        /// The head of the log when the range was read.
        read_at: SlotNo,
        /// The last slot that is gone.
        through: SlotNo,
    },
}

impl Slot {
    /// The slot's kind, for people and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Epoch(_) => "epoch",
            Self::Fence { .. } => "fence",
            Self::Abort { .. } => "abort",
            Self::Schema { .. } => "schema",
            Self::Replace { .. } => "replace",
            Self::Expire { .. } => "expire",
        }
    }
}

/// A list object, as a slot names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRef {
    /// The 128-bit XXH3 of its bytes, in hexadecimal.
    pub name: String,
    /// The segments in it.
    pub segments: usize,
}

/// A slot with its place: the object in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotRecord {
    /// The format's version.
    pub format: u32,
    /// The log that it belongs to.
    pub log: LogId,
    /// Its number.
    pub slot: SlotNo,
    /// When it was first attempted, in milliseconds since the epoch; nothing is ordered by it.
    pub committed_at_ms: u64,
    /// Who asked for it, where callers have names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// In its bytes: where the body's segments are, if they are too many for a slot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListRef>,
    /// What it says.
    pub body: Slot,
}

impl SlotRecord {
    /// The object's bytes: one line of JSON and one line with its CRC32C.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self).map_err(|cause| {
            Error::new(Kind::Internal, "FS0201", "a slot could not be encoded").with_source(cause)
        })?;
        let checksum = checksum::crc32c(&bytes);
        bytes.extend_from_slice(format!("\ncrc32c {checksum:08x}\n").as_bytes());
        if bytes.len() > SLOT_BYTES_MAX {
            return Err(Error::new(
                Kind::Invalid,
                "FS0202",
                "a commit is too large for one slot",
            )
            .with_detail(format!(
                "it has {} bytes; the limit is {SLOT_BYTES_MAX}",
                bytes.len()
            ))
            .with_hint("write fewer, larger segments in one commit"));
        }
        Ok(bytes)
    }

    /// Reads back what [`encode`](Self::encode) wrote. Anything else is `Data`; a newer format is refused by name.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let torn = |why: &str| {
            Error::new(Kind::Data, "FS0203", "a slot of the log is damaged")
                .with_detail(why)
                .with_hint("restore the object from a backup; `flinkspark explain FS0203` says what is safe")
        };
        let text = std::str::from_utf8(bytes).map_err(|_| torn("it is not UTF-8"))?;
        let body = text
            .strip_suffix('\n')
            .ok_or_else(|| torn("it ends early"))?;
        let (json, trailer) = body
            .rsplit_once('\n')
            .ok_or_else(|| torn("it has no checksum"))?;
        let expected = format!("crc32c {:08x}", checksum::crc32c(json.as_bytes()));
        if trailer != expected {
            return Err(torn("its checksum does not match its content"));
        }
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let versioned: Versioned =
            serde_json::from_str(json).map_err(|cause| torn(&cause.to_string()))?;
        if versioned.format > SLOT_FORMAT_VERSION {
            return Err(Error::new(
                Kind::Invalid,
                "FS0204",
                "the log was written by a newer FlinkSpark",
            )
            .with_detail(format!(
                "the slot has format {}; this build reads up to {SLOT_FORMAT_VERSION}",
                versioned.format
            ))
            .with_hint("start a build at least as new as the one that wrote it"));
        }
        serde_json::from_str(json).map_err(|cause| torn(&cause.to_string()))
    }
}
