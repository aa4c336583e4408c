//! Text of values, one printer for each type, and the rule of quotes.
//!
//! Invariant: a field is quoted exactly where it is empty text, holds a character of CSV's own,
//! equals the null text, or is text that looks like another type.

use super::calendar::{SECONDS_PER_DAY, put_date, put_time};
use super::infer::{self, Kind};
use super::record::BYTE_ORDER_MARK;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use std::fmt::Display;
use std::io::Write;

/// Appends the value's text.
pub(super) fn put(out: &mut Vec<u8>, value: impl Display) {
    // Writing to memory cannot fail.
    let _ = write!(out, "{value}");
}

/// Prints the cell at a row that is not null.
pub(super) type Printer<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// Whether fields of the type are quoted where they look like another type.
pub(super) fn is_text(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Utf8
            | D::LargeUtf8
            | D::Binary
            | D::LargeBinary
            | D::FixedSizeBinary(_)
            | D::Time32(_)
            | D::Time64(_)
    )
}

/// Whether a printed field needs quotes.
pub(super) fn needs_quotes(field: &[u8], delimiter: u8, null: &[u8], text: bool) -> bool {
    field.is_empty()
        || field == null
        || field.starts_with(BYTE_ORDER_MARK)
        || field
            .iter()
            .any(|byte| *byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r'))
        || (text && std::str::from_utf8(field).is_ok_and(|field| infer::kind(field) != Kind::Text))
}

pub(super) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A printer of the array's cells; `None` where CSV has no text for the type.
pub(super) fn printer(array: &dyn Array) -> Option<Printer<'_>> {
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
        // Debug is the shortest text that reads back, with a point or an exponent in it.
        D::Float32 => of::<Float32Type>(array, |value, out| put(out, format_args!("{value:?}"))),
        D::Float64 => of::<Float64Type>(array, |value, out| put(out, format_args!("{value:?}"))),
        D::Decimal32(_, scale) => decimal::<Decimal32Type>(array, *scale)?,
        D::Decimal64(_, scale) => decimal::<Decimal64Type>(array, *scale)?,
        D::Decimal128(_, scale) => decimal::<Decimal128Type>(array, *scale)?,
        D::Decimal256(_, scale) => decimal::<Decimal256Type>(array, *scale)?,
        D::Date32 => of::<Date32Type>(array, |days, out| put_date(days.into(), out)),
        D::Time32(U::Second) => {
            of::<Time32SecondType>(array, |value, out| put_ticks(value.into(), 1, out))
        }
        D::Time32(_) => {
            of::<Time32MillisecondType>(array, |value, out| put_ticks(value.into(), 1_000, out))
        }
        D::Time64(U::Microsecond) => {
            of::<Time64MicrosecondType>(array, |value, out| put_ticks(value, 1_000_000, out))
        }
        D::Time64(_) => {
            of::<Time64NanosecondType>(array, |value, out| put_ticks(value, 1_000_000_000, out))
        }
        D::Timestamp(unit, zone) => {
            let (unit, zoned) = (*unit, zone.is_some());
            let put =
                move |ticks, out: &mut Vec<u8>| put_moment(ticks, per_second(unit), zoned, out);
            match unit {
                U::Second => of::<TimestampSecondType>(array, put),
                U::Millisecond => of::<TimestampMillisecondType>(array, put),
                U::Microsecond => of::<TimestampMicrosecondType>(array, put),
                U::Nanosecond => of::<TimestampNanosecondType>(array, put),
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

fn of<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    put: impl Fn(T::Native, &mut Vec<u8>) + 'a,
) -> Printer<'a> {
    let values = array.as_primitive::<T>();
    Box::new(move |row, out| put(values.value(row), out))
}

fn shown<T: ArrowPrimitiveType>(array: &dyn Array) -> Printer<'_>
where
    T::Native: Display,
{
    of::<T>(array, |value, out| put(out, value))
}

/// Every decimal has as many digits behind the point as its scale says.
fn decimal<T: ArrowPrimitiveType>(array: &dyn Array, scale: i8) -> Option<Printer<'_>>
where
    T::Native: Display,
{
    let scale = usize::try_from(scale).ok()?;
    Some(of::<T>(array, move |value, out| {
        let unscaled = value.to_string();
        let (sign, digits) = unscaled
            .strip_prefix('-')
            .map_or(("", unscaled.as_str()), |digits| ("-", digits));
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        put(
            out,
            format_args!(
                "{sign}{whole}{}{fraction}",
                if scale == 0 { "" } else { "." }
            ),
        );
    }))
}

fn put_ticks(ticks: i64, per_second: i64, out: &mut Vec<u8>) {
    put_time(
        ticks.div_euclid(per_second),
        ticks.rem_euclid(per_second),
        per_second,
        out,
    );
}

fn put_moment(ticks: i64, per_second: i64, zoned: bool, out: &mut Vec<u8>) {
    let (seconds, fraction) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second));
    put_date(seconds.div_euclid(SECONDS_PER_DAY), out);
    out.push(b'T');
    put_time(
        seconds.rem_euclid(SECONDS_PER_DAY),
        fraction,
        per_second,
        out,
    );
    if zoned {
        out.push(b'Z');
    }
}

fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    bytes
        .iter()
        .for_each(|byte| put(out, format_args!("{byte:02x}")));
}
