//! Constants, as Flink's planner folds them.
//!
//! Owns the differences between an expression evaluated while planning and on a row. Invariant: a
//! constant whose folded value is known to differ, or not known at all, is refused.

use super::conditions::never_true;
use crate::plan::rel::{AggregateCall, Column, JoinKind, Node, Rel};
use crate::semantics::evaluate::{NoRow, evaluate};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::refuse;
use crate::semantics::types::Root;
use crate::semantics::value::Value;
use flinkspark_model::Result;

/// Replaces constant subtrees by their values, from the leaves up; one that fails stays, and fails
/// when it runs.
pub(super) fn fold(expr: Expr) -> Result<Expr> {
    if expr.as_literal().is_some() {
        return Ok(expr);
    }
    let expr = expr.try_map_children(&mut fold)?;
    if !expr.is_constant() {
        return Ok(expr);
    }
    if has_inner_float(&expr) {
        return Err(refuse(
            "a constant FLOAT inside an expression",
            "constant-folding",
        ));
    }
    if keeps_digits(&expr) {
        return Err(refuse(
            "a constant with more digits than its float holds",
            "constant-folding",
        ));
    }
    let value = match evaluate(&expr, &NoRow) {
        Ok(value) => value,
        Err(refusal) if refusal.code() == "FS0803" => return Err(refusal),
        Err(_) => return Ok(expr),
    };
    let value = normal(value, &expr)?;
    // A value that Flink itself loses stays an expression, so that NOT NULL columns can refuse it.
    Ok(if value.is_null() && !expr.ty.nullable {
        expr
    } else {
        Expr::literal(value, expr.ty)
    })
}

/// The value as the planner keeps it: a literal has no negative zero.
fn normal(value: Value, expr: &Expr) -> Result<Value> {
    let from_text = match &expr.kind {
        ExprKind::Cast(input) => input.ty.root.is_text(),
        _ => false,
    };
    match value {
        Value::Double(zero) if zero == 0.0 && zero.is_sign_negative() => {
            if from_text {
                Ok(Value::Double(0.0))
            } else {
                Err(refuse("a constant of -0.0", "constant-folding"))
            }
        }
        Value::Float(zero) if zero == 0.0 && zero.is_sign_negative() => {
            Err(refuse("a constant of -0.0", "constant-folding"))
        }
        value => Ok(value),
    }
}

/// The constants that the planner sees through a relation: one row of folded expressions.
///
/// Flink merges projections over `SELECT` without `FROM` and over a single VALUES row that holds more
/// than plain literals; a row of plain literals stays a row.
pub(super) fn planner_constants(rel: &Rel) -> Option<Vec<Expr>> {
    match &rel.node {
        Node::Project(input, exprs) if is_single_row(input) => exprs
            .iter()
            .all(|expr| expr.as_literal().is_some())
            .then(|| exprs.clone()),
        _ => None,
    }
}

/// A projection; over VALUES that the planner holds as a union of projections it is folded row by row.
///
/// Only a -0.0 that is read from text shows that: the planner's constant is 0.0.
pub(super) fn project(
    rel: Rel,
    exprs: Vec<Expr>,
    columns: Vec<Column>,
    unions: &[Vec<Vec<Expr>>],
) -> Result<Rel> {
    let plain = |rel: Rel, exprs: Vec<Expr>, columns: Vec<Column>| Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns,
    };
    let reads = |part: &Expr| match &part.kind {
        ExprKind::Cast(input) | ExprKind::TryCast(input) => {
            input.ty.root.is_text() && part.ty.root.is_approximate()
        }
        _ => false,
    };
    if !exprs.iter().any(|expr| expr.any(&reads)) {
        return Ok(plain(rel, exprs, columns));
    }
    let Some((rows, filtered)) = planner_rows(&rel, unions) else {
        return Ok(plain(rel, exprs, columns));
    };
    let over = |row: &Vec<Expr>| exprs.iter().map(|expr| placed(expr.clone(), row)).collect();
    let rows: Vec<Vec<Expr>> = rows.iter().map(over).collect();
    let negative = |part: &Expr| reads(part) && is_negative_zero(part);
    if !rows.iter().flatten().any(|expr| expr.any(&negative)) {
        return Ok(plain(rel, exprs, columns));
    }
    let mut folded = Vec::with_capacity(rows.len());
    for row in rows {
        folded.push(row.into_iter().map(fold).collect::<Result<Vec<Expr>>>()?);
    }
    let constant = |expr: &Expr| expr.as_literal().is_some();
    if filtered || !folded.iter().flatten().all(constant) {
        return Err(refuse("a constant of -0.0", "constant-folding"));
    }
    Ok(Rel {
        node: Node::Values(folded),
        columns,
    })
}

