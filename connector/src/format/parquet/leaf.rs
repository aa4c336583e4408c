//! What happens to the values of a leaf on the way from a file.
//!
//! Pure: values in, values or a misfit out. Invariant: a value that comes out is the one that the
//! file's writer meant; what no value of the type stands for is a misfit.

use super::spark::Calendar;
use crate::format::civil::{day_of_hybrid, per_second};
use crate::format::leaves::{Leaf, Misfit};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use std::sync::Arc;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// 1900-01-01, in seconds: from then on every zone's offsets are the same to all of Spark's clocks.
const OFFSETS_KNOWN_SINCE: i64 = -2_208_988_800;

/// What happens to a leaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// It stays.
    Keep,
    /// INT96, decoded as nanoseconds that wrap; beside it decoded as seconds, which do not.
    Moment(Calendar),
    /// INTERVAL, decoded as days and milliseconds; beside it decoded as months.
    Interval,
    /// It gets back the coarser unit that it had before it was written.
    Coarser,
    /// A date or an instant of the hybrid calendar.
    Hybrid(Calendar),
}

/// The leaf as it is stored.
pub(super) fn apply(step: &Step, leaf: &Leaf<'_>) -> Result<ArrayRef, Misfit> {
    match step {
        Step::Keep => Ok(Arc::clone(leaf.array)),
        Step::Moment(calendar) => moment(leaf, calendar),
        Step::Interval => interval(leaf),
        Step::Coarser => coarser(leaf),
        Step::Hybrid(calendar) => hybrid(leaf, calendar),
    }
}

/// The exact nanoseconds since 1970 of a row of INT96: the seconds did not wrap, and what lies
/// beyond them is less than a second either way.
fn nanos_of(leaf: &Leaf<'_>, row: usize, calendar: &Calendar) -> Result<i128, String> {
    let (Some(wrapped), Some(seconds)) = (
        leaf.array.as_primitive_opt::<TimestampNanosecondType>(),
        leaf.beside
            .and_then(|beside| beside.as_primitive_opt::<TimestampSecondType>()),
    ) else {
        return Err("it was not decoded as INT96".into());
    };
    let (wrapped, seconds) = (wrapped.value(row), seconds.value(row));
    let rest = wrapped.wrapping_sub(seconds.wrapping_mul(NANOS_PER_SECOND as i64));
    let nanos = i128::from(seconds) * NANOS_PER_SECOND + i128::from(rest);
    rebased(nanos, NANOS_PER_SECOND, calendar)
}

/// Moments as the calendar's day has them. `per_second` ticks are a second.
fn rebased(ticks: i128, per_second: i128, calendar: &Calendar) -> Result<i128, String> {
    let Calendar::Hybrid { zone, marker } = calendar else {
        return Ok(ticks);
    };
    let per_day = per_second * i128::from(SECONDS_PER_DAY);
    if let Some(zone) = zone {
        return if ticks < i128::from(OFFSETS_KNOWN_SINCE) * per_second {
            Err(format!(
                "it lies before 1900 and was written in Spark's hybrid calendar at the zone {zone} ({marker}), \
                 whose old offsets are not known here"
            ))
        } else {
            Ok(ticks)
        };
    }
    let day = i64::try_from(ticks.div_euclid(per_day)).map_err(|_| outside())?;
    Ok(ticks + i128::from(day_of_hybrid(day) - day) * per_day)
}

fn outside() -> String {
    "it lies outside of what the type holds".into()
}

/// Whole ticks of `unit`, where the moment is a number of them that 64 bits hold.
fn ticks(nanos: i128, unit: TimeUnit) -> Result<i64, String> {
    let nanos_per_tick = NANOS_PER_SECOND / i128::from(per_second(unit));
    if nanos % nanos_per_tick != 0 {
        return Err(format!("it has a finer part than {}", name(unit)));
    }
    i64::try_from(nanos / nanos_per_tick)
        .map_err(|_| format!("it lies outside of what 64 bits of {} hold", name(unit)))
}

fn name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "seconds",
        TimeUnit::Millisecond => "milliseconds",
        TimeUnit::Microsecond => "microseconds",
        TimeUnit::Nanosecond => "nanoseconds",
    }
}

