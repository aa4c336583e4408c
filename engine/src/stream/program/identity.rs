//! What makes a program the same program: to it belongs a checkpoint's state.
//!
//! The identity is the digest of a canonical encoding of the operators' ids and kinds, what they read and
//! write, and what they compute, by columns' positions, types and rules. No name and no text for people is
//! in it, so that renaming an output changes nothing, and neither does a build that prints expressions
//! otherwise. Invariant: programs of one identity give the same rows for the same input, and state fits.

use super::super::checkpoint::Body;
use super::{Aggregate, EventTime, NamedExpr, Operator, Program};
use crate::expr::aggregate::Function;
use flinkspark_model::dataset::TimePrecision;
use std::collections::BTreeSet;
use xxhash_rust::xxh3::xxh3_128;

/// The version of the encoding, before its digest.
const ENCODING: &str = "p1-";
/// The version of a checkpoint's body in which programs were known by their text.
const BODY_OF_TEXT: u32 = 1;

/// What a program is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The encoding's version and digest: what checkpoints keep.
    pub(crate) plan: String,
    /// The digest of the text: what checkpoints of version 1 kept.
    pub(crate) text: String,
    /// The ids of the operators.
    pub(crate) operators: BTreeSet<String>,
}

impl Identity {
    pub(super) fn of(program: &Program) -> Self {
        let mut encoder = Encoder::default();
        encoder.program(program);
        Self {
            plan: format!("{ENCODING}{:032x}", xxh3_128(&encoder.0)),
            text: text(program),
            operators: program.nodes.iter().map(|node| node.uid.clone()).collect(),
        }
    }

    /// Whether a checkpoint's state is this program's.
    pub(crate) fn owns(&self, checkpoint: &Body) -> bool {
        if checkpoint.program.starts_with(ENCODING) {
            return checkpoint.program == self.plan;
        }
        // Another build's text, or encoding, cannot be compared with ours. A run's text is kept and never
        // changes, so that what is left to be checked is that its operators are there.
        let theirs = checkpoint.states.iter().map(|state| state.uid.as_str());
        (checkpoint.version == BODY_OF_TEXT && checkpoint.program == self.text)
            || theirs.into_iter().all(|uid| self.operators.contains(uid))
    }
}

/// The digest of the program's text, as builds made it that knew programs by it.
fn text(program: &Program) -> String {
    let source = &program.source;
    let mut text = format!("{program}\n{} {:?}", source.dataset, source.time);
    for sink in program.sinks() {
        text.push_str(&format!("\n{} {}", sink.uid, sink.dataset));
    }
    format!("{:032x}", xxh3_128(text.as_bytes()))
}

