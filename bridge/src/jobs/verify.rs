//! Runs one job on several targets from the same pinned input and compares the answers.
//!
//! Writes to nothing but scratch: a store of its own beside the data, gone when it returns.
//! Invariant: equal means equal multisets of rows, exactly, by digest; only columns of floats that the plan
//! marks as depending on an order which is not defined have a tolerance, and it is said.

use super::bind::{Bound, Planner};
use super::build::Built;
use super::compare::{self, Difference};
use super::engines::Engines;
use super::record::{JobId, Options, Target};
use super::supervisor::Supervisor;
use super::tolerance;
use crate::workers::{Workers, cores};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use flinkspark_adapter::plan::order;
use flinkspark_connector::store::{Logs, Settings, local::Local};
use flinkspark_engine::{batch, stream};
use flinkspark_model::access::Caller;
use flinkspark_model::dataset::{Dataset, DatasetId, Traits};
use flinkspark_model::digest::Digest;
use flinkspark_model::log::LogId;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{self, Datasets, Log};
use flinkspark_model::{Error, Kind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// One target's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The target.
    pub target: Target,
    /// Of its rows.
    pub digest: Digest,
    /// Rows that came too late for their window.
    pub rows_late: u64,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The answers, in the order of the targets.
    pub answers: Vec<Answer>,
    /// Whether all targets gave the same rows: by digest, or within the tolerances.
    pub equal: bool,
    /// The columns that are compared within a relative tolerance, each with its own.
    pub tolerances: Vec<(String, f64)>,
    /// Distinct rows that differ; 0 where all targets agree.
    pub differing_rows: u64,
    /// The first of them, in the order of their text.
    pub differences: Vec<Difference>,
}

impl Supervisor {
    /// Runs the text on each target and compares, on threads of its own.
    ///
    /// Errors: whatever refuses the job on one of the targets, before any of them starts.
    pub async fn verify(
        &self,
        text: &str,
        targets: &[Target],
        options: &Options,
        caller: &Caller,
    ) -> Result<Verified> {
        options.check()?;
        let comparison = Comparison {
            planner: self.planner().on_behalf(caller),
            engines: self.engines().clone(),
            text: text.to_owned(),
            targets: targets.to_vec(),
            options: options.clone(),
        };
        let workers = Workers::start(cores())?;
        self.while_open(workers.spawn(comparison.run())).await
    }
}

/// One comparison.
struct Comparison {
    planner: Planner,
    engines: Engines,
    text: String,
    targets: Vec<Target>,
    options: Options,
}

impl Comparison {
    async fn run(self) -> Result<Verified> {
        let scratch = Scratch::open(&self.engines).await?;
        let mut answers = Vec::new();
        let mut outputs = Vec::new();
        let bound = self.planner.bind(&self.text, &self.options).await?;
        for (target, output, built) in self.build(&bound, &scratch).await? {
            let rows_late = scratch
                .run(&self.engines, &output, built, &self.options)
                .await?;
            let log = scratch
                .logs
                .dataset(output.id, Arc::clone(&output.schema))
                .await?;
            let (_, _, digest) = log.refresh().await?.totals();
            answers.push(Answer {
                target,
                digest,
                rows_late,
            });
            outputs.push(log);
        }
        let equal = answers
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.digest == b.digest));
        let inexact: Vec<usize> = order::inexact_columns(&bound.job).into_iter().collect();
        let (held, shown) = (compare::ROWS_HELD_MAX, compare::SHOWN_MAX);
        let (differing_rows, differences) = match inexact.is_empty() {
            _ if equal => (0, Vec::new()),
            true => compare::outputs(&outputs, held).await?,
            false => tolerance::outputs(&outputs, &inexact, held, shown).await?,
        };
        let schema = bound.schema();
        let column = |column: &usize| {
            let field = schema.field(*column);
            (field.name().clone(), tolerance::of(field.data_type()))
        };
        Ok(Verified {
            answers,
            equal: equal || !inexact.is_empty() && differing_rows == 0,
            tolerances: inexact.iter().map(column).collect(),
            differing_rows,
            differences,
        })
    }

    /// What each target runs, over the same pinned slots.
    async fn build(
        &self,
        bound: &Bound,
        scratch: &Scratch,
    ) -> Result<Vec<(Target, Arc<Dataset>, Built)>> {
        let pins = self.planner.pin(bound).await?;
        let mut runs = Vec::new();
        for target in &self.targets {
            let output = scratch.dataset(bound)?;
            let built = match target {
                Target::Stream => Built::Stream(self.planner.stream(bound, &pins, &output, None)?),
                Target::Batch => self.planner.batch(bound, &pins, &self.options).await?,
            };
            runs.push((*target, output, built));
        }
        Ok(runs)
    }
}

