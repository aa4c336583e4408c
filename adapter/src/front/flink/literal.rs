//! Literals with Flink's types.
//!
//! Invariant: a whole number is INT or BIGINT, a number with a point is the DECIMAL of its digits, one
//! with an exponent is DOUBLE, text is CHAR of its length in UTF-16 units.

use super::types;
use crate::semantics::cast::{parse_date, parse_timestamp};
use crate::semantics::expr::Expr;
use crate::semantics::function::time::Unit;
use crate::semantics::types::{DECIMAL_PRECISION_MAX, FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{decimal, invalid, number_text, refuse};
use datafusion::sql::sqlparser::ast::{self, DateTimeField, TypedString};
use flinkspark_model::Result;

/// The literal that a plain value means.
pub(super) fn plain(value: &ast::Value) -> Result<Expr> {
    match value {
        ast::Value::Number(digits, false) => number(digits, false),
        ast::Value::SingleQuotedString(text) => Ok(text_literal(text)),
        ast::Value::Boolean(truth) => Ok(Expr::literal(
            Value::Boolean(*truth),
            FlinkType::not_null(Root::Boolean),
        )),
        ast::Value::Null => Ok(Expr::literal(Value::Null, FlinkType::nullable(Root::Null))),
        ast::Value::DoubleQuotedString(text) => Err(invalid(format!(
            "\"{text}\": Flink quotes names with back-ticks and text with single quotes"
        ))),
        other => Err(refuse(format!("the literal {other}"), "syntax")),
    }
}

/// A CHAR literal.
pub(super) fn text_literal(text: &str) -> Expr {
    let length = text.encode_utf16().count() as u32;
    Expr::literal(Value::text(text), FlinkType::not_null(Root::Char(length)))
}

/// A number, negated if it stood behind a minus sign.
pub(super) fn number(digits: &str, negative: bool) -> Result<Expr> {
    let signed = if negative {
        format!("-{digits}")
    } else {
        digits.to_owned()
    };
    if digits.contains(['e', 'E']) {
        let value =
            number_text::parse_double(&signed).filter(|value| value.is_finite() && *value != 0.0);
        let value =
            value.ok_or_else(|| refuse(format!("the literal {digits}"), "constant-folding"))?;
        return Ok(Expr::literal(
            Value::Double(value),
            FlinkType::not_null(Root::Double),
        ));
    }
    match digits.split_once('.') {
        Some((_, fraction)) if !fraction.is_empty() => {
            decimal_literal(digits, fraction.len(), &signed)
        }
        _ => {
            let whole = signed.trim_end_matches('.');
            let value: i64 = whole
                .parse()
                .map_err(|_| invalid(format!("numeric literal '{digits}' out of range")))?;
            let root = if i32::try_from(value).is_ok() {
                Root::Int
            } else {
                Root::BigInt
            };
            Ok(Expr::literal(
                Value::Integer(value),
                FlinkType::not_null(root),
            ))
        }
    }
}

/// The precision is the count of written digits, leading zeros included.
fn decimal_literal(digits: &str, scale: usize, signed: &str) -> Result<Expr> {
    let precision = digits.bytes().filter(u8::is_ascii_digit).count();
    let fits = precision <= usize::from(DECIMAL_PRECISION_MAX);
    let value = decimal::parse(signed)
        .and_then(|(value, _)| value.to_i128())
        // Flink wants the digits of a literal to fit a BIGINT.
        .filter(|value| fits && i64::try_from(*value).is_ok());
    let value = value.ok_or_else(|| invalid(format!("numeric literal '{digits}' out of range")))?;
    let root = Root::Decimal(precision as u8, scale as u8);
    Ok(Expr::literal(
        Value::Decimal(value),
        FlinkType::not_null(root),
    ))
}

/// `DATE '..'`, `TIMESTAMP '..'`, `TIME '..'` in their full standard forms.
pub(super) fn typed(typed: &TypedString) -> Result<Expr> {
    let ast::Value::SingleQuotedString(text) = &typed.value.value else {
        return Err(refuse(format!("the literal {typed}"), "syntax"));
    };
    let wrong = || invalid(format!("illegal literal {typed}"));
    match (&typed.data_type, types::sql_type(&typed.data_type)?) {
        (ast::DataType::Date, root) => {
            let days = parse_date(text)
                .filter(|_| text.len() == 10)
                .ok_or_else(wrong)?;
            Ok(Expr::literal(Value::Date(days), FlinkType::not_null(root)))
        }
        (ast::DataType::Timestamp(None, _), _) => timestamp(text).ok_or_else(wrong),
        (ast::DataType::Time(None, _), root) => {
            let [h, m, s] = clock(text).ok_or_else(wrong)?;
            let millis = ((h * 60 + m) * 60 + s) * 1000;
            Ok(Expr::literal(
                Value::Time(millis),
                FlinkType::not_null(root),
            ))
        }
        _ => Err(refuse(format!("the literal {typed}"), "syntax")),
    }
}

/// `hh:mm:ss` in range.
fn clock(text: &str) -> Option<[i32; 3]> {
    let parts: Vec<i32> = text
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    match parts.as_slice() {
        [h @ 0..24, m @ 0..60, s @ 0..60] if text.len() == 8 => Some([*h, *m, *s]),
        _ => None,
    }
}

/// A timestamp literal has the precision of its written fraction.
fn timestamp(text: &str) -> Option<Expr> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (_, time) = whole.split_once(' ')?;
    clock(time)?;
    let existing = whole
        .split_once(' ')
        .and_then(|(date, _)| parse_date(date).filter(|_| date.len() == 10));
    let nanos = parse_timestamp(text).filter(|_| existing.is_some() && !text.ends_with('.'))?;
    let ty = FlinkType::not_null(Root::Timestamp(fraction.len() as u8));
    Some(Expr::literal(Value::Timestamp(nanos), ty))
}

/// `INTERVAL 'n' unit`: a whole number of one unit.
pub(super) fn interval(interval: &ast::Interval) -> Result<Expr> {
    let refused = || refuse(format!("the literal {interval}"), "datetime-arithmetic");
    let ast::Expr::Value(value) = interval.value.as_ref() else {
        return Err(refused());
    };
    let (ast::Value::SingleQuotedString(text), Some(unit)) =
        (&value.value, &interval.leading_field)
    else {
        return Err(refused());
    };
    if interval.last_field.is_some()
        || interval.leading_precision.is_some()
        || interval.fractional_seconds_precision.is_some()
    {
        return Err(refused());
    }
    let count: i64 = text
        .parse()
        .ok()
        .filter(|count: &i64| count.abs() < 1_000_000_000)
        .ok_or_else(refused)?;
    let unit = unit_of(unit).ok_or_else(refused)?;
    if let Some(months) = unit.months() {
        let months = i32::try_from(count * i64::from(months)).map_err(|_| refused())?;
        return Ok(Expr::literal(
            Value::Months(months),
            FlinkType::not_null(Root::IntervalMonths),
        ));
    }
    let millis = unit.millis().ok_or_else(refused)?;
    Ok(Expr::literal(
        Value::Millis(count * millis),
        FlinkType::not_null(Root::IntervalMillis),
    ))
}

/// The unit that sqlparser's field names.
pub(super) fn unit_of(field: &DateTimeField) -> Option<Unit> {
    Unit::from_name(&field.to_string())
}