/// Numbers are fixed in width, whatever else varies in length has its length before it.
#[derive(Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn signed(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn program(&mut self, program: &Program) {
        let source = &program.source;
        self.bytes(source.uid.as_bytes());
        self.bytes(source.dataset.0.as_bytes());
        match &source.columns {
            None => self.tag(0),
            Some(columns) => {
                self.tag(1);
                self.number(columns.len() as u64);
                columns
                    .iter()
                    .for_each(|column| self.number(*column as u64));
            }
        }
        self.time(source.time.as_ref());
        let known = program.plan.is_some();
        self.bytes(program.plan.as_deref().unwrap_or_default());
        self.number(program.nodes.len() as u64);
        for node in &program.nodes {
            self.bytes(node.uid.as_bytes());
            self.operator(&node.operator, known);
        }
        for sink in program.sinks() {
            self.bytes(sink.uid.as_bytes());
            self.bytes(sink.dataset.0.as_bytes());
        }
    }

    fn time(&mut self, time: Option<&EventTime>) {
        let Some(time) = time else {
            return self.tag(0);
        };
        self.tag(1);
        self.number(time.column as u64);
        self.number(time.watermark_delay_ms);
        self.precision(time.precision);
    }

    fn precision(&mut self, precision: TimePrecision) {
        self.tag(match precision {
            TimePrecision::Exact => 0,
            TimePrecision::Floor => 1,
        });
    }

    /// `known` says that the plan's encoding decides what the expressions compute.
    fn operator(&mut self, operator: &Operator, known: bool) {
        match operator {
            Operator::Filter(predicate) => {
                self.tag(1);
                self.text(predicate, known);
            }
            Operator::Project(columns) => {
                self.tag(2);
                self.values(columns, known);
            }
            Operator::Tumble(tumble) => {
                self.tag(3);
                self.number(tumble.time as u64);
                self.precision(tumble.precision);
                self.signed(tumble.size_ms);
                self.signed(tumble.offset_ms);
                self.values(&tumble.keys, known);
                self.aggregates(&tumble.aggregates, known);
            }
            Operator::Keyed(keyed) => {
                self.tag(4);
                self.values(&keyed.keys, known);
                self.aggregates(&keyed.aggregates, known);
            }
        }
    }

    fn values(&mut self, values: &[NamedExpr], known: bool) {
        self.number(values.len() as u64);
        values
            .iter()
            .for_each(|value| self.text(&value.expr, known));
    }

    fn aggregates(&mut self, aggregates: &[Aggregate], known: bool) {
        self.number(aggregates.len() as u64);
        for aggregate in aggregates {
            self.tag(match aggregate.function {
                Function::CountStar => 1,
                Function::Count => 2,
                Function::Sum => 3,
                Function::Avg => 4,
                Function::Min => 5,
                Function::Max => 6,
            });
            match &aggregate.argument {
                None => self.tag(0),
                Some(argument) => self.text(argument, known),
            }
        }
    }

    fn text(&mut self, expression: &impl ToString, known: bool) {
        if known {
            self.tag(1);
        } else {
            self.bytes(expression.to_string().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::support::{Input, program};
    use super::*;

    fn renamed(mut program: Program) -> Program {
        for node in &mut program.nodes {
            if let Operator::Tumble(tumble) = &mut node.operator {
                let names = tumble.aggregates.iter_mut().map(|call| &mut call.name);
                names.for_each(|name| name.push_str("_renamed"));
            }
        }
        program.source.name.push_str("_renamed");
        program.sink.name.push_str("_renamed");
        program
    }

    #[test]
    fn names_are_no_part_of_an_identity() {
        let whole = program(&Input::generate(1, 1, 0), true);
        let renamed = renamed(whole.clone());
        assert_eq!(renamed.identity().plan, whole.identity().plan);
        assert_ne!(renamed.identity().text, whole.identity().text);
    }

    #[test]
    fn a_plans_encoding_stands_for_the_expressions_text() {
        let whole = program(&Input::generate(1, 1, 0), true);
        let of = |plan: &[u8]| whole.clone().of_plan(plan.to_vec()).identity().plan;
        assert_eq!(of(b"a"), of(b"a"));
        assert_ne!(of(b"a"), of(b"b"));
        assert_ne!(of(b""), whole.identity().plan);
    }

    #[test]
    fn what_decides_the_rows_is_a_part_of_it() {
        let input = Input::generate(1, 1, 0);
        let whole = program(&input, true);
        let mut others = vec![program(&input, false)];
        for change in 0..5 {
            let mut other = whole.clone();
            match (change, &mut other.nodes[1].operator) {
                (0, Operator::Tumble(tumble)) => tumble.size_ms += 1,
                (1, Operator::Tumble(tumble)) => tumble.offset_ms += 1,
                (2, Operator::Tumble(tumble)) => tumble.aggregates.swap(0, 1),
                (3, _) => other.nodes[1].uid.push('x'),
                _ => other.sink.dataset = other.source.dataset,
            }
            others.push(other);
        }
        for (index, other) in others.iter().enumerate() {
            assert_ne!(other.identity().plan, whole.identity().plan, "{index}");
        }
    }
}
