//! One incarnation of a job on its engine.
//!
//! Invariant: what an incarnation reports as finished is committed.

use super::bind::Planner;
use super::build::Built;
use super::end::Counts;
use super::engines::Engines;
use super::outputs::{log, publish, rows_in, trace};
use super::record::{JobRecord, Target};
use crate::workers::Workers;
use flinkspark_engine::{batch, stream};
use flinkspark_model::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often progress is reported.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// How long a job that is stopped may take for a last checkpoint.
const STOP_PATIENCE: Duration = Duration::from_millis(1_000);
/// How long a job may take for a last checkpoint when its server stops.
const SUSPEND_PATIENCE: Duration = Duration::from_secs(15);

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
    /// Whether it has come further than where it started.
    pub(super) advanced: bool,
}

/// What one incarnation is made of.
pub(super) struct Incarnation<'a> {
    pub(super) engines: &'a Engines,
    pub(super) planner: &'a Planner,
    pub(super) record: &'a JobRecord,
    pub(super) signals: watch::Receiver<Signal>,
}

impl Incarnation<'_> {
    /// Builds and runs the job until it has ended or is told to let go. It computes on threads of its own.
    pub(super) async fn run(mut self, report: &(impl Fn(Progress) + Sync)) -> Result<Ended> {
        let ended = self.build_and_run(report).await;
        // Whatever happened, the catalogue learns what is committed: for data the log decides.
        let told = publish(self.engines, self.record).await;
        let ended = ended?;
        told?;
        if ended != Ended::Suspended {
            trace(self.engines, self.record).await?;
        }
        Ok(ended)
    }

    async fn build_and_run(&mut self, report: &(impl Fn(Progress) + Sync)) -> Result<Ended> {
        let workers = Workers::start(threads(self.record))?;
        let (planner, record) = (self.planner.clone(), self.record.clone());
        let building = workers.spawn(async move { planner.build(&record).await });
        let built = tokio::select! {
            biased;
            told = told_to_end(&mut self.signals) => return self.let_go(told, report).await,
            built = building => built,
        };
        // What was asked before the engine runs is heard there too.
        self.signals.mark_changed();
        match built {
            Ok(Built::Stream(program)) => self.stream(&workers, program, report).await,
            Ok(Built::Batch {
                session,
                plan,
                inputs,
                overwrites,
            }) => {
                let run = batch::Run {
                    id: self.record.id.to_string(),
                    incarnation: incarnation(self.engines),
                    plan: plan.logical,
                    rows_late: plan.rows_late,
                    inputs,
                    overwrites,
                    rows_out: Arc::new(AtomicU64::new(0)),
                };
                self.batch(&workers, session, run, report).await
            }
            // What an earlier incarnation promised is committed even if the job is not built any more.
            Err(refusal) => match self.promised(report).await? {
                Some(ended) => Ok(ended),
                None => Err(refusal),
            },
        }
    }

    /// Ends or lets go without a program.
    async fn let_go(&self, told: Signal, report: &(impl Fn(Progress) + Sync)) -> Result<Ended> {
        if told == Signal::Suspend {
            return Ok(Ended::Suspended);
        }
        match self.record.target {
            Target::Stream => Ok(self.promised(report).await?.unwrap_or(Ended::Stopped)),
            Target::Batch => {
                let target = log(self.engines, self.record.output).await?;
                let incarnation = incarnation(self.engines);
                let id = self.record.id.as_str();
                let outcome = batch::give_up(id, &incarnation, &target).await?;
                self.given_up(outcome, report).await
            }
        }
    }

    /// Commits what the latest checkpoint promised, and says how the job has ended, if it has.
    async fn promised(&self, report: &(impl Fn(Progress) + Sync)) -> Result<Option<Ended>> {
        let Engines {
            datasets, entropy, ..
        } = self.engines;
        match self.record.target {
            Target::Stream => {
                let options = self.record.options.stream(&self.record.id);
                let settled = options.settle(datasets.as_ref(), entropy.as_ref()).await?;
                report(settled_progress(&settled));
                Ok(settled.finished.then_some(Ended::Finished))
            }
            Target::Batch => {
                let target = log(self.engines, self.record.output).await?;
                match batch::outcome(self.record.id.as_str(), &target).await? {
                    Some(outcome) => self.given_up(Some(outcome), report).await.map(Some),
                    None => Ok(None),
                }
            }
        }
    }

    /// How a batch run ended that does not go on.
    async fn given_up(
        &self,
        outcome: Option<batch::Outcome>,
        report: &(impl Fn(Progress) + Sync),
    ) -> Result<Ended> {
        let Some(outcome) = outcome else {
            // What was counted on the way was never committed.
            report(Progress::default());
            return Ok(Ended::Stopped);
        };
        let counts = Counts {
            rows_out: outcome.rows,
            checkpoint: 1,
            ..Counts::default()
        };
        report(Progress {
            counts,
            ..Progress::default()
        });
        Ok(Ended::Finished)
    }

    async fn stream(
        &mut self,
        workers: &Workers,
        program: stream::program::Program,
        report: &(impl Fn(Progress) + Sync),
    ) -> Result<Ended> {
        let engines = self.engines;
        let options = stream::Options {
            memory: engines.stream_memory.clone(),
            ..self.record.options.stream(&self.record.id)
        };
        let job = options.build(
            program,
            Arc::clone(&engines.datasets),
            Arc::clone(&engines.clock),
            Arc::clone(&engines.entropy),
        )?;
        let handle = job.handle();
        let mut running = workers.spawn(job.run(std::future::pending()));
        let mut ticks = tokio::time::interval(REPORT_EVERY);
        let mut advanced = 0;
        let mut told = Signal::Run;
        let mut ends = false;
        let mut limit = None;
        loop {
            tokio::select! {
                ended = &mut running => {
                    report(progress(&handle.status()));
                    return Ok(match ended? {
                        stream::Ended::Suspended if !ends => Ended::Suspended,
                        _ if ends => Ended::Stopped,
                        _ => Ended::Finished,
                    });
                }
                changed = self.signals.changed(), if limit.is_none() => {
                    told = if changed.is_ok() { *self.signals.borrow_and_update() } else { Signal::Suspend };
                    ends |= matches!(told, Signal::Stop | Signal::Drain);
                    match told {
                        Signal::Run => {}
                        Signal::Suspend | Signal::Stop => handle.suspend(),
                        Signal::Drain => handle.drain(),
                    }
                    limit = patience(told).map(|patience| Instant::now() + patience);
                }
                // It does not come to its last checkpoint: what the one before promised counts.
                () = sleep_until(limit), if limit.is_some() => {
                    drop(running);
                    tracing::warn!(job = %self.record.id, "let go without a last checkpoint");
                    return self.let_go(told, report).await;
                }
                _ = ticks.tick() => {
                    let status = handle.status();
                    report(progress(&status));
                    gauge(engines, self.record, &progress(&status).counts);
                    if status.checkpoint > advanced {
                        advanced = status.checkpoint;
                        // Readers of the feed hear of it now; the end and the next start tell it again.
                        if let Err(error) = publish(engines, self.record).await {
                            tracing::warn!(job = %self.record.id, %error, "the catalogue could not be told of a commit");
                        }
                    }
                }
            }
        }
    }

    async fn batch(
        &mut self,
        workers: &Workers,
        session: datafusion::prelude::SessionContext,
        run: batch::Run,
        report: &(impl Fn(Progress) + Sync),
    ) -> Result<Ended> {
        let target = log(self.engines, self.record.output).await?;
        let rows_in = rows_in(self.engines, &run.inputs).await?;
        let rows_out = Arc::clone(&run.rows_out);
        let rows_late = run.rows_late.clone();
        let shown = |rows_out| Progress {
            counts: Counts {
                rows_in,
                rows_out,
                rows_late: rows_late.count(),
                ..Counts::default()
            },
            rows_in_total: Some(rows_in),
            ..Progress::default()
        };
        let into = Arc::clone(&target);
        let mut running = workers.spawn(async move { run.execute(&session, &into).await });
        let mut ticks = tokio::time::interval(REPORT_EVERY);
        let outcome = loop {
            tokio::select! {
                biased;
                // A batch run has no checkpoint to let go at: it is dropped, and its retry is idempotent. Its
                // commit may be on its way, and its tasks need not have ended.
                told = told_to_end_or_drain(&mut self.signals) => {
                    drop(running);
                    return self.let_go(told, report).await;
                }
                outcome = &mut running => break outcome?,
                _ = ticks.tick() => report(shown(rows_out.load(Ordering::Relaxed))),
            }
        };
        let counts = Counts {
            rows_in,
            rows_out: outcome.rows,
            checkpoint: 1,
            rows_late: rows_late.count(),
        };
        report(Progress {
            counts,
            ..shown(outcome.rows)
        });
        gauge(self.engines, self.record, &counts);
        Ok(Ended::Finished)
    }
}

