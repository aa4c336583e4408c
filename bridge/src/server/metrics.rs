//! What `/metrics` shows.
//!
//! Invariant: counters only rise while the process lives; names carry their unit.

use flinkspark_model::{Error, Kind, Result};
use prometheus::{Encoder, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// The server's metrics.
pub struct Metrics {
    registry: Registry,
    /// Rows read by jobs, by job.
    pub job_rows_in: IntGaugeVec,
    /// Late rows, by job.
    pub job_rows_late: IntGaugeVec,
    /// The last complete checkpoint, by job.
    pub job_checkpoint: IntGaugeVec,
    /// Commits seen, by dataset.
    pub commits: IntCounterVec,
}

impl Metrics {
    /// Registers every metric.
    pub fn new() -> Result<Self> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntGaugeVec> {
            let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let build = || -> prometheus::Result<Self> {
            let commits = IntCounterVec::new(
                Opts::new(
                    "flinkspark_commits_total",
                    "Committed epochs that the catalogue was told of",
                ),
                &["dataset"],
            )?;
            registry.register(Box::new(commits.clone()))?;
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
                commits,
                registry: registry.clone(),
            })
        };
        build().map_err(failed)
    }

    /// The text that a scraper reads.
    pub fn render(&self) -> Result<String> {
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
