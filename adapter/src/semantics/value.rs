//! One SQL value, as expressions compute it.
//!
//! Owns the representation that every kernel shares; its type travels beside it. Never converts
//! between types. Invariant: a value fits its [`super::types::FlinkType`], or is [`Value::Null`].

use std::sync::Arc;

/// A value of any of Flink's types.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL of any type.
    Null,
    /// A truth value.
    Boolean(bool),
    /// Any integer type, sign-extended.
    Integer(i64),
    /// A `FLOAT`.
    Float(f32),
    /// A `DOUBLE`.
    Double(f64),
    /// A decimal's unscaled digits at its type's scale.
    Decimal(i128),
    /// Text of any length.
    Text(Arc<str>),
    /// Raw bytes.
    Bytes(Arc<[u8]>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds of the day.
    Time(i32),
    /// Nanoseconds since 1970-01-01T00:00 without a zone.
    Timestamp(i128),
    /// An interval of months.
    Months(i32),
    /// An interval of milliseconds.
    Millis(i64),
    /// An array's elements.
    Array(Arc<[Value]>),
    /// A map's entries in insertion order, keys unique.
    Map(Arc<[(Value, Value)]>),
    /// A row's fields.
    Row(Arc<[Value]>),
}

impl Value {
    /// Text from anything that converts to a string.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// What it holds outside of itself, in bytes.
    pub fn heap_bytes(&self) -> usize {
        let inside = |values: &[Self]| -> usize {
            let held = values.iter().map(Self::heap_bytes).sum::<usize>();
            held + size_of_val(values)
        };
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Array(values) | Self::Row(values) => inside(values),
            Self::Map(entries) => {
                let held = entries
                    .iter()
                    .map(|(key, value)| key.heap_bytes() + value.heap_bytes());
                held.sum::<usize>() + size_of_val(entries.as_ref())
            }
            _ => 0,
        }
    }

    /// Whether this is SQL NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// SQL truth: unknown for NULL.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }

    /// A boolean, or NULL for unknown.
    pub fn from_truth(truth: Option<bool>) -> Self {
        truth.map_or(Self::Null, Self::Boolean)
    }
}