/// The constant rows that the planner sees through a relation, and whether a filter leaves some out.
fn planner_rows(rel: &Rel, unions: &[Vec<Vec<Expr>>]) -> Option<(Vec<Vec<Expr>>, bool)> {
    match &rel.node {
        Node::Values(rows) => unions.contains(rows).then(|| (rows.clone(), false)),
        Node::Filter(input, _) => planner_rows(input, unions).map(|(rows, _)| (rows, true)),
        Node::Project(input, exprs) => {
            let (rows, filtered) = planner_rows(input, unions)?;
            let over = |row: Vec<Expr>| {
                let placed = exprs.iter().map(|expr| placed(expr.clone(), &row));
                placed.collect()
            };
            Some((rows.into_iter().map(over).collect(), filtered))
        }
        _ => None,
    }
}

/// The expression with a row's constants in the place of its columns.
fn placed(expr: Expr, row: &[Expr]) -> Expr {
    if let ExprKind::Column(index) = expr.kind {
        let constant = row.get(index).cloned();
        return constant.unwrap_or_else(|| Expr::column(index, expr.ty));
    }
    let kept: Result<Expr, std::convert::Infallible> =
        expr.try_map_children(&mut |child| Ok(placed(child, row)));
    match kept {
        Ok(expr) => expr,
        Err(never) => match never {},
    }
}

fn is_negative_zero(expr: &Expr) -> bool {
    match evaluate(expr, &NoRow) {
        Ok(Value::Double(zero)) => zero == 0.0 && zero.is_sign_negative(),
        Ok(Value::Float(zero)) => zero == 0.0 && zero.is_sign_negative(),
        _ => false,
    }
}

/// Whether the planner sees that a relation has no rows, whatever its datasets hold.
pub(super) fn is_nothing(rel: &Rel) -> bool {
    match &rel.node {
        Node::Values(rows) => rows.is_empty(),
        Node::Filter(input, condition) => never_true(condition) || is_nothing(input),
        Node::Project(input, _)
        | Node::Tumble(input, _)
        | Node::Expand(input, _)
        | Node::Distinct(input)
        | Node::Over(input, _)
        | Node::Unnest(input, _)
        | Node::Sort(input, _) => is_nothing(input),
        Node::Aggregate(input, grouping) => !grouping.keys.is_empty() && is_nothing(input),
        Node::Limit { input, fetch, .. } => *fetch == 0 || is_nothing(input),
        Node::Union(inputs) => inputs.iter().all(is_nothing),
        Node::SetOperation(operation) => {
            is_nothing(&operation.left) || operation.intersect && is_nothing(&operation.right)
        }
        Node::Join(join) => {
            let (left, right) = (is_nothing(&join.left), is_nothing(&join.right));
            match join.kind {
                JoinKind::Inner | JoinKind::Semi => left || right,
                JoinKind::Left | JoinKind::Anti | JoinKind::NotIn => left,
                JoinKind::Right => right,
                JoinKind::Full => left && right,
            }
        }
        Node::Scan(_) => false,
    }
}

/// The one row of aggregates over no rows, as the planner computes it; none where its types forbid it.
pub(super) fn of_nothing(calls: &[AggregateCall]) -> Option<Vec<Expr>> {
    let one = |call: &AggregateCall| {
        let value = call.signature.fold().finish().ok()?;
        let ty = call.signature.result.clone();
        (ty.nullable || !value.is_null()).then(|| Expr::literal(value, ty))
    };
    calls.iter().map(one).collect()
}

/// Whether this is the one row without columns of a SELECT without FROM.
fn is_single_row(rel: &Rel) -> bool {
    match &rel.node {
        Node::Values(rows) => rows.len() == 1 && rel.columns.is_empty(),
        Node::Project(input, _) => is_single_row(input),
        _ => false,
    }
}

/// Whether a constant FLOAT stands inside a larger constant: the planner keeps its decimal digits.
fn has_inner_float(expr: &Expr) -> bool {
    expr.children()
        .into_iter()
        .any(|child| child.ty.root == Root::Float)
}

/// Whether the tree holds a constant that fails: Flink fails while planning, rows or not.
pub(super) fn has_failing_constant(expr: &Expr) -> bool {
    expr.any(&|part| {
        part.as_literal().is_none() && part.is_constant() && evaluate(part, &NoRow).is_err()
    })
}

/// Whether a constant cast to a float has digits that the float loses: the planner keeps them.
fn keeps_digits(expr: &Expr) -> bool {
    let ExprKind::Cast(input) = &expr.kind else {
        return false;
    };
    let digits = |unscaled: i128| {
        unscaled
            .unsigned_abs()
            .to_string()
            .trim_end_matches('0')
            .len()
    };
    let held = if expr.ty.root == Root::Float { 6 } else { 15 };
    expr.ty.root.is_approximate()
        && match input.as_literal() {
            Some(Value::Integer(number)) => {
                digits((*number).into()) > held && *number as f64 as i64 != *number
            }
            Some(Value::Decimal(unscaled)) => digits(*unscaled) > held,
            _ => false,
        }
}
