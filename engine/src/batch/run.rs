//! Runs one plan and commits its output as one epoch.
//!
//! A run is a writer of its own with a single commit, `n` = 1: its retry is idempotent, a new run
//! appends. Invariant: the commit carries every output partition of one attempt.

use super::cooperate::Running;
use super::error::unwrap;
use super::late::RowsLate;
use super::session::physical;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion::prelude::SessionContext;
use flinkspark_model::digest::Digest;
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::log::{
    Commit, Generation, Intent, LogId, Ordinal, Replacement, SegmentFormat, SegmentRef,
    SourceOffsets, View, WriterName,
};
use flinkspark_model::port::{Dataset, SegmentSpec};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result, fault};
use futures::stream::{StreamExt, TryStreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::{JoinError, JoinSet};

/// The number of a run's only commit.
const COMMIT: Ordinal = 1;
/// What a dropped run may have had on its way: a fence, then a commit.
const IN_FLIGHT_MAX: u32 = 2;
/// How often a run is computed while what stops it may pass: as many as Spark's `spark.task.maxFailures`.
const ATTEMPTS_MAX: u32 = 4;
/// One batch run.
#[derive(Clone)]
pub struct Run {
    /// The run's id: the writer's name.
    pub id: String,
    /// Unique to this process's try at it.
    pub incarnation: String,
    /// What is computed.
    pub plan: LogicalPlan,
    /// The slots that the plan reads.
    pub inputs: Vec<SlotRange>,
    /// The last slot of the target whose rows these take the place of; none where they are added.
    pub overwrites: Option<SlotNo>,
    /// How far it has come: rows written so far, over all attempts.
    pub rows_out: Arc<AtomicU64>,
    /// The rows that the plan sets aside as late.
    pub rows_late: RowsLate,
}

/// What a run committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The slot of its epoch.
    pub slot: SlotNo,
    /// Whether an earlier incarnation had committed it.
    pub replayed: bool,
    /// Rows committed.
    pub rows: u64,
    /// Of those rows.
    pub digest: Digest,
    /// How often the plan was computed again.
    pub retries: u32,
}

impl Run {
    /// Takes the writer over, computes every partition, and commits once.
    ///
    /// Errors: `Fenced` where a newer incarnation took over; what the plan ran into; what the log says.
    pub async fn execute(
        self,
        session: &SessionContext,
        target: &Arc<dyn Dataset>,
    ) -> Result<Outcome> {
        let writer = WriterName::from(self.id.as_str());
        let view = target.refresh().await?;
        if let Some(outcome) = committed(&view, &writer) {
            return Ok(outcome);
        }
        let generation = fence(target, &view, &writer, &self.incarnation).await?;
        let (segments, retries) = self.compute(session, target, generation).await?;
        let commit = Commit {
            writer,
            generation,
            n: COMMIT,
            token: None,
            run: self.id.clone(),
            source_offsets: offsets(&self.inputs),
            schema_version: view.schema_version(),
            watermark_ms: None,
            checkpoint_ref: None,
            lineage: self.inputs.clone(),
            segments,
            manifest: None,
        };
        let digest = commit.digest();
        fault::reach("checkpoint.commit.before").map_err(injected)?;
        let first = view.horizon() + 1;
        let intent = match self.overwrites.filter(|last| first <= *last) {
            Some(last) => Intent::Replace {
                read_at: last,
                serializable: false,
                first,
                last,
                with: Replacement::Overwrite(commit),
            },
            None => Intent::Commit(commit),
        };
        let appended = target.append(intent).await?;
        fault::reach("checkpoint.commit.done").map_err(injected)?;
        Ok(Outcome {
            slot: appended.slot,
            replayed: appended.replayed,
            rows: digest.rows,
            digest,
            retries,
        })
    }