/// A store that is removed when it is dropped.
struct Scratch {
    dir: PathBuf,
    logs: Arc<dyn Datasets>,
    ids: AtomicU64,
    now_ms: u64,
}

impl Scratch {
    async fn open(engines: &Engines) -> Result<Self> {
        let mut name = [0; 8];
        engines.entropy.fill(&mut name);
        let dir = engines
            .scratch
            .join(format!("verify-{:016x}", u64::from_be_bytes(name)));
        std::fs::create_dir_all(&dir).map_err(|cause| {
            Error::new(
                Kind::Unavailable,
                "FS0009",
                "there is no scratch space to verify in",
            )
            .with_source(cause)
            .with_hint("check the free space and the permissions of the data directory")
        })?;
        let store = Arc::new(Local::open(&dir).await?);
        let (clock, entropy) = (Arc::clone(&engines.clock), Arc::clone(&engines.entropy));
        let logs = Arc::new(Logs::open(store, clock, entropy, Settings::default()).await?);
        Ok(Self {
            dir,
            logs,
            ids: AtomicU64::new(0),
            now_ms: engines.clock.now_ms(),
        })
    }

    fn dataset(&self, bound: &Bound) -> Result<Arc<Dataset>> {
        let number = self.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&number.to_be_bytes());
        Ok(Arc::new(Dataset {
            id: DatasetId::from_parts(self.now_ms, random),
            name: DatasetName::new(&format!("scratch-{number}"))?,
            version: 1,
            schema_version: 1,
            schema: bound.schema(),
            traits: Traits::default(),
            handles: Vec::new(),
            created_at_ms: self.now_ms,
        }))
    }

    /// Runs a job into its output; returns its late rows.
    async fn run(
        &self,
        engines: &Engines,
        output: &Arc<Dataset>,
        built: Built,
        options: &Options,
    ) -> Result<u64> {
        let id = JobId::new(output.name.as_str())?;
        match built {
            Built::Stream(program) => {
                let overlay = Overlay {
                    inputs: Arc::clone(&engines.datasets),
                    scratch: Arc::clone(&self.logs),
                    output: output.id,
                };
                let settings = Options {
                    parallelism: options.parallelism,
                    ..Options::default()
                };
                let settings = stream::Options {
                    memory: engines.stream_memory.clone(),
                    ..settings.stream(&id)
                };
                let (clock, entropy) = (Arc::clone(&engines.clock), Arc::clone(&engines.entropy));
                let job = settings.build(program, Arc::new(overlay), clock, entropy)?;
                let handle = job.handle();
                job.run(std::future::pending()).await?;
                Ok(handle.status().totals.rows_late)
            }
            Built::Batch {
                session,
                plan,
                inputs,
                overwrites: _,
            } => {
                let rows_out = Arc::new(AtomicU64::new(0));
                let run = batch::Run {
                    id: id.to_string(),
                    incarnation: id.to_string(),
                    plan: plan.logical,
                    rows_late: plan.rows_late.clone(),
                    inputs,
                    overwrites: None,
                    rows_out,
                };
                let target = self
                    .logs
                    .dataset(output.id, Arc::clone(&output.schema))
                    .await?;
                run.execute(&session, &target).await?;
                Ok(plan.rows_late.count())
            }
        }
    }
}

/// Removes what comparisons of a killed server left; whoever calls it owns the data directory.
pub(crate) fn clear_scratch(dir: &Path) {
    if let Err(cause) = std::fs::remove_dir_all(dir)
        && cause.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(dir = %dir.display(), %cause, "old scratch space could not be removed");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(cause) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %cause, "scratch space could not be removed");
        }
    }
}

/// Reads real datasets, writes one in scratch.
struct Overlay {
    inputs: Arc<dyn Datasets>,
    scratch: Arc<dyn Datasets>,
    output: DatasetId,
}

#[async_trait]
impl Datasets for Overlay {
    async fn dataset(&self, id: DatasetId, schema: SchemaRef) -> Result<Arc<dyn port::Dataset>> {
        let place = if id == self.output {
            &self.scratch
        } else {
            &self.inputs
        };
        place.dataset(id, schema).await
    }

    async fn job(&self, id: LogId) -> Result<Arc<dyn Log>> {
        self.scratch.job(id).await
    }
}
