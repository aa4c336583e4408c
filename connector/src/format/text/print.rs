//! Text of values, one printer for each type.
//!
//! Knows nothing of quotes. Invariant: a value has one text, and no two values of a type share it.

use super::calendar::{SECONDS_PER_DAY, put, put_date, put_moment, put_time};
use crate::format::civil::per_second;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use std::fmt::{Debug, Display};

/// Prints the cell at a row that is not null.
pub(in crate::format) type Printer<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// A printer of the array's cells; `None` where there is no text for the type.
pub(in crate::format) fn printer(array: &dyn Array) -> Option<Printer<'_>> {
    use {DataType as D, TimeUnit as U};
    Some(match array.data_type() {
        D::Null => Box::new(|_, _| {}),
        D::Boolean => {
            let values = array.as_boolean();
            Box::new(move |row, out| put(out, values.value(row)))
        }
        D::Int8 => shown::<Int8Type>(array),
        D::Int16 => shown::<Int16Type>(array),
        D::Int32 => shown::<Int32Type>(array),
        D::Int64 => shown::<Int64Type>(array),
        D::UInt8 => shown::<UInt8Type>(array),
        D::UInt16 => shown::<UInt16Type>(array),
        D::UInt32 => shown::<UInt32Type>(array),
        D::UInt64 => shown::<UInt64Type>(array),
        D::Float32 => printer_of::<Float32Type>(array, put_float),
        D::Float64 => printer_of::<Float64Type>(array, put_float),
        D::Decimal32(_, scale) => decimal::<Decimal32Type>(array, *scale),
        D::Decimal64(_, scale) => decimal::<Decimal64Type>(array, *scale),
        D::Decimal128(_, scale) => decimal::<Decimal128Type>(array, *scale),
        D::Decimal256(_, scale) => decimal::<Decimal256Type>(array, *scale),
        D::Date32 => printer_of::<Date32Type>(array, |days, out| put_date(days.into(), out)),
        D::Time32(U::Second) => {
            printer_of::<Time32SecondType>(array, |value, out| put_ticks(value.into(), 1, out))
        }
        D::Time32(_) => printer_of::<Time32MillisecondType>(array, |value, out| {
            put_ticks(value.into(), 1_000, out)
        }),
        D::Time64(U::Microsecond) => printer_of::<Time64MicrosecondType>(array, |value, out| {
            put_ticks(value, 1_000_000, out)
        }),
        D::Time64(_) => printer_of::<Time64NanosecondType>(array, |value, out| {
            put_ticks(value, 1_000_000_000, out)
        }),
        D::Timestamp(unit, zone) => {
            let (unit, zoned) = (*unit, zone.is_some());
            let put =
                move |ticks, out: &mut Vec<u8>| put_moment(ticks, per_second(unit), zoned, out);
            match unit {
                U::Second => printer_of::<TimestampSecondType>(array, put),
                U::Millisecond => printer_of::<TimestampMillisecondType>(array, put),
                U::Microsecond => printer_of::<TimestampMicrosecondType>(array, put),
                U::Nanosecond => printer_of::<TimestampNanosecondType>(array, put),
            }
        }
        D::Utf8 => {
            let values = array.as_string::<i32>();
            Box::new(move |row, out| out.extend_from_slice(values.value(row).as_bytes()))
        }
        D::LargeUtf8 => {
            let values = array.as_string::<i64>();
            Box::new(move |row, out| out.extend_from_slice(values.value(row).as_bytes()))
        }
        D::Binary => {
            let values = array.as_binary::<i32>();
            Box::new(move |row, out| put_hex(values.value(row), out))
        }
        D::LargeBinary => {
            let values = array.as_binary::<i64>();
            Box::new(move |row, out| put_hex(values.value(row), out))
        }
        D::FixedSizeBinary(_) => {
            let values = array.as_fixed_size_binary();
            Box::new(move |row, out| put_hex(values.value(row), out))
        }
        _ => return None,
    })
}

/// A printer of numbers of the type.
pub(in crate::format) fn printer_of<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    put: impl Fn(T::Native, &mut Vec<u8>) + 'a,
) -> Printer<'a> {
    let values = array.as_primitive::<T>();
    Box::new(move |row, out| put(values.value(row), out))
}

fn shown<T: ArrowPrimitiveType>(array: &dyn Array) -> Printer<'_>
where
    T::Native: itoa::Integer,
{
    printer_of::<T>(array, put_integer)
}

fn put_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Prints the shortest text that reads back, with a point or an exponent in it.
pub(in crate::format) fn put_float<T: Debug + Into<f64> + Copy>(value: T, out: &mut Vec<u8>) {
    /// Below it a float without a fraction is shown with all of its digits.
    const WHOLE_MAX: f64 = 1e7;
    let double: f64 = value.into();
    let whole = double as i64;
    // Zero has a sign that integers have not.
    if double.abs() < WHOLE_MAX && whole as f64 == double && whole != 0 {
        put_integer(whole, out);
        out.extend_from_slice(b".0");
    } else {
        put(out, format_args!("{value:?}"));
    }
}

/// Every decimal has as many digits behind the point as its scale says, and as many zeros before it as a negative one.
fn decimal<T: ArrowPrimitiveType>(array: &dyn Array, scale: i8) -> Printer<'_>
where
    T::Native: Display,
{
    let zeros = usize::from(scale.min(0).unsigned_abs());
    let scale = usize::try_from(scale).unwrap_or_default();
    printer_of::<T>(array, move |value, out| {
        let unscaled = value.to_string();
        let (sign, digits) = unscaled
            .strip_prefix('-')
            .map_or(("", unscaled.as_str()), |digits| ("-", digits));
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let point = if scale == 0 { "" } else { "." };
        put(out, format_args!("{sign}{whole}{point}{fraction}"));
        if digits != "0" {
            put(out, format_args!("{:0>zeros$}", ""));
        }
    })
}

fn put_ticks(ticks: i64, per_second: i64, out: &mut Vec<u8>) {
    put_time(
        ticks.div_euclid(per_second),
        ticks.rem_euclid(per_second),
        per_second,
        out,
    );
}

fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    bytes
        .iter()
        .for_each(|byte| put(out, format_args!("{byte:02x}")));
}

/// Whether the value at a row is a time of a day; `None` where the column is not of times.
pub(in crate::format) fn within_day(array: &dyn Array) -> Option<Box<dyn Fn(usize) -> bool + '_>> {
    use {DataType as D, TimeUnit as U};
    match array.data_type() {
        D::Time32(U::Second) => Some(within::<Time32SecondType>(array, 1)),
        D::Time32(_) => Some(within::<Time32MillisecondType>(array, 1_000)),
        D::Time64(U::Microsecond) => Some(within::<Time64MicrosecondType>(array, 1_000_000)),
        D::Time64(_) => Some(within::<Time64NanosecondType>(array, 1_000_000_000)),
        _ => None,
    }
}

fn within<T: ArrowPrimitiveType>(
    array: &dyn Array,
    per_second: i64,
) -> Box<dyn Fn(usize) -> bool + '_>
where
    T::Native: Into<i64>,
{
    let day = 0..SECONDS_PER_DAY * per_second;
    let values = array.as_primitive::<T>().values();
    Box::new(move |row| day.contains(&values[row].into()))
}
