//! A dataset's log with its rows.
//!
//! Invariant: the schema is the one of the last `Schema` slot that was read, or the registered one
//! where there is none.

use super::log::Driver;
use super::names::Owner;
use super::read;
use super::segment::{Writer, read_bytes, stage_bytes};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::log::{
    Appended, Intent, LiveEpoch, LogId, Receipt, SegmentRef, SlotRecord, View,
};
use flinkspark_model::port::{BatchStream, Dataset, Log, ReadOptions, SegmentSpec, SegmentWriter};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Result, schema};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A dataset's log with its rows.
pub struct LogDataset {
    driver: Arc<Driver>,
    /// The schema in force and its version, as decoded last.
    schema: Mutex<(u32, SchemaRef)>,
}

impl LogDataset {
    pub(super) fn new(driver: Arc<Driver>, registered: SchemaRef) -> Self {
        Self {
            driver,
            schema: Mutex::new((0, registered)),
        }
    }

    pub(super) async fn stage_as(
        &self,
        owner: &Owner,
        spec: SegmentSpec,
    ) -> Result<Box<dyn SegmentWriter>> {
        let writer = Writer::open(Arc::clone(&self.driver), &self.schema(), owner, spec).await?;
        Ok(Box::new(writer))
    }

    /// The schema that the log has in force; `None` while it is the registered one.
    fn schema_of(view: &View) -> Result<Option<SchemaRef>> {
        view.schema()
            .map(|text| schema::from_json(text).map(Arc::new))
            .transpose()
    }
}

#[async_trait]
impl Log for LogDataset {
    fn id(&self) -> LogId {
        self.driver.id()
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        self.driver.refresh().await
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        self.driver.append(intent).await
    }

    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        self.driver.slot(slot).await
    }

    async fn stage_bytes(&self, partition: u32, bytes: Bytes) -> Result<Receipt> {
        let anybody = &Owner::Anybody;
        stage_bytes(&self.driver, anybody, partition, bytes).await
    }

    async fn read_bytes(&self, segment: &SegmentRef) -> Result<Bytes> {
        read_bytes(&self.driver, segment).await
    }
}

#[async_trait]
impl Dataset for LogDataset {
    fn schema(&self) -> SchemaRef {
        let view = self.driver.view();
        let mut cached = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
        if view.schema().is_some() && cached.0 != view.schema_version() {
            match Self::schema_of(&view) {
                Ok(Some(schema)) => *cached = (view.schema_version(), schema),
                Ok(None) => {}
                // The text was checked when the slot was written; what cannot be read keeps the last one.
                Err(cause) => {
                    tracing::error!(log = %self.driver.id(), %cause, "the schema in force cannot be read")
                }
            }
        }
        Arc::clone(&cached.1)
    }

    async fn put_schema(&self, version: u32, schema: SchemaRef) -> Result<Appended> {
        let view = self.refresh().await?;
        schema::readable(&self.schema(), &schema)?;
        let mut seen = BTreeSet::new();
        let segments = view.live().filter_map(|epoch| {
            let rows = epoch.segments.iter().find(|segment| segment.rows > 0)?;
            seen.insert(epoch.schema_version).then_some(rows)
        });
        // What is in the files is what has to be read, whatever the versions between were.
        for segment in segments {
            schema::readable(&*read::stored_schema(&self.driver, segment).await?, &schema)?;
        }
        let schema = schema::to_json(&schema)?;
        self.append(Intent::Schema { version, schema }).await
    }

    async fn at_schema(&self, epochs: Vec<Arc<LiveEpoch>>) -> Result<Vec<Arc<LiveEpoch>>> {
        let (view, schema) = (self.driver.view(), self.schema());
        let version = view.schema_version();
        let mut at = Vec::with_capacity(epochs.len());
        for epoch in epochs {
            if epoch.schema_version >= version {
                at.push(epoch);
                continue;
            }
            let mut epoch = epoch.as_ref().clone();
            for segment in &mut epoch.segments {
                segment.digest = read::digest_at(&self.driver, segment, &schema, version).await?;
            }
            at.push(Arc::new(epoch));
        }
        Ok(at)
    }

    async fn beyond(&self, after: SlotNo) -> Result<Arc<View>> {
        self.driver.reaches(after.saturating_add(1)).await;
        Ok(self.driver.view())
    }

    async fn stage(&self, spec: SegmentSpec) -> Result<Box<dyn SegmentWriter>> {
        let owner = spec.job.map_or(Owner::Anybody, |(log, generation)| {
            Owner::Job(log, generation)
        });
        self.stage_as(&owner, spec).await
    }

    async fn read(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
        options: ReadOptions,
    ) -> Result<BatchStream> {
        let view = if through <= self.driver.view().head() {
            self.driver.view()
        } else {
            self.refresh().await?
        };
        let schema = self.schema();
        read::partition(
            Arc::clone(&self.driver),
            &view,
            read::Request {
                partition,
                from,
                through,
                options,
                schema,
            },
        )
    }
}
