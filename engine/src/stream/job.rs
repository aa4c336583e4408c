//! A stream job: options, what they build, and running it.
//!
//! Owns the wiring of one incarnation: open the logs, take the job over, restore, start one tokio
//! task per subtask, coordinate. Invariant: nothing is read before the take-over is complete, and
//! when `run` returns or is dropped no task of it goes on.

use super::checkpoint::Progress;
use super::coordinator::{Coordinator, Ended, Facts};
use super::counts::Totals;
use super::graph::{JobGraph, PARALLELISM_MAX};
use super::handle::{Handle, Phase};
use super::program::{Program, Source};
use super::recovery::Restore;
use super::takeover::{Output, Owned, keep_promises};
use super::wiring::{Input, Wiring, load_states};
use flinkspark_model::budget::{Budget, Share};
use flinkspark_model::log::{Generation, LogId, WriterName};
use flinkspark_model::port::{Clock, Datasets, Entropy, Log};
use flinkspark_model::position::Position;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The shortest interval between checkpoints.
pub const CHECKPOINT_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Reports that wait for the coordinator, at most.
const REPORTS_MAX: usize = 2 * PARALLELISM_MAX;

/// How a program is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The run: it outlives restarts, and names the job's writers.
    pub run_id: String,
    /// The job's own log, which holds its checkpoints.
    pub log: LogId,
    /// Subtasks per chain, from 1 to [`PARALLELISM_MAX`]; it may change between starts.
    pub parallelism: usize,
    /// The time between two barriers, at least [`CHECKPOINT_INTERVAL_MIN`].
    pub checkpoint_interval: Duration,
    /// Rows a second, of the whole source; `None` for as fast as it goes.
    pub rate: Option<u64>,
    /// The part of the process's memory that stream jobs share: their state, and what waits between
    /// their tasks.
    pub memory: Share,
}

impl Options {
    /// Options with a parallelism of 1, a checkpoint a second, no rate and as much memory as there is.
    pub fn new(run_id: impl Into<String>, log: LogId) -> Self {
        Self {
            run_id: run_id.into(),
            log,
            parallelism: 1,
            checkpoint_interval: Duration::from_secs(1),
            rate: None,
            memory: Budget::unlimited().share("stream", u64::MAX),
        }
    }

    /// Refuses what no job can keep to.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: String, range: String| {
            Err(Error::new(Kind::Invalid, "FS0609", what)
                .with_detail(range)
                .with_hint("choose another value, or leave the option out"))
        };
        if !(1..=PARALLELISM_MAX).contains(&self.parallelism) {
            return refuse(
                format!("a parallelism of {} is not possible", self.parallelism),
                format!("it is from 1 to {PARALLELISM_MAX}, the number of key groups"),
            );
        }
        if self.checkpoint_interval < CHECKPOINT_INTERVAL_MIN {
            return refuse(
                "the checkpoint interval is too short".into(),
                "it is at least one millisecond".into(),
            );
        }
        if self.rate == Some(0) {
            return refuse(
                "a rate of 0 rows per second reads nothing".into(),
                "it is at least one row per second".into(),
            );
        }
        Ok(())
    }

    /// Commits what the run's latest checkpoint promised, and fences whoever else runs it. It needs no
    /// program, so it succeeds for a job that can no longer be built.
    ///
    /// Errors: `Fenced` when a newer incarnation took over; the logs' own.
    pub async fn settle(&self, datasets: &dyn Datasets, entropy: &dyn Entropy) -> Result<Settled> {
        let log = datasets.job(self.log).await?;
        let writer = WriterName::from(self.run_id.as_str());
        let taken = keep_promises(log.as_ref(), &writer, datasets, &incarnation(entropy)).await?;
        let body = taken.body()?;
        Ok(Settled {
            generation: taken.generation(),
            checkpoint: taken.restored(),
            finished: body.as_ref().is_some_and(|body| body.finished),
            totals: body.map_or_else(Totals::default, |body| body.totals),
        })
    }

    /// Checks the options and puts them together with what the job needs. It opens nothing.
    pub fn build(
        self,
        program: Program,
        datasets: Arc<dyn Datasets>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Job> {
        self.check()?;
        Ok(Job {
            options: self,
            program,
            datasets,
            clock,
            entropy,
            handle: Handle::new(),
        })
    }
}

/// What a run is left with that does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The incarnation that settled it: no older one commits anything.
    pub generation: Generation,
    /// The last completed checkpoint, everything of which is committed; 0 for none.
    pub checkpoint: u64,
    /// Whether everything was read by then.
    pub finished: bool,
    /// What was counted up to that checkpoint.
    pub totals: Totals,
}

/// A stream job, ready to run once.
pub struct Job {
    options: Options,
    program: Program,
    datasets: Arc<dyn Datasets>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    handle: Handle,
}

