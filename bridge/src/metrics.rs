//! What `/metrics` shows.
//!
//! Invariant: counters only rise while the process lives; names carry their unit.

use flinkspark_connector::store::Collected;
use flinkspark_model::budget::Budget;
use flinkspark_model::{Error, Kind, Result};
use prometheus::core::Collector;
use prometheus::{Encoder, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// The server's metrics.
pub struct Metrics {
    registry: Registry,
    /// Rows read by jobs, by job.
    pub job_rows_in: IntGaugeVec,
    /// Late rows, by job.
    pub job_rows_late: IntGaugeVec,
    /// The last complete checkpoint, by job.
    pub job_checkpoint: IntGaugeVec,
    garbage_segments: IntCounter,
    garbage_bytes: IntCounter,
    budget: Budget,
    memory_reserved: IntGaugeVec,
    garbage_waiting_bytes: IntGauge,
}

impl Metrics {
    /// Registers every metric; what is reserved in the budget is shown too.
    pub fn new(budget: Budget) -> Result<Self> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntGaugeVec> {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let build = || -> prometheus::Result<Self> {
            let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
                let metric = IntCounter::new(name, help)?;
                registry.register(Box::new(metric.clone()))?;
                Ok(metric)
            };
            Ok(Self {
                job_rows_in: gauge(
                    "flinkspark_job_rows_in",
                    "Rows that a job has read",
                    &["job"],
                )?,
                job_rows_late: gauge(
                    "flinkspark_job_rows_late",
                    "Rows that came too late for their window",
                    &["job"],
                )?,
                job_checkpoint: gauge(
                    "flinkspark_job_checkpoint",
                    "A job's last complete checkpoint",
                    &["job"],
                )?,
                garbage_segments: counter(
                    "flinkspark_garbage_segments_total",
                    "Segments that were deleted because nothing reached them",
                )?,
                garbage_bytes: counter(
                    "flinkspark_garbage_bytes_total",
                    "The size of those segments",
                )?,
                memory_reserved: gauge(
                    "flinkspark_memory_reserved_bytes",
                    "Memory that is reserved in the process's budget, by what holds it",
                    &["share"],
                )?,
                budget: budget.clone(),
                garbage_waiting_bytes: {
                    let metric = IntGauge::new(
                        "flinkspark_garbage_waiting_bytes",
                        "What was taken out of datasets and is kept for readers for a while",
                    )?;
                    registry.register(Box::new(metric.clone()))?;
                    metric
                },
                registry: registry.clone(),
            })
        };
        build().map_err(failed)
    }

    /// Registers a metric that somebody else counts.
    pub(crate) fn keep<M: Collector + Clone + 'static>(
        &self,
        metric: prometheus::Result<M>,
    ) -> Result<M> {
        let registered = metric.and_then(|metric| {
            self.registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        });
        registered.map_err(failed)
    }

    /// Counts what a collection deleted.
    pub(crate) fn collected(&self, collected: Collected) {
        self.garbage_segments.inc_by(collected.deleted);
        self.garbage_bytes.inc_by(collected.bytes);
    }

    /// Says how many bytes wait for the end of a grace.
    pub(super) fn garbage_waits(&self, bytes: u64) {
        self.garbage_waiting_bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The text that a scraper reads.
    pub fn render(&self) -> Result<String> {
        for (share, bytes) in self.budget.shares() {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            self.memory_reserved.with_label_values(&[share]).set(bytes);
        }
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .map_err(failed)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn failed(cause: prometheus::Error) -> Error {
    Error::new(Kind::Internal, "FS0012", "the metrics cannot be shown").with_source(cause)
}
