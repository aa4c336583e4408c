//! Values in their one order, and which types have them.
//!
//! Pure. Invariant: two values of one column compare as SQL compares them: a number is what the column
//! stores (a decimal's digits at its scale, a time's count of its unit), text and binary are their bytes.

use arrow_buffer::i256;
use arrow_schema::{DataType, TimeUnit};

/// A value of a column that has an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A number, or whatever is stored as one; of booleans false is 0 and true 1.
    Number(i256),
    /// Text or binary.
    Bytes(Vec<u8>),
}

impl Value {
    /// A number.
    pub fn number(number: i128) -> Self {
        Self::Number(i256::from_i128(number))
    }

    pub(super) fn starts_with(&self, prefix: &[u8]) -> bool {
        matches!(self, Self::Bytes(bytes) if bytes.starts_with(prefix))
    }
}

/// What a column's type means for filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Boolean,
    /// Integers of this many bits; durations too.
    Integer {
        signed: bool,
        bits: u8,
    },
    Decimal {
        digits: u8,
        scale: i8,
    },
    Text,
    /// Of this many bytes, where all have the same.
    Binary {
        width: Option<i32>,
    },
    /// Days, or their milliseconds.
    Date {
        bits: u8,
    },
    /// Counts of this many nanoseconds.
    Time {
        bits: u8,
        nanos: i64,
    },
    Timestamp {
        nanos: i64,
        zoned: bool,
    },
    /// Ordered differently by different engines where there is a NaN.
    Float,
    /// Nested, or without an order.
    Opaque,
}

pub(super) fn class_of(data_type: &DataType) -> Class {
    use DataType as D;
    let integer = |signed, bits| Class::Integer { signed, bits };
    match data_type {
        D::Dictionary(_, values) => class_of(values),
        D::RunEndEncoded(_, values) => class_of(values.data_type()),
        D::Boolean => Class::Boolean,
        D::Int8 => integer(true, 8),
        D::Int16 => integer(true, 16),
        D::Int32 => integer(true, 32),
        D::Int64 | D::Duration(_) => integer(true, 64),
        D::UInt8 => integer(false, 8),
        D::UInt16 => integer(false, 16),
        D::UInt32 => integer(false, 32),
        D::UInt64 => integer(false, 64),
        D::Decimal32(digits, scale)
        | D::Decimal64(digits, scale)
        | D::Decimal128(digits, scale)
        | D::Decimal256(digits, scale) => Class::Decimal {
            digits: *digits,
            scale: *scale,
        },
        D::Utf8 | D::LargeUtf8 | D::Utf8View => Class::Text,
        D::Binary | D::LargeBinary | D::BinaryView => Class::Binary { width: None },
        D::FixedSizeBinary(width) => Class::Binary {
            width: Some(*width),
        },
        D::Date32 => Class::Date { bits: 32 },
        D::Date64 => Class::Date { bits: 64 },
        D::Time32(unit) => Class::Time {
            bits: 32,
            nanos: nanos(*unit),
        },
        D::Time64(unit) => Class::Time {
            bits: 64,
            nanos: nanos(*unit),
        },
        D::Timestamp(unit, zone) => Class::Timestamp {
            nanos: nanos(*unit),
            zoned: zone.is_some(),
        },
        D::Float16 | D::Float32 | D::Float64 => Class::Float,
        _ => Class::Opaque,
    }
}

fn nanos(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}
