//! Answers questions: a statement that writes nothing, on the engine that is asked for.
//!
//! A question has no record, no dataset and no retry. It is planned and computed on threads of its own, like a job,
//! and ends when nobody takes its rows any more. Invariant: whatever became of it, nothing of it is left.

mod tap;

use super::bind::{Bound, Planner};
use super::build::{Built, scratch};
use super::engines::Engines;
use super::record::{JobId, Options};
use crate::workers::{Work, Workers, cores};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use flinkspark_adapter::front::flink;
use flinkspark_engine::stream::program::Program;
use flinkspark_engine::{batch, stream};
use flinkspark_model::access::Caller;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::port::{Answer, Answerer, Pinned, Planned, Queries, Query};
use flinkspark_model::{Error, Kind, Result};
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tap::Tapped;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The most questions that are answered at once.
const ANSWERED_MAX: usize = 8;

/// Partitions of a question's plan.
const PARTITIONS: u32 = 2;

/// Batches that wait to be sent.
const BATCHES_QUEUED: usize = 2;

/// A question goes on from nowhere: on the streaming engine only its end is a checkpoint.
const NO_CHECKPOINT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a question is called on the streaming engine, where it has a log of its own in memory.
const RUN: &str = "query";

/// Plans questions and answers them.
pub struct Questions {
    planner: Planner,
    engines: Engines,
    planning: Workers,
    room: Arc<Semaphore>,
}

impl Questions {
    /// Over what the planner plans on, with what jobs run with.
    ///
    /// Errors: `Unavailable` where there are no threads to plan on.
    pub fn new(planner: Planner, engines: Engines) -> Result<Self> {
        Ok(Self {
            planner,
            engines,
            planning: Workers::start(cores())?,
            room: Arc::new(Semaphore::new(ANSWERED_MAX)),
        })
    }
}

fn options() -> Options {
    Options {
        parallelism: Some(PARTITIONS),
        ..Options::default()
    }
}

impl Planner {
    /// Parses and binds a question: as its names stand now, or as they were pinned.
    async fn question(&self, text: &str, pins: Option<&[Pinned]>) -> Result<Bound> {
        let statement = flink::parse(text)?;
        if let Some(sink) = statement.sink() {
            let what = format!("a query writes nothing, and this one writes to \"{sink}\"");
            return Err(Error::new(Kind::Invalid, "FS0922", what)
                .with_detail("it begins with INSERT INTO")
                .with_hint(
                    "give the SELECT alone, or run the statement with `flinkspark job run`",
                ));
        }
        self.resolve_statement(statement.to_look_at(), &options(), pins)
            .await
    }

    /// What the streaming engine runs for it, and what it writes to in the plan.
    fn streaming(&self, bound: &Bound, pins: &[Pinned]) -> Result<(Program, Arc<Dataset>)> {
        let output = scratch(&bound.job)?;
        let program = self.stream(bound, pins, &output, None)?;
        Ok((program, output))
    }

    /// What the batch engine runs for it.
    async fn answering(
        &self,
        text: &str,
        pins: &[Pinned],
    ) -> Result<(
        datafusion::prelude::SessionContext,
        Bound,
        flinkspark_adapter::target::batch::Plan,
    )> {
        let bound = self.question(text, Some(pins)).await?;
        match self.batch(&bound, pins, &options()).await? {
            Built::Batch { session, plan, .. } => Ok((session, bound, plan)),
            Built::Stream(_) => Err(Error::new(
                Kind::Internal,
                "FS0915",
                "a query was planned for another engine",
            )),
        }
    }
}

#[async_trait]
impl Queries for Questions {
    async fn plan(&self, query: &Query, caller: &Caller) -> Result<Planned> {
        let planner = self.planner.on_behalf(caller);
        let (planner, text, on) = (planner, query.query.clone(), query.on);
        let planned = async move {
            let bound = planner.question(&text, None).await?;
            let pins = planner.pin(&bound).await?;
            // What the engine refuses is refused before anybody waits for rows.
            match on {
                Answerer::Batch => drop(planner.batch(&bound, &pins, &options()).await?),
                Answerer::Stream => drop(planner.streaming(&bound, &pins)?),
            }
            let schema = bound.schema();
            Ok(Planned { schema, pins })
        };
        self.planning.spawn(planned).await
    }

