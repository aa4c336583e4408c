//! One incarnation of a job on its engine.
//!
//! Invariant: what an incarnation reports as finished is committed.

use super::build::Built;
use super::record::{Counts, JobRecord};
use crate::metrics::Metrics;
use flinkspark_engine::{batch, stream};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::lineage::{Edge, SlotRange};
use flinkspark_model::log::{Slot, View, WriterName};
use flinkspark_model::port::{Catalog, Clock, Dataset, Datasets, Entropy, Reference};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

/// How often progress is reported.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// What incarnations work with.
#[derive(Clone)]
pub struct Engines {
    /// Opens logs.
    pub datasets: Arc<dyn Datasets>,
    /// Is told of commits and lineage.
    pub catalog: Arc<dyn Catalog>,
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// Makes incarnations unique.
    pub entropy: Arc<dyn Entropy>,
    /// Shows how far jobs are.
    pub metrics: Arc<Metrics>,
    /// A folder for what lives no longer than a comparison.
    pub scratch: PathBuf,
}

/// What an incarnation is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Go on.
    Run,
    /// Let go at a checkpoint: the server stops.
    Suspend,
    /// End for good at a checkpoint.
    Stop,
    /// Fire what is open, then end for good.
    Drain,
}

/// How an incarnation ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// All input was read and all output is committed.
    Finished,
    /// It goes on at the next start.
    Suspended,
    /// Stopped by request.
    Stopped,
}

/// How far a job came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Rows.
    pub counts: Counts,
    /// Which incarnation is at work.
    pub generation: u64,
    /// The event time up to which results are complete.
    pub watermark_ms: Option<i64>,
    /// Rows of the input as a whole.
    pub rows_in_total: Option<u64>,
}

/// Runs a job until it has ended or is told to let go.
pub(super) async fn run(
    engines: &Engines,
    record: &JobRecord,
    built: Built,
    mut signals: watch::Receiver<Signal>,
    report: &(impl Fn(Progress) + Sync),
) -> Result<Ended> {
    // What was asked before this incarnation began is heard by it too.
    signals.mark_changed();
    let ended = match built {
        Built::Stream(program) => stream(engines, record, program, signals, report).await,
        Built::Batch {
            session,
            plan,
            inputs,
        } => {
            let run = batch::Run {
                id: record.id.to_string(),
                incarnation: incarnation(engines),
                plan,
                inputs,
                rows_out: Arc::new(AtomicU64::new(0)),
            };
            batch(engines, record, &session, run, signals, report).await
        }
    };
    // Whatever happened, the catalogue learns what is committed: for data the log decides.
    let told = publish(engines, record).await;
    let ended = ended?;
    told?;
    if ended != Ended::Suspended {
        trace(engines, record).await?;
    }
    Ok(ended)
}

async fn stream(
    engines: &Engines,
    record: &JobRecord,
    program: stream::program::Program,
    mut signals: watch::Receiver<Signal>,
    report: &(impl Fn(Progress) + Sync),
) -> Result<Ended> {
    let job = record.options.stream(&record.id).build(
        program,
        Arc::clone(&engines.datasets),
        Arc::clone(&engines.clock),
        Arc::clone(&engines.entropy),
    )?;
    let handle = job.handle();
    // A task of its own: while this one waits for a log, the job must be able to let go of it.
    let mut running = JoinSet::new();
    running.spawn(job.run(std::future::pending()));
    let mut ticks = tokio::time::interval(REPORT_EVERY);
    let mut advanced = 0;
    let mut told = Signal::Run;
    loop {
        tokio::select! {
            Some(ended) = running.join_next() => {
                report(progress(&handle.status()));
                return Ok(match (ended.map_err(broken)??, told) {
                    (stream::Ended::Finished, Signal::Run | Signal::Suspend) => Ended::Finished,
                    (stream::Ended::Finished, Signal::Stop | Signal::Drain) => Ended::Stopped,
                    (stream::Ended::Suspended, Signal::Stop | Signal::Drain) => Ended::Stopped,
                    (stream::Ended::Suspended, Signal::Run | Signal::Suspend) => Ended::Suspended,
                });
            }
            changed = signals.changed(), if told == Signal::Run => {
                told = if changed.is_ok() { *signals.borrow_and_update() } else { Signal::Suspend };
                match told {
                    Signal::Run => {}
                    Signal::Suspend | Signal::Stop => handle.suspend(),
                    Signal::Drain => handle.drain(),
                }
            }
            _ = ticks.tick() => {
                let status = handle.status();
                report(progress(&status));
                gauge(engines, record, &progress(&status).counts);
                if status.checkpoint > advanced {
                    advanced = status.checkpoint;
                    // Readers of the feed hear of it now; the end and the next start tell it again.
                    if let Err(error) = publish(engines, record).await {
                        tracing::warn!(job = %record.id, %error, "the catalogue could not be told of a commit");
                    }
                }
            }
        }
    }
}

