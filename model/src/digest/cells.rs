//! Readers of one column's cells, one for each physical type.
//!
//! Decides types once per batch, so that the loop over the rows of a flat column holds no
//! dispatch. Invariant: what is absorbed depends on the logical value alone.

mod nested;

use super::mix::{State, tag};
use crate::error::Result;
use crate::schema;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_buffer::{NullBuffer, i256};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const MILLIS_PER_DAY: i64 = 86_400_000;

/// The cells of one column.
pub(super) trait Cells {
    /// Absorbs the cell at `row`, which lies within the array.
    fn absorb(&self, row: usize, state: &mut State);

    /// Absorbs the cells from `first` on, one into each state.
    fn absorb_range(&self, first: usize, states: &mut [State]) {
        for (offset, state) in states.iter_mut().enumerate() {
            self.absorb(first + offset, state);
        }
    }
}

/// Cells that borrow from an array.
pub(super) type BoxedCells<'a> = Box<dyn Cells + 'a>;

/// A reader of the array's cells; refuses unions.
pub(super) fn cells(array: &dyn Array) -> Result<BoxedCells<'_>> {
    use DataType as D;
    let nulls = array.nulls();
    Ok(match array.data_type() {
        D::Null => Box::new(Nulls),
        D::Boolean => {
            let values = array.as_boolean().values();
            with_nulls(
                nulls,
                ByRow(move |row, state: &mut State| {
                    state.absorb(tag::BOOLEAN);
                    state.absorb(u64::from(values.value(row)));
                }),
            )
        }
        D::Int8 => flat::<Int8Type, _>(array, |value, state| integer(value.into(), state)),
        D::Int16 => flat::<Int16Type, _>(array, |value, state| integer(value.into(), state)),
        D::Int32 => flat::<Int32Type, _>(array, |value, state| integer(value.into(), state)),
        D::Int64 => flat::<Int64Type, _>(array, integer),
        D::UInt8 => flat::<UInt8Type, _>(array, |value, state| unsigned(value.into(), state)),
        D::UInt16 => flat::<UInt16Type, _>(array, |value, state| unsigned(value.into(), state)),
        D::UInt32 => flat::<UInt32Type, _>(array, |value, state| unsigned(value.into(), state)),
        D::UInt64 => flat::<UInt64Type, _>(array, unsigned),
        D::Float16 => flat::<Float16Type, _>(array, |value, state| float(value.to_f64(), state)),
        D::Float32 => flat::<Float32Type, _>(array, |value, state| float(value.into(), state)),
        D::Float64 => flat::<Float64Type, _>(array, float),
        D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
            decimals(array)
        }
        D::Date32 => flat::<Date32Type, _>(array, |days, state| {
            date(i64::from(days) * MILLIS_PER_DAY, state)
        }),
        D::Date64 => flat::<Date64Type, _>(array, date),
        D::Time32(_) | D::Time64(_) | D::Timestamp(..) | D::Duration(_) => ticks(array),
        D::Interval(unit) => intervals(array, *unit),
        D::Binary => {
            let array = array.as_binary::<i32>();
            with_nulls(
                nulls,
                ByRow(move |row, state: &mut State| bytes(tag::BINARY, array.value(row), state)),
            )
        }
        D::LargeBinary => {
            let array = array.as_binary::<i64>();
            with_nulls(
                nulls,
                ByRow(move |row, state: &mut State| bytes(tag::BINARY, array.value(row), state)),
            )
        }
        D::BinaryView => {
            let array = array.as_binary_view();
            with_nulls(
                nulls,
                ByRow(move |row, state: &mut State| bytes(tag::BINARY, array.value(row), state)),
            )
        }
        D::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            with_nulls(
                nulls,
                ByRow(move |row, state: &mut State| bytes(tag::BINARY, array.value(row), state)),
            )
        }
        D::Utf8 => {
            let array = array.as_string::<i32>();
            with_nulls(
                nulls,
                ByRow(move |row, state: &mut State| text(array.value(row), state)),
            )
        }
        D::LargeUtf8 => {
            let array = array.as_string::<i64>();
            with_nulls(
                nulls,
                ByRow(move |row, state: &mut State| text(array.value(row), state)),
            )
        }
        D::Utf8View => {
            let array = array.as_string_view();
            with_nulls(
                nulls,
                ByRow(move |row, state: &mut State| text(array.value(row), state)),
            )
        }
        D::List(_)
        | D::LargeList(_)
        | D::FixedSizeList(..)
        | D::ListView(_)
        | D::LargeListView(_) => nested::lists(array)?,
        D::Struct(_) => nested::structs(array)?,
        D::Map(..) => nested::maps(array)?,
        D::Dictionary(..) => nested::dictionary(array)?,
        D::RunEndEncoded(..) => nested::runs(array)?,
        D::Union(..) => return Err(schema::unsupported("", array.data_type())),
    })
}

