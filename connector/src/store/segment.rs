//! Segments of rows: Arrow IPC files.
//!
//! Owns how rows are laid out in a segment, and what is checked when one is opened: its size, its
//! footer, that every block lies within it, and that it is the segment of the log that its name
//! says. Invariant: a damaged or foreign file is `Data`, never a wrong row count and never a panic.

mod file;
mod fit;
mod writer;

pub(super) use file::SegmentFile;
pub(super) use fit::Fit;
pub use writer::Compression;
pub(super) use writer::Writer;

use flinkspark_model::log::{LogId, SegmentFormat, SegmentRef};
use flinkspark_model::{Error, Kind};

/// The most rows in one stored batch: what a reader holds in memory at least.
pub const STORED_BATCH_ROWS_MAX: usize = 64 << 10;

/// Keys of the footer's metadata.
mod metadata {
    pub(super) const VERSION: &str = "flinkspark.segment";
    pub(super) const LOG: &str = "flinkspark.log";
    pub(super) const NAME: &str = "flinkspark.name";
    /// The rows of each stored batch, joined by commas: the format keeps them in the batches' heads alone.
    pub(super) const ROWS: &str = "flinkspark.rows";
    pub(super) const CURRENT: &str = "1";
}

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
