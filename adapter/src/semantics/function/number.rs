//! Functions on numbers.
//!
//! Invariant: results have the argument's type where Flink keeps it, DOUBLE where Flink computes in
//! floating point, and decimals round HALF_UP.

use super::operator::same_number;
use super::signature::{Want, as_nullable_as, mismatch, want};
use super::{Call, Function};
use crate::semantics::cast::wrap;
use crate::semantics::decimal::{self, divide_half_up, power_of_ten};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, failed, invalid, number_text, refuse};
use Want::Double;
use arrow_buffer::i256;
use flinkspark_model::Result;

/// The numeric functions.
pub static FUNCTIONS: &[Function] = &[
    Function::strict("ABS", same_number, abs),
    Function::strict("SIGN", wide_number, sign),
    Function::strict("MOD", mod_bind, modulo),
    Function::strict("CEIL", whole_bind, |call| {
        whole(call, f64::ceil, f32::ceil, true)
    }),
    Function::strict("CEILING", whole_bind, |call| {
        whole(call, f64::ceil, f32::ceil, true)
    }),
    Function::strict("FLOOR", whole_bind, |call| {
        whole(call, f64::floor, f32::floor, false)
    }),
    Function::strict("ROUND", round_bind, |call| round(call, true)),
    Function::strict("TRUNCATE", truncate_bind, |call| round(call, false)),
    Function::strict(
        "SQRT",
        |args| doubles(args, 1),
        |call| double1(call, |x| power(x, 0.5)),
    ),
    Function::strict(
        "EXP",
        |args| doubles(args, 1),
        |call| double1(call, f64::exp),
    ),
    Function::strict("LN", |args| doubles(args, 1), |call| double1(call, f64::ln)),
    Function::strict("LOG10", log10_bind, |call| double1(call, f64::log10)),
    Function::strict("LOG", log_bind, |call| match call.args {
        [Value::Double(base), Value::Double(x)] => Ok(Value::Double(x.ln() / base.ln())),
        _ => double1(call, f64::ln),
    }),
    Function::strict(
        "LOG2",
        |args| doubles(args, 1),
        |call| double1(call, |x| x.ln() / 2_f64.ln()),
    ),
    Function::strict(
        "POWER",
        |args| doubles(args, 2),
        |call| match call.args {
            [Value::Double(base), Value::Double(exponent)] => {
                Ok(Value::Double(power(*base, *exponent)))
            }
            _ => Err(broken("POWER takes two doubles")),
        },
    ),
];

/// As Java's `Math.pow`, which is not C's where the base is one and the exponent is not finite.
fn power(base: f64, exponent: f64) -> f64 {
    let odd = exponent.is_nan() && base == 1.0 || exponent.is_infinite() && base.abs() == 1.0;
    if odd { f64::NAN } else { base.powf(exponent) }
}

fn doubles(args: Vec<Expr>, count: usize) -> Result<(Vec<Expr>, FlinkType)> {
    as_nullable_as(want(args, &[Double, Double][..count], 0)?, Root::Double)
}

/// Java's and Rust's base-10 logarithms differ in the last digit, except on powers of ten.
fn log10_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let bound = doubles(args, 1)?;
    let value =
        crate::semantics::evaluate::evaluate(&bound.0[0], &crate::semantics::evaluate::NoRow);
    let exact = |x: f64| (0..=22).any(|power| 10_f64.powi(power) == x);
    if !matches!(value, Ok(Value::Double(x)) if bound.0[0].is_constant() && exact(x)) {
        return Err(refuse(
            "LOG10 of what is no constant power of ten",
            "math-digits",
        ));
    }
    Ok(bound)
}

fn log_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    as_nullable_as(want(args, &[Double, Double], 1)?, Root::Double)
}

fn double1(call: &Call<'_>, f: impl Fn(f64) -> f64) -> Result<Value> {
    match call.args {
        [Value::Double(x)] => Ok(Value::Double(f(*x))),
        _ => Err(broken("a function of one double")),
    }
}

/// Flink generates code for narrow integers that does not compile.
fn wide_number(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    if args
        .iter()
        .any(|arg| arg.ty.root.integer_rank().is_some_and(|rank| rank < 2))
    {
        return Err(refuse(
            "SIGN or TRUNCATE of a TINYINT or SMALLINT",
            "function",
        ));
    }
    same_number(args)
}

