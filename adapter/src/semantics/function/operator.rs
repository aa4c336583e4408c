//! Arithmetic, comparison and logic: the functions behind SQL's operators.
//!
//! Owns their result types. Never converts implicitly except where Flink's rule is written here.
//! Invariant: integers wrap at their own width, `/` truncates, decimals follow
//! [`crate::semantics::decimal`], floats follow IEEE.

use super::{Call, Function, any_nullable};
use crate::plan::expr::Expr;
use crate::plan::types::{FlinkType, Root};
use crate::plan::value::Value;
use crate::semantics::decimal::{self, Shape};
use crate::semantics::{broken, cast, compare, failed, refuse};
use flinkspark_model::Result;
use std::cmp::Ordering;

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
/// `=`.
pub static EQUAL: Function = Function::strict("=", comparison, |call| {
    Ok(Value::from_truth(equality(call)))
});
/// `<>`.
pub static NOT_EQUAL: Function = Function::strict("<>", comparison, |call| {
    Ok(Value::from_truth(equality(call).map(|equal| !equal)))
});
/// `<`.
pub static LESS: Function =
    Function::strict("<", comparison, |call| ordered(call, Ordering::is_lt));
/// `<=`.
pub static LESS_EQUAL: Function =
    Function::strict("<=", comparison, |call| ordered(call, Ordering::is_le));
/// `>`.
pub static GREATER: Function =
    Function::strict(">", comparison, |call| ordered(call, Ordering::is_gt));
/// `>=`.
pub static GREATER_EQUAL: Function =
    Function::strict(">=", comparison, |call| ordered(call, Ordering::is_ge));
/// `IS NOT DISTINCT FROM`.
pub static SAME: Function =
    Function::lenient("IS NOT DISTINCT FROM", not_null_comparison, |call| {
        let [left, right] = call.args else {
            return Err(broken("IS NOT DISTINCT FROM takes two operands"));
        };
        Ok(Value::Boolean(
            left.is_null() && right.is_null() || compare::equal(left, right) == Some(true),
        ))
    });
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
/// `-` with one operand.
pub static NEGATE: Function = Function::strict("NEGATE", same_number, |call| match &call.args[0] {
    Value::Integer(value) => Ok(wrap(i128::from(*value).wrapping_neg(), &call.ty.root)),
    Value::Float(value) => Ok(Value::Float(-value)),
    Value::Double(value) => Ok(Value::Double(-value)),
    Value::Decimal(value) => Ok(Value::Decimal(-value)),
    _ => Err(broken("negation of what is no number")),
});

/// One numeric argument whose type is the result's.
pub(super) fn same_number(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    match args.as_slice() {
        [arg] if arg.ty.root.is_numeric() => {
            let ty = arg.ty.clone();
            Ok((args, ty))
        }
        _ => Err(crate::semantics::invalid("the operand is no number")),
    }
}

fn test(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    Ok((args, FlinkType::not_null(Root::Boolean)))
}

fn truth_test(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    if args.iter().any(|arg| arg.ty.root != Root::Boolean) {
        return Err(crate::semantics::invalid("a condition is not BOOLEAN"));
    }
    test(args)
}

