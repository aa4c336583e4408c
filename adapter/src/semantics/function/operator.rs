//! Arithmetic, comparison and logic: the functions behind SQL's operators.
//!
//! Owns what the three have in common. Never converts implicitly except where Flink's rule is written here.
//! Invariant: an operator that takes two operands was given two by the grammar.

mod arithmetic;
mod comparison;
mod logic;

pub(super) use arithmetic::same_number;
pub use arithmetic::{DIVIDE, MINUS, NEGATE, PLUS, TIMES, as_decimal};
pub use comparison::{
    EQUAL, GREATER, GREATER_EQUAL, GREATEST, LEAST, LESS, LESS_EQUAL, NOT_EQUAL, SAME, comparison,
    is_beside_decimal,
};
pub use logic::{IS_FALSE, IS_NULL, IS_TRUE, NOT};

use crate::semantics::broken;
use crate::semantics::evaluate::{NoRow, evaluate};
use crate::semantics::expr::Expr;
use crate::semantics::value::Value;
use flinkspark_model::Result;

/// The value that Flink's planner sees, if the expression reads no row and does not fail.
fn constant_value(expr: &Expr) -> Option<Value> {
    let value = || evaluate(expr, &NoRow);
    expr.is_constant().then(|| value().ok()).flatten()
}

fn two(args: Vec<Expr>) -> Result<[Expr; 2]> {
    <[Expr; 2]>::try_from(args).map_err(|_| broken("an operator takes two operands"))
}
