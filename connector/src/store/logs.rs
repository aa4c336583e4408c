//! Opens the logs in a store.
//!
//! A dataset's log lies below `datasets/ID`, a job's below `jobs/ID`: `log/NUMBER.slot`,
//! `segments/NAME.EXTENSION`, `txn/ID.json`. Invariant: within a process a log has one driver, so
//! that tasks share what was read.

use super::dataset::LogDataset;
use super::job::JobLog;
use super::log::Driver;
use super::shared::{Settings, Shared};
use super::signer::Signer;
use super::{Key, Store};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use flinkspark_model::Result;
use flinkspark_model::budget::{Budget, Share};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{LogId, SegmentRef};
use flinkspark_model::port::{Clock, Dataset, Datasets, Entropy, Heads, Leaving, Log};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Logs whose folded slots are kept in memory while nobody uses them.
pub const LOGS_CACHED_MAX: usize = 1024;

/// The logs in a store. Cheap to clone.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    drivers: Mutex<HashMap<Key, Arc<Driver>>>,
}

impl Logs {
    /// Opens the logs in a store, making its signing key where there is none.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
    ) -> Result<Self> {
        let writers = Budget::unlimited().share("writers", u64::MAX);
        Self::open_with(store, clock, entropy, settings, None, writers).await
    }

    /// Like [`Logs::open`]; a dataset's log that holds less than `heads` knows of it, or something
    /// else, is refused (`FS1050`) wherever it is opened. Segments' writers join rows to large batches as far as
    /// `writers` has room for what they keep.
    pub async fn open_known(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
        heads: Arc<dyn Heads>,
        writers: Share,
    ) -> Result<Self> {
        Self::open_with(store, clock, entropy, settings, Some(heads), writers).await
    }

    async fn open_with(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
        heads: Option<Arc<dyn Heads>>,
        writers: Share,
    ) -> Result<Self> {
        let signer = Signer::open(&*store, &*entropy).await?;
        let opened_at_ms = clock.now_ms();
        let shared = Arc::new(Shared {
            store,
            clock,
            entropy,
            signer,
            settings,
            opened_at_ms,
            heads,
            writers,
        });
        Ok(Self(Arc::new(Inner {
            shared,
            drivers: Mutex::default(),
        })))
    }

    /// Signs with the data directory's key.
    pub fn signer(&self) -> &Signer {
        &self.0.shared.signer
    }

    /// A dataset's log; like [`Datasets::dataset`], as the concrete type.
    pub async fn open_dataset(&self, id: DatasetId, schema: SchemaRef) -> Result<LogDataset> {
        let driver = self.dataset_driver(id)?;
        driver.refresh().await?;
        Ok(LogDataset::new(driver, schema))
    }

    /// Recomputes a segment's digest from its rows; anything but what its log says is `Data`.
    pub async fn verify_segment(&self, id: DatasetId, segment: &SegmentRef) -> Result<()> {
        let driver = self.dataset_driver(id)?;
        super::read::verify(&driver, segment).await
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(super) fn dataset_driver(&self, id: DatasetId) -> Result<Arc<Driver>> {
        self.driver(id.into(), Some(id))
    }

    pub(super) fn job_driver(&self, id: LogId) -> Result<Arc<Driver>> {
        self.driver(id, None)
    }

    /// Lets go of what is kept in memory of a dataset whose files are gone.
    pub(super) fn forget(&self, root: &Key) {
        let mut drivers = self
            .0
            .drivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drivers.remove(root);
    }

    /// Lets go of what is kept in memory of a job whose log is gone.
    pub fn forget_job(&self, id: LogId) {
        if let Ok(root) = Key::new("jobs").and_then(|jobs| jobs.join(id)) {
            self.forget(&root);
        }
    }

    fn driver(&self, id: LogId, dataset: Option<DatasetId>) -> Result<Arc<Driver>> {
        let kind = if dataset.is_some() {
            "datasets"
        } else {
            "jobs"
        };
        let root = Key::new(kind)?.join(id)?;
        let mut drivers = self
            .0
            .drivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(driver) = drivers.get(&root) {
            return Ok(Arc::clone(driver));
        }
        if drivers.len() >= LOGS_CACHED_MAX {
            drivers.retain(|_, driver| Arc::strong_count(driver) > 1);
        }
        let driver = Arc::new(Driver::new(
            id,
            dataset,
            root.clone(),
            Arc::clone(&self.0.shared),
        ));
        drivers.insert(root, Arc::clone(&driver));
        Ok(driver)
    }
}

#[async_trait]
impl Datasets for Logs {
    async fn dataset(&self, id: DatasetId, schema: SchemaRef) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(self.open_dataset(id, schema).await?))
    }

    async fn job(&self, id: LogId) -> Result<Arc<dyn Log>> {
        let driver = self.job_driver(id)?;
        driver.refresh().await?;
        Ok(Arc::new(JobLog::new(driver)))
    }

    async fn leave(&self, dataset: &flinkspark_model::dataset::Dataset) -> Result<Leaving> {
        self.bury(dataset).await
    }
}
