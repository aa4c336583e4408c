//! Where the order of rows decides an answer, and where that order is defined.
//!
//! Rows have an order as long as they are one dataset's, filtered and projected: that of its partitions, and
//! within each that of its log. A join, a grouping or a set operation has none. Invariant: a column that is
//! not named here is the same, bit for bit, at any parallelism.

use super::Job;
use super::display::inputs;
use super::rel::{AggregateCall, Node, OverFunction, Rel};
use crate::semantics::expr::{Expr, ExprKind};
use std::collections::BTreeSet;

/// Whether the rows of a relation have an order that does not depend on how it is run.
pub fn is_defined(rel: &Rel) -> bool {
    match &rel.node {
        Node::Values(_) | Node::Scan(_) => true,
        Node::Project(input, _)
        | Node::Filter(input, _)
        | Node::Tumble(input, _)
        | Node::Expand(input, _)
        | Node::Unnest(input, _) => is_defined(input),
        _ => false,
    }
}

/// Whether the order of its rows can change what a call gives over this input.
pub fn is_sensitive(call: &AggregateCall, input: &Rel) -> bool {
    let argument = call
        .argument
        .and_then(|argument| input.columns.get(argument));
    argument.is_some_and(|column| call.signature.function.is_order_sensitive(&column.ty))
}

/// Whether a plan folds rows in their order: whoever runs it keeps each partition's rows together.
pub fn is_needed(rel: &Rel) -> bool {
    let here = match &rel.node {
        Node::Aggregate(input, grouping) => {
            is_defined(input) && grouping.calls.iter().any(|call| is_sensitive(call, input))
        }
        _ => false,
    };
    here || inputs(rel).into_iter().any(is_needed)
}

/// The job's columns of floats that depend on an order which is not defined: of two right answers they
/// may differ in their last digits. By position.
pub fn inexact_columns(job: &Job) -> BTreeSet<usize> {
    inexact(&job.root)
        .into_iter()
        .filter(|column| *column < job.columns.len())
        .collect()
}

fn inexact(rel: &Rel) -> BTreeSet<usize> {
    let float = |column: &usize| {
        let column = rel.columns.get(*column);
        column.is_some_and(|column| column.ty.root.is_approximate())
    };
    let columns: BTreeSet<usize> = match &rel.node {
        Node::Values(_) | Node::Scan(_) => BTreeSet::new(),
        Node::Project(input, exprs) => {
            let below = inexact(input);
            let reads = |expr: &Expr| match expr.kind {
                ExprKind::Column(index) => below.contains(&index),
                _ => expr.columns().iter().any(|column| below.contains(column)),
            };
            (0..exprs.len())
                .filter(|at| exprs.get(*at).is_some_and(reads))
                .collect()
        }
        Node::Aggregate(input, grouping) => {
            let below = inexact(input);
            let keys = grouping.keys.iter().map(|key| below.contains(key));
            let defined = is_defined(input);
            let calls = grouping.calls.iter().map(|call| {
                let argument = call
                    .argument
                    .is_some_and(|argument| below.contains(&argument));
                argument || !defined && is_sensitive(call, input)
            });
            positions(keys.chain(calls))
        }
        Node::Over(input, calls) => {
            let below = inexact(input);
            let width = input.columns.len();
            let own = calls.iter().enumerate().filter(|(_, call)| {
                let floats = matches!(&call.function, OverFunction::Aggregate(signature)
                    if signature.argument.root.is_approximate());
                floats || call.args.iter().any(|argument| below.contains(argument))
            });
            let own: Vec<usize> = own.map(|(index, _)| width + index).collect();
            below.into_iter().chain(own).collect()
        }
        Node::Join(join) => {
            let width = join.left.columns.len();
            let right = inexact(&join.right)
                .into_iter()
                .map(|column| column + width);
            inexact(&join.left).into_iter().chain(right).collect()
        }
        _ => inputs(rel).into_iter().flat_map(inexact).collect(),
    };
    columns.into_iter().filter(float).collect()
}

fn positions(flags: impl Iterator<Item = bool>) -> BTreeSet<usize> {
    flags
        .enumerate()
        .filter_map(|(index, flag)| flag.then_some(index))
        .collect()
}
