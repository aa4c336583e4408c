//! Constants, as Flink's planner folds them.
//!
//! Owns the differences between an expression evaluated while planning and on a row. Invariant: a
//! constant whose folded value is known to differ, or not known at all, is refused.

use crate::plan::expr::{Expr, ExprKind};
use crate::plan::rel::{Node, Rel};
use crate::plan::types::Root;
use crate::plan::value::Value;
use crate::semantics::evaluate::{NoRow, evaluate};
use crate::semantics::refuse;
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
