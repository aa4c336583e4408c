//! Functions on dates, times, timestamps and intervals.
//!
//! Owns the calendar arithmetic of Calcite's `DateTimeUtils`, its truncation towards zero before 1970
//! included. Never knows a zone: everything is UTC wall time. Invariant: units are those listed in
//! [`Unit`]; others are refused.

use super::signature::{Want, always_nullable, as_nullable_as, mismatch, want};
use super::text::text;
use super::{Call, Function};
use crate::semantics::cast::{
    MILLIS_PER_DAY, NANOS_PER_DAY, NANOS_PER_MILLI, parse_date, parse_timestamp,
};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, refuse};
use Want::Text;
use chrono::{Datelike, Months, NaiveDate};
use flinkspark_model::Result;

mod extract;
mod format;

pub use extract::{EXTRACT, FLOOR_TO};

/// The named time functions.
pub static FUNCTIONS: &[Function] = &[
    Function::strict(
        "TO_DATE",
        |args| always_nullable(want(args, &[Text], 0)?, Root::Date),
        |call| Ok(parse_date(text(call, 0)?).map_or(Value::Null, Value::Date)),
    ),
    Function::strict(
        "TO_TIMESTAMP",
        |args| always_nullable(want(args, &[Text], 0)?, Root::Timestamp(3)),
        |call| {
            let nanos = parse_timestamp(text(call, 0)?);
            Ok(nanos.map_or(Value::Null, |nanos| {
                Value::Timestamp(nanos - nanos.rem_euclid(NANOS_PER_MILLI))
            }))
        },
    ),
    Function::strict("DATE_FORMAT", format::bind, format::date_format),
    Function::strict(
        "FROM_UNIXTIME",
        format::unixtime_bind,
        format::from_unixtime,
    ),
    Function::strict(
        "UNIX_TIMESTAMP",
        format::unix_timestamp_bind,
        format::unix_timestamp,
    ),
    Function::strict(
        "YEAR",
        |args| extract::named(args, Unit::Year),
        |call| extract::part(call, 0, Unit::Year),
    ),
    Function::strict(
        "QUARTER",
        |args| extract::named(args, Unit::Quarter),
        |call| extract::part(call, 0, Unit::Quarter),
    ),
    Function::strict(
        "MONTH",
        |args| extract::named(args, Unit::Month),
        |call| extract::part(call, 0, Unit::Month),
    ),
    Function::strict(
        "WEEK",
        |args| extract::named(args, Unit::Week),
        |call| extract::part(call, 0, Unit::Week),
    ),
    Function::strict(
        "DAYOFYEAR",
        |args| extract::named(args, Unit::Doy),
        |call| extract::part(call, 0, Unit::Doy),
    ),
    Function::strict(
        "DAYOFMONTH",
        |args| extract::named(args, Unit::Day),
        |call| extract::part(call, 0, Unit::Day),
    ),
    Function::strict(
        "DAYOFWEEK",
        |args| extract::named(args, Unit::Dow),
        |call| extract::part(call, 0, Unit::Dow),
    ),
    Function::strict(
        "HOUR",
        |args| extract::named(args, Unit::Hour),
        |call| extract::part(call, 0, Unit::Hour),
    ),
    Function::strict(
        "MINUTE",
        |args| extract::named(args, Unit::Minute),
        |call| extract::part(call, 0, Unit::Minute),
    ),
    Function::strict(
        "SECOND",
        |args| extract::named(args, Unit::Second),
        |call| extract::part(call, 0, Unit::Second),
    ),
];

/// `datetime + interval`.
pub static ADD_INTERVAL: Function =
    Function::strict("DATETIME_PLUS", interval_bind, |call| shift(call, 1));
/// `datetime - interval`.
pub static SUBTRACT_INTERVAL: Function =
    Function::strict("DATETIME_MINUS", interval_bind, |call| shift(call, -1));
