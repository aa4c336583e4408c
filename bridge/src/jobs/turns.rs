//! Logs as the engines see them: what takes a turn on a log runs on the threads that answer.
//!
//! A log is read and appended to by one caller at a time. A task that had its turn and then waited for a
//! thread that computes would keep everybody else from that log. Invariant: a turn is held on the
//! answering threads only; rows are staged and read on the caller's own.

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Appended, Intent, LogId, Receipt, SegmentRef, SlotRecord, View};
use flinkspark_model::port::{
    BatchStream, Dataset, Datasets, Log, ReadOptions, SegmentSpec, SegmentWriter,
};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Opens logs whose turns are taken on other threads.
pub(crate) struct Turns {
    datasets: Arc<dyn Datasets>,
    answering: Handle,
}

impl Turns {
    /// The same logs; turns are taken on the runtime of this handle.
    pub(crate) fn new(datasets: Arc<dyn Datasets>, answering: Handle) -> Self {
        Self {
            datasets,
            answering,
        }
    }
}

#[async_trait]
impl Datasets for Turns {
    async fn dataset(&self, id: DatasetId, schema: SchemaRef) -> Result<Arc<dyn Dataset>> {
        let datasets = Arc::clone(&self.datasets);
        let opened = async move { datasets.dataset(id, schema).await };
        Ok(Arc::new(Turn {
            log: on(&self.answering, opened).await?,
            answering: self.answering.clone(),
        }))
    }

    async fn job(&self, id: LogId) -> Result<Arc<dyn Log>> {
        let datasets = Arc::clone(&self.datasets);
        let opened = async move { datasets.job(id).await };
        Ok(Arc::new(Turn {
            log: on(&self.answering, opened).await?,
            answering: self.answering.clone(),
        }))
    }
}

struct Turn<L: ?Sized> {
    log: Arc<L>,
    answering: Handle,
}

#[async_trait]
impl<L: Log + ?Sized + 'static> Log for Turn<L> {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        let log = Arc::clone(&self.log);
        on(&self.answering, async move { log.refresh().await }).await
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        let log = Arc::clone(&self.log);
        on(&self.answering, async move { log.append(intent).await }).await
    }

    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        let log = Arc::clone(&self.log);
        on(&self.answering, async move { log.slot(slot).await }).await
    }

    async fn stage_bytes(&self, partition: u32, bytes: Bytes) -> Result<Receipt> {
        self.log.stage_bytes(partition, bytes).await
    }

    async fn read_bytes(&self, segment: &SegmentRef) -> Result<Bytes> {
        self.log.read_bytes(segment).await
    }
}

#[async_trait]
impl Dataset for Turn<dyn Dataset> {
    fn schema(&self) -> SchemaRef {
        self.log.schema()
    }

    async fn stage(&self, spec: SegmentSpec) -> Result<Box<dyn SegmentWriter>> {
        self.log.stage(spec).await
    }

    async fn read(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
        options: ReadOptions,
    ) -> Result<BatchStream> {
        // The slots are known from here on, so that reading takes no turn.
        if through > 0 {
            self.refresh().await?;
        }
        self.log.read(partition, from, through, options).await
    }
}

/// Runs there, to its end, even if nobody waits for it any more.
async fn on<T: Send + 'static>(
    answering: &Handle,
    turn: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    answering.spawn(turn).await.unwrap_or_else(|cause| {
        Err(Error::new(
            Kind::Unavailable,
            "FS0018",
            "a service ended without an answer",
        )
        .with_source(cause))
    })
}
