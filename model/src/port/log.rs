//! The dataset log as its siblings see it.

use crate::dataset::DatasetId;
use crate::error::Result;
use crate::filter::Bound;
use crate::log::{
    Appended, Generation, Intent, LiveEpoch, LogId, Receipt, SegmentFormat, SegmentRef, SlotRecord,
    View,
};
use crate::position::{Position, SlotNo};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a staged segment will be.
#[derive(Debug, Clone)]
pub struct SegmentSpec {
    /// The partition, from 0.
    pub partition: u32,
    /// The attempt, from 0.
    pub attempt: u32,
    /// How it is stored.
    pub format: SegmentFormat,
    /// Every batch has this schema.
    pub schema: SchemaRef,
    /// The job's log and the generation that stages it: what the job's checkpoints do not list is
    /// garbage once a later generation has taken over. `None` where whoever holds the receipt may
    /// commit it for ever.
    pub job: Option<(LogId, Generation)>,
}

/// How a partition is read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Columns to read, by index into the schema; `None` for all.
    pub columns: Option<Vec<usize>>,
    /// The most rows in a batch.
    pub batch_rows_max: usize,
    /// The most batches; nothing is read ahead beyond them.
    pub batches_max: usize,
    /// The most stored rows, read or passed over; nothing is read ahead beyond them.
    pub rows_max: u64,
    /// Rows that cannot match it may be passed over, by what is known of them; those that come may match or not.
    /// It is bound to the schema in force.
    pub filter: Option<Arc<Bound>>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            columns: None,
            batch_rows_max: 8192,
            batches_max: usize::MAX,
            rows_max: u64::MAX,
            filter: None,
        }
    }
}

/// A batch, and where the reader stands after it.
#[derive(Debug, Clone)]
pub struct PositionedBatch {
    /// The rows.
    pub batch: RecordBatch,
    /// The position of the first stored row after them.
    pub next: Position,
    /// What was read for them.
    pub read: Extent,
    /// What a filter let pass over before them; a batch that tells of nothing else has no rows.
    pub skipped: Extent,
}

/// How much of what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Extent {
    /// Stored rows.
    pub rows: u64,
    /// Stored batches.
    pub blocks: u64,
    /// Their size, in bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Extent {
    fn add_assign(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.blocks = self.blocks.saturating_add(other.blocks);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Batches of one partition in log order.
pub type BatchStream = BoxStream<'static, Result<PositionedBatch>>;

/// Writes one segment; nothing is nameable before [`seal`](Self::seal) and nothing is visible
/// before a commit carries the receipt. A writer that is dropped unsealed leaves nothing behind.
#[async_trait]
pub trait SegmentWriter: Send {
    /// Appends a batch of the spec's schema.
    async fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Makes what was written durable and nameable.
    async fn seal(self: Box<Self>) -> Result<Receipt>;
}

/// One log: a dataset's, or a job's own.
#[async_trait]
pub trait Log: Send + Sync {
    /// Its identity.
    fn id(&self) -> LogId;

    /// Reads the log to its tail. Every slot in the view is durable.
    async fn refresh(&self) -> Result<Arc<View>>;

    /// Carries the intent to a definite end, in doubt or beaten as often as it may be.
    /// Errors: the machine's refusals; `InDoubt` when the store stays silent beyond its limit.
    async fn append(&self, intent: Intent) -> Result<Appended>;

    /// One slot. A slot beyond the head is `Invalid`.
    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord>;

    /// Stages small opaque bytes as a segment: an operator's state.
    async fn stage_bytes(&self, partition: u32, bytes: bytes::Bytes) -> Result<Receipt>;

    /// Reads a segment staged by [`stage_bytes`](Self::stage_bytes) and checks its digest.
    async fn read_bytes(&self, segment: &SegmentRef) -> Result<bytes::Bytes>;
}

/// A dataset's log with its rows.
#[async_trait]
pub trait Dataset: Log {
    /// The schema in force.
    fn schema(&self) -> SchemaRef;

    /// Puts a schema in force, as the version after the one that is.
    ///
    /// Errors: `FS0521` where rows that are committed could not be read at it; `Conflict` where another
    /// version follows the one in force. Nothing is written then.
    async fn put_schema(&self, version: u32, schema: SchemaRef) -> Result<Appended> {
        let schema = crate::schema::to_json(&schema)?;
        self.append(Intent::Schema { version, schema }).await
    }

    /// The epochs with their segments' digests at the schema in force: an epoch of an older schema is
    /// read for it, once a process, unless the columns are the same.
    async fn at_schema(&self, epochs: Vec<Arc<LiveEpoch>>) -> Result<Vec<Arc<LiveEpoch>>> {
        Ok(epochs)
    }

    /// Waits for the log's head to be beyond a slot, for as long as the caller does, and gives the view then. It reads
    /// nothing of the store: whoever wants to see what other processes wrote refreshes first. It may be early: the
    /// caller looks at the head. A log that nobody waits for looks once.
    async fn beyond(&self, _after: SlotNo) -> Result<Arc<View>> {
        self.refresh().await
    }

    /// Opens a segment for writing.
    async fn stage(&self, spec: SegmentSpec) -> Result<Box<dyn SegmentWriter>>;

    /// The rows of one partition in the epochs up to slot `through`, as they were live when it was
    /// the head, from a position on, at the schema in force now: a nullable column that an epoch is too
    /// old to have reads as null, a column that was removed is left out, a widened type reads widened.
    /// A position below the horizon is `Data`, never a skip; a damaged segment is `Data`.
    async fn read(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
        options: ReadOptions,
    ) -> Result<BatchStream>;
}

/// What stays of a dataset that is forgotten, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leaving {
    /// The size of what is stored, in bytes.
    pub bytes: u64,
    /// When it is deleted, in milliseconds since the epoch.
    pub until_ms: u64,
}

/// Opens logs.
#[async_trait]
pub trait Datasets: Send + Sync {
    /// The log of a dataset whose registered schema is given, created if it does not exist.
    async fn dataset(&self, id: DatasetId, schema: SchemaRef) -> Result<Arc<dyn Dataset>>;

    /// A job's own log, created if it does not exist.
    async fn job(&self, id: LogId) -> Result<Arc<dyn Log>>;

    /// Notes that the catalogue is about to forget a dataset at this record, so that its files go after
    /// a grace; they stay if the catalogue does not.
    async fn leave(&self, _dataset: &crate::dataset::Dataset) -> Result<Leaving> {
        Ok(Leaving::default())
    }
}
