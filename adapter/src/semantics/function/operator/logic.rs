//! NOT and the tests of one value for NULL, TRUE and FALSE.
//!
//! Invariant: a test answers TRUE or FALSE, whatever it is given.

use crate::semantics::expr::{Expr, Function};
use crate::semantics::function::any_nullable;
use crate::semantics::invalid;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use flinkspark_model::Result;

/// `IS NULL`.
pub static IS_NULL: Function = Function::lenient("IS NULL", test, |call| {
    Ok(Value::Boolean(call.args[0].is_null()))
});

/// `IS TRUE`.
pub static IS_TRUE: Function = Function::lenient("IS TRUE", truth_test, |call| {
    Ok(Value::Boolean(call.args[0].truth() == Some(true)))
});

/// `IS FALSE`.
pub static IS_FALSE: Function = Function::lenient("IS FALSE", truth_test, |call| {
    Ok(Value::Boolean(call.args[0].truth() == Some(false)))
});

/// `NOT`.
pub static NOT: Function = Function::strict(
    "NOT",
    |args| {
        let nullable = any_nullable(&args);
        truth_test(args).map(|(args, ty)| (args, ty.with_nullable(nullable)))
    },
    |call| Ok(Value::from_truth(call.args[0].truth().map(|truth| !truth))),
);

fn test(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    Ok((args, FlinkType::not_null(Root::Boolean)))
}

fn truth_test(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    if args.iter().any(|arg| arg.ty.root != Root::Boolean) {
        return Err(invalid("a condition is not BOOLEAN"));
    }
    test(args)
}
