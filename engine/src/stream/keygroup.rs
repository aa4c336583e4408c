//! Which task owns a key: a stable, specified hash into key groups, and ranges of groups.
//!
//! The hash is part of the checkpoint format (`docs/streaming.md`): XXH3-64 of the key's logical
//! values, so that neither the integer width nor the encoding of a column moves a key. Never a
//! library's internal hash. Invariant: equal keys have equal groups, on every machine and for ever.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use std::ops::RangeInclusive;
use xxhash_rust::xxh3::xxh3_64;

/// The number of key groups: the most tasks among which a job's state can be spread.
pub(crate) const KEY_GROUPS: u8 = 128;

const NULL: u8 = 0;
const VALUE: u8 = 1;

/// Whether a column of this type can be a key.
pub(crate) fn is_key(ty: &DataType) -> bool {
    ty.is_integer()
        || matches!(
            ty,
            DataType::Boolean
                | DataType::Utf8
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_)
                | DataType::Date32
                | DataType::Time32(TimeUnit::Millisecond)
                | DataType::Timestamp(_, _)
                | DataType::Decimal128(_, _)
        )
}

/// The groups of task `index` of `parallelism`, both at most [`KEY_GROUPS`].
pub(crate) fn range(index: usize, parallelism: usize) -> RangeInclusive<u8> {
    let groups = usize::from(KEY_GROUPS);
    let first = (index * groups).div_ceil(parallelism);
    let last = ((index + 1) * groups).div_ceil(parallelism) - 1;
    // Both lie below 128.
    (first as u8)..=(last as u8)
}

/// The task that owns a group: the inverse of [`range`].
pub(crate) fn owner(group: u8, parallelism: usize) -> usize {
    usize::from(group) * parallelism / usize::from(KEY_GROUPS)
}

/// The key group of each row; without key columns every row has the same one.
pub(crate) fn groups(keys: &[ArrayRef], rows: usize) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(64);
    (0..rows)
        .map(|row| {
            encoded.clear();
            keys.iter().for_each(|key| encode(key, row, &mut encoded));
            (xxh3_64(&encoded) % u64::from(KEY_GROUPS)) as u8
        })
        .collect()
}

/// Appends a value: 0 for null; else 1 and its bytes, little-endian and of one width per family.
fn encode(key: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    if key.is_null(row) {
        out.push(NULL);
        return;
    }
    out.push(VALUE);
    let mut integer = |value: i64| out.extend_from_slice(&value.to_le_bytes());
    match key.data_type() {
        DataType::Int8 => integer(key.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => integer(key.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => integer(key.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => integer(key.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => integer(key.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => integer(key.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => integer(key.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => {
            let bits = key.as_primitive::<UInt64Type>().value(row);
            out.extend_from_slice(&bits.to_le_bytes());
        }
        DataType::Boolean => integer(key.as_boolean().value(row).into()),
        DataType::Date32 => integer(key.as_primitive::<Date32Type>().value(row).into()),
        DataType::Time32(_) => integer(
            key.as_primitive::<Time32MillisecondType>()
                .value(row)
                .into(),
        ),
        DataType::Timestamp(unit, _) => {
            let nanos = nanoseconds(key, *unit, row);
            out.extend_from_slice(&nanos.to_le_bytes());
        }
        DataType::Decimal128(_, _) => {
            let digits = key.as_primitive::<Decimal128Type>().value(row);
            out.extend_from_slice(&digits.to_le_bytes());
        }
        DataType::Utf8 => bytes(key.as_string::<i32>().value(row).as_bytes(), out),
        DataType::Binary => bytes(key.as_binary::<i32>().value(row), out),
        DataType::LargeBinary => bytes(key.as_binary::<i64>().value(row), out),
        DataType::BinaryView => bytes(key.as_binary_view().value(row), out),
        DataType::FixedSizeBinary(_) => bytes(key.as_fixed_size_binary().value(row), out),
        // `is_key` was asked before.
        _ => {}
    }
}

fn bytes(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value);
}

fn nanoseconds(key: &ArrayRef, unit: TimeUnit, row: usize) -> i128 {
    match unit {
        TimeUnit::Second => {
            i128::from(key.as_primitive::<TimestampSecondType>().value(row)) * 1_000_000_000
        }
        TimeUnit::Millisecond => {
            i128::from(key.as_primitive::<TimestampMillisecondType>().value(row)) * 1_000_000
        }
        TimeUnit::Microsecond => {
            i128::from(key.as_primitive::<TimestampMicrosecondType>().value(row)) * 1_000
        }
        TimeUnit::Nanosecond => {
            i128::from(key.as_primitive::<TimestampNanosecondType>().value(row))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{
        Int32Array, Int64Array, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    };
    use std::sync::Arc;

    #[test]
    fn ranges_tile_the_groups_and_owners_match_them() {
        for parallelism in 1..=usize::from(KEY_GROUPS) {
            let mut next = 0;
            for index in 0..parallelism {
                let range = range(index, parallelism);
                assert_eq!(usize::from(*range.start()), next);
                next = usize::from(*range.end()) + 1;
                assert!(
                    range
                        .into_iter()
                        .all(|group| owner(group, parallelism) == index)
                );
            }
            assert_eq!(next, usize::from(KEY_GROUPS));
        }
    }

    #[test]
    fn the_width_of_an_integer_and_the_unit_of_a_time_do_not_move_a_key() {
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![Some(-5), None, Some(70_000)]));
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![Some(-5), None, Some(70_000)]));
        assert_eq!(groups(&[narrow], 3), groups(&[wide], 3));
        let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1, -2]));
        let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1000, -2000]));
        assert_eq!(groups(&[millis], 2), groups(&[micros], 2));
    }

    #[test]
    fn the_hash_is_the_specified_one() {
        let keys: ArrayRef = Arc::new(StringArray::from(vec![
            Some("EWR"),
            Some("JFK"),
            Some("LGA"),
            Some(""),
            None,
        ]));
        let groups = groups(&[keys], 5);
        assert_eq!(groups[..3], [11, 98, 118], "these move for nobody");
        assert_eq!(u64::from(groups[3]), xxh3_64(b"\x01\0\0\0\0\0\0\0\0") % 128);
        assert_eq!(u64::from(groups[4]), xxh3_64(b"\0") % 128);
    }
}