/// Puts a check for nulls before `cells`, where there are any.
pub(super) fn with_nulls<'a>(
    nulls: Option<&'a NullBuffer>,
    cells: impl Cells + 'a,
) -> BoxedCells<'a> {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 => Box::new(Nullable { nulls, cells }),
        _ => Box::new(cells),
    }
}

/// Cells that a function absorbs.
pub(super) struct ByRow<F>(pub(super) F);

impl<F: Fn(usize, &mut State)> Cells for ByRow<F> {
    #[inline(always)]
    fn absorb(&self, row: usize, state: &mut State) {
        (self.0)(row, state);
    }
}

struct Nulls;

impl Cells for Nulls {
    fn absorb(&self, _row: usize, state: &mut State) {
        state.absorb(tag::NULL);
    }
}

struct Nullable<'a, C> {
    nulls: &'a NullBuffer,
    cells: C,
}

impl<C: Cells> Cells for Nullable<'_, C> {
    #[inline(always)]
    fn absorb(&self, row: usize, state: &mut State) {
        if self.nulls.is_null(row) {
            state.absorb(tag::NULL)
        } else {
            self.cells.absorb(row, state)
        }
    }
}

fn flat<'a, T, F>(array: &'a dyn Array, put: F) -> BoxedCells<'a>
where
    T: ArrowPrimitiveType,
    F: Fn(T::Native, &mut State) + 'a,
{
    let values: &[T::Native] = array.as_primitive::<T>().values();
    with_nulls(
        array.nulls(),
        ByRow(move |row, state: &mut State| put(values[row], state)),
    )
}

#[inline(always)]
fn integer(value: i64, state: &mut State) {
    state.absorb(if value < 0 {
        tag::NEGATIVE
    } else {
        tag::NON_NEGATIVE
    });
    state.absorb(value as u64);
}

#[inline(always)]
fn unsigned(value: u64, state: &mut State) {
    state.absorb(tag::NON_NEGATIVE);
    state.absorb(value);
}

#[inline(always)]
fn float(value: f64, state: &mut State) {
    const NAN: u64 = 0x7ff8_0000_0000_0000;
    state.absorb(tag::FLOAT);
    state.absorb(if value.is_nan() { NAN } else { value.to_bits() });
}

#[inline(always)]
fn date(millis: i64, state: &mut State) {
    state.absorb(tag::DATE);
    state.absorb(millis as u64);
}

#[inline(always)]
fn bytes(tag: u64, value: &[u8], state: &mut State) {
    state.absorb(tag);
    state.absorb_bytes(value);
}

#[inline(always)]
fn text(value: &str, state: &mut State) {
    bytes(tag::TEXT, value.as_bytes(), state);
}

/// The tag of a decimal and its scale, as two's complement, from bit 8 on.
fn decimal_tag(tag: u64, scale: i8) -> u64 {
    tag | u64::from(scale as u8) << 8
}