/// Waits until the job is told to end or to let go before it has an engine that could drain it.
async fn told_to_end(signals: &mut watch::Receiver<Signal>) -> Signal {
    let told = signals.wait_for(|told| matches!(told, Signal::Suspend | Signal::Stop));
    told.await.map_or(Signal::Suspend, |told| *told)
}

/// Waits until a batch run is told to end, which knows nothing that could be drained, or to let go.
async fn told_to_end_or_drain(signals: &mut watch::Receiver<Signal>) -> Signal {
    let told = signals.wait_for(|told| *told != Signal::Run);
    told.await.map_or(Signal::Suspend, |told| *told)
}

/// How long a job may take for its last checkpoint.
fn patience(told: Signal) -> Option<Duration> {
    match told {
        Signal::Run | Signal::Drain => None,
        Signal::Stop => Some(STOP_PATIENCE),
        Signal::Suspend => Some(SUSPEND_PATIENCE),
    }
}

async fn sleep_until(limit: Option<Instant>) {
    if let Some(limit) = limit {
        tokio::time::sleep_until(limit).await;
    }
}

/// The threads of a job: its subtasks or partitions, before and after an exchange.
fn threads(record: &JobRecord) -> usize {
    2 * record.options.parallelism.unwrap_or(2) as usize
}

fn settled_progress(settled: &stream::Settled) -> Progress {
    Progress {
        counts: Counts {
            rows_in: settled.totals.rows_read,
            rows_out: settled.totals.rows_written,
            rows_late: settled.totals.rows_late,
            checkpoint: settled.checkpoint,
        },
        generation: settled.generation,
        ..Progress::default()
    }
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
        advanced: status.checkpoint > status.restored,
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

fn incarnation(engines: &Engines) -> String {
    let mut bytes = [0; 16];
    engines.entropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
