//! Transfers between files and datasets.
//!
//! Owns the way of rows from a file into a dataset and back, over the Flight client: the plan, the
//! pipeline, the comparison of digests. It never opens a store and never prints; progress goes to
//! a [`Progress`]. Invariant: a transfer into a dataset is one transaction under the transfer's
//! id, and a file takes its name only when its digest is the dataset's, so a transfer that was cut
//! off anywhere can be run again and doubles nothing.

mod bad;
mod export;
mod fitted;
mod import;
mod plan;
mod standard;
#[cfg(test)]
mod tests;

pub use export::check_free;
pub use fitted::Change;
pub use plan::{End, PARTITIONS_MAX, route};
pub use standard::Standard;

use crate::flight::Client;
use crate::format::{ReadOptions, WriteOptions};
use arrow_schema::SchemaRef;
use flinkspark_model::digest::Digest;
use flinkspark_model::port::{Mode, check_key};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};

/// Batches that wait between a file and the network.
const BATCHES_QUEUED: usize = 2;

/// Hears how a transfer goes. Called from several threads, a few times for each batch.
pub trait Progress: Send + Sync {
    /// The rows to come, where they are known.
    fn total(&self, rows: Option<u64>);

    /// Rows so far, and their size in memory in bytes. Both are cumulative.
    fn moved(&self, rows: u64, bytes: u64);

    /// Something that the user should know, one sentence.
    fn say(&self, text: &str);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn total(&self, _: Option<u64>) {}
    fn moved(&self, _: u64, _: u64) {}
    fn say(&self, _: &str) {}
}

/// How rows are moved.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What a transfer into a dataset does with the rows that are there.
    pub mode: Mode,
    /// Partitions that a file's rows are spread over; one unless told otherwise.
    pub partitions: Option<u32>,
    /// How the source file is read. The schema of CSV and JSON is the dataset's, whatever stands here.
    pub read: ReadOptions,
    /// How the target file is written.
    pub write: WriteOptions,
    /// The dataset's columns that a file is written with, in this order; all where there are none.
    pub columns: Option<Vec<String>>,
    /// Whether a target file that exists is replaced.
    pub force: bool,
    /// The dataset that records go to which cannot be read: they are errors without it. Its columns are those of
    /// [`Aside::schema`](crate::format::Aside::schema).
    pub bad_rows: Option<String>,
}

/// A transfer: the same id with the same ends finishes what was begun.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Names it: any text that is neither blank nor too long (`FS0441`, `FS0442`), compared by its bytes.
    pub id: String,
    /// Where the rows are.
    pub source: End,
    /// Where they go.
    pub target: End,
    /// How.
    pub options: Options,
}

/// What a transfer has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Rows.
    pub rows: u64,
    /// Their size where they went, in bytes.
    pub bytes: u64,
    /// Of the rows, computed from them on both sides.
    pub digest: Digest,
    /// The slot that was committed, or the last one that was read; none for an empty dataset.
    pub slot: Option<SlotNo>,
    /// Whether a run before this one had done it already.
    pub replayed: bool,
    /// Records that were set aside.
    pub bad_rows: u64,
}

impl Transfer {
    /// The error of a transfer that is not between one file and one dataset: `FS0430`.
    pub fn wrong_ends(&self) -> Error {
        let Self { source, target, .. } = self;
        let message = "a transfer needs one file and one dataset";
        Error::new(Kind::Invalid, "FS0430", message)
            .with_detail(format!("the source is {source}, the target is {target}"))
            .with_hint("write the dataset as dataset://NAME, and the file as a path")
    }

    /// Carries it out.
    ///
    /// Errors: `FS0430` where not exactly one end is a dataset, `FS0431` where the id stands for
    /// other rows, `FS0321` where the target file exists, `FS0432` where what arrived in a file is not what was sent; besides, those of the
    /// file (`FS03xx`), of the put (`FS04xx`) and of the server.
    pub async fn run(&self, client: &Client, progress: &dyn Progress) -> Result<Outcome> {
        // What goes to the server has a prefix, and would not be blank any more.
        check_key("the transfer's id", self.id.as_bytes())?;
        match (&self.source, &self.target) {
            (End::File(_) | End::Standard(_), End::Dataset(dataset)) => {
                import::run(self, client, dataset, progress).await
            }
            (End::Dataset(dataset), End::File(_) | End::Standard(_)) => {
                export::run(self, client, dataset, progress).await
            }
            _ => Err(self.wrong_ends()),
        }
    }
}

/// What a transfer from a file would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The rows that the file has.
    pub rows: u64,
    /// Of them, as the dataset would have them.
    pub digest: Digest,
    /// What would not be as it is in the file.
    pub changes: Vec<Change>,
}

impl Transfer {
    /// Reads the whole source, which is no dataset, as rows of the dataset's schema, and writes nothing. Blocking.
    ///
    /// Errors: those that reading it for [`Transfer::run`] has.
    pub fn try_reading(
        &self,
        dataset: &str,
        schema: &SchemaRef,
        progress: &dyn Progress,
    ) -> Result<Tried> {
        import::try_reading(self, dataset, schema, progress)
    }
}

/// A thread that ended without a result.
fn broken(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        Kind::Internal,
        "FS0499",
        "a transfer's thread ended unexpectedly",
    )
    .with_source(cause)
}

/// What arrived is not what was sent.
fn differs(what: &str, sent: Digest, arrived: Digest) -> Error {
    Error::new(
        Kind::Data,
        "FS0432",
        format!("{what} does not hold the rows that were sent"),
    )
    .with_detail(format!("sent {sent}, arrived {arrived}"))
    .with_hint(
        "the file was not given its name; run the same command again, then `flinkspark dataset verify NAME`",
    )
}
