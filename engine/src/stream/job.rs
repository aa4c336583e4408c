//! A stream job: options, what they build, and running it.
//!
//! Owns the wiring of one incarnation: open the logs, take the job over, restore, start one tokio
//! task per subtask, coordinate. Invariant: nothing is read before the take-over is complete, and
//! when `run` returns or is dropped no task of it goes on.

use super::channel::{Receiver, Sender, channel};
use super::checkpoint::{Body, StateFile, Totals, decode_state};
use super::coordinator::{Coordinator, Ended, Facts};
use super::exchange::Exchange;
use super::gate::Gate;
use super::graph::{JobGraph, PARALLELISM_MAX};
use super::handle::{Handle, Phase};
use super::keygroup;
use super::message::NO_WATERMARK;
use super::operator::{self, Chain};
use super::program::{Operator, Program, Sink, Source};
use super::recovery::Restore;
use super::sink::Writer;
use super::source::{Order, Progress, Reader, Settings};
use super::takeover::{Output, Owned, take_over};
use super::task::{Counters, Head, Report, Subtask, Tail};
use arrow_array::RecordBatch;
use flinkspark_model::log::{LogId, WriterName};
use flinkspark_model::port::{Clock, Dataset, Datasets, Entropy, Log};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use xxhash_rust::xxh3::xxh3_128;

/// The shortest interval between checkpoints.
pub const CHECKPOINT_INTERVAL_MIN: Duration = Duration::from_millis(1);

/// Orders that wait for a source subtask, at most.
const ORDERS_MAX: usize = 4;

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
}

impl Options {
    /// Options with a parallelism of 1, a checkpoint a second and no rate.
    pub fn new(run_id: impl Into<String>, log: LogId) -> Self {
        Self {
            run_id: run_id.into(),
            log,
            parallelism: 1,
            checkpoint_interval: Duration::from_secs(1),
            rate: None,
        }
    }

