//! Ends transactions whose leases have run out, and deletes what nothing reaches any more.
//!
//! It decides nothing: the connector does, and may be asked at any time. Invariant: what one dataset
//! or job runs into keeps no other from its turn.

use crate::damage::{Damage, Object};
use crate::jobs::{JobId, Records};
use crate::metrics::Metrics;
use async_trait::async_trait;
use flinkspark_connector::store::{Buried, Collected, Grave, Holders, Logs, Transactions};
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::log::LogId;
use flinkspark_model::port::{Catalog, Datasets, Reference};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Kind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// The time between two rounds; the first begins when the server is ready.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// Datasets of one page of the catalogue.
const PAGE: usize = 100;

/// Keeps house until the server closes.
pub(super) struct Housekeeping {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) logs: Logs,
    pub(super) records: Records,
    pub(super) transactions: Arc<Transactions>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) damage: Damage,
}

impl Housekeeping {
    /// A round now and then. It ends when the server closes, in the middle of a round too.
    pub(super) async fn run(self, mut closing: watch::Receiver<bool>) -> Result<()> {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::select! {
            // An error means that the server is gone, which is a close as well.
            _ = closing.wait_for(|closing| *closing) => Ok(()),
            _ = async { loop { ticks.tick().await; self.round().await } } => Ok(()),
        }
    }

    /// Every dataset, every job and every grave once.
    async fn round(&self) {
        if let Err(error) = self.deleted_jobs().await {
            tracing::warn!(%error, "the files of deleted jobs were left for the next round");
        }
        let held = match self.held().await {
            Ok(held) => held,
            // Who reads what is not known: nothing is deleted.
            Err(error) => return tracing::warn!(%error, "the jobs could not be listed"),
        };
        self.metrics.garbage_waits(self.datasets(&held).await);
        self.jobs().await;
        self.graves(&held).await;
    }

    /// The files of jobs that were deleted go here, where nothing else reads them meanwhile.
    async fn deleted_jobs(&self) -> Result<()> {
        self.records.remove_deleted().await?;
        for log in self.records.deleted().await? {
            self.logs.forget_job(log);
        }
        Ok(())
    }

