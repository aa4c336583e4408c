//! A job's own log: its checkpoints' slots, its operators' state.

use super::log::Driver;
use super::names::Owner;
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::Result;
use flinkspark_model::log::{Appended, Intent, LogId, Receipt, SegmentRef, SlotRecord, View};
use flinkspark_model::port::Log;
use flinkspark_model::position::SlotNo;
use std::sync::Arc;

/// A job's own log.
pub(super) struct JobLog(Arc<Driver>);

impl JobLog {
    pub(super) fn new(driver: Arc<Driver>) -> Self {
        Self(driver)
    }
}

#[async_trait]
impl Log for JobLog {
    fn id(&self) -> LogId {
        self.0.id()
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        self.0.refresh().await
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        self.0.append(intent).await
    }

    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        self.0.slot(slot).await
    }

    async fn stage_bytes(&self, partition: u32, bytes: Bytes) -> Result<Receipt> {
        self.0.stage_bytes(&Owner::Anybody, partition, bytes).await
    }

    async fn read_bytes(&self, segment: &SegmentRef) -> Result<Bytes> {
        self.0.read_bytes(segment).await
    }
}