    async fn run(&self, query: &Query, pins: &[Pinned]) -> Result<Answer> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|_| full())?;
        let workers = Workers::start(2 * PARTITIONS as usize)?;
        let (sender, rows) = mpsc::channel(BATCHES_QUEUED);
        let begun = match query.on {
            Answerer::Batch => self.batch(&workers, query, pins, sender).await?,
            Answerer::Stream => self.stream(&workers, query, pins, sender).await?,
        };
        let answering = Answering {
            rows,
            work: Some(begun.work),
            left: query.limit.unwrap_or(u64::MAX),
            _workers: workers,
            _room: room,
        };
        Ok(Answer {
            schema: begun.schema,
            rows: answering.stream(),
            rows_late: begun.rows_late,
        })
    }
}

/// A question at which an engine is at work.
struct Begun {
    schema: SchemaRef,
    work: Work<()>,
    rows_late: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Questions {
    async fn batch(
        &self,
        workers: &Workers,
        query: &Query,
        pins: &[Pinned],
        rows: mpsc::Sender<RecordBatch>,
    ) -> Result<Begun> {
        let (planner, text, pins) = (self.planner.clone(), query.query.clone(), pins.to_vec());
        let built = workers.spawn(async move { planner.answering(&text, &pins).await });
        let (session, bound, plan) = built.await?;
        let rows_late = plan.rows_late.clone();
        let work = workers.spawn(async move { batch::answer(&session, &plan.logical, rows).await });
        Ok(Begun {
            schema: bound.schema(),
            work,
            rows_late: Box::new(move || rows_late.count()),
        })
    }

    /// On the streaming engine, to the end of what was pinned: what it would commit goes to whoever asked.
    async fn stream(
        &self,
        workers: &Workers,
        query: &Query,
        pins: &[Pinned],
        rows: mpsc::Sender<RecordBatch>,
    ) -> Result<Begun> {
        let (planner, text, pins) = (self.planner.clone(), query.query.clone(), pins.to_vec());
        let engines = self.engines.clone();
        let built = workers.spawn(async move {
            let bound = planner.question(&text, Some(&pins)).await?;
            let (program, output) = planner.streaming(&bound, &pins)?;
            let Engines { clock, entropy, .. } = &engines;
            let tapped = Tapped::open(&engines, output.id, rows).await?;
            let settings = stream::Options {
                memory: engines.stream_memory.clone(),
                checkpoint_interval: NO_CHECKPOINT,
                ..options().stream(&JobId::new(RUN)?)
            };
            let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
            let job = settings.build(program, Arc::new(tapped), clock, entropy)?;
            Ok((job, bound.schema()))
        });
        let (job, schema) = built.await?;
        let handle = job.handle();
        let work = workers.spawn(async move { job.run(std::future::pending()).await.map(drop) });
        Ok(Begun {
            schema,
            work,
            rows_late: Box::new(move || handle.status().totals.rows_late),
        })
    }
}

/// A question that is being answered; dropped, it is given up.
struct Answering {
    rows: mpsc::Receiver<RecordBatch>,
    /// None once it has ended.
    work: Option<Work<()>>,
    /// How many rows are still wanted.
    left: u64,
    // Dropped last: what computes on them has ended, or is left behind.
    _workers: Workers,
    _room: OwnedSemaphorePermit,
}

impl Answering {
    fn stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        futures::stream::unfold(self, |mut answering| async move {
            let next = answering.next().await?;
            Some((next, answering))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.left == 0 {
            return None;
        }
        let Some(batch) = self.rows.recv().await else {
            // The rows have ended: with the plan, or with what it ran into.
            let ended = self.work.take()?.await;
            self.left = 0;
            return ended.err().map(Err);
        };
        let rows = usize::try_from(self.left).unwrap_or(usize::MAX);
        let batch = batch.slice(0, batch.num_rows().min(rows));
        self.left -= batch.num_rows() as u64;
        Some(Ok(batch))
    }
}

fn full() -> Error {
    let what = format!("{ANSWERED_MAX} queries are being answered, which is the most");
    Error::new(Kind::Unavailable, "FS0923", what)
        .with_detail("each has threads of its own, and holds memory while its rows are read")
        .with_hint("wait until one of them ends, or run it as a job, which writes a dataset")
}
