//! Parts of a moment and moments cut to a unit.
//!
//! Invariant: a timestamp before 1970 is divided towards zero, as Flink does it, wrong as it is.

use super::{Unit, date_of, days_of};
use crate::semantics::cast::{MILLIS_PER_DAY, NANOS_PER_MILLI};
use crate::semantics::expr::Expr;
use crate::semantics::function::signature::{as_nullable_as, mismatch};
use crate::semantics::function::text::text;
use crate::semantics::function::{Call, Function};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, invalid, refuse};
use chrono::{Datelike, NaiveDate};
use flinkspark_model::Result;

/// `EXTRACT(unit FROM moment)`, the unit as a text literal.
pub static EXTRACT: Function = Function::strict("EXTRACT", extract_bind, |call| {
    let unit = Unit::from_name(text(call, 0)?).ok_or_else(|| broken("an unknown unit"))?;
    part(call, 1, unit)
});
/// `FLOOR(moment TO unit)`, the unit as a text literal.
pub static FLOOR_TO: Function = Function::strict("FLOOR TO", floor_bind, floor);

fn unit_of(args: &[Expr]) -> Result<Unit> {
    match args.first().and_then(Expr::as_literal) {
        Some(Value::Text(name)) => {
            Unit::from_name(name).ok_or_else(|| refuse(format!("the unit {name}"), "time-unit"))
        }
        _ => Err(broken("a unit that is no literal")),
    }
}

fn extract_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let unit = unit_of(&args)?;
    check(args.get(1), unit)?;
    as_nullable_as(args, Root::BigInt)
}

/// The functions that are named after their unit.
pub(super) fn named(args: Vec<Expr>, unit: Unit) -> Result<(Vec<Expr>, FlinkType)> {
    if args.len() != 1 {
        return Err(invalid("one argument is declared"));
    }
    check(args.first(), unit)?;
    as_nullable_as(args, Root::BigInt)
}

/// Which unit a type has.
fn check(arg: Option<&Expr>, unit: Unit) -> Result<()> {
    let Some(arg) = arg else {
        return Err(invalid("EXTRACT takes an argument"));
    };
    let of_day = matches!(unit, Unit::Hour | Unit::Minute | Unit::Second);
    let finer = matches!(unit, Unit::Millisecond | Unit::Microsecond);
    let known = match &arg.ty.root {
        Root::Timestamp(precision) => !finer || *precision <= 3,
        Root::Date => !of_day && !finer,
        Root::Time(_) => of_day,
        _ => false,
    };
    if known { Ok(()) } else { Err(mismatch(arg)) }
}

/// One part of the moment at this argument.
pub(super) fn part(call: &Call<'_>, index: usize, unit: Unit) -> Result<Value> {
    let millis = match call.args.get(index) {
        Some(Value::Date(days)) => i64::from(*days) * MILLIS_PER_DAY,
        Some(Value::Time(millis)) => i64::from(*millis),
        Some(Value::Timestamp(nanos)) => nanos.div_euclid(NANOS_PER_MILLI) as i64,
        _ => return Err(broken("no moment to take a part of")),
    };
    let value = match unit {
        Unit::Hour => millis % MILLIS_PER_DAY / 3_600_000,
        Unit::Minute => millis % 3_600_000 / 60_000,
        Unit::Second => millis % 60_000 / 1000,
        Unit::Millisecond => millis % 1000,
        Unit::Microsecond => millis % 1000 * 1000,
        Unit::Epoch => millis / 1000,
        _ => date_part(date_of((millis / MILLIS_PER_DAY) as i32)?, unit),
    };
    Ok(Value::Integer(value))
}

fn date_part(date: NaiveDate, unit: Unit) -> i64 {
    let year = i64::from(date.year());
    match unit {
        Unit::Millennium => (year + 999) / 1000,
        Unit::Century => (year + 99) / 100,
        Unit::Decade => year / 10,
        Unit::IsoYear => i64::from(date.iso_week().year()),
        Unit::Quarter => i64::from(date.month0() / 3 + 1),
        Unit::Month => i64::from(date.month()),
        Unit::Week => i64::from(date.iso_week().week()),
        Unit::Doy => i64::from(date.ordinal()),
        Unit::Dow => i64::from(date.weekday().number_from_sunday()),
        Unit::IsoDow => i64::from(date.weekday().number_from_monday()),
        Unit::Day => i64::from(date.day()),
        _ => year,
    }
}

fn floor_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let unit = unit_of(&args)?;
    let Some(arg) = args.get(1) else {
        return Err(invalid("FLOOR takes an argument"));
    };
    let of_date = matches!(unit, Unit::Year | Unit::Quarter | Unit::Month | Unit::Week);
    let known = match arg.ty.root {
        Root::Timestamp(_) => {
            of_date || matches!(unit, Unit::Day | Unit::Hour | Unit::Minute | Unit::Second)
        }
        Root::Date => of_date,
        _ => false,
    };
    if !known {
        return Err(refuse(
            format!("FLOOR of {} to this unit", arg.ty),
            "time-unit",
        ));
    }
    let root = arg.ty.root.clone();
    as_nullable_as(args, root)
}

fn floor(call: &Call<'_>) -> Result<Value> {
    let unit = Unit::from_name(text(call, 0)?).ok_or_else(|| broken("an unknown unit"))?;
    match &call.args[1] {
        Value::Date(days) => Ok(Value::Date(floor_date(*days, unit)?)),
        Value::Timestamp(nanos) => {
            let millis = nanos.div_euclid(NANOS_PER_MILLI) as i64;
            let floored = match unit.millis().filter(|_| unit != Unit::Week) {
                Some(length) => millis - millis.rem_euclid(length),
                None => {
                    i64::from(floor_date((millis / MILLIS_PER_DAY) as i32, unit)?) * MILLIS_PER_DAY
                }
            };
            Ok(Value::Timestamp(i128::from(floored) * NANOS_PER_MILLI))
        }
        _ => Err(broken("no moment to cut")),
    }
}

/// Weeks begin on Sunday.
fn floor_date(days: i32, unit: Unit) -> Result<i32> {
    let date = date_of(days)?;
    let first = |month0: u32| NaiveDate::from_ymd_opt(date.year(), month0 + 1, 1).map(days_of);
    let floored = match unit {
        Unit::Year => first(0),
        Unit::Quarter => first(date.month0() / 3 * 3),
        Unit::Month => first(date.month0()),
        _ => Some(days - date.weekday().num_days_from_sunday() as i32),
    };
    floored.ok_or_else(|| broken("a date without a first day"))
}