fn moment(leaf: &Leaf<'_>, calendar: &Calendar) -> Result<ArrayRef, Misfit> {
    let DataType::Timestamp(unit, _) = *leaf.to else {
        return Ok(Arc::clone(leaf.array));
    };
    let value = |row| ticks(nanos_of(leaf, row, calendar)?, unit);
    match unit {
        TimeUnit::Second => leaf.build::<TimestampSecondType>(value),
        TimeUnit::Millisecond => leaf.build::<TimestampMillisecondType>(value),
        TimeUnit::Microsecond => leaf.build::<TimestampMicrosecondType>(value),
        TimeUnit::Nanosecond => leaf.build::<TimestampNanosecondType>(value),
    }
}

/// Takes away the units that do not hold every moment of the leaf.
pub(super) fn settle(leaf: &Leaf<'_>, calendar: &Calendar, units: &mut Vec<TimeUnit>) {
    for row in 0..leaf.array.len() {
        if leaf.valid.as_ref().is_some_and(|valid| valid.is_null(row)) {
            continue;
        }
        if let Ok(nanos) = nanos_of(leaf, row, calendar) {
            units.retain(|unit| ticks(nanos, *unit).is_ok());
        }
    }
}

fn interval(leaf: &Leaf<'_>) -> Result<ArrayRef, Misfit> {
    let parts = |row: usize| -> Result<(i32, IntervalDayTime), String> {
        let days = leaf.array.as_primitive_opt::<IntervalDayTimeType>();
        let months = leaf
            .beside
            .and_then(|beside| beside.as_primitive_opt::<IntervalYearMonthType>());
        match (months, days) {
            (Some(months), Some(days)) => Ok((months.value(row), days.value(row))),
            _ => Err("it was not decoded as INTERVAL".into()),
        }
    };
    match leaf.to {
        DataType::Interval(IntervalUnit::YearMonth) => {
            leaf.build::<IntervalYearMonthType>(|row| match parts(row)? {
                (months, IntervalDayTime::ZERO) => Ok(months),
                _ => Err("its type counts months, and it has days or milliseconds".into()),
            })
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            leaf.build::<IntervalDayTimeType>(|row| match parts(row)? {
                (0, rest) => Ok(rest),
                _ => Err("its type counts days and milliseconds, and it has months".into()),
            })
        }
        _ => leaf.build::<IntervalMonthDayNanoType>(|row| {
            let (months, rest) = parts(row)?;
            if months < 0 || rest.days < 0 {
                return Err("its months or days are more than 31 bits hold".into());
            }
            // The format's milliseconds have no sign.
            let millis = i64::from(rest.milliseconds.cast_unsigned());
            let nanos = millis * NANOS_PER_MILLI;
            Ok(IntervalMonthDayNano::new(months, rest.days, nanos))
        }),
    }
}

fn coarser(leaf: &Leaf<'_>) -> Result<ArrayRef, Misfit> {
    let whole = |millis: i64| match millis % 1_000 {
        0 => Ok(millis / 1_000),
        _ => Err("it has a finer part than seconds".to_owned()),
    };
    match leaf.to {
        DataType::Timestamp(..) => leaf.map::<TimestampMillisecondType, TimestampSecondType>(whole),
        _ => leaf.map::<Time32MillisecondType, Time32SecondType>(|millis| {
            let seconds = whole(millis.into())?;
            i32::try_from(seconds).map_err(|_| outside())
        }),
    }
}

fn hybrid(leaf: &Leaf<'_>, calendar: &Calendar) -> Result<ArrayRef, Misfit> {
    let ticks = |per_second: i64| {
        move |ticks: i64| {
            let ticks = rebased(ticks.into(), per_second.into(), calendar)?;
            i64::try_from(ticks).map_err(|_| outside())
        }
    };
    match *leaf.to {
        DataType::Date32 => leaf.map::<Date32Type, Date32Type>(|day| {
            i32::try_from(day_of_hybrid(day.into())).map_err(|_| outside())
        }),
        DataType::Date64 => leaf.map::<Date64Type, Date64Type>(|millis| {
            let day = millis.div_euclid(SECONDS_PER_DAY * 1_000);
            Ok(millis + (day_of_hybrid(day) - day) * SECONDS_PER_DAY * 1_000)
        }),
        DataType::Timestamp(TimeUnit::Second, _) => {
            leaf.map::<TimestampSecondType, TimestampSecondType>(ticks(1))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            leaf.map::<TimestampMillisecondType, TimestampMillisecondType>(ticks(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            leaf.map::<TimestampMicrosecondType, TimestampMicrosecondType>(ticks(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            leaf.map::<TimestampNanosecondType, TimestampNanosecondType>(ticks(1_000_000_000))
        }
        _ => Ok(Arc::clone(leaf.array)),
    }
}
