//! Starts checkpoints, completes them, and ends the job.
//!
//! One checkpoint is on its way at a time: its barrier goes out only when the epochs of the one
//! before are committed, so at most one epoch per output is pending. Invariant: a manifest is
//! committed when every subtask has acknowledged, and epochs are committed only after their
//! manifest.

use super::checkpoint::{BODY_VERSION, Body, Progress};
use super::counts::Totals;
use super::error::{gone, injected, panicked};
use super::handle::{Meters, Phase, Stop};
use super::message::{After, Barrier};
use super::report::{Ack, Report};
use super::source::Order;
use super::takeover::{Output, output_of};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::log::{
    Commit, Generation, Intent, Manifest, Pending, SegmentRef, WriterName,
};
use flinkspark_model::port::{Clock, Log};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Result, fault};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has read everything, and everything is committed.
    Finished,
    /// It stopped at a checkpoint; the next start goes on.
    Suspended,
}

/// What does not change while a job runs.
pub(crate) struct Facts {
    pub(crate) run: String,
    pub(crate) program: String,
    pub(crate) generation: Generation,
    pub(crate) writer: WriterName,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) source: (String, DatasetId),
    pub(crate) through: SlotNo,
    pub(crate) base: Totals,
    pub(crate) interval: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) meters: Arc<Meters>,
}

/// The coordinator of one incarnation.
pub(crate) struct Coordinator {
    pub(crate) facts: Facts,
    /// One per source subtask.
    pub(crate) orders: Vec<mpsc::Sender<Order>>,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) tasks: JoinSet<Result<()>>,
    pub(crate) subtasks: usize,
    pub(crate) stop: watch::Receiver<Stop>,
    /// The last completed checkpoint.
    pub(crate) completed: u64,
}

/// A checkpoint on its way.
struct InFlight {
    barrier: Barrier,
    acks: Vec<Ack>,
}

impl Coordinator {
    /// Runs the job to its end, or until `shutdown` asks for a suspension.
    pub(crate) async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<Ended> {
        let ended = self.coordinate(shutdown).await;
        // After an error no subtask may go on staging; after a good end none is left.
        self.tasks.shutdown().await;
        ended
    }

