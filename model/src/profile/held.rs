//! What each engine has for a type without children: the two tables behind the profiles.
//!
//! Pure; it never looks at a value. Sources: Flink 2.3 (`LogicalTypes`, `org.apache.flink.table.runtime.arrow.ArrowUtils`)
//! and Spark 4.3 (`org.apache.spark.sql.types`, `org.apache.spark.sql.util.ArrowUtils`), each asked in its own build.
//! Invariant: a type that is not named here is refused.

use super::Profile;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

/// Digits of the largest decimal that Flink and Spark hold.
const DECIMAL_PRECISION_MAX: u8 = 38;

/// What becomes of a leaf.
pub(super) enum Held {
    /// A type that has every value.
    Whole(DataType),
    /// The engine's own type for it, whose values count in `finest`: each value is looked at.
    Checked { to: DataType, finest: &'static str },
    /// A type that counts coarser: digits of a second that the column has and the engine holds.
    Coarser {
        to: DataType,
        has: u8,
        holds: u8,
        what: &'static str,
        unit: &'static str,
    },
    /// None, with what there is to say of it.
    Nothing(&'static str),
}

/// What an engine has for the type, whatever the engine.
pub(super) fn held(data_type: &DataType, profile: Profile) -> Held {
    use DataType as D;
    match data_type {
        D::Null
        | D::Boolean
        | D::Int8
        | D::Int16
        | D::Int32
        | D::Int64
        | D::Float32
        | D::Float64
        | D::Date32
        | D::Interval(IntervalUnit::YearMonth) => Held::Whole(data_type.clone()),
        D::UInt8 => Held::Whole(D::Int16),
        D::UInt16 => Held::Whole(D::Int32),
        D::UInt32 => Held::Whole(D::Int64),
        D::UInt64 => Held::Whole(D::Decimal128(20, 0)),
        D::Float16 => Held::Whole(D::Float32),
        D::Utf8 | D::LargeUtf8 | D::Utf8View => Held::Whole(D::Utf8),
        D::Binary | D::LargeBinary | D::BinaryView => Held::Whole(D::Binary),
        D::Decimal32(precision, scale)
        | D::Decimal64(precision, scale)
        | D::Decimal128(precision, scale)
        | D::Decimal256(precision, scale) => decimal(*precision, *scale),
        D::Date64 => Held::Checked {
            to: D::Date32,
            finest: "days",
        },
        other if profile == Profile::Flink2 => flink(other),
        other => spark(other),
    }
}

/// A negative scale becomes digits: `decimal(5,-2)` has the values of `decimal(7,0)`.
fn decimal(precision: u8, scale: i8) -> Held {
    let zeros = scale.min(0).unsigned_abs();
    match precision.checked_add(zeros) {
        Some(digits)
            if digits <= DECIMAL_PRECISION_MAX && scale.max(0).unsigned_abs() <= digits =>
        {
            Held::Whole(DataType::Decimal128(digits, scale.max(0)))
        }
        _ => Held::Nothing("; its decimals have at most 38 digits"),
    }
}

fn flink(data_type: &DataType) -> Held {
    use {DataType as D, TimeUnit as U};
    match data_type {
        D::FixedSizeBinary(0) => Held::Whole(D::Binary),
        D::FixedSizeBinary(_) | D::Time32(_) | D::Timestamp(..) => Held::Whole(data_type.clone()),
        D::Time64(_) => Held::Checked {
            to: data_type.clone(),
            finest: "milliseconds",
        },
        D::Duration(U::Second | U::Millisecond) => Held::Whole(D::Duration(U::Millisecond)),
        D::Duration(unit) => Held::Coarser {
            to: D::Duration(U::Millisecond),
            has: digits(*unit),
            holds: 3,
            what: "intervals",
            unit: "milliseconds",
        },
        D::Interval(_) => Held::Nothing("; its intervals are months, or milliseconds"),
        _ => Held::Nothing(""),
    }
}

fn spark(data_type: &DataType) -> Held {
    use {DataType as D, IntervalUnit as I, TimeUnit as U};
    match data_type {
        D::FixedSizeBinary(_) => Held::Whole(D::Binary),
        D::Time64(U::Nanosecond) => Held::Checked {
            to: data_type.clone(),
            finest: "microseconds",
        },
        D::Time32(_) | D::Time64(_) => Held::Whole(D::Time64(U::Nanosecond)),
        D::Timestamp(unit, zone) => {
            let to = D::Timestamp(U::Microsecond, zone.as_ref().map(|_| "UTC".into()));
            microseconds(*unit, to, "timestamps")
        }
        D::Duration(unit) => microseconds(*unit, D::Duration(U::Microsecond), "intervals"),
        D::Interval(I::DayTime) => Held::Whole(D::Interval(I::MonthDayNano)),
        D::Interval(I::MonthDayNano) => Held::Checked {
            to: data_type.clone(),
            finest: "microseconds",
        },
        _ => Held::Nothing(""),
    }
}

fn microseconds(unit: TimeUnit, to: DataType, what: &'static str) -> Held {
    match unit {
        TimeUnit::Nanosecond => Held::Coarser {
            to,
            has: digits(unit),
            holds: 6,
            what,
            unit: "microseconds",
        },
        _ => Held::Whole(to),
    }
}

/// Digits of a second behind the point.
fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}