async fn batch(
    engines: &Engines,
    record: &JobRecord,
    session: &datafusion::prelude::SessionContext,
    run: batch::Run,
    mut signals: watch::Receiver<Signal>,
    report: &(impl Fn(Progress) + Sync),
) -> Result<Ended> {
    let output = engines
        .catalog
        .lookup(&Reference::Id(record.output))
        .await?;
    let target = engines
        .datasets
        .dataset(output.id, Arc::clone(&output.schema))
        .await?;
    let rows_in = rows_in(engines, &run.inputs).await?;
    let rows_out = Arc::clone(&run.rows_out);
    let shown = |rows_out| Progress {
        counts: Counts {
            rows_in,
            rows_out,
            ..Counts::default()
        },
        rows_in_total: Some(rows_in),
        ..Progress::default()
    };
    let committed = {
        let mut running = std::pin::pin!(run.clone().execute(session, &target));
        let mut ticks = tokio::time::interval(REPORT_EVERY);
        loop {
            tokio::select! {
                biased;
                // A batch run has no checkpoint to let go at: it is dropped, and its retry is idempotent.
                changed = signals.changed() => match *signals.borrow_and_update() {
                    Signal::Run if changed.is_ok() => {}
                    Signal::Run | Signal::Suspend => return Ok(Ended::Suspended),
                    Signal::Stop | Signal::Drain => break None,
                },
                outcome = &mut running => break Some(outcome?),
                _ = ticks.tick() => report(shown(rows_out.load(Ordering::Relaxed))),
            }
        }
    };
    // Its commit may have been on its way when it was dropped.
    let committed = match committed {
        Some(outcome) => Some(outcome),
        None => run.give_up(&target).await?,
    };
    let Some(outcome) = committed else {
        // What was counted on the way was never committed.
        report(Progress::default());
        return Ok(Ended::Stopped);
    };
    let counts = Counts {
        rows_in,
        rows_out: outcome.rows,
        checkpoint: 1,
        rows_late: 0,
    };
    report(Progress {
        counts,
        ..shown(outcome.rows)
    });
    gauge(engines, record, &counts);
    Ok(Ended::Finished)
}

async fn rows_in(engines: &Engines, inputs: &[SlotRange]) -> Result<u64> {
    let mut rows = 0;
    for input in inputs {
        let epochs = view(engines, input.dataset)
            .await?
            .as_of(input.first, input.last);
        let segments = epochs.iter().flat_map(|epoch| &epoch.segments);
        rows += segments.map(|segment| segment.rows).sum::<u64>();
    }
    Ok(rows)
}

/// Tells the catalogue of the heads of the job's outputs.
async fn publish(engines: &Engines, record: &JobRecord) -> Result<()> {
    for id in outputs(record) {
        let view = view(engines, id).await?;
        let (rows, _, _) = view.totals();
        engines
            .catalog
            .advance(id, view.head(), rows, view.watermark_ms())
            .await?;
    }
    Ok(())
}

/// Records what the job's slots were made from: what the last of them says, once there are no more.
async fn trace(engines: &Engines, record: &JobRecord) -> Result<()> {
    let prefix = format!("{}/", record.id);
    let ours = |name: &WriterName| {
        name.as_str() == record.id.as_str() || name.as_str().starts_with(&prefix)
    };
    for id in outputs(record) {
        let log = log(engines, id).await?;
        let view = log.refresh().await?;
        let writers = view.writers().filter(|(name, _)| ours(name));
        let slots: Vec<SlotNo> = writers
            .flat_map(|(_, state)| state.commits.values().map(|commit| commit.slot))
            .collect();
        let (Some(first), Some(last)) = (slots.iter().min(), slots.iter().max()) else {
            continue;
        };
        let Slot::Epoch(commit) = log.slot(*last).await?.body else {
            continue;
        };
        for from in commit.lineage {
            let to = SlotRange {
                dataset: id,
                first: *first,
                last: *last,
            };
            let run = record.id.to_string();
            engines.catalog.add_edge(Edge { from, to, run }).await?;
        }
    }
    Ok(())
}

fn outputs(record: &JobRecord) -> impl Iterator<Item = DatasetId> {
    [Some(record.output), record.late].into_iter().flatten()
}

async fn log(engines: &Engines, id: DatasetId) -> Result<Arc<dyn Dataset>> {
    let dataset = engines.catalog.lookup(&Reference::Id(id)).await?;
    engines
        .datasets
        .dataset(id, Arc::clone(&dataset.schema))
        .await
}

async fn view(engines: &Engines, id: DatasetId) -> Result<Arc<View>> {
    log(engines, id).await?.refresh().await
}

fn progress(status: &stream::Status) -> Progress {
    Progress {
        counts: Counts {
            rows_in: status.totals.rows_read,
            rows_out: status.totals.rows_written,
            rows_late: status.totals.rows_late,
            checkpoint: status.checkpoint,
        },
        generation: status.generation,
        watermark_ms: status.watermark_ms,
        rows_in_total: None,
    }
}

fn gauge(engines: &Engines, record: &JobRecord, counts: &Counts) {
    let shown = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    let labels = [record.id.as_str()];
    engines
        .metrics
        .job_rows_in
        .with_label_values(&labels)
        .set(shown(counts.rows_in));
    engines
        .metrics
        .job_rows_late
        .with_label_values(&labels)
        .set(shown(counts.rows_late));
    engines
        .metrics
        .job_checkpoint
        .with_label_values(&labels)
        .set(shown(counts.checkpoint));
}

fn broken(cause: JoinError) -> Error {
    Error::new(
        Kind::Internal,
        "FS0018",
        "a service ended without an answer",
    )
    .with_source(cause)
}

fn incarnation(engines: &Engines) -> String {
    let mut bytes = [0; 16];
    engines.entropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
