//! Segments: rows as Arrow IPC files, and bytes as they are.
//!
//! Owns how rows are laid out in a segment, and what is checked when one is opened: its size, its
//! footer, that every block lies within it, and that it is the segment of the log that its name
//! says. Version 2 keeps a checksum of each block in the footer, and one of the footer before it; version 3
//! besides what it knows of columns. Version 1, which has no checksums, is read. Invariant: a damaged or foreign file is `Data`, never other rows than were
//! sealed, never a wrong row count and never a panic.

mod bytes;
mod file;
mod fit;
mod footer;
mod known;
mod writer;

pub(super) use self::bytes::{read_bytes, stage_bytes};
pub(super) use file::SegmentFile;
pub(super) use fit::Fit;
pub(super) use writer::Writer;

use crate::ipc::Refusal;
use flinkspark_model::digest::Digest;
use flinkspark_model::log::{LogId, SegmentFormat, SegmentRef};
use flinkspark_model::{Error, Kind, Result};

/// The most rows in one stored batch: what a reader holds in memory at least.
pub const STORED_BATCH_ROWS_MAX: usize = 64 << 10;

/// The most bytes of rows in one stored batch, unless a single row is larger.
pub(crate) const STORED_BATCH_BYTES_MAX: u64 = 8 << 20;

/// The segment's file is not there.
pub(super) fn missing(log: LogId, segment: &SegmentRef) -> Error {
    Error::new(
        Kind::Data,
        "FS1005",
        format!("segment {} is missing", segment.name),
    )
    .with_detail(format!(
        "dataset {log}: its log holds {} rows in it, partition {}",
        segment.rows, segment.partition
    ))
    .with_hint("restore the file below datasets/ID/segments from a backup; the log itself is whole")
}

/// The segment's file is not what was sealed.
pub(super) fn damaged(log: LogId, segment: &SegmentRef, why: &str) -> Error {
    Error::new(Kind::Data, "FS1006", format!("segment {} is damaged", segment.name))
        .with_detail(format!("dataset {log}: {why}"))
        .with_hint("restore the file below datasets/ID/segments from a backup, or write the epoch's rows again")
}

/// Refuses rows that are not the ones that were sealed.
pub(super) fn check_digest(log: LogId, segment: &SegmentRef, digest: Digest) -> Result<()> {
    if digest == segment.digest {
        return Ok(());
    }
    let sealed = segment.digest;
    let why = format!("its rows have the digest {digest}, {sealed} was sealed");
    Err(damaged(log, segment, &why))
}

/// A message of the segment's file that was not decoded.
fn refused(log: LogId, segment: &SegmentRef, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Damaged(why) | Refusal::TooLarge(why) => damaged(log, segment, &why),
        Refusal::Bug(why) => Error::new(
            Kind::Internal,
            "FS1033",
            format!(
                "segment {} passed every check and could not be decoded",
                segment.name
            ),
        )
        .with_detail(format!("dataset {log}: a bug of this build: {why}"))
        .with_hint("report it with the server's log; the file is as it was"),
    }
}

/// The segment's file is another segment's.
fn foreign(log: LogId, segment: &SegmentRef, why: &str) -> Error {
    Error::new(
        Kind::Data,
        "FS1007",
        format!("segment {} is another one's file", segment.name),
    )
    .with_detail(format!("dataset {log}: {why}"))
    .with_hint("restore the file below datasets/ID/segments from a backup")
}

pub(super) fn unsupported(format: SegmentFormat) -> Error {
    Error::new(
        Kind::Invalid,
        "FS1025",
        "this build stores rows as Arrow files only",
    )
    .with_detail(format!("asked for {format:?}").to_lowercase())
    .with_hint("leave the segment format out")
}
