//! `+`, `-`, `*` and `/`.
//!
//! Owns their result types. Invariant: integers wrap at their own width, `/` truncates, decimals follow
//! [`crate::semantics::decimal`], floats follow IEEE.

use super::{constant_value, two};
use crate::semantics::cast::{self, wrap};
use crate::semantics::decimal::{self, Shape};
use crate::semantics::expr::{Call, Expr, Function};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, failed, invalid, refuse};
use flinkspark_model::Result;

/// `+`.
pub static PLUS: Function =
    Function::strict("+", |args| arithmetic("+", args, decimal::add_shape), plus);

/// `-` with two operands.
pub static MINUS: Function =
    Function::strict("-", |args| arithmetic("-", args, decimal::add_shape), minus);

/// `*`.
pub static TIMES: Function = Function::strict(
    "*",
    |args| arithmetic("*", args, decimal::multiply_shape),
    times,
);

/// `/`.
pub static DIVIDE: Function = Function::strict(
    "/",
    |args| arithmetic("/", args, decimal::divide_shape),
    divide,
);

/// `-` with one operand.
pub static NEGATE: Function = Function::strict("NEGATE", same_number, |call| match &call.args[0] {
    Value::Integer(value) => Ok(wrap(i128::from(*value).wrapping_neg(), &call.ty.root)),
    Value::Float(value) => Ok(Value::Float(-value)),
    Value::Double(value) => Ok(Value::Double(-value)),
    Value::Decimal(value) => Ok(Value::Decimal(-value)),
    _ => Err(broken("negation of what is no number")),
});

/// One numeric argument whose type is the result's.
pub(in crate::semantics::function) fn same_number(
    args: Vec<Expr>,
) -> Result<(Vec<Expr>, FlinkType)> {
    match args.as_slice() {
        [arg] if arg.ty.root.is_numeric() => {
            let ty = arg.ty.clone();
            Ok((args, ty))
        }
        _ => Err(invalid("the operand is no number")),
    }
}

/// Types and converts the two operands of an arithmetic operator.
fn arithmetic(
    name: &'static str,
    args: Vec<Expr>,
    shape: fn(Shape, Shape) -> Shape,
) -> Result<(Vec<Expr>, FlinkType)> {
    let [left, right] = two(args)?;
    let nullable = left.ty.nullable || right.ty.nullable;
    let typed = |root: Root| FlinkType { root, nullable };
    let (a, b) = (left.ty.root.clone(), right.ty.root.clone());
    if !a.is_numeric() || !b.is_numeric() {
        return Err(refuse(
            format!("\"{name}\" on {} and {}", left.ty, right.ty),
            "implicit-conversion",
        ));
    }
    if a.is_approximate() || b.is_approximate() {
        if a != b && (a == Root::Float || b == Root::Float) {
            return Err(refuse(
                format!("\"{name}\" on {} and {}", left.ty, right.ty),
                "float-mixed",
            ));
        }
        if name != "/" && is_constant_zero(&left) != is_constant_zero(&right) {
            return Err(refuse(
                format!("\"{name}\" of a float and a constant zero"),
                "constant-folding",
            ));
        }
        let ty = typed(a.clone());
        let ty = if a.is_approximate() { ty } else { typed(b) };
        return Ok((
            vec![
                cast::to_root(left, &ty.root),
                cast::to_root(right, &ty.root),
            ],
            ty,
        ));
    }
    if let (Some(x), Some(y)) = (a.integer_rank(), b.integer_rank()) {
        let ty = typed(if x >= y { a } else { b });
        return Ok((vec![left, right], ty));
    }
    let shapes = a.as_decimal().zip(b.as_decimal());
    let (x, y) = shapes.ok_or_else(|| broken("an exact number without a decimal shape"))?;
    let (precision, scale) = shape(x, y);
    let ty = typed(Root::Decimal(precision, scale));
    Ok((vec![as_decimal(left), as_decimal(right)], ty))
}

/// Whether the planner sees a zero, which it removes from a sum with no regard to -0.0.
fn is_constant_zero(expr: &Expr) -> bool {
    match constant_value(expr) {
        Some(Value::Integer(zero)) => zero == 0,
        Some(Value::Decimal(zero)) => zero == 0,
        Some(Value::Double(zero)) => zero == 0.0,
        Some(Value::Float(zero)) => zero == 0.0,
        _ => false,
    }
}

/// The expression as the decimal that holds its integer type.
pub fn as_decimal(expr: Expr) -> Expr {
    match expr.ty.root.as_decimal() {
        Some((precision, scale)) if expr.ty.root.is_integer() => {
            cast::to_root(expr, &Root::Decimal(precision, scale))
        }
        _ => expr,
    }
}

fn plus(call: &Call<'_>) -> Result<Value> {
    numbers(
        call,
        |a, b| a + b,
        |a, b| a + b,
        |a, b| a + b,
        |a, b, shape| {
            let (sum, scale) = decimal::add_exact(a, b);
            decimal::rescale(sum, scale, shape)
        },
    )
}

fn minus(call: &Call<'_>) -> Result<Value> {
    numbers(
        call,
        |a, b| a - b,
        |a, b| a - b,
        |a, b| a - b,
        |a, b, shape| {
            let (difference, scale) = decimal::add_exact(a, (-b.0, b.1));
            decimal::rescale(difference, scale, shape)
        },
    )
}

fn times(call: &Call<'_>) -> Result<Value> {
    numbers(
        call,
        |a, b| a * b,
        |a, b| a * b,
        |a, b| a * b,
        decimal::multiply,
    )
}

fn divide(call: &Call<'_>) -> Result<Value> {
    match call.args {
        [_, Value::Integer(0)] | [_, Value::Decimal(0)] => Err(failed("division by zero")),
        // With constant operands Flink divides while planning in some places and on rows in others.
        [_, Value::Double(zero)] if *zero == 0.0 && call.exprs.iter().all(Expr::is_constant) => {
            Err(refuse(
                "a division of constants by zero",
                "constant-folding",
            ))
        }
        _ => numbers(
            call,
            |a, b| a / b,
            |a, b| a / b,
            |a, b| a / b,
            decimal::divide,
        ),
    }
}

type DecimalKernel = fn((i128, u8), (i128, u8), Shape) -> Option<i128>;

fn numbers(
    call: &Call<'_>,
    integers: fn(i128, i128) -> i128,
    floats: fn(f32, f32) -> f32,
    doubles: fn(f64, f64) -> f64,
    decimals: DecimalKernel,
) -> Result<Value> {
    match (call.args, &call.ty.root) {
        ([Value::Integer(a), Value::Integer(b)], root) => {
            Ok(wrap(integers(i128::from(*a), i128::from(*b)), root))
        }
        ([Value::Float(a), Value::Float(b)], _) => Ok(Value::Float(floats(*a, *b))),
        ([Value::Double(a), Value::Double(b)], _) => Ok(Value::Double(doubles(*a, *b))),
        ([Value::Decimal(a), Value::Decimal(b)], Root::Decimal(precision, scale)) => {
            let scale_of = |index: usize| match call.exprs.get(index).map(|expr| &expr.ty.root) {
                Some(Root::Decimal(_, scale)) => *scale,
                _ => 0,
            };
            let result = decimals((*a, scale_of(0)), (*b, scale_of(1)), (*precision, *scale));
            Ok(result.map_or(Value::Null, Value::Decimal))
        }
        _ => Err(broken("arithmetic on operands of different types")),
    }
}
