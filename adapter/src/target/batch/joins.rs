//! Filters and joins of a plan, rearranged before it is lowered.
//!
//! Owns which conjuncts go below a join and which equalities become its keys. What can fail is never
//! evaluated on rows on which the statement does not evaluate it, and what stands before it stays before it.
//! Invariant: the rearranged plan has the rows and the columns of the plan.

use crate::plan::rel::{Column, Join, JoinKind, Node, Rel};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::fallible::can_fail;
use crate::semantics::function::operator;
use crate::semantics::types::{FlinkType, Root};

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

/// The two sides of an equality that can be a join's key.
fn equality(term: &Expr, width: usize) -> Option<[Expr; 2]> {
    let ExprKind::Call(function, args) = &term.kind else {
        return None;
    };
    let [one, other] = args.as_slice() else {
        return None;
    };
    let same = one.ty.root.arrow() == other.ty.root.arrow();
    let key = same && !one.ty.root.is_approximate() && !one.ty.root.is_nested();
    if **function != operator::EQUAL || !key {
        return None;
    }
    let inside = |expr: &Expr| expr.clone().with_columns(&|column| column - width);
    match (side(one, width), side(other, width)) {
        (Side::Left, Side::Right) => Some([one.clone(), inside(other)]),
        (Side::Right, Side::Left) => Some([other.clone(), inside(one)]),
        _ => None,
    }
}

/// The key of NOT IN: an anti join on everything but FALSE.
fn null_aware(join: &Join) -> Option<[Expr; 2]> {
    let inner = |expr: &Expr, name: &str| match &expr.kind {
        ExprKind::Call(function, args) if function.name == name => args.first().cloned(),
        _ => None,
    };
    if join.kind != JoinKind::Anti || !join.keys.is_empty() {
        return None;
    }
    let mut terms = conjuncts(join.residual.clone()?);
    let only = terms.pop().filter(|_| terms.is_empty())?;
    let equal = inner(&inner(&only, "NOT")?, "IS FALSE")?;
    equality(&equal, join.left.columns.len())
}

/// The join by further keys; one that is no plain column is computed below the join and dropped above it.
fn keyed(mut join: Join, columns: Vec<Column>, keys: Vec<[Expr; 2]>, width: usize) -> Rel {
    let right_width = join.right.columns.len();
    let (mut more_left, mut more_right) = (vec![], vec![]);
    let place = |expr: Expr, own: usize, more: &mut Vec<Expr>| match expr.kind {
        ExprKind::Column(index) => index,
        kind => {
            more.push(Expr { kind, ty: expr.ty });
            own + more.len() - 1
        }
    };
    for [left, right] in keys {
        let left = place(left, width, &mut more_left);
        join.keys
            .push((left, place(right, right_width, &mut more_right)));
    }
    let (added_left, added_right) = (more_left.len(), more_right.len());
    let looked_up = matches!(join.kind, JoinKind::Semi | JoinKind::Anti | JoinKind::NotIn);
    if looked_up && join.residual.is_none() && !join.keys.is_empty() {
        // Of a side that is only looked up each key is enough once.
        join.right = once(
            widened(join.right, std::mem::take(&mut more_right)),
            &mut join.keys,
        );
    }
    if added_left == 0 && (added_right == 0 || more_right.is_empty()) {
        let node = Node::Join(Box::new(join));
        return Rel { node, columns };
    }
    join.left = widened(join.left, more_left);
    join.right = widened(join.right, more_right);
    let moved = |column: usize| {
        if column < width {
            column
        } else {
            column + added_left
        }
    };
    join.residual = join.residual.map(|residual| residual.with_columns(&moved));
    let extra = |count: usize| (0..count).map(|_| key_column());
    let mut wide: Vec<Column> = columns[..width].to_vec();
    wide.extend(extra(added_left));
    wide.extend(columns[width..].iter().cloned());
    if columns.len() > width {
        wide.extend(extra(added_right));
    }
    let exprs = columns.iter().enumerate();
    let exprs = exprs.map(|(index, column)| Expr::column(moved(index), column.ty.clone()));
    let exprs = exprs.collect();
    let joined = Rel {
        node: Node::Join(Box::new(join)),
        columns: wide,
    };
    Rel {
        node: Node::Project(Box::new(joined), exprs),
        columns,
    }
}

/// The keys of a relation, each once; they become its columns.
fn once(rel: Rel, keys: &mut [(usize, usize)]) -> Rel {
    let mut exprs = Vec::with_capacity(keys.len());
    let mut columns = Vec::with_capacity(keys.len());
    for (place, (_, right)) in keys.iter_mut().enumerate() {
        if let Some(column) = rel.columns.get(*right) {
            exprs.push(Expr::column(*right, column.ty.clone()));
            columns.push(column.clone());
        }
        *right = place;
    }
    let keys = Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns: columns.clone(),
    };
    Rel {
        node: Node::Distinct(Box::new(keys)),
        columns,
    }
}

fn key_column() -> Column {
    Column {
        name: "$key".into(),
        ty: FlinkType::nullable(Root::Boolean),
    }
}

/// The relation with computed columns behind its own.
fn widened(rel: Rel, more: Vec<Expr>) -> Rel {
    if more.is_empty() {
        return rel;
    }
    let mut columns = rel.columns.clone();
    let own = columns.iter().enumerate();
    let mut exprs: Vec<Expr> = own
        .map(|(index, column)| Expr::column(index, column.ty.clone()))
        .collect();
    for expr in more {
        columns.push(Column {
            name: "$key".into(),
            ty: expr.ty.clone(),
        });
        exprs.push(expr);
    }
    Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns,
    }
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
