//! Values in and out of Arrow columns.
//!
//! Owns the one mapping between [`Value`] and the Arrow form of a [`FlinkType`]. Invariant: building a
//! column from values and reading it back gives the same values.

mod foreign;

pub(crate) use foreign::readable;

use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, failed};
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Decimal128Builder, PrimitiveBuilder, StringBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, ListArray, PrimitiveArray, new_null_array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, TimeUnit};
use flinkspark_model::Result;
use std::sync::Arc;

/// The value at `row` of a column of this type.
pub fn read(array: &dyn Array, root: &Root, row: usize) -> Result<Value> {
    if let Root::Foreign(_) = root {
        return foreign::read(array, row);
    }
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match (root, array.data_type()) {
        (Root::Boolean, DataType::Boolean) => Value::Boolean(array.as_boolean().value(row)),
        (Root::TinyInt, DataType::Int8) => Value::Integer(primitive::<Int8Type>(array, row).into()),
        (Root::SmallInt, DataType::Int16) => {
            Value::Integer(primitive::<Int16Type>(array, row).into())
        }
        (Root::Int, DataType::Int32) => Value::Integer(primitive::<Int32Type>(array, row).into()),
        (Root::BigInt, DataType::Int64) => Value::Integer(primitive::<Int64Type>(array, row)),
        (Root::Float, DataType::Float32) => Value::Float(primitive::<Float32Type>(array, row)),
        (Root::Double, DataType::Float64) => Value::Double(primitive::<Float64Type>(array, row)),
        (Root::Decimal(..), DataType::Decimal128(..)) => {
            Value::Decimal(primitive::<Decimal128Type>(array, row))
        }
        (root, DataType::Utf8) if root.is_text() => {
            Value::text(array.as_string::<i32>().value(row))
        }
        (Root::Binary(_), DataType::Binary) => {
            Value::Bytes(array.as_binary::<i32>().value(row).into())
        }
        (Root::Date, DataType::Date32) => Value::Date(primitive::<Date32Type>(array, row)),
        (Root::Time(_), DataType::Time32(_)) => {
            Value::Time(primitive::<Time32MillisecondType>(array, row))
        }
        (Root::Timestamp(_), DataType::Timestamp(unit, _)) => {
            Value::Timestamp(nanos(array, *unit, row))
        }
        (Root::IntervalMonths, DataType::Int32) => {
            Value::Months(primitive::<Int32Type>(array, row))
        }
        (Root::IntervalMillis, DataType::Int64) => {
            Value::Millis(primitive::<Int64Type>(array, row))
        }
        (Root::Array(element), DataType::List(_)) => {
            let items = array.as_list::<i32>().value(row);
            let values: Result<Arc<[Value]>> = (0..items.len())
                .map(|item| read(items.as_ref(), &element.root, item))
                .collect();
            Value::Array(values?)
        }
        (root, arrow) => {
            return Err(broken(format!(
                "a column of {} holds {arrow}",
                FlinkType::nullable(root.clone())
            )));
        }
    })
}

fn primitive<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn nanos(array: &dyn Array, unit: TimeUnit, row: usize) -> i128 {
    let (value, nanos_per_unit) = match unit {
        TimeUnit::Second => (primitive::<TimestampSecondType>(array, row), 1_000_000_000),
        TimeUnit::Millisecond => (primitive::<TimestampMillisecondType>(array, row), 1_000_000),
        TimeUnit::Microsecond => (primitive::<TimestampMicrosecondType>(array, row), 1000),
        TimeUnit::Nanosecond => (primitive::<TimestampNanosecondType>(array, row), 1),
    };
    i128::from(value) * nanos_per_unit
}

