//! Conversions between types: which exist, and what they give.
//!
//! Owns the allow-list of `CAST`. Never guesses: a pair that is not listed is refused by name.
//! Invariant: integers wrap, doubles saturate through INT, text that is no number fails, a decimal
//! that does not fit is NULL, all as Flink does it.

mod from_text;
mod to_text;

pub use from_text::{parse_date, parse_timestamp};
pub use to_text::{date_text, time_text, timestamp_text, value_text};

use super::decimal;
use super::{broken, failed, foreign, number_text, refuse};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use arrow_buffer::i256;
use flinkspark_model::Result;
use std::sync::Arc;

/// Nanoseconds of a millisecond.
pub const NANOS_PER_MILLI: i128 = 1_000_000;
/// Milliseconds of a day.
pub const MILLIS_PER_DAY: i64 = 86_400_000;
/// Nanoseconds of a day.
pub const NANOS_PER_DAY: i128 = 86_400_000_000_000;

/// Binds `CAST(input AS root)` or, with `lenient`, `TRY_CAST`.
pub fn bind(input: Expr, root: &Root, lenient: bool) -> Result<Expr> {
    let ty = FlinkType {
        root: root.clone(),
        nullable: input.ty.nullable || lenient,
    };
    allowed(&input.ty.root, root)
        .map_err(|entry| refuse(format!("CAST from {} to {ty}", input.ty), entry))?;
    if input.ty.root == Root::Float && *root != Root::Float && input.is_constant() {
        return Err(refuse(
            format!("CAST of a constant FLOAT to {ty}"),
            "constant-folding",
        ));
    }
    let time_of_day = matches!((&input.ty.root, root), (Root::Timestamp(_), Root::Time(_)));
    if time_of_day && !matches!(input.as_literal(), Some(Value::Timestamp(nanos)) if *nanos >= 0) {
        return Err(refuse(
            "CAST from a TIMESTAMP that may lie before 1970 to TIME",
            "cast-pair",
        ));
    }
    // A cast to the same root is no conversion; a NULL of an array's element type may be added.
    let kind = if lenient {
        ExprKind::TryCast(Box::new(input))
    } else {
        ExprKind::Cast(Box::new(input))
    };
    Ok(Expr { kind, ty })
}

/// A conversion that the binder adds by rule; the caller knows that it exists.
pub fn to_root(input: Expr, root: &Root) -> Expr {
    if input.ty.root == *root {
        return input;
    }
    let ty = FlinkType {
        root: root.clone(),
        nullable: input.ty.nullable,
    };
    Expr {
        kind: ExprKind::Cast(Box::new(input)),
        ty,
    }
}

/// Whether the pair is on the allow-list, or the ledger entry that stands against it.
fn allowed(from: &Root, to: &Root) -> std::result::Result<(), &'static str> {
    let known = match (from, to) {
        (Root::Null, to) => !to.is_nested() || matches!(to, Root::Array(_)),
        (Root::Foreign(from), to) => foreign::is_held_by(from, to),
        (Root::Boolean, to) => *to == Root::Boolean || to.is_numeric() || to.is_text(),
        (from, Root::Boolean) => from.is_numeric() || from.is_text(),
        (Root::Float, Root::Decimal(..)) => return Err("float-mixed"),
        (from, to) if from.is_numeric() => to.is_numeric() || to.is_text(),
        (from, Root::Date | Root::Time(0) | Root::Timestamp(_)) if from.is_text() => true,
        (from, to) if from.is_text() => to.is_numeric() || to.is_text(),
        (Root::Date, to) => to.is_text() || matches!(to, Root::Date | Root::Timestamp(_)),
        (Root::Time(_), to) => to.is_text() || from == to,
        (Root::Timestamp(_), to) => {
            to.is_text() || matches!(to, Root::Date | Root::Time(0) | Root::Timestamp(_))
        }
        (Root::Array(a), Root::Array(b)) => return allowed(&a.root, &b.root),
        (Root::Array(element), Root::Varchar(_)) if *to == Root::STRING => {
            element.root.is_integer()
        }
        _ => false,
    };
    if known { Ok(()) } else { Err("cast-pair") }
}

/// Converts a value; a failure is what Flink would raise.
pub fn convert(value: Value, from: &FlinkType, to: &FlinkType) -> Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    match &to.root {
        Root::Boolean => to_boolean(value),
        root if root.is_integer() => to_integer(value, &from.root, root),
        Root::Float => to_float(value, &from.root),
        Root::Double => to_double(value, &from.root),
        Root::Decimal(precision, scale) => to_decimal(value, &from.root, (*precision, *scale)),
        Root::Char(length) | Root::Varchar(length) => {
            let text = to_text::value_text(&value, &from.root)?;
            Ok(Value::text(fit_text(
                text,
                *length,
                matches!(to.root, Root::Char(_)),
            )))
        }
        Root::Date => to_date(value),
        Root::Time(_) => to_time(value),
        Root::Timestamp(precision) => to_timestamp(value, *precision),
        Root::Array(element) => match (value, &from.root) {
            (Value::Array(items), Root::Array(was)) => {
                let items: Result<Arc<[Value]>> = items
                    .iter()
                    .map(|item| convert(item.clone(), was, element))
                    .collect();
                items.map(Value::Array)
            }
            _ => Err(unconvertible(from, to)),
        },
        _ if from.root == to.root => Ok(value),
        _ => Err(unconvertible(from, to)),
    }
}