/// The smallest integer stays what it is: there is no positive counterpart.
fn abs(call: &Call<'_>) -> Result<Value> {
    match &call.args[0] {
        Value::Integer(value) => Ok(wrap(i128::from(*value).abs(), &call.ty.root)),
        Value::Float(value) => Ok(Value::Float(value.abs())),
        Value::Double(value) => Ok(Value::Double(value.abs())),
        Value::Decimal(value) => Ok(Value::Decimal(value.abs())),
        _ => Err(broken("ABS of what is no number")),
    }
}

fn sign(call: &Call<'_>) -> Result<Value> {
    match (&call.args[0], &call.ty.root) {
        (Value::Integer(value), _) => Ok(Value::Integer(value.signum())),
        (Value::Double(value), _) if *value == 0.0 || value.is_nan() => Ok(Value::Double(*value)),
        (Value::Double(value), _) => Ok(Value::Double(value.signum())),
        (Value::Float(value), _) if *value == 0.0 || value.is_nan() => Ok(Value::Float(*value)),
        (Value::Float(value), _) => Ok(Value::Float(value.signum())),
        (Value::Decimal(value), Root::Decimal(_, scale)) => Ok(Value::Decimal(
            value.signum() * 10_i128.pow(u32::from(*scale)),
        )),
        _ => Err(broken("SIGN of what is no number")),
    }
}

/// MOD of integers has the divisor's type; with a decimal the decimal remainder's.
fn mod_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let [left, right] =
        <[Expr; 2]>::try_from(args).map_err(|_| invalid("MOD takes two arguments"))?;
    let nullable = left.ty.nullable || right.ty.nullable;
    if left.ty.root.is_integer() && right.ty.root.is_integer() {
        let ty = right.ty.with_nullable(nullable);
        return Ok((vec![left, right], ty));
    }
    let shapes = left.ty.root.as_decimal().zip(right.ty.root.as_decimal());
    let (x, y) = shapes.ok_or_else(|| invalid("MOD takes exact numbers"))?;
    let (precision, scale) = decimal::modulo_shape(x, y);
    let ty = FlinkType {
        root: Root::Decimal(precision, scale),
        nullable,
    };
    Ok((
        vec![
            super::operator::as_decimal(left),
            super::operator::as_decimal(right),
        ],
        ty,
    ))
}

fn modulo(call: &Call<'_>) -> Result<Value> {
    match (call.args, &call.ty.root) {
        ([_, Value::Integer(0)] | [_, Value::Decimal(0)], _) => Err(failed("division by zero")),
        ([Value::Integer(a), Value::Integer(b)], root) => {
            Ok(wrap(i128::from(*a) % i128::from(*b), root))
        }
        ([Value::Decimal(a), Value::Decimal(b)], Root::Decimal(precision, scale)) => {
            let scale_of = |index: usize| {
                if let Root::Decimal(_, scale) = call.exprs[index].ty.root {
                    scale
                } else {
                    0
                }
            };
            let common = scale_of(0).max(scale_of(1));
            let widen = |value: i128, scale: u8| {
                i256::from_i128(value).wrapping_mul(power_of_ten(u32::from(common - scale)))
            };
            let rest = widen(*a, scale_of(0)).wrapping_rem(widen(*b, scale_of(1)));
            let fitted = decimal::rescale(rest, u32::from(common), (*precision, *scale));
            Ok(fitted.map_or(Value::Null, Value::Decimal))
        }
        _ => Err(broken("MOD of operands of different types")),
    }
}

fn whole_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let (args, ty) = same_number(args)?;
    let root = match ty.root {
        Root::Decimal(precision, _) => Root::Decimal(precision, 0),
        root => root,
    };
    Ok((
        args,
        FlinkType {
            root,
            nullable: ty.nullable,
        },
    ))
}

