//! Named writers as siblings speak of them: engines that keep their own checkpoints.
//!
//! A writer's name outlives restarts. Whoever stages rows knows the writer, a partition and an attempt, and
//! gets a receipt; one party knows which receipts belong together, opens the writer and commits them under a
//! number and a token. Its JSON form is what `docs/flight.md` documents; `docs/protocol.md` has the rules.
//! Invariant: a commit has an identity (writer, n, token) that is the same however often it is repeated.

use super::SegmentWriter;
use super::transactions::Mode;
use crate::access::Principal;
use crate::dataset::DatasetId;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::lineage::SlotRange;
use crate::log::{Generation, Opening, Ordinal, SourceOffsets, Token, WriterName};
use crate::position::SlotNo;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// The longest writer name, incarnation, token or part key, in bytes.
pub const WRITER_TEXT_BYTES_MAX: usize = 512;

/// How long what was put stays after its writer was last heard, in milliseconds, unless it is declared.
pub const RETENTION_MS_DEFAULT: u64 = 7 * 24 * 60 * 60 * 1000;

/// The longest retention that a writer may declare, in milliseconds: a year.
pub const RETENTION_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1000;

/// A writer of a dataset.
#[derive(Debug, Clone)]
pub struct DatasetWriter {
    /// The dataset.
    pub dataset: DatasetId,
    /// Its registered schema.
    pub schema: SchemaRef,
    /// The writer's name.
    pub writer: WriterName,
    /// Who calls, where callers have names.
    pub principal: Option<Principal>,
}

/// What is asked of [`Writers::open`].
#[derive(Debug, Clone)]
pub struct OpenWriter {
    /// The writer.
    pub of: DatasetWriter,
    /// Who opens it, and from where it goes on.
    pub opening: Opening,
    /// How long what was put stays after the writer was last heard, in milliseconds.
    pub retention_ms: Option<u64>,
}

/// A writer that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedWriter {
    /// The writer.
    pub writer: WriterName,
    /// The generation in which this incarnation commits.
    pub generation: Generation,
    /// The number that it came back from.
    pub restored_n: Ordinal,
    /// The writer's last committed number; 0 for none.
    pub last_n: Ordinal,
    /// Whether this incarnation had opened it before.
    pub replayed: bool,
}

/// What is asked of [`Writers::commit`].
#[derive(Debug, Clone)]
pub struct WriterCommit {
    /// The writer.
    pub of: DatasetWriter,
    /// The generation that opening it gave.
    pub generation: Generation,
    /// The writer's number of this commit, above its last.
    pub n: Ordinal,
    /// Made once where the set is known, and kept in the engine's durable state.
    pub token: Token,
    /// The segments to commit, in order within each partition.
    pub receipts: Vec<String>,
    /// Keys of parts that carry more of them, in order.
    pub parts: Vec<String>,
    /// Where the sources stood, if the engine knows.
    pub source_offsets: SourceOffsets,
    /// No row with an earlier event time follows, in milliseconds since the epoch.
    pub watermark_ms: Option<i64>,
    /// The engine's name of the checkpoint.
    pub checkpoint_ref: Option<String>,
    /// What the rows were computed from.
    pub lineage: Vec<SlotRange>,
    /// What it does with the rows that are there.
    pub mode: Mode,
    /// With [`Mode::Replace`]: the last slot that goes; the log's head when the call comes where it is absent.
    pub replace_through: Option<SlotNo>,
    /// What becomes of a replacement where rows came or went after that slot.
    pub isolation: Isolation,
    /// The run, for people.
    pub run: Option<String>,
}

/// What becomes of a replacement where rows came or went after the slot that it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// They stay beside it.
    #[default]
    Snapshot,
    /// It is refused.
    Serializable,
}

/// A commit that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterCommitted {
    /// The writer.
    pub writer: WriterName,
    /// Its number.
    pub n: Ordinal,
    /// Where.
    pub slot: SlotNo,
    /// Rows committed.
    pub rows: u64,
    /// Their size in the store.
    pub bytes: u64,
    /// Of those rows.
    pub digest: Digest,
    /// Whether it stood there before this call.
    pub replayed: bool,
    /// Of a repetition: whether this call brought the same rows. The first ones stand in any case; absent where
    /// the parts that held them are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_rows: Option<bool>,
}

