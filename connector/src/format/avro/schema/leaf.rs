//! Types that hold no others, and what a logical type makes of them.
//!
//! Invariant: a logical type whose values its type cannot hold is as if it were not there; one that no column holds is
//! refused.

use super::{Result, Scope, Shape, Type};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use serde_json::{Map, Value};

/// The most digits of a decimal.
const DIGITS_MAX: u64 = 76;

/// The type of a primitive one's name.
pub(super) fn primitive(name: &str) -> Option<DataType> {
    use DataType as D;
    Some(match name {
        "null" => D::Null,
        "boolean" => D::Boolean,
        "int" => D::Int32,
        "long" => D::Int64,
        "float" => D::Float32,
        "double" => D::Float64,
        "bytes" => D::Binary,
        "string" => D::Utf8,
        _ => return None,
    })
}

/// The logical type of a primitive one.
pub(super) fn logical(primitive: &DataType, object: &Map<String, Value>) -> Option<DataType> {
    use {DataType as D, TimeUnit as U};
    let utc = || Some("UTC".into());
    let name = object.get("logicalType")?.as_str()?;
    Some(match (primitive, name) {
        (D::Int32, "date") => D::Date32,
        (D::Int32, "time-millis") => D::Time32(U::Millisecond),
        (D::Int64, "time-micros") => D::Time64(U::Microsecond),
        (D::Int64, "time-nanos") => D::Time64(U::Nanosecond),
        (D::Int64, "timestamp-millis") => D::Timestamp(U::Millisecond, utc()),
        (D::Int64, "timestamp-micros") => D::Timestamp(U::Microsecond, utc()),
        (D::Int64, "timestamp-nanos") => D::Timestamp(U::Nanosecond, utc()),
        (D::Int64, "local-timestamp-millis") => D::Timestamp(U::Millisecond, None),
        (D::Int64, "local-timestamp-micros") => D::Timestamp(U::Microsecond, None),
        (D::Int64, "local-timestamp-nanos") => D::Timestamp(U::Nanosecond, None),
        _ => return None,
    })
}

/// The decimal that a type of at most so many bytes says it is, where there is such a one.
pub(super) fn decimal(
    object: &Map<String, Value>,
    bytes: usize,
    scope: &Scope,
) -> Result<Option<DataType>> {
    let number = |key| object.get(key).map_or(Some(0), Value::as_u64);
    let named = object.get("logicalType").and_then(Value::as_str) == Some("decimal");
    let (Some(precision), Some(scale)) = (number("precision"), number("scale")) else {
        return Ok(None);
    };
    let bits = bytes.saturating_mul(8).saturating_sub(1);
    let digits = (bits as f64 * std::f64::consts::LOG10_2) as u64;
    if !named || precision == 0 || scale > precision || precision > digits {
        return Ok(None);
    }
    if precision > DIGITS_MAX {
        return scope.unread(
            "a decimal that is too wide",
            format!("it has {precision} digits, and a column has at most {DIGITS_MAX}"),
            "write the column as text",
        );
    }
    let (precision, scale) = (precision as u8, scale as i8);
    Ok(Some(if precision <= 38 {
        DataType::Decimal128(precision, scale)
    } else {
        DataType::Decimal256(precision, scale)
    }))
}

/// A type of so many bytes.
pub(super) fn fixed(object: &Map<String, Value>, scope: &Scope) -> Result<Type> {
    let size = object.get("size").and_then(Value::as_u64);
    let size = size.and_then(|size| i32::try_from(size).ok());
    let Some(size) = size.filter(|size| *size > 0) else {
        return scope.wrong("a fixed type has no size, or none of 1 to 2147483647");
    };
    let bytes = size as usize;
    let logical = object.get("logicalType").and_then(Value::as_str);
    let data_type = match decimal(object, bytes, scope)? {
        Some(decimal) => decimal,
        None if logical == Some("duration") && size == 12 => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        None => DataType::FixedSizeBinary(size),
    };
    Ok(Type::flat(data_type, Shape::Fixed(bytes)))
}
