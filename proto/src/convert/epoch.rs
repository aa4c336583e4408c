//! Committed epochs and their segments.

use super::refuse;
use crate::v1;
use flinkspark_model::log::{Commit, SegmentFormat, SegmentRef, SourceOffsets};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Result};

impl From<&SegmentRef> for v1::Segment {
    fn from(segment: &SegmentRef) -> Self {
        let format = match segment.format {
            SegmentFormat::Arrow => "arrow",
            SegmentFormat::Parquet => "parquet",
            SegmentFormat::Bytes => "bytes",
        };
        Self {
            name: segment.name.to_string(),
            partition: segment.partition,
            attempt: segment.attempt,
            format: format.into(),
            rows: segment.rows,
            bytes: segment.bytes,
            digest: segment.digest.to_string(),
        }
    }
}

impl TryFrom<v1::Segment> for SegmentRef {
    type Error = Error;

    fn try_from(wire: v1::Segment) -> Result<Self> {
        let format = match wire.format.as_str() {
            "arrow" => SegmentFormat::Arrow,
            "parquet" => SegmentFormat::Parquet,
            "bytes" => SegmentFormat::Bytes,
            other => {
                return Err(refuse(
                    "format",
                    format!("\"{}\" is not known here", other.escape_debug()),
                ));
            }
        };
        Ok(Self {
            name: wire.name.into(),
            partition: wire.partition,
            attempt: wire.attempt,
            format,
            rows: wire.rows,
            bytes: wire.bytes,
            digest: wire.digest.parse()?,
        })
    }
}

/// The epoch that a commit became in a slot. A job's checkpoint manifest stays behind: it is no
/// one else's business.
pub fn epoch(slot: SlotNo, committed_at_ms: u64, commit: &Commit) -> v1::Epoch {
    v1::Epoch {
        slot,
        writer: commit.writer.to_string(),
        generation: commit.generation,
        n: commit.n,
        run: commit.run.clone(),
        source_offsets: commit.source_offsets.0.clone(),
        schema_version: commit.schema_version,
        watermark_ms: commit.watermark_ms,
        checkpoint_ref: commit.checkpoint_ref.clone(),
        segments: commit.segments.iter().map(Into::into).collect(),
        committed_at_ms,
        lineage: commit.lineage.iter().map(Into::into).collect(),
    }
}

/// The slot, the time in milliseconds since the epoch, and the commit that [`epoch`] was made of.
pub fn commit_from(wire: v1::Epoch) -> Result<(SlotNo, u64, Commit)> {
    let commit = Commit {
        writer: wire.writer.into(),
        generation: wire.generation,
        n: wire.n,
        token: None,
        run: wire.run,
        source_offsets: SourceOffsets(wire.source_offsets),
        schema_version: wire.schema_version,
        watermark_ms: wire.watermark_ms,
        checkpoint_ref: wire.checkpoint_ref,
        lineage: wire
            .lineage
            .into_iter()
            .map(TryInto::try_into)
            .collect::<Result<_>>()?,
        segments: wire
            .segments
            .into_iter()
            .map(TryInto::try_into)
            .collect::<Result<_>>()?,
        manifest: None,
    };
    Ok((wire.slot, wire.committed_at_ms, commit))
}
