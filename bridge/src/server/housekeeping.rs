//! Ends transactions whose leases have run out, and deletes what nothing reaches any more.
//!
//! It decides nothing: the connector does, and may be asked at any time. Invariant: what one dataset
//! or job runs into keeps no other from its turn.

use super::metrics::Metrics;
use crate::jobs::Records;
use flinkspark_connector::store::{Collected, Logs, Transactions};
use flinkspark_model::Result;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::port::Catalog;
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

    /// Every dataset and every job once.
    async fn round(&self) {
        self.datasets().await;
        self.jobs().await;
    }

    async fn jobs(&self) {
        let jobs = match self.records.all().await {
            Ok(jobs) => jobs,
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

    async fn datasets(&self) {
        let mut after = None;
        loop {
            let page = match self.catalog.list("", after.as_ref(), PAGE).await {
                Ok(page) => page,
                Err(error) => return tracing::warn!(%error, "the datasets could not be listed"),
            };
            for dataset in &page.datasets {
                match self.dataset(dataset).await {
                    Ok(collected) => self.metrics.collected(collected),
                    Err(error) => {
                        tracing::warn!(dataset = %dataset.name, %error, "garbage was left for the next round");
                    }
                }
            }
            after = page.next;
            if after.is_none() {
                return;
            }
        }
    }

    async fn dataset(&self, dataset: &Dataset) -> Result<Collected> {
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
        let collected = self.logs.collect(dataset.id).await?;
        if collected.deleted > 0 {
            let (segments, bytes) = (collected.deleted, collected.bytes);
            tracing::info!(dataset = %dataset.name, segments, bytes, "deleted what nothing reaches");
        }
        Ok(collected)
    }
}
