//! Rows as a reader's engine holds them.
//!
//! What each column becomes was decided by the profile ([`flinkspark_model::profile`]); here its values follow. Invariant:
//! a value is the same afterwards, or it was cut because the reader chose that, or the read ends with the column and the
//! row: nothing wraps, and nothing is rounded unsaid.

use super::ticks::{self, FINER, Steps};
use super::wire;
use crate::fit;
use crate::format::{leaves, units};
use arrow_array::types::{Date32Type, Date64Type, IntervalDayTimeType, IntervalMonthDayNanoType};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::IntervalMonthDayNano;
use arrow_schema::{DataType, Field, IntervalUnit, SchemaRef};
use flinkspark_model::profile::{Lossy, Profile};
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use leaves::{Leaf, Misfit};
use std::sync::Arc;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What a reader holds.
pub(super) struct Peer {
    schema: SchemaRef,
    profile: Profile,
    lossy: Lossy,
}

impl Peer {
    /// A reader with this profile, to whom `schema` is sent: what the profile made of the dataset's.
    pub(super) fn new(schema: SchemaRef, profile: Profile, lossy: Lossy) -> Self {
        Self {
            schema,
            profile,
            lossy,
        }
    }

    /// What is sent.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows as they are sent.
    ///
    /// Errors: `FS0121` for a value that is finer than what the engine holds, `FS0409` for one that is outside of it.
    pub(super) fn take(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if self.profile == Profile::Generic {
            return wire::conform(batch, &self.schema);
        }
        wire::assemble(batch, &self.schema, |column, field| {
            self.column(column, field)
        })
    }

    fn column(&self, column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
        let (from, to) = (fit::plain(column.data_type()), field.data_type());
        let mut targets = Vec::new();
        leaves::retype(to, &mut |leaf| {
            targets.push(leaf.clone());
            leaf.clone()
        });
        let mut changes = false;
        let mut wanted = targets.iter();
        let between = leaves::retype(&from, &mut |leaf| match wanted.next() {
            Some(to) if self.changes(leaf, to) => {
                changes = true;
                to.clone()
            }
            _ => leaf.clone(),
        });
        if !changes {
            return wire::cast(column, field);
        }
        let plain = wire::cast(column, &Field::new(field.name(), from, true))?;
        let mut wanted = targets.iter();
        let held = leaves::change(&plain, None, &between, &mut |leaf| match wanted.next() {
            Some(to) if self.changes(leaf.array.data_type(), to) => self.leaf(&leaf),
            _ => Ok(Arc::clone(leaf.array)),
        });
        let held = held.map_err(|misfit| self.refuse(misfit, column.data_type(), field))?;
        wire::cast(&held, field)
    }

    /// Whether values of a leaf are looked at: arrow's own casts round, or do not know the pair.
    fn changes(&self, from: &DataType, to: &DataType) -> bool {
        use {DataType as D, IntervalUnit as I};
        match (from, to) {
            (D::Timestamp(a, _), D::Timestamp(b, _)) => a != b,
            (D::Duration(a), D::Duration(b)) => a != b,
            (D::Date64, D::Date32) => true,
            (D::Interval(I::DayTime), D::Interval(I::MonthDayNano)) => true,
            (D::Time32(_) | D::Time64(_), D::Time32(_) | D::Time64(_)) if from != to => true,
            _ => from == to && self.profile.finest(to).is_some(),
        }
    }

    fn leaf(&self, leaf: &Leaf<'_>) -> std::result::Result<ArrayRef, Misfit> {
        use DataType as D;
        match leaf.to {
            D::Interval(_) => return self.interval(leaf),
            D::Date32 => {
                let cut = self.lossy == Lossy::Truncate;
                return leaf.map::<Date64Type, Date32Type>(|millis| {
                    if !cut && millis % units::MILLIS_PER_DAY != 0 {
                        return Err(FINER.into());
                    }
                    let days = i32::try_from(millis.div_euclid(units::MILLIS_PER_DAY));
                    days.map_err(|_| "it lies outside of 32 bits of days".into())
                });
            }
            _ => {}
        }
        ticks::convert(leaf, &self.steps(leaf))
    }

    fn steps(&self, leaf: &Leaf<'_>) -> Steps {
        let finest = self.profile.finest(leaf.to);
        let cut = self.lossy == Lossy::Truncate;
        Steps::between(leaf.array.data_type(), leaf.to, finest, cut)
    }

    fn interval(&self, leaf: &Leaf<'_>) -> std::result::Result<ArrayRef, Misfit> {
        if leaf.array.data_type() == &DataType::Interval(IntervalUnit::DayTime) {
            return leaf.map::<IntervalDayTimeType, IntervalMonthDayNanoType>(|value| {
                let nanos = i64::from(value.milliseconds) * NANOS_PER_MILLI;
                Ok(IntervalMonthDayNano::new(0, value.days, nanos))
            });
        }
        let steps = self.steps(leaf);
        leaf.map::<IntervalMonthDayNanoType, IntervalMonthDayNanoType>(|value| {
            let nanos = steps.apply(value.nanoseconds)?;
            Ok(IntervalMonthDayNano::new(value.months, value.days, nanos))
        })
    }

    fn refuse(&self, misfit: Misfit, from: &DataType, field: &Field) -> Error {
        let (engine, name, row) = (self.profile.engine(), field.name(), misfit.row + 1);
        let from = type_name(from);
        if misfit.why == FINER {
            let message = format!("a value of column \"{name}\" is finer than {engine} holds");
            return Error::new(Kind::Invalid, "FS0121", message)
                .with_detail(format!(
                    "row {row} of a message; the column's type is {from}"
                ))
                .with_hint(
                    "round the column before, or read with \"lossy\": \"truncate\" or \"string\"",
                );
        }
        let message = format!("a value of column \"{name}\" is not one that {engine} holds");
        Error::new(Kind::Invalid, "FS0409", message)
            .with_detail(format!(
                "row {row} of a message, from {from} to {}: {}",
                type_name(field.data_type()),
                misfit.why
            ))
            .with_hint("correct the value, leave the column out, or choose another profile")
    }
}

#[cfg(test)]
mod tests;
