//! What is known of a column's rows once they were seen: how many are null, the least value and the greatest.
//!
//! Invariant: a column of a type without one order has its nulls counted, and no bounds.

use super::native::number_of;
use arrow_arith::aggregate::{
    max, max_binary, max_boolean, max_fixed_size_binary, max_string, min, min_binary, min_boolean,
    min_fixed_size_binary, min_string,
};
use arrow_array::cast::AsArray;
use arrow_array::{Array, downcast_primitive_array};
use arrow_schema::DataType;
use flinkspark_model::filter::{ColumnStatistics, Value};

/// What is known of a plain column.
pub(crate) fn statistics(column: &dyn Array) -> ColumnStatistics {
    let nulls = column.logical_null_count() as u64;
    ColumnStatistics::new(column.len() as u64, nulls, bounds(column))
}

fn bounds(column: &dyn Array) -> Option<(Value, Value)> {
    let text = |value: &str| Value::Bytes(value.as_bytes().to_vec());
    let bytes = |value: &[u8]| Value::Bytes(value.to_vec());
    let is = |value: bool| Value::number(value.into());
    downcast_primitive_array! {
        column => {
            let least = number_of(column, min(column)?).map(Value::Number);
            least.zip(number_of(column, max(column)?).map(Value::Number))
        },
        DataType::Boolean => {
            let column = column.as_boolean();
            Some((is(min_boolean(column)?), is(max_boolean(column)?)))
        },
        DataType::Utf8 => {
            let column = column.as_string::<i32>();
            Some((text(min_string(column)?), text(max_string(column)?)))
        },
        DataType::LargeUtf8 => {
            let column = column.as_string::<i64>();
            Some((text(min_string(column)?), text(max_string(column)?)))
        },
        DataType::Binary => {
            let column = column.as_binary::<i32>();
            Some((bytes(min_binary(column)?), bytes(max_binary(column)?)))
        },
        DataType::LargeBinary => {
            let column = column.as_binary::<i64>();
            Some((bytes(min_binary(column)?), bytes(max_binary(column)?)))
        },
        DataType::FixedSizeBinary(_) => {
            let column = column.as_fixed_size_binary();
            Some((bytes(min_fixed_size_binary(column)?), bytes(max_fixed_size_binary(column)?)))
        },
        _ => None,
    }
}