fn not_null_comparison(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    if args
        .iter()
        .any(|arg| arg.ty.root.is_approximate() || arg.ty.root.is_nested())
    {
        return Err(refuse(
            "IS [NOT] DISTINCT FROM on floats or nested values",
            "nan-equality",
        ));
    }
    comparison(args).map(|(args, ty)| (args, ty.with_nullable(false)))
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

/// The value that Flink's planner sees, if the expression reads no row and does not fail.
fn constant_value(expr: &Expr) -> Option<Value> {
    let value = || crate::semantics::evaluate::evaluate(expr, &crate::semantics::evaluate::NoRow);
    expr.is_constant().then(|| value().ok()).flatten()
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

/// Whether the planner sees a NaN, which then equals itself.
fn is_constant_nan(expr: &Expr) -> bool {
    match constant_value(expr) {
        Some(Value::Double(x)) => x.is_nan(),
        Some(Value::Float(x)) => x.is_nan(),
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

fn two(args: Vec<Expr>) -> Result<[Expr; 2]> {
    <[Expr; 2]>::try_from(args).map_err(|_| broken("an operator takes two operands"))
}

/// Brings the operands of a comparison to one type, where Flink's rule is known.
pub fn comparison(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let [left, right] = two(args)?;
    let nullable = left.ty.nullable || right.ty.nullable;
    if left.ty.root.is_approximate() && left == right {
        return Err(refuse(
            "a comparison of a float with itself",
            "nan-equality",
        ));
    }
    if [&left, &right].into_iter().any(is_constant_nan) {
        return Err(refuse("a comparison with a constant NaN", "nan-equality"));
    }
    if is_beside_decimal(&left.ty.root, &right.ty.root) {
        let ty = FlinkType {
            root: Root::Boolean,
            nullable,
        };
        return Ok((vec![left, right], ty));
    }
    let root = comparison_root(&left, &right)?;
    let convert = |expr: Expr| {
        if root == Root::STRING {
            expr
        } else {
            cast::to_root(expr, &root)
        }
    };
    Ok((
        vec![convert(left), convert(right)],
        FlinkType {
            root: Root::Boolean,
            nullable,
        },
    ))
}

/// The type in which two expressions are compared.
fn comparison_root(left: &Expr, right: &Expr) -> Result<Root> {
    let (a, b) = (&left.ty.root, &right.ty.root);
    let mixed = |entry| {
        Err(refuse(
            format!("a comparison of {} with {}", left.ty, right.ty),
            entry,
        ))
    };
    match (a, b) {
        (Root::Float, Root::Float) => Ok(Root::Float),
        (Root::Float, _) | (_, Root::Float) if a.is_numeric() && b.is_numeric() => {
            mixed("float-mixed")
        }
        _ if a.is_numeric() && b.is_numeric() => {
            if a.is_approximate() || b.is_approximate() {
                return Ok(Root::Double);
            }
            if a.is_integer() && b.is_integer() {
                return Ok(if a == b { a.clone() } else { Root::BigInt });
            }
            let shapes = a.as_decimal().zip(b.as_decimal());
            match shapes.and_then(|(x, y)| decimal::common_shape(x, y)) {
                Some((precision, scale)) => Ok(Root::Decimal(precision, scale)),
                None => mixed("decimal-overflow"),
            }
        }
        _ if a.is_text() && b.is_text() => Ok(Root::STRING),
        (Root::Timestamp(x), Root::Timestamp(y)) => Ok(Root::Timestamp(*x.max(y))),
        (Root::Time(x), Root::Time(y)) => Ok(Root::Time(*x.max(y))),
        // Flink reads a text literal as the other side's DATE.
        (Root::Date, _) if b.is_text() && right.as_literal().is_some() => Ok(Root::Date),
        (_, Root::Date) if a.is_text() && left.as_literal().is_some() => Ok(Root::Date),
        (Root::Array(x), Root::Array(y))
            if x.root == y.root && !x.root.is_approximate() && !x.root.is_nested() =>
        {
            Ok(a.clone())
        }
        _ if a == b && !a.is_nested() => Ok(a.clone()),
        _ => mixed("implicit-conversion"),
    }
}

/// Whether a DOUBLE meets a DECIMAL: Flink converts neither, and compares them by Java's
/// `Double.compare`, in which NaN is the largest double and -0.0 lies below 0.0.
pub fn is_beside_decimal(left: &Root, right: &Root) -> bool {
    matches!(
        (left, right),
        (Root::Double, Root::Decimal(..)) | (Root::Decimal(..), Root::Double)
    )
}

/// The order of a DOUBLE and a DECIMAL, none where the operands are others.
fn beside_decimal(call: &Call<'_>) -> Option<Ordering> {
    let double = |index: usize, unscaled: i128| {
        let ty = call.exprs.get(index).map(|expr| &expr.ty.root);
        ty.map(|root| cast::decimal_to_double(unscaled, root))
    };
    match call.args {
        [Value::Double(left), Value::Decimal(right)] => {
            Some(compare::java_doubles(*left, double(1, *right)?))
        }
        [Value::Decimal(left), Value::Double(right)] => {
            Some(compare::java_doubles(double(0, *left)?, *right))
        }
        _ => None,
    }
}

fn equality(call: &Call<'_>) -> Option<bool> {
    if let Some(order) = beside_decimal(call) {
        return Some(order.is_eq());
    }
    match call.args {
        [left, right] => compare::equal(left, right),
        _ => None,
    }
}

/// A NaN makes every order comparison of floats false.
fn ordered(call: &Call<'_>, holds: fn(Ordering) -> bool) -> Result<Value> {
    if let Some(order) = beside_decimal(call) {
        return Ok(Value::Boolean(holds(order)));
    }
    match call.args {
        [left, right] => Ok(Value::Boolean(compare::sql(left, right).is_some_and(holds))),
        _ => Err(broken("a comparison takes two operands")),
    }
}

/// An integer cut to the width of its type.
pub fn wrap(value: i128, root: &Root) -> Value {
    Value::Integer(match root {
        Root::TinyInt => i64::from(value as i8),
        Root::SmallInt => i64::from(value as i16),
        Root::Int => i64::from(value as i32),
        _ => value as i64,
    })
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

/// `GREATEST`; NULL if any argument is.
pub static GREATEST: Function = Function::strict("GREATEST", extremum_bind, |call| {
    Ok(extremum(call, Ordering::Greater))
});
/// `LEAST`; NULL if any argument is.
pub static LEAST: Function = Function::strict("LEAST", extremum_bind, |call| {
    Ok(extremum(call, Ordering::Less))
});

/// The arguments have one type already.
fn extremum_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let nullable = any_nullable(&args);
    let ty = args
        .first()
        .map(|arg| arg.ty.with_nullable(nullable))
        .ok_or_else(|| broken("an extremum of nothing"))?;
    Ok((args, ty))
}

fn extremum(call: &Call<'_>, wanted: Ordering) -> Value {
    let better = |held: Value, next: &Value| {
        if compare::sql(next, &held) == Some(wanted) {
            next.clone()
        } else {
            held
        }
    };
    call.args
        .iter()
        .skip(1)
        .fold(call.args.first().cloned().unwrap_or(Value::Null), better)
}
