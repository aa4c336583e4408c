//! Logs for a question on the streaming engine: it reads real datasets, and what it writes goes to whoever asked.
//!
//! Its checkpoints and commits are in a store in memory that is gone with the question. Invariant: no row of an answer
//! is kept, and nothing is written where datasets are.

use crate::jobs::engines::Engines;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_connector::store::{Logs, Settings, object::Objects};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Appended, Intent, LogId, Receipt, SegmentRef, SlotRecord, View};
use flinkspark_model::port::{
    BatchStream, Dataset, Datasets, Log, ReadOptions, SegmentSpec, SegmentWriter,
};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// Real datasets to read, and one whose rows are handed on.
pub(super) struct Tapped {
    inputs: Arc<dyn Datasets>,
    apart: Logs,
    output: DatasetId,
    rows: Sender<RecordBatch>,
}

impl Tapped {
    /// Hands on what is written to this dataset.
    pub(super) async fn open(
        engines: &Engines,
        output: DatasetId,
        rows: Sender<RecordBatch>,
    ) -> Result<Self> {
        let store = Arc::new(Objects::memory());
        let (clock, entropy) = (Arc::clone(&engines.clock), Arc::clone(&engines.entropy));
        Ok(Self {
            inputs: Arc::clone(&engines.datasets),
            apart: Logs::open(store, clock, entropy, Settings::default()).await?,
            output,
            rows,
        })
    }
}

#[async_trait]
impl Datasets for Tapped {
    async fn dataset(&self, id: DatasetId, schema: SchemaRef) -> Result<Arc<dyn Dataset>> {
        if id != self.output {
            return self.inputs.dataset(id, schema).await;
        }
        Ok(Arc::new(Tap {
            log: self.apart.dataset(id, schema).await?,
            rows: self.rows.clone(),
        }))
    }

    async fn job(&self, id: LogId) -> Result<Arc<dyn Log>> {
        self.apart.job(id).await
    }
}

/// The dataset that is written: its log has epochs without rows.
struct Tap {
    log: Arc<dyn Dataset>,
    rows: Sender<RecordBatch>,
}

#[async_trait]
impl Log for Tap {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        self.log.refresh().await
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        self.log.append(intent).await
    }

    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        self.log.slot(slot).await
    }

    async fn stage_bytes(&self, partition: u32, bytes: Bytes) -> Result<Receipt> {
        self.log.stage_bytes(partition, bytes).await
    }

    async fn read_bytes(&self, segment: &SegmentRef) -> Result<Bytes> {
        self.log.read_bytes(segment).await
    }
}

#[async_trait]
impl Dataset for Tap {
    fn schema(&self) -> SchemaRef {
        self.log.schema()
    }

    async fn stage(&self, spec: SegmentSpec) -> Result<Box<dyn SegmentWriter>> {
        Ok(Box::new(Handing {
            empty: self.log.stage(spec).await?,
            rows: self.rows.clone(),
        }))
    }

    async fn read(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
        options: ReadOptions,
    ) -> Result<BatchStream> {
        self.log.read(partition, from, through, options).await
    }
}

/// Hands rows on, as fast as they are taken; the segment in the log stays empty.
struct Handing {
    empty: Box<dyn SegmentWriter>,
    rows: Sender<RecordBatch>,
}

#[async_trait]
impl SegmentWriter for Handing {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows.send(batch.clone()).await.map_err(|_| gone())
    }

    async fn seal(self: Box<Self>) -> Result<Receipt> {
        self.empty.seal().await
    }
}

/// Nobody hears of it: whoever asked has left.
fn gone() -> Error {
    let what = "nobody takes the rows of a query any more";
    Error::new(Kind::Unavailable, "FS0444", what)
}