/// What is asked of [`Writers::part`].
#[derive(Debug, Clone)]
pub struct WriterPart {
    /// The writer.
    pub of: DatasetWriter,
    /// The part's key, the client's to choose.
    pub key: String,
    /// Receipts of the writer's puts.
    pub receipts: Vec<String>,
}

/// A part that is durable. It completes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartStored {
    /// Its key.
    pub key: String,
    /// Segments in it.
    pub segments: u64,
    /// Rows in them.
    pub rows: u64,
    /// Whether it was there before this call.
    pub replayed: bool,
}

/// What became of receipts that were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Released {
    /// Segments that are deleted: a commit that brings them is refused.
    pub released: u64,
    /// Segments that stay, because a slot names them or may come to.
    pub kept: u64,
}

/// How a writer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterStatus {
    /// The writer.
    pub writer: WriterName,
    /// Its generation; 0 where it was never opened.
    pub generation: Generation,
    /// Who opened it last; empty where nobody did.
    pub incarnation: String,
    /// The number that this incarnation came back from.
    pub restored_n: Ordinal,
    /// Its last committed number; 0 for none.
    pub last_n: Ordinal,
    /// The token of that commit; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_token: Option<Token>,
    /// Where that commit stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_slot: Option<SlotNo>,
    /// Segments that were put and that no slot names.
    pub staged: u64,
    /// Their size in the store.
    pub staged_bytes: u64,
}

/// Checks a text that names something of a writer: it has something to be seen, and at most
/// [`WRITER_TEXT_BYTES_MAX`] bytes. `FS1035` otherwise.
pub fn check_writer_text(what: &str, text: &str) -> Result<()> {
    let why = if text.len() > WRITER_TEXT_BYTES_MAX {
        format!(
            "it has {} bytes; the limit is {WRITER_TEXT_BYTES_MAX}",
            text.len()
        )
    } else if text.chars().all(super::transactions::invisible) {
        "nothing that can be seen is in it".into()
    } else if text.chars().any(char::is_control) {
        "it holds control characters".into()
    } else {
        return Ok(());
    };
    Err(Error::new(
        Kind::Invalid,
        "FS1035",
        format!("the {what} cannot be used"),
    )
    .with_detail(why)
    .with_hint("give the engine's own durable name: a job's, a query's, a checkpoint's"))
}

/// Named writers over dataset logs.
#[async_trait]
pub trait Writers: Send + Sync {
    /// Opens a writer, idempotent by incarnation. Where another incarnation has opened it since the generation
    /// that was read, it is `Fenced` (`FS0229`); a restore below what is committed is `Conflict` (`FS0213`)
    /// unless a rewind is asked for.
    async fn open(&self, open: OpenWriter) -> Result<OpenedWriter>;

    /// Opens a segment of rows in the dataset's schema. Sealing it gives a receipt of which
    /// [`Receipt::signature`](crate::log::Receipt) is the short text that [`commit`](Self::commit) takes.
    async fn stage(
        &self,
        writer: DatasetWriter,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>>;

    /// Keeps a bundle of receipts under a key. The same again is success; other receipts under the key are
    /// `Conflict` (`FS1036`).
    async fn part(&self, part: WriterPart) -> Result<PartStored>;

    /// Commits exactly these receipts and parts. The same token again is success from any generation,
    /// another one `Conflict` (`FS0227`), a new number from a stale generation `Fenced` (`FS0210`).
    async fn commit(&self, commit: WriterCommit) -> Result<WriterCommitted>;

    /// Deletes what was put and will not be committed. It writes no slot: the number stays free. What a slot
    /// names stays.
    async fn release(&self, writer: DatasetWriter, receipts: Vec<String>) -> Result<Released>;

    /// Whom the writer belongs to: who was heard under its name first; `None` where nobody was, or nobody had a
    /// name then.
    async fn owner(&self, writer: &DatasetWriter) -> Result<Option<Principal>>;

    /// How a writer stands; one that was never opened has generation 0.
    async fn status(&self, writer: DatasetWriter) -> Result<WriterStatus>;
}
