//! Cells of flat types.
//!
//! Invariant: a moment is written in the unit of its logical type without rounding, and what no such value stands for
//! is refused.

use super::{Boxed, Cells, Out, Refused};
use crate::format::avro::cursor::put_number;
use crate::format::complement::shortest;
use crate::format::units::{self, of_day};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

const NANOS_PER_MILLI: i64 = 1_000_000;

struct Each<F>(F);

impl<F: Fn(usize, &mut Out) -> Result<(), Refused>> Cells for Each<F> {
    fn put(&self, row: usize, out: &mut Out) -> Result<(), Refused> {
        (self.0)(row, out)
    }
}

fn each<'a>(put: impl Fn(usize, &mut Out) -> Result<(), Refused> + 'a) -> Boxed<'a> {
    Box::new(Each(put))
}

pub(super) fn of(column: &ArrayRef) -> Boxed<'_> {
    use {DataType as D, IntervalUnit as I, TimeUnit as U};
    match column.data_type() {
        D::Boolean => {
            let values = column.as_boolean();
            each(|row, out| {
                out.bytes.push(values.value(row).into());
                Ok(())
            })
        }
        D::Int8 => whole::<Int8Type>(column),
        D::Int16 => whole::<Int16Type>(column),
        D::Int32 => whole::<Int32Type>(column),
        D::Int64 => whole::<Int64Type>(column),
        D::UInt8 => whole::<UInt8Type>(column),
        D::UInt16 => whole::<UInt16Type>(column),
        D::UInt32 => whole::<UInt32Type>(column),
        D::UInt64 => primitive::<UInt64Type>(column, |value, out| {
            digits(&i128::from(value).to_be_bytes(), out);
            Ok(())
        }),
        D::Float16 => primitive::<Float16Type>(column, |value, out| {
            out.bytes.extend(value.to_f32().to_le_bytes());
            Ok(())
        }),
        D::Float32 => primitive::<Float32Type>(column, |value, out| {
            out.bytes.extend(value.to_le_bytes());
            Ok(())
        }),
        D::Float64 => primitive::<Float64Type>(column, |value, out| {
            out.bytes.extend(value.to_le_bytes());
            Ok(())
        }),
        D::Date32 => whole::<Date32Type>(column),
        D::Date64 => number::<Date64Type>(column, |millis| units::days(millis).map(i64::from)),
        D::Time32(U::Second) => number::<Time32SecondType>(column, |seconds| {
            of_day(seconds, U::Second).map(|seconds| i64::from(seconds) * 1_000)
        }),
        D::Time32(_) => number::<Time32MillisecondType>(column, |millis| {
            of_day(millis, U::Millisecond).map(i64::from)
        }),
        D::Time64(U::Microsecond) => {
            number::<Time64MicrosecondType>(column, |micros| of_day(micros, U::Microsecond))
        }
        D::Time64(_) => {
            number::<Time64NanosecondType>(column, |nanos| of_day(nanos, U::Nanosecond))
        }
        D::Timestamp(U::Second, _) => number::<TimestampSecondType>(column, units::millis),
        D::Timestamp(U::Millisecond, _) => whole::<TimestampMillisecondType>(column),
        D::Timestamp(U::Microsecond, _) => whole::<TimestampMicrosecondType>(column),
        D::Timestamp(U::Nanosecond, _) => whole::<TimestampNanosecondType>(column),
        D::Duration(U::Second) => whole::<DurationSecondType>(column),
        D::Duration(U::Millisecond) => whole::<DurationMillisecondType>(column),
        D::Duration(U::Microsecond) => whole::<DurationMicrosecondType>(column),
        D::Duration(U::Nanosecond) => whole::<DurationNanosecondType>(column),
        D::Interval(I::YearMonth) => primitive::<IntervalYearMonthType>(column, |months, out| {
            duration([months.into(), 0, 0], out)
        }),
        D::Interval(I::DayTime) => primitive::<IntervalDayTimeType>(column, |value, out| {
            duration([0, value.days.into(), value.milliseconds.into()], out)
        }),
        D::Interval(I::MonthDayNano) => {
            primitive::<IntervalMonthDayNanoType>(column, |value, out| {
                if value.nanoseconds % NANOS_PER_MILLI != 0 {
                    return Err(
                        "it is finer than a millisecond, and the format's durations are not".into(),
                    );
                }
                let millis = value.nanoseconds / NANOS_PER_MILLI;
                duration([value.months.into(), value.days.into(), millis], out)
            })
        }
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
        D::Utf8 => text::<Utf8Type>(column),
        D::LargeUtf8 => text::<LargeUtf8Type>(column),
        D::Binary => text::<BinaryType>(column),
        D::LargeBinary => text::<LargeBinaryType>(column),
        D::FixedSizeBinary(_) => {
            let values = column.as_fixed_size_binary();
            each(|row, out| {
                out.bytes.extend(values.value(row));
                Ok(())
            })
        }
        // Nulls, which take no bytes. Every other type was refused with the schema.
        _ => each(|_, _| Ok(())),
    }
}

fn primitive<'a, T: ArrowPrimitiveType>(
    column: &'a ArrayRef,
    put: impl Fn(T::Native, &mut Out) -> Result<(), Refused> + 'a,
) -> Boxed<'a> {
    let values: &PrimitiveArray<T> = column.as_primitive();
    each(move |row, out| put(values.value(row), out))
}

/// Values that are written as the numbers which `make` makes of them.
fn number<'a, T: ArrowPrimitiveType>(
    column: &'a ArrayRef,
    make: impl Fn(T::Native) -> Result<i64, Refused> + 'a,
) -> Boxed<'a> {
    primitive::<T>(column, move |value, out| {
        put_number(make(value)?, &mut out.bytes);
        Ok(())
    })
}

/// Numbers that are written as they are.
fn whole<'a, T: ArrowPrimitiveType>(column: &'a ArrayRef) -> Boxed<'a>
where
    T::Native: Into<i64>,
{
    number::<T>(column, |value| Ok(value.into()))
}

/// Months, days and milliseconds.
fn duration(parts: [i64; 3], out: &mut Out) -> Result<(), Refused> {
    for part in parts {
        let part = u32::try_from(part).map_err(
            |_| "it has a part below zero or beyond 32 bits, and the format's durations have not",
        )?;
        out.bytes.extend(part.to_le_bytes());
    }
    Ok(())
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
        digits(&bytes(value), out);
        Ok(())
    })
}

/// A number as its shortest bytes, with their length before them.
fn digits(bytes: &[u8], out: &mut Out) {
    let kept = shortest(bytes);
    put_number(kept.len() as i64, &mut out.bytes);
    out.bytes.extend(kept);
}

/// Text and bytes, with their length before them.
fn text<T: ByteArrayType>(column: &ArrayRef) -> Boxed<'_> {
    let values = column.as_bytes::<T>();
    each(move |row, out| {
        let value: &[u8] = values.value(row).as_ref();
        put_number(value.len() as i64, &mut out.bytes);
        out.bytes.extend(value);
        Ok(())
    })
}