/// `TIMESTAMPDIFF(unit, from, to)`, the unit as a text literal.
pub static DIFFERENCE: Function = Function::strict("TIMESTAMPDIFF", difference_bind, difference);

/// A unit of time as SQL names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "SQL names them")]
pub enum Unit {
    Millennium,
    Century,
    Decade,
    IsoYear,
    Year,
    Quarter,
    Month,
    Week,
    Doy,
    Dow,
    IsoDow,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
}

impl Unit {
    /// The unit with this SQL name, singular or plural.
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let listed = [
            ("MILLENNIUM", Self::Millennium),
            ("CENTURY", Self::Century),
            ("DECADE", Self::Decade),
            ("ISOYEAR", Self::IsoYear),
            ("YEAR", Self::Year),
            ("QUARTER", Self::Quarter),
            ("MONTH", Self::Month),
            ("WEEK", Self::Week),
            ("DOY", Self::Doy),
            ("DOW", Self::Dow),
            ("ISODOW", Self::IsoDow),
            ("DAY", Self::Day),
            ("HOUR", Self::Hour),
            ("MINUTE", Self::Minute),
            ("SECOND", Self::Second),
            ("MILLISECOND", Self::Millisecond),
            ("MICROSECOND", Self::Microsecond),
            ("EPOCH", Self::Epoch),
        ];
        let found = |name: &str| {
            listed
                .iter()
                .find(|(listed, _)| *listed == name)
                .map(|(_, unit)| *unit)
        };
        found(&upper).or_else(|| found(upper.strip_suffix('S')?))
    }

    /// The unit's length in milliseconds, where it has one.
    pub fn millis(self) -> Option<i64> {
        match self {
            Self::Week => Some(7 * MILLIS_PER_DAY),
            Self::Day => Some(MILLIS_PER_DAY),
            Self::Hour => Some(3_600_000),
            Self::Minute => Some(60_000),
            Self::Second => Some(1000),
            _ => None,
        }
    }

    /// The unit's length in months, where it has one.
    pub fn months(self) -> Option<i32> {
        match self {
            Self::Year => Some(12),
            Self::Quarter => Some(3),
            Self::Month => Some(1),
            _ => None,
        }
    }
}

/// The civil date of days since 1970.
pub(super) fn date_of(days: i32) -> Result<NaiveDate> {
    let date = days
        .checked_add(719_163)
        .and_then(NaiveDate::from_num_days_from_ce_opt);
    date.ok_or_else(|| crate::semantics::failed(format!("day {days} is beyond the calendar")))
}

/// Days since 1970 of a civil date.
pub(super) fn days_of(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - 719_163
}

/// The date some months later, the day cut to the month's length.
fn add_months(days: i32, months: i32) -> Result<i32> {
    let date = date_of(days)?;
    let moved = if months >= 0 {
        date.checked_add_months(Months::new(months.unsigned_abs()))
    } else {
        date.checked_sub_months(Months::new(months.unsigned_abs()))
    };
    moved
        .map(days_of)
        .ok_or_else(|| crate::semantics::failed("a date beyond the calendar"))
}

fn interval_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let [moment, interval] = <[Expr; 2]>::try_from(args)
        .map_err(|_| broken("datetime arithmetic takes two operands"))?;
    let months = interval.ty.root == Root::IntervalMonths;
    let known = match moment.ty.root {
        Root::Date | Root::Timestamp(_) => true,
        Root::Time(_) => !months,
        _ => false,
    };
    if !known || !months && interval.ty.root != Root::IntervalMillis {
        return Err(refuse(
            format!("arithmetic on {} and {}", moment.ty, interval.ty),
            "datetime-arithmetic",
        ));
    }
    let root = moment.ty.root.clone();
    as_nullable_as(vec![moment, interval], root)
}

