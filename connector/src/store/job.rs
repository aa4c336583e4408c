//! A job's own log: its checkpoints' slots, its operators' state.

use super::log::Driver;
use super::names::Owner;
use super::segment::{read_bytes, stage_bytes};
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::Result;
use flinkspark_model::log::{Appended, Intent, LogId, Receipt, SegmentRef, SlotRecord, View};
use flinkspark_model::port::Log;
use flinkspark_model::position::SlotNo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A job's own log, as one incarnation holds it.
pub(super) struct JobLog {
    driver: Arc<Driver>,
    /// The generation that was fenced through this handle; 0 before. State carries it in its name, so
    /// that what a dead incarnation staged can be told from what a living one may still list.
    generation: AtomicU64,
}

impl JobLog {
    pub(super) fn new(driver: Arc<Driver>) -> Self {
        Self {
            driver,
            generation: AtomicU64::new(0),
        }
    }
}

#[async_trait]
impl Log for JobLog {
    fn id(&self) -> LogId {
        self.driver.id()
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        self.driver.refresh().await
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        let fenced = match &intent {
            Intent::Fence { generation, .. } => Some(*generation),
            _ => None,
        };
        let appended = self.driver.append(intent).await?;
        if let Some(generation) = fenced {
            self.generation.store(generation, Ordering::Release);
        }
        Ok(appended)
    }

    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        self.driver.slot(slot).await
    }

    async fn stage_bytes(&self, partition: u32, bytes: Bytes) -> Result<Receipt> {
        let owner = match self.generation.load(Ordering::Acquire) {
            0 => Owner::Anybody,
            generation => Owner::Job(self.driver.id(), generation),
        };
        stage_bytes(&self.driver, &owner, partition, bytes).await
    }

    async fn read_bytes(&self, segment: &SegmentRef) -> Result<Bytes> {
        read_bytes(&self.driver, segment).await
    }
}