impl Job {
    /// A handle to watch and stop it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs to the end of the input. When `shutdown` completes it is suspended: a checkpoint,
    /// nothing fires, and the next start of the same run goes on. Started again after its end it
    /// commits what is pending and returns.
    ///
    /// Errors: `Fenced` when a newer incarnation took over; the stores' and the data's own. After
    /// any error the run can be started again.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<Ended> {
        let meters = Arc::clone(&self.handle.meters);
        meters.update(|status| status.phase = Phase::Recovering);
        let ended = self.start_and_run(shutdown).await;
        meters.update(|status| {
            status.phase = match &ended {
                Ok(Ended::Finished) => Phase::Finished,
                Ok(Ended::Suspended) => Phase::Suspended,
                Err(_) => Phase::Failed,
            };
        });
        ended
    }

    async fn start_and_run(self, shutdown: impl Future<Output = ()>) -> Result<Ended> {
        let log = self.datasets.job(self.options.log).await?;
        let writer = WriterName::from(self.options.run_id.as_str());
        let incarnation = incarnation(self.entropy.as_ref());
        let taken =
            keep_promises(log.as_ref(), &writer, self.datasets.as_ref(), &incarnation).await?;
        let meters = &self.handle.meters;
        meters.update(|status| {
            status.generation = taken.generation();
            status.checkpoint = taken.restored();
            status.restored = taken.restored();
        });
        let outputs = self.open_outputs().await?;
        let identity = self.program.identity();
        let owned = taken.go_on(&identity, &outputs, &incarnation).await?;
        if let Restore::Finished(body) = &owned.restore {
            meters.start(body.totals, 0);
            return Ok(Ended::Finished);
        }
        let input = self.open_input(&owned).await?;
        let coordinator = self
            .assemble(log, outputs, writer, identity.plan, owned, input)
            .await?;
        coordinator.run(shutdown).await
    }

    async fn open_outputs(&self) -> Result<Vec<Output>> {
        let mut outputs = Vec::new();
        for (index, sink) in self.program.sinks().enumerate() {
            outputs.push(Output {
                name: sink.name.clone(),
                writer: format!("{}/{}", self.options.run_id, sink.uid).into(),
                dataset: self
                    .datasets
                    .dataset(sink.dataset, Arc::clone(&sink.schema))
                    .await?,
                has_watermark: index == 0,
            });
        }
        Ok(outputs)
    }

    /// Opens the source where the latest checkpoint stood, or at its beginning.
    async fn open_input(&self, owned: &Owned) -> Result<Input> {
        let Source {
            dataset,
            schema,
            through,
            ..
        } = &self.program.source;
        let dataset = self.datasets.dataset(*dataset, Arc::clone(schema)).await?;
        if let Restore::From(body) = &owned.restore {
            return Ok(Input {
                dataset,
                through: body.through,
                partitions: body.partitions.clone(),
                totals: body.totals,
                body: Some(body.clone()),
            });
        }
        let view = dataset.refresh().await?;
        let through = through.unwrap_or_else(|| view.head());
        let epochs = view.as_of(1, through);
        let last = epochs
            .iter()
            .flat_map(|epoch| &epoch.segments)
            .map(|segment| segment.partition)
            .max();
        let start = |partition| Progress {
            partition,
            next: Position::START,
            max_time_ms: None,
            ended: false,
        };
        Ok(Input {
            dataset,
            through,
            partitions: (0..=last.unwrap_or(0)).map(start).collect(),
            totals: Totals::default(),
            body: None,
        })
    }

    async fn assemble(
        self,
        log: Arc<dyn Log>,
        outputs: Vec<Output>,
        writer: WriterName,
        program: String,
        owned: Owned,
        input: Input,
    ) -> Result<Coordinator> {
        let graph = JobGraph::new(
            &self.program,
            self.options.parallelism,
            input.partitions.len(),
        )?;
        let sinks = graph.chains.last().map_or(0, |chain| chain.parallelism);
        self.handle.meters.start(input.totals, sinks);
        let states = load_states(log.as_ref(), input.body.as_ref()).await?;
        let (report, reports) = mpsc::channel(REPORTS_MAX);
        let wiring = Wiring {
            program: &self.program,
            rate: self.options.rate,
            memory: &self.options.memory,
            meters: &self.handle.meters,
            graph: &graph,
            log: &log,
            outputs: &outputs,
            owned: &owned,
            input: &input,
            states,
            report,
        };
        let (subtasks, orders) = wiring.subtasks()?;
        let count = subtasks.len();
        let mut tasks = JoinSet::new();
        subtasks.into_iter().for_each(|subtask| {
            tasks.spawn(subtask.run());
        });
        self.handle
            .meters
            .update(|status| status.phase = Phase::Running);
        Ok(Coordinator {
            facts: Facts {
                run: self.options.run_id,
                program,
                generation: owned.generation,
                writer,
                log,
                outputs,
                source: (self.program.source.uid.clone(), self.program.source.dataset),
                through: input.through,
                base: input.totals,
                interval: self.options.checkpoint_interval,
                clock: self.clock,
                meters: self.handle.meters,
            },
            orders,
            reports,
            tasks,
            subtasks: count,
            stop: self.handle.stop.subscribe(),
            completed: owned.restored,
        })
    }
}

/// A name that no other incarnation has.
fn incarnation(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