fn whole(
    call: &Call<'_>,
    doubles: fn(f64) -> f64,
    floats: fn(f32) -> f32,
    up: bool,
) -> Result<Value> {
    match (&call.args[0], &call.exprs[0].ty.root) {
        (Value::Integer(value), _) => Ok(Value::Integer(*value)),
        (Value::Double(value), _) => Ok(Value::Double(doubles(*value))),
        (Value::Float(value), _) => Ok(Value::Float(floats(*value))),
        (Value::Decimal(value), Root::Decimal(_, scale)) => {
            let unit = 10_i128.pow(u32::from(*scale));
            let floor = value.div_euclid(unit);
            let exact = value.rem_euclid(unit) == 0;
            Ok(Value::Decimal(if up && !exact { floor + 1 } else { floor }))
        }
        _ => Err(broken("a whole number of what is no number")),
    }
}

fn truncate_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    if let Some(value) = args.first() {
        wide_number(vec![value.clone()])?;
    }
    round_bind(args)
}

/// The digits must be a literal: they decide the type of a decimal's result.
fn round_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let [arg, digits @ ..] = args.as_slice() else {
        return Err(invalid("ROUND takes one or two arguments"));
    };
    let digits = match digits {
        [] => 0,
        [digits] => match digits.as_literal() {
            Some(Value::Integer(digits)) if (-38..=38).contains(digits) => *digits,
            _ => {
                return Err(refuse(
                    "ROUND to a number of digits that is no small literal",
                    "round-digits",
                ));
            }
        },
        _ => return Err(invalid("ROUND takes one or two arguments")),
    };
    let root = match &arg.ty.root {
        Root::Decimal(precision, scale) if digits >= i64::from(*scale) => {
            Root::Decimal(*precision, *scale)
        }
        Root::Decimal(precision, scale) => {
            let kept = digits.max(0) as u8;
            Root::Decimal((1 + precision - scale + kept).min(38), kept)
        }
        root if root.is_integer() || *root == Root::Double => root.clone(),
        _ => return Err(mismatch(arg)),
    };
    let ty = FlinkType {
        root,
        nullable: arg.ty.nullable,
    };
    Ok((args, ty))
}

fn round(call: &Call<'_>, half_up: bool) -> Result<Value> {
    let digits = match call.args.get(1) {
        Some(Value::Integer(digits)) => *digits,
        _ => 0,
    };
    let at = |value: i256, scale: i64| cut(value, scale, digits, half_up);
    match (&call.args[0], &call.exprs[0].ty.root, &call.ty.root) {
        (Value::Integer(value), _, root) => {
            let rounded = at(i256::from_i128(i128::from(*value)), 0);
            Ok(rounded
                .to_i128()
                .map_or(Value::Null, |value| wrap(value, root)))
        }
        (Value::Decimal(value), Root::Decimal(_, scale), Root::Decimal(precision, kept)) => {
            let rounded = at(i256::from_i128(*value), i64::from(*scale));
            let fitted = decimal::rescale(rounded, u32::from(*scale), (*precision, *kept));
            Ok(fitted.map_or(Value::Null, Value::Decimal))
        }
        (Value::Double(value), ..) => round_double(*value, digits, half_up),
        _ => Err(broken("ROUND of what is no number")),
    }
}

/// `value` with everything below ten to `-digits` rounded or cut, at the same scale.
fn cut(value: i256, scale: i64, digits: i64, half_up: bool) -> i256 {
    let Some(places) = u32::try_from(scale - digits)
        .ok()
        .filter(|places| *places > 0)
    else {
        return value;
    };
    if places > 75 {
        return i256::ZERO;
    }
    let unit = power_of_ten(places);
    let kept = if half_up {
        divide_half_up(value, unit)
    } else {
        value.wrapping_div(unit)
    };
    kept.wrapping_mul(unit)
}

/// Through the shortest decimal text, as `BigDecimal.valueOf` does.
fn round_double(value: f64, digits: i64, half_up: bool) -> Result<Value> {
    if !value.is_finite() {
        return Err(failed(format!(
            "{} has no decimal digits",
            number_text::double_text(value)
        )));
    }
    let read = decimal::parse(&number_text::double_text(value));
    let Some((unscaled, scale)) = read else {
        return Ok(Value::Double(value));
    };
    if scale <= digits || scale < 0 {
        return Ok(Value::Double(value));
    }
    let rounded = cut(unscaled, scale, digits, half_up);
    let text = format!("{rounded}e{}", -scale);
    Ok(Value::Double(
        number_text::parse_double(&text).unwrap_or(value),
    ))
}
