//! Comparisons, and the greatest and least of several values.
//!
//! Owns the type in which two operands are compared. Invariant: operands of different types are compared only where
//! Flink's conversion is known.

use super::{constant_value, two};
use crate::semantics::expr::{Call, Expr, Function};
use crate::semantics::function::any_nullable;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, cast, compare, decimal, foreign, refuse};
use flinkspark_model::Result;
use std::cmp::Ordering;

/// `=`.
pub static EQUAL: Function = Function::strict("=", comparison, |call| {
    Ok(Value::from_truth(equality(call)))
});

/// `<>`.
pub static NOT_EQUAL: Function = Function::strict("<>", comparison, |call| {
    Ok(Value::from_truth(equality(call).map(|equal| !equal)))
});

/// `<`.
pub static LESS: Function = Function::strict("<", ordering, |call| ordered(call, Ordering::is_lt));

/// `<=`.
pub static LESS_EQUAL: Function =
    Function::strict("<=", ordering, |call| ordered(call, Ordering::is_le));

/// `>`.
pub static GREATER: Function =
    Function::strict(">", ordering, |call| ordered(call, Ordering::is_gt));

/// `>=`.
pub static GREATER_EQUAL: Function =
    Function::strict(">=", ordering, |call| ordered(call, Ordering::is_ge));

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

/// `GREATEST`; NULL if any argument is.
pub static GREATEST: Function = Function::strict("GREATEST", extremum_bind, |call| {
    Ok(extremum(call, Ordering::Greater))
});

/// `LEAST`; NULL if any argument is.
pub static LEAST: Function = Function::strict("LEAST", extremum_bind, |call| {
    Ok(extremum(call, Ordering::Less))
});

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
    if let (Root::Foreign(a), Root::Foreign(b)) = (&left.ty.root, &right.ty.root) {
        if !foreign::compares(a, b) {
            return Err(foreign::unread("a comparison", a));
        }
        let root = Root::Boolean;
        return Ok((vec![left, right], FlinkType { root, nullable }));
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

/// The same of an order, which nested values have none of: Flink fails on it.
fn ordering(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    match args.iter().find(|arg| arg.ty.root.is_nested()) {
        Some(arg) => Err(refuse(format!("an order of {}", arg.ty), "type")),
        None => comparison(args),
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