fn unconvertible(from: &FlinkType, to: &FlinkType) -> flinkspark_model::Error {
    broken(format!(
        "no conversion from {from} to {to} was ever allowed"
    ))
}

/// Text cut to `length` characters and, for CHAR, padded with blanks.
fn fit_text(text: Arc<str>, length: u32, pad: bool) -> Arc<str> {
    let length = length as usize;
    if text.len() <= length && !pad {
        return text;
    }
    let count = text.chars().count();
    if count > length {
        return text.chars().take(length).collect::<String>().into();
    }
    if pad {
        format!("{text}{}", " ".repeat(length - count)).into()
    } else {
        text
    }
}

fn to_boolean(value: Value) -> Result<Value> {
    Ok(Value::Boolean(match value {
        Value::Boolean(truth) => truth,
        Value::Integer(number) => number != 0,
        Value::Float(number) => number != 0.0,
        Value::Double(number) => number != 0.0,
        Value::Decimal(number) => number != 0,
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "1" => true,
            "f" | "false" | "n" | "no" | "0" => false,
            _ => return Err(failed(format!("cannot parse '{text}' as BOOLEAN"))),
        },
        _ => return Err(broken("no conversion to BOOLEAN")),
    }))
}

fn to_integer(value: Value, from: &Root, root: &Root) -> Result<Value> {
    let bits = match root {
        Root::TinyInt => 8,
        Root::SmallInt => 16,
        Root::Int => 32,
        _ => 64,
    };
    match value {
        Value::Boolean(truth) => Ok(Value::Integer(i64::from(truth))),
        Value::Integer(number) => Ok(wrap(i128::from(number), root)),
        Value::Float(number) => Ok(saturate(f64::from(number), bits, root)),
        Value::Double(number) => Ok(saturate(number, bits, root)),
        Value::Decimal(unscaled) => {
            let scale = if let Root::Decimal(_, scale) = from {
                *scale
            } else {
                0
            };
            let whole = unscaled / 10_i128.pow(u32::from(scale));
            // Flink takes the low 64 bits first, then the target's.
            Ok(wrap(i128::from(whole as i64), root))
        }
        Value::Text(text) => number_text::parse_integer(&text, bits)
            .map(Value::Integer)
            .map_err(|why| failed(format!("for input string '{text}': {why}"))),
        _ => Err(broken("no conversion to an integer")),
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

/// Java's narrowing: a NaN is 0, BIGINT saturates at 64 bits, the others at 32 and then wrap.
fn saturate(number: f64, bits: u32, root: &Root) -> Value {
    if bits == 64 {
        Value::Integer(number as i64)
    } else {
        wrap(i128::from(number as i32), root)
    }
}

fn to_float(value: Value, from: &Root) -> Result<Value> {
    match value {
        Value::Float(_) => Ok(value),
        Value::Integer(number) => Ok(Value::Float(number as f32)),
        Value::Text(text) => number_text::parse_float(&text)
            .map(Value::Float)
            .ok_or_else(|| failed(format!("for input string: \"{text}\""))),
        other => match to_double(other, from)? {
            Value::Double(number) => Ok(Value::Float(number as f32)),
            _ => Err(broken("no conversion to FLOAT")),
        },
    }
}

fn to_double(value: Value, from: &Root) -> Result<Value> {
    Ok(Value::Double(match value {
        Value::Double(number) => number,
        Value::Boolean(truth) => f64::from(u8::from(truth)),
        Value::Integer(number) => number as f64,
        Value::Float(number) => f64::from(number),
        Value::Decimal(unscaled) => decimal_to_double(unscaled, from),
        Value::Text(text) => number_text::parse_double(&text)
            .ok_or_else(|| failed(format!("for input string: \"{text}\"")))?,
        _ => return Err(broken("no conversion to DOUBLE")),
    }))
}

/// Flink divides compact decimals in floating point and reads the text of the others.
pub fn decimal_to_double(unscaled: i128, from: &Root) -> f64 {
    match from {
        Root::Decimal(precision, scale) if *precision <= 18 => {
            unscaled as f64 / 10_i64.pow(u32::from(*scale)) as f64
        }
        Root::Decimal(_, scale) => decimal::to_text(unscaled, *scale)
            .parse()
            .unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

fn to_decimal(value: Value, from: &Root, shape: decimal::Shape) -> Result<Value> {
    let unscaled = match value {
        Value::Boolean(truth) => decimal::rescale(i256::from_i128(i128::from(truth)), 0, shape),
        Value::Integer(number) => decimal::rescale(i256::from_i128(i128::from(number)), 0, shape),
        Value::Decimal(unscaled) => {
            let scale = if let Root::Decimal(_, scale) = from {
                u32::from(*scale)
            } else {
                0
            };
            decimal::rescale(i256::from_i128(unscaled), scale, shape)
        }
        Value::Double(number) => double_to_decimal(number, shape)?,
        Value::Text(text) => {
            let plain = text.trim_matches(' ');
            let read = decimal::parse(plain.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(plain));
            let fitted = read.and_then(|(value, scale)| decimal::from_scaled(value, scale, shape));
            return fitted
                .map(Value::Decimal)
                .ok_or_else(|| failed(format!("for input string: '{text}'. Overflow.")));
        }
        _ => return Err(broken("no conversion to DECIMAL")),
    };
    Ok(unscaled.map_or(Value::Null, Value::Decimal))
}

/// Through the shortest text, HALF_UP; none where it does not fit.
pub fn double_to_decimal(number: f64, shape: decimal::Shape) -> Result<Option<i128>> {
    if !number.is_finite() {
        return Err(failed(format!(
            "{} has no decimal digits",
            number_text::double_text(number)
        )));
    }
    let read = decimal::parse(&number_text::double_text(number));
    Ok(read.and_then(|(value, scale)| decimal::from_scaled(value, scale, shape)))
}

fn to_date(value: Value) -> Result<Value> {
    match value {
        Value::Date(_) => Ok(value),
        // Flink divides the milliseconds towards zero: before 1970 a time of day rounds up.
        Value::Timestamp(nanos) => Ok(Value::Date(
            (nanos.div_euclid(NANOS_PER_MILLI) as i64 / MILLIS_PER_DAY) as i32,
        )),
        Value::Text(text) => from_text::parse_date(&text)
            .map(Value::Date)
            .ok_or_else(|| failed(format!("for input string: '{text}'"))),
        _ => Err(broken("no conversion to DATE")),
    }
}

fn to_time(value: Value) -> Result<Value> {
    match value {
        Value::Time(_) => Ok(value),
        Value::Timestamp(nanos) if nanos >= 0 => Ok(Value::Time(
            (nanos % NANOS_PER_DAY / (1000 * NANOS_PER_MILLI)) as i32 * 1000,
        )),
        Value::Text(text) => from_text::parse_time(&text)
            .map(Value::Time)
            .ok_or_else(|| failed(format!("invalid time format: '{text}'"))),
        _ => Err(failed("a TIME from a TIMESTAMP before 1970")),
    }
}

fn to_timestamp(value: Value, precision: u8) -> Result<Value> {
    let nanos = match value {
        Value::Timestamp(nanos) => nanos,
        Value::Date(days) => i128::from(days) * NANOS_PER_DAY,
        Value::Text(text) => from_text::parse_timestamp(&text)
            .ok_or_else(|| failed(format!("text '{text}' could not be parsed")))?,
        _ => return Err(broken("no conversion to TIMESTAMP")),
    };
    let unit = 10_i128.pow(u32::from(9 - precision.min(9)));
    Ok(Value::Timestamp(nanos.div_euclid(unit) * unit))
}

/// The least type that holds both, as UNION, CASE, VALUES and ARRAY unite their parts.
pub fn common_root(a: &Root, b: &Root) -> Option<Root> {
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Root::Null, other) | (other, Root::Null) => Some(other.clone()),
        (Root::Float, _) | (_, Root::Float) => None,
        _ if a.is_numeric() && b.is_numeric() => {
            if a.is_approximate() || b.is_approximate() {
                return Some(Root::Double);
            }
            if let (Some(x), Some(y)) = (a.integer_rank(), b.integer_rank()) {
                return Some(if x >= y { a.clone() } else { b.clone() });
            }
            let (precision, scale) = decimal::common_shape(a.as_decimal()?, b.as_decimal()?)?;
            Some(Root::Decimal(precision, scale))
        }
        _ if a.is_text() && b.is_text() => {
            Some(Root::Varchar(a.text_length()?.max(b.text_length()?)))
        }
        (Root::Timestamp(x), Root::Timestamp(y)) => Some(Root::Timestamp(*x.max(y))),
        (Root::Array(x), Root::Array(y)) => {
            let root = common_root(&x.root, &y.root)?;
            Some(Root::Array(Box::new(FlinkType {
                root,
                nullable: x.nullable || y.nullable,
            })))
        }
        _ => None,
    }
}
