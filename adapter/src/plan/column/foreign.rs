//! Columns of types that no function reads, as far as they are compared and counted.
//!
//! Invariant: values of one class are equal and ordered as [`Value`]s exactly where the column's are, whatever
//! its unit, zone and encoding.

use super::nanos;
use crate::semantics::foreign::Class;
use crate::semantics::types::Root;
use crate::semantics::value::Value;
use crate::semantics::{broken, failed};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, TimeUnit};
use flinkspark_model::Result;
use std::sync::Arc;

/// The column as [`super::read`] wants it: of one that is only carried, TRUE where there is a value. Dictionaries,
/// runs and nulls do not keep that where `is_null` looks.
pub(crate) fn readable(array: &ArrayRef, root: &Root) -> ArrayRef {
    match root {
        Root::Foreign(data_type) if Class::of(data_type) == Class::Carried => {
            let there = BooleanBuffer::new_set(array.len());
            Arc::new(BooleanArray::new(there, array.logical_nulls()))
        }
        _ => Arc::clone(array),
    }
}

/// The value at `row` of a readable column.
pub(super) fn read(array: &dyn Array, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let unsigned = |value: u64| Value::Decimal(value.into());
    Ok(match array.data_type() {
        DataType::Boolean => Value::Boolean(true),
        DataType::Timestamp(unit, Some(_)) => Value::Timestamp(nanos(array, *unit, row)),
        DataType::Binary => Value::Bytes(array.as_binary::<i32>().value(row).into()),
        DataType::LargeBinary => Value::Bytes(array.as_binary::<i64>().value(row).into()),
        DataType::BinaryView => Value::Bytes(array.as_binary_view().value(row).into()),
        DataType::FixedSizeBinary(_) => {
            Value::Bytes(array.as_fixed_size_binary().value(row).into())
        }
        DataType::UInt8 => unsigned(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => unsigned(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => unsigned(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => unsigned(array.as_primitive::<UInt64Type>().value(row)),
        other => return Err(broken(format!("a value of type {other} is read"))),
    })
}

/// The column of these values: those of the types of which distinct ones are kept, NULLs of any.
pub(super) fn build(data_type: &DataType, values: &[Value]) -> Result<ArrayRef> {
    if values.iter().all(Value::is_null) {
        return Ok(new_null_array(data_type, values.len()));
    }
    match data_type {
        DataType::Timestamp(unit, Some(_)) => match unit {
            TimeUnit::Second => instants::<TimestampSecondType>(data_type, values, 1_000_000_000),
            TimeUnit::Millisecond => {
                instants::<TimestampMillisecondType>(data_type, values, 1_000_000)
            }
            TimeUnit::Microsecond => instants::<TimestampMicrosecondType>(data_type, values, 1000),
            TimeUnit::Nanosecond => instants::<TimestampNanosecondType>(data_type, values, 1),
        },
        DataType::UInt8 => unsigned::<UInt8Type>(values),
        DataType::UInt16 => unsigned::<UInt16Type>(values),
        DataType::UInt32 => unsigned::<UInt32Type>(values),
        DataType::UInt64 => unsigned::<UInt64Type>(values),
        other => Err(broken(format!("values of type {other} are built"))),
    }
}

fn instants<T: ArrowPrimitiveType<Native = i64>>(
    data_type: &DataType,
    values: &[Value],
    nanos_per_unit: i128,
) -> Result<ArrayRef> {
    let units = numbers(values, |value| match value {
        Value::Timestamp(nanos) => i64::try_from(nanos.div_euclid(nanos_per_unit)).ok(),
        _ => None,
    })?;
    let column = PrimitiveArray::<T>::from_iter(units).with_data_type(data_type.clone());
    Ok(Arc::new(column))
}

fn unsigned<T: ArrowPrimitiveType>(values: &[Value]) -> Result<ArrayRef>
where
    T::Native: TryFrom<i128>,
{
    let numbers = numbers(values, |value| match value {
        Value::Decimal(number) => T::Native::try_from(*number).ok(),
        _ => None,
    })?;
    Ok(Arc::new(PrimitiveArray::<T>::from_iter(numbers)))
}

fn numbers<N>(values: &[Value], of: impl Fn(&Value) -> Option<N>) -> Result<Vec<Option<N>>> {
    let number = |value: &Value| match value.is_null() {
        true => Ok(None),
        false => of(value)
            .map(Some)
            .ok_or_else(|| failed("a value beyond the range of its type")),
    };
    values.iter().map(number).collect()
}