    /// Checks the options and puts them together with what the job needs. It opens nothing.
    pub fn build(
        self,
        program: Program,
        datasets: Arc<dyn Datasets>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Job> {
        let refuse = |what: String| Err(Error::new(Kind::Invalid, "FS0609", what));
        if !(1..=PARALLELISM_MAX).contains(&self.parallelism) {
            return refuse(format!(
                "a parallelism of {} is not possible: it is from 1 to {PARALLELISM_MAX}",
                self.parallelism
            ));
        }
        if self.checkpoint_interval < CHECKPOINT_INTERVAL_MIN {
            return refuse("the checkpoint interval is below one millisecond".to_owned());
        }
        if self.rate == Some(0) {
            return refuse("a rate of 0 rows per second reads nothing".to_owned());
        }
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
        let outputs = self.open_outputs().await?;
        let writer = WriterName::from(self.options.run_id.as_str());
        let fingerprint = format!("{:032x}", xxh3_128(self.program.to_string().as_bytes()));
        let owned = take_over(
            log.as_ref(),
            &writer,
            &outputs,
            &self.incarnation(),
            &fingerprint,
        )
        .await?;
        let meters = &self.handle.meters;
        meters.update(|status| {
            status.generation = owned.generation;
            status.checkpoint = owned.restored;
        });
        if let Restore::Finished(body) = &owned.restore {
            meters.start(body.totals, 0);
            return Ok(Ended::Finished);
        }
        let input = self.open_input(&owned).await?;
        let coordinator = self
            .assemble(log, outputs, writer, fingerprint, owned, input)
            .await?;
        coordinator.run(shutdown).await
    }

    fn incarnation(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
        let epochs = view.live_between(1, through);
        let last = epochs
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
        fingerprint: String,
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
            job: &self,
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
                program: fingerprint,
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

/// Where the job reads, and what it goes on from.
struct Input {
    dataset: Arc<dyn Dataset>,
    through: SlotNo,
    partitions: Vec<Progress>,
    totals: Totals,
    body: Option<Body>,
}

type States = HashMap<String, Vec<(StateFile, RecordBatch)>>;

async fn load_states(log: &dyn Log, body: Option<&Body>) -> Result<States> {
    let mut states = States::new();
    for file in body.iter().flat_map(|body| &body.states) {
        let bytes = log.read_bytes(&file.segment).await?;
        for state in decode_state(&bytes)? {
            states
                .entry(file.uid.clone())
                .or_default()
                .push((file.clone(), state));
        }
    }
    Ok(states)
}

/// Everything that the subtasks of one incarnation are made of.
struct Wiring<'a> {
    job: &'a Job,
    graph: &'a JobGraph,
    log: &'a Arc<dyn Log>,
    outputs: &'a [Output],
    owned: &'a Owned,
    input: &'a Input,
    states: States,
    report: mpsc::Sender<Report>,
}

impl Wiring<'_> {
    /// The subtasks of all chains, and the lines to the source's.
    fn subtasks(self) -> Result<(Vec<Subtask>, Vec<mpsc::Sender<Order>>)> {
        let chains = &self.graph.chains;
        let mut subtasks = Vec::new();
        let mut orders = Vec::new();
        let mut receivers: Vec<Vec<Receiver>> = Vec::new();
        for (number, chain) in chains.iter().enumerate() {
            let targets = chains.get(number + 1).map_or(0, |next| next.parallelism);
            let (mut senders, next_receivers) = mesh(chain.parallelism, targets);
            let mut heads = std::mem::replace(&mut receivers, next_receivers).into_iter();
            for index in 0..chain.parallelism {
                let head = match heads.next() {
                    Some(channels) => Head::Gate(Gate::new(channels)),
                    None => {
                        let (order, reader) = self.reader(index, chain.parallelism);
                        orders.push(order);
                        Head::Source(Box::new(reader))
                    }
                };
                let tail = match chains.get(number + 1) {
                    Some(next) => {
                        self.exchange(next.nodes.start, std::mem::take(&mut senders[index]))
                    }
                    None => Tail::Sink(self.writer(0, &self.job.program.sink, index)?),
                };
                subtasks.push(self.subtask(number, index, head, tail)?);
            }
        }
        Ok((subtasks, orders))
    }

    fn subtask(&self, chain: usize, index: usize, head: Head, tail: Tail) -> Result<Subtask> {
        let chain = &self.graph.chains[chain];
        let key_groups = keygroup::range(index, chain.parallelism);
        let mut operators = Vec::new();
        let mut late = None;
        for node in &self.job.program.nodes[chain.nodes.clone()] {
            let mut operator = operator::build(node)?;
            let states = self.states.get(&node.uid).into_iter().flatten();
            for (_, state) in states.filter(|(file, _)| file.overlaps(&key_groups)) {
                operator.restore(state, &key_groups)?;
            }
            operators.push((node.uid.clone(), operator));
            if let Operator::Tumble(tumble) = &node.operator
                && let Some(sink) = &tumble.late_to
            {
                let output = self
                    .job
                    .program
                    .sinks()
                    .position(|other| other.uid == sink.uid);
                late = Some(self.writer(output.unwrap_or(0), sink, index)?);
            }
        }
        Ok(Subtask {
            index: index as u32,
            key_groups,
            head,
            chain: Chain { operators },
            tail,
            late,
            log: Arc::clone(self.log),
            reports: self.report.clone(),
            meters: Arc::clone(&self.job.handle.meters),
            counters: Counters::default(),
            watermark: NO_WATERMARK,
            acks: JoinSet::new(),
        })
    }

    fn reader(&self, index: usize, readers: usize) -> (mpsc::Sender<Order>, Reader) {
        let source = &self.job.program.source;
        let own = self
            .input
            .partitions
            .iter()
            .skip(index)
            .step_by(readers)
            .cloned();
        let time_name = source.time.and_then(|time| {
            let column = source
                .columns
                .as_ref()
                .map_or(Some(time.column), |columns| {
                    columns.get(time.column).copied()
                });
            column
                .and_then(|column| source.schema.fields().get(column))
                .map(|field| field.name().clone())
        });
        let settings = Settings {
            dataset: Arc::clone(&self.input.dataset),
            columns: source.columns.clone(),
            time: source.time,
            time_name: time_name.unwrap_or_default(),
            through: self.input.through,
            last_partition: self
                .input
                .partitions
                .last()
                .map_or(0, |progress| progress.partition),
            rate: self
                .job
                .options
                .rate
                .map(|rate| rate.div_ceil(readers as u64)),
        };
        let (order, orders) = mpsc::channel(ORDERS_MAX);
        let mut reader = Reader::new(settings, own.collect(), orders);
        reader.resume();
        (order, reader)
    }

    fn exchange(&self, node: usize, targets: Vec<Sender>) -> Tail {
        let keys = self
            .job
            .program
            .nodes
            .get(node)
            .and_then(|node| node.exchange())
            .unwrap_or_default();
        Tail::Exchange(Exchange::new(
            keys.iter().map(|key| Arc::clone(&key.expr)).collect(),
            targets,
        ))
    }

    fn writer(&self, output: usize, sink: &Sink, index: usize) -> Result<Writer> {
        let dataset = self
            .outputs
            .get(output)
            .map(|output| Arc::clone(&output.dataset))
            .ok_or_else(|| {
                Error::new(
                    Kind::Internal,
                    "FS0620",
                    "an output of the program was not opened",
                )
            })?;
        let attempt = u32::try_from(self.owned.generation - 1).unwrap_or(u32::MAX);
        Ok(Writer::new(
            output,
            sink.clone(),
            dataset,
            index as u32,
            attempt,
        ))
    }
}

/// A channel from each sender to each receiver: senders by sending subtask, receivers by receiving.
fn mesh(senders: usize, receivers: usize) -> (Vec<Vec<Sender>>, Vec<Vec<Receiver>>) {
    let mut sending: Vec<Vec<Sender>> = (0..senders).map(|_| Vec::new()).collect();
    let mut receiving: Vec<Vec<Receiver>> = (0..receivers).map(|_| Vec::new()).collect();
    for from in &mut sending {
        for to in &mut receiving {
            let (sender, receiver) = channel();
            from.push(sender);
            to.push(receiver);
        }
    }
    (sending, receiving)
}