    async fn coordinate(&mut self, shutdown: impl Future<Output = ()>) -> Result<Ended> {
        let mut shutdown = std::pin::pin!(shutdown);
        // It may have been asked before the job was under way.
        let mut asked = *self.stop.borrow_and_update();
        let mut drained = false;
        let mut sources_ended = 0;
        let mut in_flight: Option<InFlight> = None;
        let mut next_at = Instant::now() + self.facts.interval;
        loop {
            let all_ended = sources_ended == self.orders.len();
            if asked == Stop::Drain && !std::mem::replace(&mut drained, asked == Stop::Drain) {
                self.order(Order::Drain).await;
            }
            if in_flight.is_none() {
                let due = match asked {
                    _ if all_ended => Some(After::Finish),
                    Stop::Suspend => Some(After::Suspend),
                    _ if Instant::now() >= next_at => Some(After::Continue),
                    _ => None,
                };
                if let Some(after) = due {
                    in_flight = Some(self.trigger(after).await?);
                    next_at = Instant::now() + self.facts.interval;
                }
            }
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => failure(ended)?,
                report = self.reports.recv() => match report {
                    Some(Report::DataEnded) => sources_ended += 1,
                    Some(Report::Ack(ack)) => {
                        let Some(complete) = self.acknowledged(&mut in_flight, *ack?) else { continue };
                        let after = complete.barrier.after;
                        self.complete(complete).await?;
                        match after {
                            After::Continue => {}
                            After::Suspend => return self.end(Ended::Suspended).await,
                            After::Finish => return self.end(Ended::Finished).await,
                        }
                    }
                    None => return Err(gone()),
                },
                () = &mut shutdown, if asked == Stop::No => asked = Stop::Suspend,
                Ok(()) = self.stop.changed(), if asked != Stop::Drain => asked = *self.stop.borrow_and_update(),
                () = tokio::time::sleep_until(next_at), if in_flight.is_none() => {}
            }
        }
    }

    async fn order(&self, order: Order) {
        for source in &self.orders {
            // A source that is gone has failed, and its task says why.
            let _ = source.send(order).await;
        }
    }

    async fn trigger(&self, after: After) -> Result<InFlight> {
        fault::reach("checkpoint.barrier").map_err(injected)?;
        if after != After::Continue {
            self.facts
                .meters
                .update(|status| status.phase = Phase::Stopping);
        }
        let barrier = Barrier {
            checkpoint: self.completed + 1,
            after,
        };
        self.order(Order::Barrier(barrier)).await;
        Ok(InFlight {
            barrier,
            acks: Vec::with_capacity(self.subtasks),
        })
    }

    fn acknowledged(&self, in_flight: &mut Option<InFlight>, ack: Ack) -> Option<InFlight> {
        let current = in_flight
            .as_mut()
            .filter(|current| current.barrier.checkpoint == ack.checkpoint)?;
        current.acks.push(ack);
        if current.acks.len() < self.subtasks {
            return None;
        }
        in_flight.take()
    }

    /// Commits the manifest, then the epochs.
    async fn complete(&mut self, checkpoint: InFlight) -> Result<()> {
        let n = checkpoint.barrier.checkpoint;
        let commit = self.manifest(checkpoint).await?;
        let pending = commit
            .manifest
            .as_ref()
            .map(|manifest| manifest.pending.clone())
            .unwrap_or_default();
        fault::reach("checkpoint.manifest.before").map_err(injected)?;
        self.facts.log.append(Intent::Commit(commit)).await?;
        fault::reach("checkpoint.manifest.done").map_err(injected)?;
        for epoch in pending {
            let output = output_of(&self.facts.outputs, epoch.log)?;
            fault::reach("checkpoint.commit.before").map_err(injected)?;
            output.dataset.append(Intent::Commit(epoch.commit)).await?;
            fault::reach("checkpoint.commit.done").map_err(injected)?;
        }
        self.completed = n;
        let now = self.facts.clock.now_ms();
        self.facts.meters.update(|status| {
            status.checkpoint = n;
            status.checkpoint_at_ms = Some(now);
        });
        Ok(())
    }

    /// The commit to the job's log that completes the checkpoint.
    async fn manifest(&self, checkpoint: InFlight) -> Result<Commit> {
        let InFlight { barrier, acks } = checkpoint;
        let body = self.body(barrier, &acks);
        let mut pending = Vec::with_capacity(self.facts.outputs.len());
        for (index, output) in self.facts.outputs.iter().enumerate() {
            let mut segments: Vec<SegmentRef> = acks
                .iter()
                .flat_map(|ack| &ack.segments)
                .filter(|(of, _)| *of == index)
                .map(|(_, segment)| segment.clone())
                .collect();
            segments.sort_by_key(|segment| segment.partition);
            let view = output.dataset.refresh().await?;
            let watermark_ms = output
                .has_watermark
                .then(|| sink_watermark(&acks))
                .flatten();
            let commit = Commit {
                writer: output.writer.clone(),
                schema_version: view.schema_version(),
                watermark_ms,
                segments,
                ..self.commit(barrier.checkpoint, &body)
            };
            pending.push(Pending {
                log: output.dataset.id(),
                commit,
            });
        }
        Ok(Commit {
            watermark_ms: sink_watermark(&acks),
            segments: body
                .states
                .iter()
                .map(|state| state.segment.clone())
                .collect(),
            manifest: Some(Manifest {
                pending,
                body: body.encode()?,
            }),
            ..self.commit(barrier.checkpoint, &body)
        })
    }

    fn body(&self, barrier: Barrier, acks: &[Ack]) -> Body {
        let mut partitions: Vec<Progress> =
            acks.iter().flat_map(|ack| ack.progress.clone()).collect();
        partitions.sort_by_key(|progress| progress.partition);
        Body {
            version: BODY_VERSION,
            program: self.facts.program.clone(),
            finished: barrier.after == After::Finish,
            through: self.facts.through,
            partitions,
            states: acks.iter().flat_map(|ack| ack.states.clone()).collect(),
            totals: acks
                .iter()
                .fold(self.facts.base, |totals, ack| totals.plus(&ack.counters)),
        }
    }

    /// What the job's commit and its outputs' commits have in common.
    fn commit(&self, n: u64, body: &Body) -> Commit {
        let (source, dataset) = &self.facts.source;
        // A result may depend on every row read so far, so lineage reaches back to the start.
        let read = body
            .partitions
            .iter()
            .map(|progress| progress.next.slot)
            .max();
        let lineage = read.filter(|last| *last > 0).map(|last| SlotRange {
            dataset: *dataset,
            first: 1,
            last: last.min(self.facts.through),
        });
        Commit {
            writer: self.facts.writer.clone(),
            generation: self.facts.generation,
            n,
            token: None,
            run: self.facts.run.clone(),
            source_offsets: body.offsets(source),
            schema_version: 1,
            watermark_ms: None,
            checkpoint_ref: Some(format!("{}/{n}", self.facts.run)),
            lineage: lineage.into_iter().collect(),
            segments: Vec::new(),
            manifest: None,
        }
    }

    async fn end(&mut self, ended: Ended) -> Result<Ended> {
        while let Some(task) = self.tasks.join_next().await {
            failure(task)?;
        }
        Ok(ended)
    }
}

/// The least watermark of the sink's subtasks; `None` while one of them has none.
fn sink_watermark(acks: &[Ack]) -> Option<i64> {
    let sinks = acks.iter().filter(|ack| ack.is_sink);
    sinks.map(|ack| ack.sink_watermark_ms).min().flatten()
}

fn failure(ended: std::result::Result<Result<()>, JoinError>) -> Result<()> {
    ended.unwrap_or_else(|cause| Err(panicked().with_source(cause)))
}