fn decimals(array: &dyn Array) -> BoxedCells<'_> {
    let narrow = |scale| {
        let tag = decimal_tag(tag::DECIMAL, scale);
        move |value: i128, state: &mut State| {
            state.absorb(tag);
            state.absorb_i128(value);
        }
    };
    match *array.data_type() {
        DataType::Decimal32(_, scale) => {
            let put = narrow(scale);
            flat::<Decimal32Type, _>(array, move |value, state| put(value.into(), state))
        }
        DataType::Decimal64(_, scale) => {
            let put = narrow(scale);
            flat::<Decimal64Type, _>(array, move |value, state| put(value.into(), state))
        }
        DataType::Decimal256(_, scale) => {
            let (put, wide) = (narrow(scale), decimal_tag(tag::WIDE_DECIMAL, scale));
            flat::<Decimal256Type, _>(array, move |value, state| match value.to_i128() {
                Some(value) => put(value, state),
                None => wide_decimal(wide, value, state),
            })
        }
        DataType::Decimal128(_, scale) => flat::<Decimal128Type, _>(array, narrow(scale)),
        _ => Box::new(Nulls),
    }
}

fn wide_decimal(tag: u64, value: i256, state: &mut State) {
    state.absorb(tag);
    let (low, high) = value.to_parts();
    state.absorb_i128(low as i128);
    state.absorb_i128(high);
}

/// Times, timestamps and durations: nanoseconds as 128-bit integers.
fn ticks(array: &dyn Array) -> BoxedCells<'_> {
    use {DataType as D, TimeUnit as U};
    let (tag, unit) = match array.data_type() {
        D::Time32(unit) | D::Time64(unit) => (tag::TIME, *unit),
        D::Timestamp(unit, None) => (tag::TIMESTAMP, *unit),
        D::Timestamp(unit, Some(_)) => (tag::ZONED_TIMESTAMP, *unit),
        D::Duration(unit) => (tag::DURATION, *unit),
        _ => return Box::new(Nulls),
    };
    let nanos = match unit {
        U::Second => NANOS_PER_SECOND,
        U::Millisecond => 1_000_000,
        U::Microsecond => 1_000,
        U::Nanosecond => 1,
    };
    let put = move |value: i64, state: &mut State| {
        state.absorb(tag);
        state.absorb_i128(i128::from(value) * nanos);
    };
    match (array.data_type(), unit) {
        (D::Time32(_), U::Second) => {
            flat::<Time32SecondType, _>(array, move |v, s| put(v.into(), s))
        }
        (D::Time32(_), _) => flat::<Time32MillisecondType, _>(array, move |v, s| put(v.into(), s)),
        (D::Time64(_), U::Microsecond) => flat::<Time64MicrosecondType, _>(array, put),
        (D::Time64(_), _) => flat::<Time64NanosecondType, _>(array, put),
        (D::Duration(_), U::Second) => flat::<DurationSecondType, _>(array, put),
        (D::Duration(_), U::Millisecond) => flat::<DurationMillisecondType, _>(array, put),
        (D::Duration(_), U::Microsecond) => flat::<DurationMicrosecondType, _>(array, put),
        (D::Duration(_), U::Nanosecond) => flat::<DurationNanosecondType, _>(array, put),
        (_, U::Second) => flat::<TimestampSecondType, _>(array, put),
        (_, U::Millisecond) => flat::<TimestampMillisecondType, _>(array, put),
        (_, U::Microsecond) => flat::<TimestampMicrosecondType, _>(array, put),
        (_, U::Nanosecond) => flat::<TimestampNanosecondType, _>(array, put),
    }
}

/// Intervals: months, days, nanoseconds, each on its own, because none has the others' length.
fn intervals(array: &dyn Array, unit: IntervalUnit) -> BoxedCells<'_> {
    let put = |months: i32, days: i32, nanos: i64, state: &mut State| {
        state.absorb(tag::INTERVAL);
        state.absorb(i64::from(months) as u64);
        state.absorb(i64::from(days) as u64);
        state.absorb(nanos as u64);
    };
    match unit {
        IntervalUnit::YearMonth => {
            flat::<IntervalYearMonthType, _>(array, move |months, state| put(months, 0, 0, state))
        }
        IntervalUnit::DayTime => flat::<IntervalDayTimeType, _>(array, move |value, state| {
            put(
                0,
                value.days,
                i64::from(value.milliseconds) * 1_000_000,
                state,
            )
        }),
        IntervalUnit::MonthDayNano => {
            flat::<IntervalMonthDayNanoType, _>(array, move |value, state| {
                put(value.months, value.days, value.nanoseconds, state)
            })
        }
    }
}
