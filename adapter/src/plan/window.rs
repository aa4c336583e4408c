//! Which windows a plan aggregates in, read off its nodes.
//!
//! Never runs anything. Invariant: a column is called a window's bound only where it is that bound,
//! unchanged, in every row.

use super::rel::{Column, Node, Rel, Scan, Tumble};
use crate::semantics::expr::ExprKind;

/// Which bound of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// The first time that lies in it.
    Start,
    /// The first time that lies behind it.
    End,
    /// The last time that lies in it.
    Time,
}

/// The window that a relation has opened, over the dataset that it reads.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The window.
    pub tumble: &'a Tumble,
    /// The dataset.
    pub scan: &'a Scan,
    /// The dataset's columns.
    pub columns: &'a [Column],
}

/// The window that a relation's rows are in, where each comes from one row of the dataset.
pub fn opened(rel: &Rel) -> Option<Window<'_>> {
    match &rel.node {
        Node::Filter(input, _)
        | Node::Project(input, _)
        | Node::Expand(input, _)
        | Node::Unnest(input, _) => opened(input),
        Node::Tumble(input, tumble) => match &input.node {
            Node::Scan(scan) => Some(Window {
                tumble,
                scan,
                columns: &input.columns,
            }),
            _ => None,
        },
        _ => None,
    }
}

/// The bound that a column of a relation is.
pub fn bound(rel: &Rel, column: usize) -> Option<Bound> {
    match &rel.node {
        Node::Tumble(input, _) => match column.checked_sub(input.columns.len()) {
            None => bound(input, column),
            Some(0) => Some(Bound::Start),
            Some(1) => Some(Bound::End),
            Some(2) => Some(Bound::Time),
            Some(_) => None,
        },
        Node::Project(input, exprs) => match exprs.get(column)?.kind {
            ExprKind::Column(index) => bound(input, index),
            _ => None,
        },
        Node::Expand(input, lists) => {
            let nulled = lists.iter().any(|list| list.contains(&column));
            (!nulled).then(|| bound(input, column)).flatten()
        }
        Node::Filter(input, _) | Node::Sort(input, _) | Node::Limit { input, .. } => {
            bound(input, column)
        }
        Node::Over(input, _) | Node::Unnest(input, _) => {
            let own = column < input.columns.len();
            own.then(|| bound(input, column)).flatten()
        }
        Node::Join(join) => match column.checked_sub(join.left.columns.len()) {
            None => bound(&join.left, column),
            Some(right) => bound(&join.right, right),
        },
        Node::Union(inputs) => {
            let mut bounds = inputs.iter().map(|input| bound(input, column));
            let first = bounds.next()?;
            bounds.all(|other| other == first).then_some(first)?
        }
        _ => None,
    }
}

/// Whether rows are grouped by both bounds of a window: then the window closes, and rows can be late for it.
pub fn groups_by_window(input: &Rel, keys: &[usize]) -> bool {
    let has = |wanted| keys.iter().any(|key| bound(input, *key) == Some(wanted));
    has(Bound::Start) && has(Bound::End)
}
