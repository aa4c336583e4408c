//! Which columns of the dataset a plan reads.
//!
//! Invariant: a column that is left out changes no row of the result.

use crate::plan::display::inputs;
use crate::plan::rel::{Node, Rel};
use std::collections::BTreeSet;

/// Positions of the scan's columns that decide the plan's result, on a path of nodes.
pub(super) fn columns(root: &Rel) -> BTreeSet<usize> {
    let mut needed: BTreeSet<usize> = (0..root.columns.len()).collect();
    let mut rel = root;
    loop {
        needed = below(&rel.node, needed);
        let Some(input) = inputs(rel).first().copied() else {
            return needed;
        };
        // What a node adds is not its input's to give.
        needed.retain(|column| *column < input.columns.len());
        rel = input;
    }
}

/// What a node reads of its input so that it can give these of its columns.
fn below(node: &Node, needed: BTreeSet<usize>) -> BTreeSet<usize> {
    match node {
        Node::Project(_, exprs) => {
            let used = needed.iter().filter_map(|column| exprs.get(*column));
            used.flat_map(|expr| expr.columns()).collect()
        }
        Node::Filter(_, predicate) => needed.into_iter().chain(predicate.columns()).collect(),
        Node::Tumble(_, tumble) => needed.into_iter().chain([tumble.time]).collect(),
        Node::Aggregate(_, grouping) => {
            let calls = grouping
                .calls
                .iter()
                .flat_map(|call| call.argument.into_iter().chain(call.filter));
            grouping.keys.iter().copied().chain(calls).collect()
        }
        Node::Scan(_) => needed,
        Node::Distinct(input) => (0..input.columns.len()).collect(),
        // The stream refuses the node; nothing is left out below it.
        _ => (0..usize::from(u16::MAX)).collect(),
    }
}
