//! The one narrow trait of operators, and calling a chain of them.
//!
//! Operators are synchronous: they are given rows and watermarks in order and put what follows
//! into an [`Output`]. They never wait, read no clock and know no channel. Invariant: what an
//! operator does depends on the sequence of rows and watermarks, never on how it is cut.

mod filter;
mod grouped;
mod keyed;
mod older;
mod project;
mod tumble;

#[cfg(test)]
mod tests;

use super::counts::Counts;
use super::message::{Batch, Watermark, Watermarks};
use super::program::{Node, Operator as Description};
use arrow_array::RecordBatch;
use flinkspark_model::Result;
use std::ops::RangeInclusive;

/// Rows of a batch that an operator emits at once, at most.
pub(crate) const EMIT_ROWS_MAX: usize = 8192;

/// What leaves an operator.
#[derive(Debug)]
pub(crate) enum Event {
    Batch(Batch),
    Watermark(Watermark),
}

/// Where an operator puts what follows, in order.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) events: Vec<Event>,
    /// Late rows, with the columns of the operator's input.
    pub(crate) late: Vec<RecordBatch>,
    pub(crate) counts: Counts,
}

impl Output {
    /// Emits rows at which this watermark is in force, at most [`EMIT_ROWS_MAX`] in a batch.
    fn emit(&mut self, rows: &RecordBatch, watermark: Watermark) {
        for first in (0..rows.num_rows()).step_by(EMIT_ROWS_MAX) {
            let count = EMIT_ROWS_MAX.min(rows.num_rows() - first);
            self.events.push(Event::Batch(Batch {
                rows: rows.slice(first, count),
                watermarks: Watermarks::constant(count, watermark),
                partition: 0,
            }));
        }
    }
}

/// An operator of one subtask.
pub(crate) trait Operator: Send {
    /// Rows arrive, each with the watermark in force when its source read it.
    fn on_batch(&mut self, batch: Batch, out: &mut Output) -> Result<()>;

    /// The combined watermark of the subtask advanced: timers up to it fire.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        out.events.push(Event::Watermark(watermark));
        Ok(())
    }

    /// No row follows.
    fn finish(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// The state at this moment, frozen: it does not change with later rows. `None` for an
    /// operator without state.
    fn snapshot(&self) -> Result<Option<RecordBatch>> {
        Ok(None)
    }

    /// Roughly the bytes that its state holds.
    fn state_bytes(&self) -> usize {
        0
    }

    /// Takes over the state of these key groups from a frozen state, which may hold others.
    fn restore(&mut self, _state: &RecordBatch, _groups: &RangeInclusive<u8>) -> Result<()> {
        Ok(())
    }
}

/// The operator that a node describes.
pub(crate) fn build(node: &Node) -> Result<Box<dyn Operator>> {
    Ok(match &node.operator {
        Description::Filter(predicate) => Box::new(filter::Filter::new(predicate.clone())),
        Description::Project(columns) => {
            let exprs = columns.iter().map(|column| column.expr.clone());
            Box::new(project::Project::new(exprs.collect(), node.output.clone()))
        }
        Description::Tumble(tumble) => Box::new(tumble::TumblingAggregate::new(tumble, node)?),
        Description::Keyed(keyed) => Box::new(keyed::KeyedAggregate::new(keyed, node)?),
    })
}

/// Operators that call each other directly.
pub(crate) struct Chain {
    pub(crate) operators: Vec<(String, Box<dyn Operator>)>,
}

impl Chain {
    /// Roughly the bytes that the state of all operators holds.
    pub(crate) fn state_bytes(&self) -> usize {
        let operators = self.operators.iter();
        operators.map(|(_, operator)| operator.state_bytes()).sum()
    }

    /// Sends an event through all operators.
    pub(crate) fn push(&mut self, event: Event, out: &mut Output) -> Result<()> {
        push(&mut self.operators, event, out)
    }

    /// No row follows: each operator finishes, the first one first.
    pub(crate) fn finish(&mut self, out: &mut Output) -> Result<()> {
        for index in 0..self.operators.len() {
            let (done, after) = self.operators.split_at_mut(index + 1);
            let mut own = Output::default();
            if let Some((_, operator)) = done.last_mut() {
                operator.finish(&mut own)?;
            }
            pass(after, own, out)?;
        }
        Ok(())
    }
}

fn push(
    operators: &mut [(String, Box<dyn Operator>)],
    event: Event,
    out: &mut Output,
) -> Result<()> {
    let Some(((_, operator), after)) = operators.split_first_mut() else {
        out.events.push(event);
        return Ok(());
    };
    let mut own = Output::default();
    match event {
        Event::Batch(batch) => operator.on_batch(batch, &mut own)?,
        Event::Watermark(watermark) => operator.on_watermark(watermark, &mut own)?,
    }
    pass(after, own, out)
}

fn pass(after: &mut [(String, Box<dyn Operator>)], own: Output, out: &mut Output) -> Result<()> {
    out.late.extend(own.late);
    out.counts.late += own.counts.late;
    out.counts.fired += own.counts.fired;
    own.events
        .into_iter()
        .try_for_each(|event| push(after, event, out))
}
