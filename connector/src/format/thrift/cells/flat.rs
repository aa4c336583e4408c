//! Cells of flat types.
//!
//! Invariant: a number is written with the digits that it has, in the unit of its type; what its type does not hold, is
//! refused.

use super::{Boxed, Cells};
use crate::format::complement::shortest;
use crate::format::thrift::cursor::Kind;
use crate::format::thrift::layout::Wire;
use crate::format::thrift::out::{Out, Refused, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

struct Each<F>(F);

impl<F: Fn(usize, &mut Out) -> Result<()>> Cells for Each<F> {
    fn put(&self, row: usize, out: &mut Out) -> Result<()> {
        (self.0)(row, out)
    }
}

fn each<'a>(put: impl Fn(usize, &mut Out) -> Result<()> + 'a) -> Boxed<'a> {
    Box::new(Each(put))
}

pub(super) fn of<'a>(column: &'a ArrayRef, wire: &'a Wire) -> Boxed<'a> {
    use {DataType as D, IntervalUnit as I, TimeUnit as U};
    let kind = Kind::of(wire);
    match column.data_type() {
        D::Boolean => {
            let values = column.as_boolean();
            each(|row, out| {
                out.truth(values.value(row));
                Ok(())
            })
        }
        D::Int8 => whole::<Int8Type>(column, kind),
        D::Int16 => whole::<Int16Type>(column, kind),
        D::Int32 => whole::<Int32Type>(column, kind),
        D::Int64 => whole::<Int64Type>(column, kind),
        D::UInt8 => whole::<UInt8Type>(column, kind),
        D::UInt16 => whole::<UInt16Type>(column, kind),
        D::UInt32 => whole::<UInt32Type>(column, kind),
        D::Date32 => whole::<Date32Type>(column, kind),
        D::Date64 => whole::<Date64Type>(column, kind),
        D::Time32(U::Second) => whole::<Time32SecondType>(column, kind),
        D::Time32(_) => whole::<Time32MillisecondType>(column, kind),
        D::Time64(U::Microsecond) => whole::<Time64MicrosecondType>(column, kind),
        D::Time64(_) => whole::<Time64NanosecondType>(column, kind),
        D::Timestamp(unit, _) => match unit {
            U::Second => whole::<TimestampSecondType>(column, kind),
            U::Millisecond => whole::<TimestampMillisecondType>(column, kind),
            U::Microsecond => whole::<TimestampMicrosecondType>(column, kind),
            U::Nanosecond => whole::<TimestampNanosecondType>(column, kind),
        },
        D::Duration(unit) => match unit {
            U::Second => whole::<DurationSecondType>(column, kind),
            U::Millisecond => whole::<DurationMillisecondType>(column, kind),
            U::Microsecond => whole::<DurationMicrosecondType>(column, kind),
            U::Nanosecond => whole::<DurationNanosecondType>(column, kind),
        },
        D::Interval(I::YearMonth) => whole::<IntervalYearMonthType>(column, kind),
        D::Interval(I::DayTime) => primitive::<IntervalDayTimeType>(column, |value, out| {
            let parts = [value.days, value.milliseconds].map(i32::to_be_bytes);
            out.sized(parts.as_flattened())
        }),
        D::Interval(I::MonthDayNano) => {
            primitive::<IntervalMonthDayNanoType>(column, |value, out| {
                let parts = [value.months, value.days].map(i32::to_be_bytes);
                let nanos = value.nanoseconds.to_be_bytes();
                out.sized(&[parts.as_flattened(), &nanos].concat())
            })
        }
        D::UInt64 => primitive::<UInt64Type>(column, |value, out| {
            out.sized(shortest(&i128::from(value).to_be_bytes()))
        }),
        D::Float16 => primitive::<Float16Type>(column, |value, out| {
            out.double(value.to_f64());
            Ok(())
        }),
        D::Float32 => primitive::<Float32Type>(column, |value, out| {
            out.double(value.into());
            Ok(())
        }),
        D::Float64 => primitive::<Float64Type>(column, |value, out| {
            out.double(value);
            Ok(())
        }),
        D::Decimal32(precision, scale) => {
            decimal::<Decimal32Type, 4>(column, (*precision, *scale), i32::to_be_bytes)
        }
        D::Decimal64(precision, scale) => {
            decimal::<Decimal64Type, 8>(column, (*precision, *scale), i64::to_be_bytes)
        }
        D::Decimal128(precision, scale) => {
            decimal::<Decimal128Type, 16>(column, (*precision, *scale), i128::to_be_bytes)
        }
        D::Decimal256(precision, scale) => {
            decimal::<Decimal256Type, 32>(column, (*precision, *scale), |value| value.to_be_bytes())
        }
        D::Utf8 => text(column, wire),
        D::LargeUtf8 => sized::<LargeUtf8Type>(column),
        D::Binary => sized::<BinaryType>(column),
        D::LargeBinary => sized::<LargeBinaryType>(column),
        D::FixedSizeBinary(_) => {
            let values = column.as_fixed_size_binary();
            let uuid = *wire == Wire::Uuid;
            each(move |row, out| {
                if uuid {
                    out.bytes.extend(values.value(row));
                    return Ok(());
                }
                out.sized(values.value(row))
            })
        }
        // Nulls, which are never written. Every other type was refused with the schema.
        _ => each(|_, _| Err(Refused::from("its type has no form in Thrift".to_owned()))),
    }
}

fn primitive<'a, T: ArrowPrimitiveType>(
    column: &'a ArrayRef,
    put: impl Fn(T::Native, &mut Out) -> Result<()> + 'a,
) -> Boxed<'a> {
    let values: &PrimitiveArray<T> = column.as_primitive();
    each(move |row, out| put(values.value(row), out))
}

/// Numbers that are written as they are.
fn whole<'a, T: ArrowPrimitiveType>(column: &'a ArrayRef, kind: Kind) -> Boxed<'a>
where
    T::Native: Into<i64>,
{
    primitive::<T>(column, move |value, out| {
        out.whole(value.into(), kind);
        Ok(())
    })
}

fn decimal<'a, T, const N: usize>(
    column: &'a ArrayRef,
    (precision, scale): (u8, i8),
    bytes: fn(T::Native) -> [u8; N],
) -> Boxed<'a>
where
    T: DecimalType + ArrowPrimitiveType,
{
    primitive::<T>(column, move |value, out| {
        T::validate_decimal_precision(value, precision, scale)
            .map_err(|_| format!("it has more than the {precision} digits of its type"))?;
        out.sized(shortest(&bytes(value)))
    })
}

fn sized<T: ByteArrayType>(column: &ArrayRef) -> Boxed<'_> {
    let values = column.as_bytes::<T>();
    each(move |row, out| out.sized(values.value(row).as_ref()))
}

/// Text, or the words of an enum.
fn text<'a>(column: &'a ArrayRef, wire: &'a Wire) -> Boxed<'a> {
    let Wire::Enum(words) = wire else {
        return sized::<Utf8Type>(column);
    };
    let values = column.as_string::<i32>();
    each(move |row, out| {
        let word = values.value(row);
        let number = words.number(word).ok_or_else(|| {
            let (word, name) = (word.escape_debug(), &words.name);
            format!("\"{word}\" is no word of the enum {name}")
        })?;
        out.whole(number.into(), Kind::I32);
        Ok(())
    })
}
