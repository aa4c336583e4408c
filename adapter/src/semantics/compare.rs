//! Comparison and order of values of one type.
//!
//! Owns SQL equality (unknown on NULL), the total order of ORDER BY and the identity of grouping.
//! Invariant: `=` on floats is IEEE's
//! (beside a DECIMAL it is Java's, see [`java_doubles`]), grouping tells -0.0 from 0.0 and has one NaN, and strings
//! compare by their UTF-8 bytes, as Flink's binary strings do.

use crate::semantics::value::Value;
use std::cmp::Ordering;

/// SQL comparison of two values of one type: none where either is NULL or a NaN takes part.
pub fn sql(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b))
        | (Value::Time(a), Value::Time(b))
        | (Value::Months(a), Value::Months(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Millis(a), Value::Millis(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Java's `Double.compare`: NaN equals itself and is the largest, -0.0 lies below 0.0.
pub fn java_doubles(left: f64, right: f64) -> Ordering {
    let canonical = |x: f64| if x.is_nan() { f64::NAN } else { x };
    canonical(left).total_cmp(&canonical(right))
}

/// SQL equality: unknown where either side is NULL; a NaN equals nothing.
pub fn equal(left: &Value, right: &Value) -> Option<bool> {
    if left.is_null() || right.is_null() {
        return None;
    }
    match (left, right) {
        // Flink compares arrays element by element with NULL equal to NULL.
        (Value::Array(a), Value::Array(b)) => Some(
            a.len() == b.len()
                && a.iter()
                    .zip(b.iter())
                    .all(|(a, b)| a.is_null() && b.is_null() || equal(a, b) == Some(true)),
        ),
        _ => Some(sql(left, right) == Some(Ordering::Equal)),
    }
}

/// Whether two values fall into one group, as `IS NOT DISTINCT FROM` on identical bits.
pub fn same_group(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Double(a), Value::Double(b)) => {
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
        }
        (Value::Float(a), Value::Float(b)) => {
            a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same_group(a, b))
        }
        _ => left.is_null() && right.is_null() || equal(left, right) == Some(true),
    }
}

/// Bytes that are equal exactly where [`same_group`] holds, for values of one scalar type.
pub fn group_key(value: &Value) -> Vec<u8> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    match value {
        Value::Null => vec![0],
        Value::Boolean(truth) => vec![1, u8::from(*truth)],
        Value::Integer(number) | Value::Millis(number) => tagged(2, &number.to_le_bytes()),
        Value::Float(number) => tagged(
            3,
            &if number.is_nan() { f32::NAN } else { *number }
                .to_bits()
                .to_le_bytes(),
        ),
        Value::Double(number) => tagged(
            4,
            &if number.is_nan() { f64::NAN } else { *number }
                .to_bits()
                .to_le_bytes(),
        ),
        Value::Decimal(number) | Value::Timestamp(number) => tagged(5, &number.to_le_bytes()),
        Value::Text(text) => tagged(6, text.as_bytes()),
        Value::Bytes(bytes) => tagged(7, bytes),
        Value::Date(number) | Value::Time(number) | Value::Months(number) => {
            tagged(8, &number.to_le_bytes())
        }
        Value::Array(items) | Value::Row(items) => nested_key(items.iter()),
        Value::Map(entries) => nested_key(entries.iter().flat_map(|(key, value)| [key, value])),
    }
}

fn nested_key<'a>(items: impl Iterator<Item = &'a Value>) -> Vec<u8> {
    let mut key = vec![9];
    for item in items {
        let inner = group_key(item);
        key.extend_from_slice(&(inner.len() as u64).to_le_bytes());
        key.extend_from_slice(&inner);
    }
    key
}
