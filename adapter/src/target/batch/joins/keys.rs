//! Equalities as a join's keys.
//!
//! Owns which equalities can be keys, and the columns that are computed for them below a join and dropped above it.
//! Invariant: the join has the rows and the columns that it had with the equalities in its condition.

use super::{Side, conjuncts, side};
use crate::plan::rel::{Column, Join, JoinKind, Node, Rel};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::function::operator;
use crate::semantics::types::{FlinkType, Root};

/// The two sides of an equality that can be a join's key.
pub(super) fn equality(term: &Expr, width: usize) -> Option<[Expr; 2]> {
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
pub(super) fn null_aware(join: &Join) -> Option<[Expr; 2]> {
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
pub(super) fn keyed(
    mut join: Join,
    columns: Vec<Column>,
    keys: Vec<[Expr; 2]>,
    width: usize,
) -> Rel {
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
