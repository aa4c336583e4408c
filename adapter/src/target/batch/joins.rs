//! Filters and joins of a plan, rearranged before it is lowered.
//!
//! Owns which conjuncts go below a join and which equalities become its keys. What can fail is never
//! evaluated on rows on which the statement does not evaluate it, and what stands before it stays before it.
//! Invariant: the rearranged plan has the rows and the columns of the plan.

mod keys;

use crate::plan::rel::{Column, Join, JoinKind, Node, Rel};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::fallible::can_fail;
use crate::semantics::types::{FlinkType, Root};
use keys::{equality, keyed, null_aware};

/// The plan with its filters below its joins, and its joins by keys.
pub(super) fn arranged(rel: Rel) -> Rel {
    let Rel { node, columns } = rel;
    let node = inputs_arranged(node);
    match node {
        Node::Filter(input, condition) => filter(*input, condition),
        Node::Join(join) => by_keys(*join, columns),
        node => Rel { node, columns },
    }
}

fn inputs_arranged(node: Node) -> Node {
    let one = |input: Box<Rel>| Box::new(arranged(*input));
    match node {
        Node::Project(input, exprs) => Node::Project(one(input), exprs),
        Node::Filter(input, condition) => Node::Filter(one(input), condition),
        Node::Tumble(input, tumble) => Node::Tumble(one(input), tumble),
        Node::Aggregate(input, grouping) => Node::Aggregate(one(input), grouping),
        Node::Expand(input, lists) => Node::Expand(one(input), lists),
        Node::Distinct(input) => Node::Distinct(one(input)),
        Node::Over(input, calls) => Node::Over(one(input), calls),
        Node::Unnest(input, column) => Node::Unnest(one(input), column),
        Node::Sort(input, keys) => Node::Sort(one(input), keys),
        Node::Limit {
            input,
            offset,
            fetch,
        } => Node::Limit {
            input: one(input),
            offset,
            fetch,
        },
        Node::Union(inputs) => Node::Union(inputs.into_iter().map(arranged).collect()),
        Node::SetOperation(mut operation) => {
            operation.left = arranged(operation.left);
            operation.right = arranged(operation.right);
            Node::SetOperation(operation)
        }
        Node::Join(mut join) => {
            join.left = arranged(join.left);
            join.right = arranged(join.right);
            Node::Join(join)
        }
        leaf @ (Node::Values(_) | Node::Scan(_)) => leaf,
    }
}

/// A filter, what cannot fail and stands before everything that can as deep as it goes.
fn filter(input: Rel, condition: Expr) -> Rel {
    let mut terms = conjuncts(condition);
    let rest = terms.split_off(total(&terms));
    let (input, kept) = push(input, terms);
    filtered(input, kept.into_iter().chain(rest).collect())
}

/// How many terms stand before the first one that can fail.
fn total(terms: &[Expr]) -> usize {
    terms.iter().position(can_fail).unwrap_or(terms.len())
}

/// Puts conditions that cannot fail below a relation's joins; gives back those that stay above it.
fn push(rel: Rel, terms: Vec<Expr>) -> (Rel, Vec<Expr>) {
    if terms.is_empty() {
        return (rel, terms);
    }
    let Rel { node, columns } = rel;
    match node {
        Node::Join(join) => push_join(*join, columns, terms),
        Node::Filter(input, condition) if !can_fail(&condition) => {
            let (input, kept) = push(*input, terms);
            (filtered(input, vec![condition]), kept)
        }
        Node::Project(input, exprs) if !exprs.iter().any(can_fail) && has_join(&input) => {
            let moves = |term: &Expr| {
                let plain = |column: &usize| {
                    matches!(
                        exprs.get(*column).map(|expr| &expr.kind),
                        Some(ExprKind::Column(_))
                    )
                };
                term.columns().iter().all(plain)
            };
            let (down, kept): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(moves);
            let place = |column: usize| match exprs.get(column).map(|expr| &expr.kind) {
                Some(ExprKind::Column(index)) => *index,
                _ => column,
            };
            let down = down.into_iter().map(|term| term.with_columns(&place));
            let (input, below) = push(*input, down.collect());
            let input = Box::new(filtered(input, below));
            let node = Node::Project(input, exprs);
            (Rel { node, columns }, kept)
        }
        node => (Rel { node, columns }, terms),
    }
}

/// Whether a join can be reached from here by [`push`].
fn has_join(rel: &Rel) -> bool {
    match &rel.node {
        Node::Join(_) => true,
        Node::Filter(input, _) | Node::Project(input, _) => has_join(input),
        _ => false,
    }
}

