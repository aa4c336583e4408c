//! What the writers of every model write: records, segments and commits.
//!
//! Invariant: a commit's records are exactly `from..to`, told by its offsets and its row count.

use flinkspark_model::digest::Digest;
use flinkspark_model::log::{
    Commit, SegmentFormat, SegmentName, SegmentRef, Slot, SourceOffsets, WriterName,
};

pub(crate) fn writer() -> WriterName {
    WriterName::from("job")
}

pub(crate) fn other() -> WriterName {
    WriterName::from("other")
}

pub(crate) fn letter(incarnation: usize) -> char {
    char::from(b'A' + u8::try_from(incarnation).expect("few incarnations"))
}

/// The digest of the records `from..to`.
pub(crate) fn digest(from: u8, to: u8) -> Digest {
    (from..to)
        .map(|row| Digest {
            rows: 1,
            sum: 0x9e37_79b9_7f4a_7c15 << (8 * row),
        })
        .sum()
}

pub(crate) fn segment(name: SegmentName, from: u8, to: u8) -> SegmentRef {
    SegmentRef {
        name,
        partition: 0,
        attempt: 0,
        format: SegmentFormat::Arrow,
        rows: u64::from(to - from),
        bytes: 1,
        digest: digest(from, to),
    }
}

pub(crate) fn commit(
    writer: WriterName,
    generation: u8,
    n: u64,
    to: u8,
    segments: Vec<SegmentRef>,
) -> Commit {
    Commit {
        writer,
        generation: u64::from(generation),
        n,
        token: None,
        run: String::new(),
        source_offsets: SourceOffsets::of("in", to),
        schema_version: 1,
        watermark_ms: None,
        checkpoint_ref: None,
        lineage: Vec::new(),
        segments,
        manifest: None,
    }
}

/// The records behind a commit.
pub(crate) fn position(commit: &Commit) -> u8 {
    commit
        .source_offsets
        .0
        .get("in")
        .and_then(|at| at.parse().ok())
        .expect("offsets of one source")
}

/// The fence that the other writer's only slot stands on.
pub(crate) fn other_fence() -> Slot {
    Slot::Fence {
        writer: other(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "other".into(),
    }
}

/// The one slot that the other writer commits.
pub(crate) fn other_commit() -> Commit {
    commit(
        other(),
        1,
        1,
        1,
        vec![segment(SegmentName::from("other"), 0, 1)],
    )
}
