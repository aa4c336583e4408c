//! One subtask: reads its input, runs its chain, and sends on what follows.
//!
//! At a barrier the state is frozen and the barrier sent on at once; encoding, staging and
//! sealing go on beside the rows that follow, and the acknowledgement comes when all is durable.
//! Invariant: what a subtask acknowledges holds the effect of exactly the rows before the barrier.

use super::checkpoint::{FrozenState, StateFile, encode_state};
use super::counts::Counters;
use super::error::{injected, panicked};
use super::exchange::Exchange;
use super::gate::{Gate, Input};
use super::handle::Meters;
use super::message::{Barrier, Message, NO_WATERMARK, Watermark};
use super::operator::{Chain, Event, Output};
use super::report::{Ack, Report};
use super::sink::Writer;
use super::source::Reader;
use arrow_array::RecordBatch;
use flinkspark_model::budget::{Reservation, Share};
use flinkspark_model::log::SegmentRef;
use flinkspark_model::port::{Log, SegmentWriter};
use flinkspark_model::{Error, Kind, Result, fault};
use futures::FutureExt;
use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Rows after which a subtask looks at what its state holds.
const STATE_ROWS_BETWEEN: usize = 64 << 10;

/// Where a subtask's input comes from.
pub(crate) enum Head {
    Source(Box<Reader>),
    Gate(Gate),
}

/// Where a subtask's output goes.
pub(crate) enum Tail {
    Exchange(Exchange),
    Sink(Writer),
}

/// One subtask.
pub(crate) struct Subtask {
    pub(crate) index: u32,
    pub(crate) key_groups: RangeInclusive<u8>,
    pub(crate) head: Head,
    pub(crate) chain: Chain,
    pub(crate) state: State,
    pub(crate) tail: Tail,
    pub(crate) late: Option<Writer>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) counters: Counters,
    /// The combined watermark of the input.
    pub(crate) watermark: Watermark,
    pub(crate) acks: JoinSet<()>,
}

/// What the state of a subtask's operators holds of the process's memory.
pub(crate) struct State {
    held: Reservation,
    /// Rows since it was looked at.
    rows: usize,
}

impl State {
    pub(crate) fn new(memory: &Share) -> Self {
        Self {
            held: memory.empty(),
            // What was restored is looked at with the first rows.
            rows: STATE_ROWS_BETWEEN,
        }
    }

    /// Counts what `rows` more have made of the state. Not `Unavailable` where it does not fit: the
    /// same rows would ask for the same memory again.
    fn admit(&mut self, rows: usize, chain: &Chain) -> Result<()> {
        self.rows += rows;
        if self.rows < STATE_ROWS_BETWEEN {
            return Ok(());
        }
        self.rows = 0;
        let bytes = chain.state_bytes() as u64;
        self.held.try_resize(bytes).map_err(|refused| {
            let message = "a job's state does not fit the memory budget";
            Error::new(Kind::Invalid, "FS0034", message)
                .with_detail(refused.detail().unwrap_or_else(|| refused.message()))
                .with_hint(
                    "group by fewer keys or close windows earlier, give the server more with --memory, or \
                     resume the job when others have ended",
                )
        })
    }
}

impl Subtask {
    /// Runs to the end of the input, or to the barrier after which the job stops.
    pub(crate) async fn run(mut self) -> Result<()> {
        loop {
            tokio::task::consume_budget().await;
            let input = match &mut self.head {
                Head::Source(reader) => reader.next().await?,
                Head::Gate(gate) => gate.next().await,
            };
            match input {
                Input::Batch(batch) => {
                    if let Head::Source(_) = self.head {
                        self.counters.rows_read += batch.rows.num_rows() as u64;
                        self.meters.add_read(batch.rows.num_rows() as u64);
                    }
                    self.push(Event::Batch(batch)).await?;
                }
                Input::Watermark(watermark) => {
                    self.watermark = watermark;
                    self.push(Event::Watermark(watermark)).await?;
                }
                Input::Idle(true) => self.mark(Message::Idle).await,
                Input::Idle(false) => self.mark(Message::Active).await,
                Input::Barrier(barrier) => self.checkpoint(barrier).await?,
                Input::EndOfData => self.end_of_data().await?,
                Input::End => break,
            }
        }
        self.mark(Message::End).await;
        while self.acks.join_next().await.is_some() {}
        Ok(())
    }

    async fn push(&mut self, event: Event) -> Result<()> {
        let mut out = Output::default();
        let rows = match &event {
            Event::Batch(batch) => batch.rows.num_rows(),
            Event::Watermark(_) => 0,
        };
        self.chain.push(event, &mut out)?;
        self.state.admit(rows, &self.chain)?;
        self.deliver(out).await
    }

