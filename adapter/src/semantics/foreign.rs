//! Types that no function reads yet: what can be done with a column of one besides carrying it.
//!
//! Owns which of them have an order, after the types that stand for them in Flink (`flinkspark_model::profile`).
//! Invariant: a comparison that is allowed here has one answer, whatever the unit, the zone and the encoding; what
//! is not sure to have is refused by name.

use super::refuse;
use crate::semantics::types::Root;
use arrow_schema::DataType;
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Result};
use std::fmt::Display;

/// What a column of a type that no function reads is good for. Whatever it is, it is carried as it is,
/// tested for NULL and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Flink's `TIMESTAMP_LTZ`: an instant, whatever its zone.
    Instant,
    /// Flink's `BYTES`, in the order of unsigned bytes.
    Bytes,
    /// An unsigned integer. Flink has none: values are compared among themselves, or cast to a type that
    /// holds all of them.
    Unsigned,
    /// Everything else.
    Carried,
}

impl Class {
    /// The class of an Arrow type that has no root of its own.
    pub fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Timestamp(_, Some(_)) => Self::Instant,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Bytes,
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                Self::Unsigned
            }
            _ => Self::Carried,
        }
    }

    /// What can be done with it, in the words of a hint.
    fn uses(self) -> &'static str {
        match self {
            Self::Instant => {
                "it can be selected, tested for NULL, counted, grouped, joined and sorted by, and compared with other \
                 timestamps with a zone"
            }
            Self::Bytes => {
                "it can be selected, tested for NULL, counted, grouped, joined and sorted by, and compared with other bytes"
            }
            Self::Unsigned => {
                "CAST it to BIGINT, or uint64 to DECIMAL(20, 0); as it is it can be selected, tested for NULL, counted, \
                 grouped, joined and sorted by"
            }
            Self::Carried => {
                "it can be selected, tested for NULL and counted; for anything else leave it out"
            }
        }
    }
}

/// Whether values of the two types are compared: those of one class that has an order.
pub fn compares(a: &DataType, b: &DataType) -> bool {
    let class = Class::of(a);
    class != Class::Carried && class == Class::of(b)
}

/// Whether `COUNT(DISTINCT x)` takes the type: Flink's planner refuses it of BYTES.
pub fn is_counted_distinct(data_type: &DataType) -> bool {
    matches!(Class::of(data_type), Class::Instant | Class::Unsigned)
}

/// Whether CAST gives a type that holds every value of this one.
pub fn is_held_by(from: &DataType, to: &Root) -> bool {
    let (rank, digits) = match from {
        DataType::UInt8 => (1, 3),
        DataType::UInt16 => (2, 5),
        DataType::UInt32 => (3, 10),
        DataType::UInt64 => (u8::MAX, 20),
        _ => return false,
    };
    match to {
        Root::Decimal(precision, scale) => precision.saturating_sub(*scale) >= digits,
        to => to.integer_rank().is_some_and(|held| held >= rank),
    }
}

/// Refuses (`FS0803`) rows that are grouped, compared or sorted by a type without an order.
pub fn check_key(root: &Root, what: impl Display) -> Result<()> {
    match root {
        Root::Foreign(data_type) if Class::of(data_type) == Class::Carried => {
            Err(unread(what, data_type))
        }
        _ => Ok(()),
    }
}

/// The refusal (`FS0803`) of what would have to read a value of the type.
pub fn unread(what: impl Display, data_type: &DataType) -> Error {
    let ty = type_name(data_type);
    refuse(format!("{what} of type {ty}"), "type").with_hint(Class::of(data_type).uses())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::TimeUnit;

    #[test]
    fn an_unsigned_integer_is_held_by_whatever_has_room_for_its_largest_value() {
        let decimal = |precision, scale| Root::Decimal(precision, scale);
        for (from, to, held) in [
            (DataType::UInt8, Root::TinyInt, false),
            (DataType::UInt8, Root::SmallInt, true),
            (DataType::UInt16, Root::SmallInt, false),
            (DataType::UInt16, Root::Int, true),
            (DataType::UInt32, Root::Int, false),
            (DataType::UInt32, Root::BigInt, true),
            (DataType::UInt64, Root::BigInt, false),
            (DataType::UInt64, decimal(20, 0), true),
            (DataType::UInt64, decimal(38, 18), true),
            (DataType::UInt64, decimal(38, 19), false),
            (DataType::UInt32, Root::Double, false),
            (DataType::Binary, Root::BigInt, false),
        ] {
            assert_eq!(is_held_by(&from, &to), held, "{from} {to:?}");
        }
    }

    #[test]
    fn types_of_one_class_compare_whatever_their_unit_zone_and_encoding() {
        let utc = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
        let kolkata = DataType::Timestamp(TimeUnit::Nanosecond, Some("Asia/Kolkata".into()));
        let plain = DataType::Timestamp(TimeUnit::Second, None);
        assert!(compares(&utc, &kolkata));
        assert!(!compares(&utc, &plain));
        assert!(compares(
            &DataType::BinaryView,
            &DataType::FixedSizeBinary(3)
        ));
        assert!(!compares(&DataType::Date64, &DataType::Date64));
    }
}