fn push_join(mut join: Join, columns: Vec<Column>, terms: Vec<Expr>) -> (Rel, Vec<Expr>) {
    let whole = |join: Join, columns| Rel {
        node: Node::Join(Box::new(join)),
        columns,
    };
    if join.residual.as_ref().is_some_and(can_fail) {
        return (whole(join, columns), terms);
    }
    let width = join.left.columns.len();
    let (mut left, mut right, mut both, mut kept) = (vec![], vec![], vec![], vec![]);
    if terms
        .iter()
        .any(|term| refuses_null(term, width, join.kind))
    {
        join.kind = JoinKind::Inner;
    }
    for term in terms {
        match (side(&term, width), join.kind) {
            (Side::Left, JoinKind::Full | JoinKind::Right) => kept.push(term),
            (Side::Left, _) => left.push(term),
            (Side::Right, JoinKind::Inner | JoinKind::Right) => right.push(term),
            (Side::Both, JoinKind::Inner) => both.push(term),
            _ => kept.push(term),
        }
    }
    let into = |rel: Rel, terms: Vec<Expr>| {
        let (rel, kept) = push(rel, terms);
        filtered(rel, kept)
    };
    join.left = into(join.left, left);
    let right = right
        .into_iter()
        .map(|term| term.with_columns(&|column| column - width));
    join.right = into(join.right, right.collect());
    both.splice(0..0, join.residual.take().into_iter().flat_map(conjuncts));
    join.residual = conjunction(both);
    (by_keys(join, columns), kept)
}

/// Whether a condition is never TRUE of the NULLs that an outer join puts in the place of one side.
fn refuses_null(term: &Expr, width: usize, kind: JoinKind) -> bool {
    let of_nulls = match kind {
        JoinKind::Left => Side::Right,
        JoinKind::Right => Side::Left,
        _ => return false,
    };
    let comparison = match &term.kind {
        ExprKind::Call(function, args) => {
            ["=", "<>", "<", "<=", ">", ">="].contains(&function.name) && args.iter().all(is_strict)
        }
        _ => false,
    };
    comparison && side(term, width) == of_nulls
}

/// Whether the expression is NULL where a column that it reads is.
fn is_strict(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Column(_) | ExprKind::Literal(_) => true,
        ExprKind::Cast(input) => is_strict(input),
        ExprKind::Call(function, args) => function.strict && args.iter().all(is_strict),
        _ => false,
    }
}

/// Which inputs of a join a condition reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    None,
    Left,
    Right,
    Both,
}

fn side(expr: &Expr, width: usize) -> Side {
    let columns = expr.columns();
    let left = columns.iter().any(|column| *column < width);
    let right = columns.iter().any(|column| *column >= width);
    match (left, right) {
        (false, false) => Side::None,
        (true, false) => Side::Left,
        (false, true) => Side::Right,
        (true, true) => Side::Both,
    }
}

/// A join whose equalities are keys, and whose conditions on one input alone filter that input where its
/// kind lets them.
fn by_keys(mut join: Join, columns: Vec<Column>) -> Rel {
    let width = join.left.columns.len();
    if let Some(key) = null_aware(&join) {
        join.residual = None;
        if key.iter().any(|expr| expr.ty.nullable) {
            join.kind = JoinKind::NotIn;
        }
        return keyed(join, columns, vec![key], width);
    }
    let mut terms = match join.residual.take() {
        Some(residual) => conjuncts(residual),
        None => vec![],
    };
    let rest = match terms.first() {
        // An equality that stands first is evaluated on every row, as Flink evaluates a key.
        Some(first) if can_fail(first) && equality(first, width).is_some() => {
            let after = terms.split_off(1);
            let total = total(&after);
            terms.extend(after[..total].to_vec());
            after[total..].to_vec()
        }
        _ => terms.split_off(total(&terms)),
    };
    let (mut keys, mut left, mut right, mut residual) = (vec![], vec![], vec![], vec![]);
    for term in terms {
        match (equality(&term, width), side(&term, width), join.kind) {
            (Some(key), ..) => keys.push(key),
            (_, Side::Left, JoinKind::Inner | JoinKind::Semi | JoinKind::Right) => left.push(term),
            (
                _,
                Side::Right,
                JoinKind::Inner | JoinKind::Semi | JoinKind::Anti | JoinKind::Left,
            ) => right.push(term.with_columns(&|column| column - width)),
            _ => residual.push(term),
        }
    }
    let into = |rel: Rel, terms: Vec<Expr>| {
        let (rel, kept) = push(rel, terms);
        filtered(rel, kept)
    };
    join.left = into(join.left, left);
    join.right = into(join.right, right);
    residual.extend(rest);
    join.residual = conjunction(residual);
    keyed(join, columns, keys, width)
}

/// The terms of a conjunction, in order.
pub(super) fn conjuncts(expr: Expr) -> Vec<Expr> {
    match expr.kind {
        ExprKind::And(args) => args.into_iter().flat_map(conjuncts).collect(),
        kind => vec![Expr { kind, ty: expr.ty }],
    }
}

/// The conjunction of terms, none of no terms.
pub(super) fn conjunction(mut terms: Vec<Expr>) -> Option<Expr> {
    if terms.len() < 2 {
        return terms.pop();
    }
    let nullable = terms.iter().any(|term| term.ty.nullable);
    let root = Root::Boolean;
    Some(Expr {
        kind: ExprKind::And(terms),
        ty: FlinkType { root, nullable },
    })
}

fn filtered(rel: Rel, terms: Vec<Expr>) -> Rel {
    let columns = rel.columns.clone();
    match conjunction(terms) {
        None => rel,
        Some(condition) => Rel {
            node: Node::Filter(Box::new(rel), condition),
            columns,
        },
    }
}