/// The column of these values; the values fit the type. There is one NaN, which sorts last.
pub fn build(ty: &FlinkType, values: &[Value]) -> Result<ArrayRef> {
    Ok(match &ty.root {
        Root::Foreign(data_type) => foreign::build(data_type, values)?,
        Root::Null => new_null_array(&DataType::Null, values.len()),
        Root::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(values.len());
            values
                .iter()
                .for_each(|value| builder.append_option(value.truth()));
            Arc::new(builder.finish())
        }
        Root::TinyInt => integers::<Int8Type>(values, |number| number as i8),
        Root::SmallInt => integers::<Int16Type>(values, |number| number as i16),
        Root::Int => integers::<Int32Type>(values, |number| number as i32),
        Root::BigInt => integers::<Int64Type>(values, |number| number),
        Root::Float => primitives::<Float32Type>(values, |value| {
            if let Value::Float(x) = value {
                Some(if x.is_nan() { f32::NAN } else { *x })
            } else {
                None
            }
        }),
        Root::Double => primitives::<Float64Type>(values, |value| {
            if let Value::Double(x) = value {
                Some(if x.is_nan() { f64::NAN } else { *x })
            } else {
                None
            }
        }),
        Root::Decimal(precision, scale) => {
            let mut builder = Decimal128Builder::with_capacity(values.len())
                .with_data_type(DataType::Decimal128(*precision, *scale as i8));
            for value in values {
                builder.append_option(if let Value::Decimal(x) = value {
                    Some(*x)
                } else {
                    None
                });
            }
            Arc::new(builder.finish())
        }
        Root::Char(_) | Root::Varchar(_) => {
            let mut builder = StringBuilder::new();
            for value in values {
                builder.append_option(if let Value::Text(text) = value {
                    Some(text)
                } else {
                    None
                });
            }
            Arc::new(builder.finish())
        }
        Root::Binary(_) => {
            let mut builder = BinaryBuilder::new();
            for value in values {
                builder.append_option(if let Value::Bytes(bytes) = value {
                    Some(bytes)
                } else {
                    None
                });
            }
            Arc::new(builder.finish())
        }
        Root::Date => primitives::<Date32Type>(values, |value| {
            if let Value::Date(x) = value {
                Some(*x)
            } else {
                None
            }
        }),
        Root::Time(_) => primitives::<Time32MillisecondType>(values, |value| {
            if let Value::Time(x) = value {
                Some(*x)
            } else {
                None
            }
        }),
        Root::IntervalMonths => primitives::<Int32Type>(values, |value| {
            if let Value::Months(x) = value {
                Some(*x)
            } else {
                None
            }
        }),
        Root::IntervalMillis => primitives::<Int64Type>(values, |value| {
            if let Value::Millis(x) = value {
                Some(*x)
            } else {
                None
            }
        }),
        Root::Timestamp(_) => timestamps(ty, values)?,
        Root::Array(element) => lists(element, values)?,
        Root::Map(..) | Root::Row(_) => return Err(broken(format!("a column of {ty}"))),
    })
}

fn integers<T: ArrowPrimitiveType>(values: &[Value], cut: fn(i64) -> T::Native) -> ArrayRef {
    primitives::<T>(values, |value| {
        if let Value::Integer(number) = value {
            Some(cut(*number))
        } else {
            None
        }
    })
}

fn primitives<T: ArrowPrimitiveType>(
    values: &[Value],
    pick: impl Fn(&Value) -> Option<T::Native>,
) -> ArrayRef {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(values.len());
    values
        .iter()
        .for_each(|value| builder.append_option(pick(value)));
    Arc::new(builder.finish())
}

fn timestamps(ty: &FlinkType, values: &[Value]) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, _) = ty.root.arrow() else {
        return Err(broken("no timestamp type"));
    };
    let length = match unit {
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1000,
        _ => 1,
    };
    let mut units: Vec<Option<i64>> = Vec::with_capacity(values.len());
    for value in values {
        units.push(match value {
            Value::Timestamp(nanos) => Some(
                i64::try_from(nanos.div_euclid(length))
                    .map_err(|_| failed(format!("a timestamp beyond the range of {ty}")))?,
            ),
            _ => None,
        });
    }
    Ok(match unit {
        TimeUnit::Millisecond => Arc::new(PrimitiveArray::<TimestampMillisecondType>::from(units)),
        TimeUnit::Microsecond => Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from(units)),
        _ => Arc::new(PrimitiveArray::<TimestampNanosecondType>::from(units)),
    })
}

fn lists(element: &FlinkType, values: &[Value]) -> Result<ArrayRef> {
    let mut items = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    for value in values {
        let held: &[Value] = if let Value::Array(held) = value {
            held
        } else {
            &[]
        };
        items.extend_from_slice(held);
        lengths.push(held.len());
    }
    let nulls: NullBuffer = values.iter().map(|value| !value.is_null()).collect();
    let array = ListArray::try_new(
        Arc::new(element.field("element")),
        OffsetBuffer::from_lengths(lengths),
        build(element, &items)?,
        Some(nulls),
    );
    array
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| broken(format!("a list column: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_their_column() {
        let list = Root::Array(Box::new(FlinkType::nullable(Root::STRING)));
        let cases = [
            (Root::Int, Value::Integer(-7)),
            (Root::Decimal(10, 2), Value::Decimal(-125)),
            (Root::Timestamp(6), Value::Timestamp(-1000)),
            (Root::Timestamp(9), Value::Timestamp(1)),
            (list, Value::Array([Value::text("a"), Value::Null].into())),
        ];
        for (root, value) in cases {
            let ty = FlinkType::nullable(root);
            let column = build(&ty, &[value.clone(), Value::Null]).unwrap();
            assert_eq!(read(column.as_ref(), &ty.root, 0).unwrap(), value);
            assert_eq!(read(column.as_ref(), &ty.root, 1).unwrap(), Value::Null);
        }
    }
}