    async fn compute(
        &self,
        session: &SessionContext,
        target: &Arc<dyn Dataset>,
        generation: Generation,
    ) -> Result<(Vec<SegmentRef>, u32)> {
        let mut attempt = 0;
        loop {
            match self.attempt(session, target, (generation, attempt)).await {
                Ok(segments) => return Ok((segments, attempt)),
                Err(error) if error.kind() == Kind::Unavailable && attempt + 1 < ATTEMPTS_MAX => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Computes every partition once, each in a task of its own; dropped, it ends them all.
    async fn attempt(
        &self,
        session: &SessionContext,
        target: &Arc<dyn Dataset>,
        (generation, attempt): (Generation, u32),
    ) -> Result<Vec<SegmentRef>> {
        let running = Running::default();
        // A plan for each attempt, and every partition of it: exchanges run once, and another plan may
        // deal the rows out otherwise.
        let plan = physical(session, &self.plan, &running).await?;
        self.rows_late.reset();
        let partitions = plan.output_partitioning().partition_count();
        // All partitions run at once: exchanges inside the plan need every one of them to be polled.
        let mut tasks = JoinSet::new();
        for partition in 0..partitions {
            let task = Task {
                plan: Arc::clone(&plan),
                context: session.task_ctx(),
                target: Arc::clone(target),
                partition,
                attempt,
                job: (LogId::of_job(&self.id), generation),
                rows_out: Arc::clone(&self.rows_out),
            };
            tasks.spawn(task.run());
        }
        let mut segments = Vec::with_capacity(partitions);
        while let Some(ended) = tasks.join_next().await {
            segments.extend(ended.map_err(broken)??);
        }
        segments.sort_by_key(|segment| segment.partition);
        Ok(segments)
    }
}

/// One partition of one attempt.
struct Task {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    target: Arc<dyn Dataset>,
    partition: usize,
    attempt: u32,
    /// What a later attempt leaves behind is told by this.
    job: (LogId, Generation),
    rows_out: Arc<AtomicU64>,
}

impl Task {
    async fn run(self) -> Result<Option<SegmentRef>> {
        let schema = self.target.schema();
        let stream = self
            .plan
            .execute(self.partition, self.context)
            .map_err(|cause| unwrap(&cause))?;
        let mut stream = stream
            .map_err(|cause| unwrap(&cause))
            .try_filter(|b| futures::future::ready(b.num_rows() > 0));
        let mut writer = None;
        while let Some(batch) = stream.next().await {
            let batch = conform(&batch?, &schema)?;
            let writer = match &mut writer {
                Some(writer) => writer,
                none => {
                    let spec = SegmentSpec {
                        partition: u32::try_from(self.partition).unwrap_or(u32::MAX),
                        attempt: self.attempt,
                        format: SegmentFormat::Arrow,
                        schema: Arc::clone(&schema),
                        job: Some(self.job),
                    };
                    none.insert(self.target.stage(spec).await?)
                }
            };
            writer.write(&batch).await?;
            self.rows_out
                .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        }
        match writer {
            Some(writer) => Ok(Some(writer.seal().await?.segment)),
            None => Ok(None),
        }
    }
}

/// What the run of this id has committed to the target, if anything.
///
/// Errors: what the log says.
pub async fn outcome(id: &str, target: &Arc<dyn Dataset>) -> Result<Option<Outcome>> {
    Ok(committed(&*target.refresh().await?, &WriterName::from(id)))
}

/// Makes sure that the run of this id never commits; where it has, returns what it committed. The run
/// must not be executed any more, but what it was about to write may still be on its way: its tasks
/// need not have ended.
///
/// Errors: what the log says.
pub async fn give_up(
    id: &str,
    incarnation: &str,
    target: &Arc<dyn Dataset>,
) -> Result<Option<Outcome>> {
    let writer = WriterName::from(id);
    let mut beaten = 0;
    loop {
        let view = target.refresh().await?;
        if let Some(outcome) = committed(&view, &writer) {
            return Ok(Some(outcome));
        }
        match abort(target, &view, &writer, incarnation).await {
            Ok(()) => return Ok(None),
            // What was on its way, a fence or the commit, came first.
            Err(refusal) if refusal.kind() == Kind::Conflict && beaten < IN_FLIGHT_MAX => {
                beaten += 1;
            }
            Err(refusal) => return Err(refusal),
        }
    }
}

async fn abort(
    target: &Arc<dyn Dataset>,
    view: &View,
    writer: &WriterName,
    incarnation: &str,
) -> Result<()> {
    let generation = fence(target, view, writer, incarnation).await?;
    let abort = Intent::Abort {
        writer: writer.clone(),
        generation,
        n: COMMIT,
        segments: Vec::new(),
    };
    target.append(abort).await.map(drop)
}

async fn fence(
    target: &Arc<dyn Dataset>,
    view: &View,
    writer: &WriterName,
    incarnation: &str,
) -> Result<Generation> {
    let generation = view.writer(writer).map_or(0, |state| state.generation) + 1;
    let fence = Intent::Fence {
        writer: writer.clone(),
        generation,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: incarnation.to_owned(),
    };
    target.append(fence).await?;
    fault::reach("recover.output.fenced").map_err(injected)?;
    Ok(generation)
}

/// The outcome of an incarnation that committed before.
fn committed(view: &View, writer: &WriterName) -> Option<Outcome> {
    let there = view.writer(writer)?.commits.get(&COMMIT)?;
    let (slot, digest) = (there.slot, there.digest);
    Some(Outcome {
        slot,
        replayed: true,
        rows: digest.rows,
        digest,
        retries: 0,
    })
}

fn offsets(inputs: &[SlotRange]) -> SourceOffsets {
    let ranges = inputs.iter().map(|input| {
        (
            input.dataset.to_string(),
            format!("{}-{}", input.first, input.last),
        )
    });
    SourceOffsets(ranges.collect())
}

/// The rows under the target's schema: the same types by position, names and metadata from the target.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec()).map_err(|cause| {
        Error::new(
            Kind::Data,
            "FS0709",
            "the job's rows do not fit the target dataset",
        )
        .with_source(cause)
        .with_hint("compare `flinkspark job explain` with `flinkspark dataset show`")
    })
}

pub(super) fn broken(cause: JoinError) -> Error {
    Error::new(
        Kind::Internal,
        "FS0706",
        "a task of the batch engine ended without an answer",
    )
    .with_source(cause)
    .with_hint("report it, with the job's text and the server's log")
}

fn injected(cause: fault::Injected) -> Error {
    Error::new(Kind::Unavailable, "FS0710", "a fault was injected").with_source(cause)
}
