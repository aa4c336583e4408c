//! Evaluates typed expressions on one row.
//!
//! Owns the order of evaluation: left to right, `AND` and `OR` stop early, only the branch that is
//! taken of a `CASE` is evaluated. Never reads anything but the row. Invariant: the same tree and
//! row give the same value or the same failure on every target.

use super::{broken, cast};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::function::Call;
use crate::semantics::value::Value;
use flinkspark_model::Result;

/// The row that an expression is evaluated over.
pub trait Row {
    /// The value of the column at this position.
    fn value(&self, column: usize) -> Result<Value>;
}

/// The row of an expression without columns.
#[derive(Debug, Clone, Copy)]
pub struct NoRow;

impl Row for NoRow {
    fn value(&self, column: usize) -> Result<Value> {
        Err(broken(format!(
            "a constant expression reads column {column}"
        )))
    }
}

impl Row for [Value] {
    fn value(&self, column: usize) -> Result<Value> {
        self.get(column)
            .cloned()
            .ok_or_else(|| broken(format!("column {column} is not in the row")))
    }
}

/// The value of `expr` on `row`.
pub fn evaluate<R: Row + ?Sized>(expr: &Expr, row: &R) -> Result<Value> {
    match &expr.kind {
        ExprKind::Column(index) => row.value(*index),
        ExprKind::Literal(value) => Ok(value.clone()),
        ExprKind::Call(function, args) => {
            let mut values = Vec::with_capacity(args.len());
            for arg in args {
                values.push(evaluate(arg, row)?);
            }
            if function.strict && values.iter().any(Value::is_null) {
                return Ok(Value::Null);
            }
            (function.kernel)(&Call {
                args: &values,
                exprs: args,
                ty: &expr.ty,
            })
        }
        ExprKind::Cast(input) => cast::convert(evaluate(input, row)?, &input.ty, &expr.ty),
        ExprKind::TryCast(input) => {
            let value = evaluate(input, row)?;
            Ok(cast::convert(value, &input.ty, &expr.ty).unwrap_or(Value::Null))
        }
        ExprKind::And(args) => connective(args, row, false),
        ExprKind::Or(args) => connective(args, row, true),
        ExprKind::Case(whens, otherwise) => {
            for (when, then) in whens {
                if evaluate(when, row)?.truth() == Some(true) {
                    return evaluate(then, row);
                }
            }
            evaluate(otherwise, row)
        }
        ExprKind::Coalesce(args) => {
            for arg in args {
                let value = evaluate(arg, row)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            Ok(Value::Null)
        }
        ExprKind::Aggregate(_) | ExprKind::Over(_) => {
            Err(broken("a placeholder of the binder is left in a plan"))
        }
    }
}

/// Conjunction (`decisive` false) or disjunction (`decisive` true) in three-valued logic.
fn connective<R: Row + ?Sized>(args: &[Expr], row: &R, decisive: bool) -> Result<Value> {
    let mut unknown = false;
    for arg in args {
        match evaluate(arg, row)?.truth() {
            Some(truth) if truth == decisive => return Ok(Value::Boolean(decisive)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown {
        Value::Null
    } else {
        Value::Boolean(!decisive)
    })
}
