//! What is known of a column's rows without reading them.
//!
//! Pure. Invariant: no value of the rows lies below `min` or above `max`; a bound that is not known is absent.

use super::value::{Class, Value, class_of};
use arrow_buffer::i256;
use arrow_schema::DataType;
use std::fmt::Write;

/// The most bytes of a bound that are kept; a longer one is rounded outwards.
pub const VALUE_BYTES_MAX: usize = 64;

/// What is known of one column in some rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnStatistics {
    /// The rows.
    pub rows: u64,
    /// Those that are null.
    pub nulls: u64,
    /// A value that no row lies below.
    pub min: Option<Value>,
    /// A value that no row lies above.
    pub max: Option<Value>,
}

/// Whether bounds are kept for columns of this type: whether they have one order for every engine.
pub fn has_statistics(data_type: &DataType) -> bool {
    !matches!(class_of(data_type), Class::Float | Class::Opaque)
}

impl ColumnStatistics {
    /// Of rows that are all null.
    pub fn all_null(rows: u64) -> Self {
        Self {
            rows,
            nulls: rows,
            ..Self::default()
        }
    }

    /// Of rows with these bounds, rounded outwards to [`VALUE_BYTES_MAX`] bytes.
    pub fn new(rows: u64, nulls: u64, bounds: Option<(Value, Value)>) -> Self {
        let (min, max) = bounds.map_or((None, None), |(min, max)| (Some(min), Some(max)));
        Self {
            rows,
            nulls,
            min: min.map(round_down),
            max: max.and_then(round_up),
        }
    }

    /// Whether a row that is not null is possible.
    pub(super) fn has_values(&self) -> bool {
        self.nulls < self.rows
    }

    /// Of these rows and others.
    pub fn merge(&mut self, other: &Self) {
        match (self.has_values(), other.has_values()) {
            (_, false) => {}
            (false, true) => (self.min, self.max) = (other.min.clone(), other.max.clone()),
            (true, true) => {
                let (min, max) = (self.min.take(), self.max.take());
                self.min = min.zip(other.min.clone()).map(|(a, b)| a.min(b));
                self.max = max.zip(other.max.clone()).map(|(a, b)| a.max(b));
            }
        }
        self.rows = self.rows.saturating_add(other.rows);
        self.nulls = self.nulls.saturating_add(other.nulls);
    }

    /// As `nulls,min,max`: a number in decimal digits, bytes in hexadecimal after an `x`, nothing where a
    /// bound is not known. The rows are not in it.
    pub fn to_text(&self) -> String {
        let mut text = self.nulls.to_string();
        for bound in [&self.min, &self.max] {
            text.push(',');
            match bound {
                None => {}
                Some(Value::Number(number)) => text.push_str(&number.to_string()),
                Some(Value::Bytes(bytes)) => {
                    text.push('x');
                    for byte in bytes {
                        // Writing to a text does not fail.
                        let _ = write!(text, "{byte:02x}");
                    }
                }
            }
        }
        text
    }

    /// What [`to_text`](Self::to_text) wrote of these many rows of a column of this type; `None` for anything else.
    pub fn from_text(text: &str, rows: u64, data_type: &DataType) -> Option<Self> {
        let mut parts = text.split(',');
        let nulls: u64 = parts.next()?.parse().ok()?;
        let mut bound = || {
            parts
                .next()
                .map(|part| read_bound(part, class_of(data_type)))
        };
        let (min, max) = (bound()??, bound()??);
        let ordered = min.iter().zip(&max).all(|(min, max)| min <= max);
        let known = nulls <= rows && ordered && parts.next().is_none();
        known.then_some(Self {
            rows,
            nulls,
            min,
            max,
        })
    }
}

/// A bound, or that there is none; `None` where it is torn.
fn read_bound(text: &str, class: Class) -> Option<Option<Value>> {
    if text.is_empty() {
        return Some(None);
    }
    let is_bytes = matches!(class, Class::Text | Class::Binary { .. });
    match (class, text.strip_prefix('x')) {
        (Class::Float | Class::Opaque, _) => None,
        (_, Some(digits)) if is_bytes => read_hex(digits).map(|bytes| Some(Value::Bytes(bytes))),
        (_, None) if !is_bytes => i256::from_string(text).map(|number| Some(Value::Number(number))),
        _ => None,
    }
}

fn read_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > VALUE_BYTES_MAX {
        return None;
    }
    let bytes = pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok());
    bytes.collect()
}

fn round_down(value: Value) -> Value {
    match value {
        Value::Bytes(mut bytes) => {
            bytes.truncate(VALUE_BYTES_MAX);
            Value::Bytes(bytes)
        }
        number => number,
    }
}

/// The least short value above a long one; none where every byte is the last.
fn round_up(value: Value) -> Option<Value> {
    match value {
        Value::Bytes(mut bytes) if bytes.len() > VALUE_BYTES_MAX => {
            bytes.truncate(VALUE_BYTES_MAX);
            while let Some(last) = bytes.pop() {
                if let Some(next) = last.checked_add(1) {
                    bytes.push(next);
                    return Some(Value::Bytes(bytes));
                }
            }
            None
        }
        short => Some(short),
    }
}