    /// What the jobs that go on hold.
    async fn held(&self) -> Result<Held<'_>> {
        let (mut pins, mut ids) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        let found = self.records.all().await?;
        if let Some(job) = found.damaged.into_iter().next() {
            return Err(job.error);
        }
        for job in found.records {
            if !self.records.ended_for_good(&job.id).await? {
                for input in &job.inputs {
                    pins.entry(input.dataset).or_default().push(input.through);
                }
                for output in std::iter::once(job.output).chain(job.late) {
                    pins.entry(output).or_default();
                }
            }
            ids.insert(job.id.log(), job.id);
        }
        Ok(Held {
            records: &self.records,
            pins,
            ids,
            deleted: self.records.deleted().await?,
        })
    }

    /// Datasets that were dropped: their files go once nobody can be at them any more.
    async fn graves(&self, held: &Held<'_>) {
        let graves = match self.logs.graves().await {
            Ok(graves) => graves,
            Err(error) => return tracing::warn!(%error, "what was dropped could not be listed"),
        };
        for grave in graves {
            match self.grave(&grave, held).await {
                Ok(Buried::Gone { files, bytes }) => {
                    let collected = Collected {
                        deleted: files,
                        bytes,
                        ..Collected::default()
                    };
                    self.metrics.collected(collected);
                    tracing::info!(dataset = %grave.name, id = %grave.dataset, files, bytes, "deleted what was dropped");
                }
                Ok(Buried::Lives | Buried::Waits { .. }) => {}
                Err(error) => {
                    tracing::warn!(dataset = %grave.name, %error, "what was dropped was left for the next round");
                }
            }
        }
    }

    async fn grave(&self, grave: &Grave, held: &Held<'_>) -> Result<Buried> {
        let known = match self.catalog.lookup(&Reference::Id(grave.dataset)).await {
            Ok(dataset) => Some(dataset.version),
            Err(error) if error.kind() == Kind::NotFound => None,
            Err(error) => return Err(error),
        };
        let held = held.pins.contains_key(&grave.dataset);
        self.logs.collect_dropped(grave, known, held).await
    }

    async fn jobs(&self) {
        let jobs = match self.records.all().await {
            Ok(found) => found.records,
            Err(error) => return tracing::warn!(%error, "the jobs could not be listed"),
        };
        for job in jobs {
            match self.logs.collect_job(job.id.log()).await {
                Ok(collected) => self.metrics.collected(collected),
                Err(error) => {
                    tracing::warn!(job = %job.id, %error, "old state was left for the next round");
                }
            }
        }
    }

    /// The bytes that wait for the end of a grace.
    async fn datasets(&self, held: &Held<'_>) -> u64 {
        let (mut after, mut waiting) = (None, 0);
        loop {
            let page = match self.catalog.list("", after.as_ref(), PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "the datasets could not be listed");
                    return waiting;
                }
            };
            for dataset in &page.datasets {
                let object = || Object::Dataset(dataset.id, dataset.name.to_string());
                match self.damage.seen(object, self.dataset(dataset, held).await) {
                    Ok(collected) => {
                        waiting += collected.waiting_bytes;
                        self.metrics.collected(collected);
                    }
                    Err(error) => {
                        tracing::warn!(dataset = %dataset.name, %error, "garbage was left for the next round");
                    }
                }
            }
            after = page.next;
            if after.is_none() {
                return waiting;
            }
        }
    }

    async fn dataset(&self, dataset: &Dataset, held: &Held<'_>) -> Result<Collected> {
        match self.transactions.expire(dataset.id).await {
            Ok(expired) => {
                for transaction in expired {
                    tracing::info!(dataset = %dataset.name, %transaction, "its lease has run out: aborted");
                }
            }
            // What a verdict needs of transactions is in the log.
            Err(error) => {
                tracing::warn!(dataset = %dataset.name, %error, "its transactions could not be ended");
            }
        }
        self.catch_up(dataset).await?;
        let collected = self.logs.collect(dataset.id, held).await?;
        if collected.deleted > 0 {
            let (segments, bytes) = (collected.deleted, collected.bytes);
            tracing::info!(dataset = %dataset.name, segments, bytes, "deleted what nothing reaches");
        }
        if collected.waiting > 0 {
            let (segments, bytes) = (collected.waiting, collected.waiting_bytes);
            tracing::debug!(dataset = %dataset.name, segments, bytes, "what was taken out waits for its grace");
        }
        Ok(collected)
    }

    /// Tells the catalogue of slots that it was not told of when they were written.
    async fn catch_up(&self, dataset: &Dataset) -> Result<()> {
        let schema = Arc::clone(&dataset.schema);
        let view = self
            .logs
            .dataset(dataset.id, schema)
            .await?
            .refresh()
            .await?;
        if view.head() == 0 {
            return Ok(());
        }
        let (rows, _, _) = view.totals();
        self.catalog
            .advance(dataset.id, view.head(), rows, view.watermark_ms())
            .await
    }
}

/// What jobs hold.
struct Held<'a> {
    records: &'a Records,
    /// The slots to which jobs that go on are pinned, and the datasets that they write.
    pins: BTreeMap<DatasetId, Vec<SlotNo>>,
    /// Every job by its log.
    ids: BTreeMap<LogId, JobId>,
    /// The logs of those that were deleted: they had ended for good.
    deleted: BTreeSet<LogId>,
}

#[async_trait]
impl Holders for Held<'_> {
    async fn pins(&self, dataset: DatasetId) -> Result<Vec<SlotNo>> {
        Ok(self.pins.get(&dataset).cloned().unwrap_or_default())
    }

    async fn has_ended(&self, job: LogId) -> Result<bool> {
        match self.ids.get(&job) {
            Some(id) => self.records.ended_for_good(id).await,
            None => Ok(self.deleted.contains(&job)),
        }
    }
}
