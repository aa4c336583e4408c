//! Times, durations and moments in another unit.
//!
//! Invariant: nothing wraps and nothing is rounded unless that was asked for, and then down, before 1970 too.

use crate::format::leaves::{Leaf, Misfit};
use crate::format::{self, units};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use std::sync::Arc;

/// Why a value is refused that only a loss would make fit.
pub(super) const FINER: &str = "it is finer";

/// How ticks of one unit become ticks of another; units as ticks per second.
pub(super) struct Steps {
    from: i64,
    to: i64,
    /// Of what the values that come out are whole in; never more than `to`.
    finest: i64,
    cut: bool,
    of_day: Option<TimeUnit>,
}

impl Steps {
    /// From one type to another, whose values are whole in `finest`; where a value is not, it is `cut` or refused.
    pub(super) fn between(
        from: &DataType,
        to: &DataType,
        finest: Option<TimeUnit>,
        cut: bool,
    ) -> Self {
        let (unit_from, unit_to) = (unit(from), unit(to));
        Self {
            from: format::per_second(unit_from),
            to: format::per_second(unit_to),
            finest: format::per_second(finest.unwrap_or(unit_to)),
            cut,
            of_day: matches!(to, DataType::Time32(_) | DataType::Time64(_)).then_some(unit_from),
        }
    }

    /// The ticks in the other unit.
    pub(super) fn apply(&self, ticks: i64) -> Result<i64, String> {
        if let Some(unit) = self.of_day {
            units::of_day(ticks, unit)?;
        }
        let (ticks, unit) = match self.from > self.finest {
            true => {
                let ratio = self.from / self.finest;
                if ticks.rem_euclid(ratio) != 0 && !self.cut {
                    return Err(FINER.into());
                }
                (ticks.div_euclid(ratio), self.finest)
            }
            false => (ticks, self.from),
        };
        ticks
            .checked_mul(self.to / unit)
            .ok_or_else(|| "it lies outside of 64 bits of the unit".into())
    }
}

/// The leaf's values in the unit of the type that it is to have.
pub(super) fn convert(leaf: &Leaf<'_>, steps: &Steps) -> Result<ArrayRef, Misfit> {
    use {DataType as D, TimeUnit as U};
    match leaf.array.data_type() {
        D::Time32(U::Second) => into::<Time32SecondType>(leaf, steps),
        D::Time32(_) => into::<Time32MillisecondType>(leaf, steps),
        D::Time64(U::Microsecond) => into::<Time64MicrosecondType>(leaf, steps),
        D::Time64(_) => into::<Time64NanosecondType>(leaf, steps),
        D::Timestamp(U::Second, _) => into::<TimestampSecondType>(leaf, steps),
        D::Timestamp(U::Millisecond, _) => into::<TimestampMillisecondType>(leaf, steps),
        D::Timestamp(U::Microsecond, _) => into::<TimestampMicrosecondType>(leaf, steps),
        D::Timestamp(U::Nanosecond, _) => into::<TimestampNanosecondType>(leaf, steps),
        D::Duration(U::Second) => into::<DurationSecondType>(leaf, steps),
        D::Duration(U::Millisecond) => into::<DurationMillisecondType>(leaf, steps),
        D::Duration(U::Microsecond) => into::<DurationMicrosecondType>(leaf, steps),
        D::Duration(U::Nanosecond) => into::<DurationNanosecondType>(leaf, steps),
        _ => Ok(Arc::clone(leaf.array)),
    }
}

fn into<F>(leaf: &Leaf<'_>, steps: &Steps) -> Result<ArrayRef, Misfit>
where
    F: ArrowPrimitiveType,
    F::Native: Into<i64>,
{
    use {DataType as D, TimeUnit as U};
    let values = leaf.array.as_primitive::<F>().values();
    let value = |row: usize| steps.apply(values[row].into());
    // Ticks of 32 bits are of a day, and fit.
    let short = |row: usize| i32::try_from(value(row)?).map_err(|cause| cause.to_string());
    match leaf.to {
        D::Time32(U::Second) => leaf.build::<Time32SecondType>(short),
        D::Time32(_) => leaf.build::<Time32MillisecondType>(short),
        D::Time64(U::Microsecond) => leaf.build::<Time64MicrosecondType>(value),
        D::Time64(_) => leaf.build::<Time64NanosecondType>(value),
        D::Timestamp(U::Second, _) => leaf.build::<TimestampSecondType>(value),
        D::Timestamp(U::Millisecond, _) => leaf.build::<TimestampMillisecondType>(value),
        D::Timestamp(U::Microsecond, _) => leaf.build::<TimestampMicrosecondType>(value),
        D::Timestamp(U::Nanosecond, _) => leaf.build::<TimestampNanosecondType>(value),
        D::Duration(U::Second) => leaf.build::<DurationSecondType>(value),
        D::Duration(U::Millisecond) => leaf.build::<DurationMillisecondType>(value),
        D::Duration(U::Microsecond) => leaf.build::<DurationMicrosecondType>(value),
        D::Duration(U::Nanosecond) => leaf.build::<DurationNanosecondType>(value),
        _ => Ok(Arc::clone(leaf.array)),
    }
}

fn unit(data_type: &DataType) -> TimeUnit {
    match data_type {
        DataType::Time32(unit) | DataType::Time64(unit) => *unit,
        DataType::Timestamp(unit, _) | DataType::Duration(unit) => *unit,
        _ => TimeUnit::Nanosecond,
    }
}
