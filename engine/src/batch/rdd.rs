//! RDD-like handles: partitions of committed slots that can be lost and computed again.
//!
//! Invariant: the lineage id names the dataset, the slots and the columns, so equal ids have equal rows.

use super::cache::{Cache, Lookup, digest};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::handle::{RddPartition, StorageLevel};
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::port::{Dataset, ReadOptions};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::recovery::Determinism;
use flinkspark_model::{Error, Kind, Result, recovery};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a partition is computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dependency {
    /// From committed slots: a root, below which nothing is ever recomputed.
    Root(SlotRange),
}

/// The rows of some slots of a dataset, by partition.
#[derive(Clone)]
pub struct Rdd {
    id: Arc<str>,
    dataset: Arc<dyn Dataset>,
    range: SlotRange,
    columns: Option<Arc<[usize]>>,
    schema: SchemaRef,
    partitions: Arc<[RddPartition]>,
    cache: Option<(Arc<Cache>, StorageLevel)>,
}

impl Rdd {
    /// The handle over the epochs of the slots `first..=last`, as they stood at `last`.
    ///
    /// Errors: `Data` where a slot of the range has expired.
    pub async fn of_slots(dataset: Arc<dyn Dataset>, first: SlotNo, last: SlotNo) -> Result<Self> {
        let view = dataset.refresh().await?;
        if first <= view.horizon() {
            return Err(Error::new(
                Kind::Data,
                "FS0703",
                format!("slots up to {} have expired", view.horizon()),
            )
            .with_detail(format!(
                "the handle asks for slots {first} to {last} of dataset {}",
                dataset.id()
            ))
            .with_hint("begin after the horizon, or read a snapshot that was kept"));
        }
        let mut rows: BTreeMap<u32, u64> = BTreeMap::from([(0, 0)]);
        for segment in view
            .as_of(first, last)
            .iter()
            .flat_map(|epoch| &epoch.segments)
        {
            *rows.entry(segment.partition).or_default() += segment.rows;
        }
        let highest = rows.last_key_value().map_or(0, |(index, _)| *index);
        let partition = |index| RddPartition {
            index,
            rows: rows.get(&index).copied().unwrap_or(0),
            preferred_locations: Vec::new(),
        };
        let range = SlotRange {
            dataset: flinkspark_model::dataset::DatasetId(dataset.id().0),
            first,
            last,
        };
        Ok(Self {
            id: format!("{}@{first}-{last}", dataset.id()).into(),
            schema: dataset.schema(),
            partitions: (0..=highest).map(partition).collect(),
            dataset,
            range,
            columns: None,
            cache: None,
        })
    }

    /// The same rows with only these columns, by index.
    pub fn project(&self, columns: &[usize]) -> Result<Self> {
        let schema = self.schema.project(columns).map_err(|cause| {
            Error::new(
                Kind::Internal,
                "FS0704",
                "a projection names a column that is not there",
            )
            .with_source(cause)
        })?;
        let stored = |index: &usize| {
            self.columns
                .as_ref()
                .and_then(|now| now.get(*index))
                .copied()
                .unwrap_or(*index)
        };
        let columns: Vec<usize> = columns.iter().map(stored).collect();
        let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
        Ok(Self {
            id: format!(
                "{}@{}-{}[{}]",
                self.dataset.id(),
                self.range.first,
                self.range.last,
                names.join(",")
            )
            .into(),
            schema: Arc::new(schema),
            columns: Some(columns.into()),
            ..self.clone()
        })
    }

    /// Keeps partitions once they were computed; lineage is cut at the slots either way.
    #[must_use]
    pub fn persist(mut self, cache: Arc<Cache>, level: StorageLevel) -> Self {
        self.cache = (level != StorageLevel::None).then_some((cache, level));
        self
    }

    /// Names these rows.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the partitions are computed from.
    pub fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Root(self.range)]
    }

    /// Reading committed slots gives the same rows every time.
    pub fn determinism(&self) -> Determinism {
        Determinism::Deterministic
    }

    /// The rows' schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The partitions, at least one.
    pub fn partitions(&self) -> &[RddPartition] {
        &self.partitions
    }

    /// The slots behind it.
    pub fn range(&self) -> SlotRange {
        self.range
    }

    /// The rows of one partition: from the cache where they are kept and sound, else computed.
    pub async fn iterate(&self, partition: u32) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let Some((cache, level)) = &self.cache else {
            return self.compute(partition).await;
        };
        let batches = match cache.get(&self.id, partition, &self.schema).await? {
            Lookup::Hit(batches) => batches,
            Lookup::Miss { why, lost } => {
                let batches: Vec<RecordBatch> =
                    self.compute(partition).await?.try_collect().await?;
                if let Some(lost) = lost {
                    let found = digest(&self.schema, &batches)?;
                    recovery::recomputed(self.determinism(), lost, found)?;
                }
                cache
                    .put(&self.id, partition, &self.schema, &batches, *level, why)
                    .await?;
                batches
            }
        };
        Ok(futures::stream::iter(batches.into_iter().map(Ok)).boxed())
    }

    /// The task of one partition: reads its slots.
    async fn compute(&self, partition: u32) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let options = ReadOptions {
            columns: self.columns.as_deref().map(Into::into),
            ..ReadOptions::default()
        };
        let from = Position::at_slot(self.range.first);
        let stream = self
            .dataset
            .read(partition, from, self.range.last, options)
            .await?;
        Ok(stream.map_ok(|positioned| positioned.batch).boxed())
    }
}

impl std::fmt::Debug for Rdd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rdd({} partitions={})", self.id, self.partitions.len())
    }
}