    async fn end_of_data(&mut self) -> Result<()> {
        let mut out = Output::default();
        self.chain.finish(&mut out)?;
        self.deliver(out).await?;
        self.mark(Message::EndOfData).await;
        if let Head::Source(_) = self.head {
            // The coordinator is gone only when the job is being stopped.
            let _ = self.reports.send(Report::DataEnded).await;
        }
        Ok(())
    }

    async fn deliver(&mut self, out: Output) -> Result<()> {
        self.counters.operators.late += out.counts.late;
        self.counters.operators.fired += out.counts.fired;
        self.meters.add_counts(out.counts);
        for rows in &out.late {
            if let Some(writer) = &mut self.late {
                writer.write(rows).await?;
            }
        }
        for event in out.events {
            match (event, &mut self.tail) {
                (Event::Batch(batch), Tail::Exchange(exchange)) => exchange.send(batch).await?,
                (Event::Batch(batch), Tail::Sink(writer)) => {
                    writer.write(&batch.rows).await?;
                    self.counters.rows_written += batch.rows.num_rows() as u64;
                    self.meters.add_written(batch.rows.num_rows() as u64);
                }
                (Event::Watermark(watermark), Tail::Exchange(exchange)) => {
                    exchange.broadcast(Message::Watermark(watermark)).await;
                }
                (Event::Watermark(watermark), Tail::Sink(_)) => {
                    self.meters.watermark(self.index as usize, watermark);
                }
            }
        }
        Ok(())
    }

    async fn mark(&mut self, message: Message) {
        if let Tail::Exchange(exchange) = &self.tail {
            exchange.broadcast(message).await;
        }
    }

    /// Freezes, sends the barrier on, and has the rest done beside the rows that follow.
    async fn checkpoint(&mut self, barrier: Barrier) -> Result<()> {
        let frozen = self.freeze(barrier)?;
        self.mark(Message::Barrier(barrier)).await;
        while self.acks.try_join_next().is_some() {}
        let (log, reports) = (Arc::clone(&self.log), self.reports.clone());
        self.acks.spawn(async move {
            // A panic here is said like any other failure: nobody else would miss the answer.
            let ack = AssertUnwindSafe(frozen.make_durable(log.as_ref()))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(panicked()));
            let _ = reports.send(Report::Ack(ack.map(Box::new))).await;
        });
        Ok(())
    }

    fn freeze(&mut self, barrier: Barrier) -> Result<Frozen> {
        let mut states = Vec::new();
        for (uid, operator) in &self.chain.operators {
            if let Some(state) = operator.snapshot()?.filter(|state| state.num_rows() > 0) {
                states.push((uid.clone(), state));
            }
        }
        let mut segments = Vec::new();
        let mut sink_watermark = None;
        if let Tail::Sink(writer) = &mut self.tail {
            segments.extend(writer.cut().map(|segment| (writer.output, segment)));
            sink_watermark = Some(self.watermark).filter(|watermark| *watermark != NO_WATERMARK);
        }
        if let Some(writer) = &mut self.late {
            segments.extend(writer.cut().map(|segment| (writer.output, segment)));
        }
        Ok(Frozen {
            ack: Ack {
                checkpoint: barrier.checkpoint,
                is_sink: matches!(self.tail, Tail::Sink(_)),
                sink_watermark_ms: sink_watermark,
                progress: match &self.head {
                    Head::Source(reader) => reader.progress(),
                    Head::Gate(_) => Vec::new(),
                },
                counters: self.counters,
                states: Vec::new(),
                segments: Vec::new(),
            },
            subtask: self.index,
            key_groups: self.key_groups.clone(),
            states,
            segments,
        })
    }
}

/// A subtask's part of a checkpoint, before it is durable.
struct Frozen {
    ack: Ack,
    subtask: u32,
    key_groups: RangeInclusive<u8>,
    states: Vec<(String, RecordBatch)>,
    segments: Vec<(usize, Box<dyn SegmentWriter>)>,
}

impl Frozen {
    async fn make_durable(mut self, log: &dyn Log) -> Result<Ack> {
        for (uid, state) in self.states {
            let receipt = log.stage_bytes(self.subtask, encode_state(&state)?).await?;
            self.ack.states.push(StateFile::new(
                FrozenState {
                    uid,
                    key_groups: self.key_groups.clone(),
                },
                receipt.segment,
            ));
        }
        fault::reach("checkpoint.state.written").map_err(injected)?;
        for (output, segment) in self.segments {
            let sealed: SegmentRef = segment.seal().await?.segment;
            self.ack.segments.push((output, sealed));
        }
        Ok(self.ack)
    }
}