fn shift(call: &Call<'_>, sign: i64) -> Result<Value> {
    match call.args {
        // A DATE keeps whole days: hours are cut towards zero.
        [Value::Date(days), Value::Millis(millis)] => {
            Ok(Value::Date(days + (sign * millis / MILLIS_PER_DAY) as i32))
        }
        [Value::Date(days), Value::Months(months)] => {
            add_months(*days, sign as i32 * months).map(Value::Date)
        }
        [Value::Time(time), Value::Millis(millis)] => Ok(Value::Time(
            (i64::from(*time) + sign * millis).rem_euclid(MILLIS_PER_DAY) as i32,
        )),
        [Value::Timestamp(nanos), Value::Millis(millis)] => Ok(Value::Timestamp(
            nanos + i128::from(sign * millis) * NANOS_PER_MILLI,
        )),
        [Value::Timestamp(nanos), Value::Months(months)] => {
            let (days, of_day) = (
                nanos.div_euclid(NANOS_PER_DAY),
                nanos.rem_euclid(NANOS_PER_DAY),
            );
            let moved = add_months(days as i32, sign as i32 * months)?;
            Ok(Value::Timestamp(i128::from(moved) * NANOS_PER_DAY + of_day))
        }
        _ => Err(broken("datetime arithmetic on other types")),
    }
}

/// Arguments are the unit, the earlier and the later moment, both DATE or both TIMESTAMP.
fn difference_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let [_, from, to] = args.as_slice() else {
        return Err(crate::semantics::invalid(
            "TIMESTAMPDIFF takes three arguments",
        ));
    };
    match (&from.ty.root, &to.ty.root) {
        (Root::Date, Root::Date) | (Root::Timestamp(_), Root::Timestamp(_)) => {
            as_nullable_as(args, Root::Int)
        }
        _ => Err(mismatch(to)),
    }
}

/// The moment as days and milliseconds of the day.
fn split_moment(value: &Value) -> Result<(i32, i64)> {
    match value {
        Value::Date(days) => Ok((*days, 0)),
        Value::Timestamp(nanos) => {
            let millis = nanos.div_euclid(NANOS_PER_MILLI) as i64;
            Ok((
                millis.div_euclid(MILLIS_PER_DAY) as i32,
                millis.rem_euclid(MILLIS_PER_DAY),
            ))
        }
        _ => Err(broken("no moment in time")),
    }
}

fn difference(call: &Call<'_>) -> Result<Value> {
    let unit = Unit::from_name(text(call, 0)?).ok_or_else(|| broken("an unknown unit"))?;
    let (from, to) = (split_moment(&call.args[1])?, split_moment(&call.args[2])?);
    if let Some(length) = unit.months() {
        return Ok(Value::Integer(i64::from(
            months_between(to, from)? / length,
        )));
    }
    let millis = |(days, of_day): (i32, i64)| i64::from(days) * MILLIS_PER_DAY + of_day;
    let length = unit
        .millis()
        .ok_or_else(|| broken("a unit without a length"))?;
    Ok(Value::Integer(i64::from(
        ((millis(to) - millis(from)) / length) as i32,
    )))
}

/// Calcite's `subtractMonths`: whole months, the day cut to the month's length counting as whole.
fn months_between(later: (i32, i64), earlier: (i32, i64)) -> Result<i32> {
    let months = months_between_days(later.0, earlier.0)?;
    let landed = add_months(earlier.0, months)?;
    Ok(if landed == later.0 && later.1 < earlier.1 {
        months - 1
    } else {
        months
    })
}

fn months_between_days(later: i32, earlier: i32) -> Result<i32> {
    if later < earlier {
        return Ok(-months_between_days(earlier, later)?);
    }
    // No month has more than 31 days, so the estimate is never too high.
    let mut months = (later - earlier) / 31;
    loop {
        if add_months(earlier, months)? >= later || add_months(earlier, months + 1)? > later {
            return Ok(months);
        }
        months += 1;
    }
}
