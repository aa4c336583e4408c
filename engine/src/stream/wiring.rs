//! Puts the subtasks of one incarnation together: readers, operators with their restored state,
//! channels and writers.
//!
//! It starts nothing. Invariant: every subtask of a chain has one channel from each subtask of the
//! chain before, and the state of exactly its own key groups.

use super::channel::{Receiver, Sender, channel};
use super::checkpoint::{Body, Progress, StateFile, decode_state};
use super::counts::{Counters, Totals};
use super::exchange::Exchange;
use super::gate::Gate;
use super::graph::JobGraph;
use super::handle::Meters;
use super::keygroup;
use super::message::NO_WATERMARK;
use super::operator::{self, Chain};
use super::program::{Operator, Program, Sink};
use super::report::Report;
use super::sink::Writer;
use super::source::{Order, Reader, Settings};
use super::takeover::{Output, Owned};
use super::task::{Head, State, Subtask, Tail};
use arrow_array::RecordBatch;
use flinkspark_model::budget::Share;
use flinkspark_model::port::{Dataset, Log};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Orders that wait for a source subtask, at most.
const ORDERS_MAX: usize = 4;

/// Where the job reads, and what it goes on from.
pub(crate) struct Input {
    pub(crate) dataset: Arc<dyn Dataset>,
    pub(crate) through: SlotNo,
    pub(crate) partitions: Vec<Progress>,
    pub(crate) totals: Totals,
    pub(crate) body: Option<Body>,
}

pub(crate) type States = HashMap<String, Vec<(StateFile, RecordBatch)>>;

pub(crate) async fn load_states(log: &dyn Log, body: Option<&Body>) -> Result<States> {
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
pub(crate) struct Wiring<'a> {
    pub(crate) program: &'a Program,
    pub(crate) rate: Option<u64>,
    pub(crate) memory: &'a Share,
    pub(crate) meters: &'a Arc<Meters>,
    pub(crate) graph: &'a JobGraph,
    pub(crate) log: &'a Arc<dyn Log>,
    pub(crate) outputs: &'a [Output],
    pub(crate) owned: &'a Owned,
    pub(crate) input: &'a Input,
    pub(crate) states: States,
    pub(crate) report: mpsc::Sender<Report>,
}

impl Wiring<'_> {
    /// The subtasks of all chains, and the lines to the source's.
    pub(crate) fn subtasks(self) -> Result<(Vec<Subtask>, Vec<mpsc::Sender<Order>>)> {
        let chains = &self.graph.chains;
        let mut subtasks = Vec::new();
        let mut orders = Vec::new();
        let mut receivers: Vec<Vec<Receiver>> = Vec::new();
        for (number, chain) in chains.iter().enumerate() {
            let targets = chains.get(number + 1).map_or(0, |next| next.parallelism);
            let (senders, next_receivers) = mesh(chain.parallelism, targets, self.memory);
            let mut heads = std::mem::replace(&mut receivers, next_receivers).into_iter();
            for (index, to_next) in senders.into_iter().enumerate() {
                let head = match heads.next() {
                    Some(channels) => Head::Gate(Gate::new(channels)),
                    None => {
                        let (order, reader) = self.reader(index, chain.parallelism);
                        orders.push(order);
                        Head::Source(Box::new(reader))
                    }
                };
                let tail = match chains.get(number + 1) {
                    Some(next) => self.exchange(next.nodes.start, to_next),
                    None => Tail::Sink(self.writer(0, &self.program.sink, index)?),
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
        for node in &self.program.nodes[chain.nodes.clone()] {
            let mut operator = operator::build(node)?;
            let states = self.states.get(&node.uid).into_iter().flatten();
            for (_, state) in states.filter(|(file, _)| file.overlaps(&key_groups)) {
                operator.restore(state, &key_groups)?;
            }
            operators.push((node.uid.clone(), operator));
            if let Operator::Tumble(tumble) = &node.operator
                && let Some(sink) = &tumble.late_to
            {
                let output = self.program.sinks().position(|other| other.uid == sink.uid);
                late = Some(self.writer(output.unwrap_or(0), sink, index)?);
            }
        }
        Ok(Subtask {
            index: index as u32,
            key_groups,
            head,
            chain: Chain { operators },
            state: State::new(self.memory),
            tail,
            late,
            log: Arc::clone(self.log),
            reports: self.report.clone(),
            meters: Arc::clone(self.meters),
            counters: Counters::default(),
            watermark: NO_WATERMARK,
            acks: JoinSet::new(),
        })
    }

    fn reader(&self, index: usize, readers: usize) -> (mpsc::Sender<Order>, Reader) {
        let source = &self.program.source;
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
            rate: self.rate.map(|rate| rate.div_ceil(readers as u64)),
        };
        let (order, orders) = mpsc::channel(ORDERS_MAX);
        let mut reader = Reader::new(settings, own.collect(), orders);
        reader.resume();
        (order, reader)
    }

    fn exchange(&self, node: usize, targets: Vec<Sender>) -> Tail {
        let keys = self
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
        let job = (self.log.id(), self.owned.generation);
        Ok(Writer::new(
            output,
            sink.clone(),
            dataset,
            index as u32,
            job,
        ))
    }
}

/// A channel from each sender to each receiver: senders by sending subtask, receivers by receiving.
fn mesh(
    senders: usize,
    receivers: usize,
    memory: &Share,
) -> (Vec<Vec<Sender>>, Vec<Vec<Receiver>>) {
    let mut sending: Vec<Vec<Sender>> = (0..senders).map(|_| Vec::new()).collect();
    let mut receiving: Vec<Vec<Receiver>> = (0..receivers).map(|_| Vec::new()).collect();
    for from in &mut sending {
        for to in &mut receiving {
            let (sender, receiver) = channel(memory);
            from.push(sender);
            to.push(receiver);
        }
    }
    (sending, receiving)
}
