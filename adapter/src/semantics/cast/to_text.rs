//! Values as text, as `CAST(.. AS STRING)` prints them.
//!
//! Invariant: a timestamp prints exactly the digits of its declared precision.

use super::{NANOS_PER_DAY, NANOS_PER_MILLI};
use crate::semantics::types::Root;
use crate::semantics::value::Value;
use crate::semantics::{broken, decimal, number_text};
use chrono::NaiveDate;
use flinkspark_model::Result;
use std::sync::Arc;

/// Days from 0001-01-01 to 1970-01-01.
const EPOCH_DAYS_FROM_CE: i32 = 719_163;

/// The value as Flink casts it to STRING; the value is not NULL.
pub fn value_text(value: &Value, root: &Root) -> Result<Arc<str>> {
    Ok(match value {
        Value::Text(text) => text.clone(),
        Value::Boolean(truth) => if *truth { "TRUE" } else { "FALSE" }.into(),
        Value::Integer(number) => number.to_string().into(),
        Value::Float(number) => number_text::float_text(*number).into(),
        Value::Double(number) => number_text::double_text(*number).into(),
        Value::Decimal(unscaled) => match root {
            Root::Decimal(_, scale) => decimal::to_text(*unscaled, *scale).into(),
            _ => return Err(broken("a decimal value of another type")),
        },
        Value::Date(days) => date_text(*days).into(),
        Value::Time(millis) => time_text(*millis).into(),
        Value::Timestamp(nanos) => match root {
            Root::Timestamp(precision) => timestamp_text(*nanos, *precision).into(),
            _ => return Err(broken("a timestamp value of another type")),
        },
        Value::Array(items) => array_text(items, root)?.into(),
        _ => return Err(broken("no conversion to text")),
    })
}

fn array_text(items: &[Value], root: &Root) -> Result<String> {
    let Root::Array(element) = root else {
        return Err(broken("an array value of another type"));
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        texts.push(if item.is_null() {
            "NULL".into()
        } else {
            value_text(item, &element.root)?
        });
    }
    Ok(format!("[{}]", texts.join(", ")))
}

/// `yyyy-mm-dd`.
pub fn date_text(days: i32) -> String {
    let date = days
        .checked_add(EPOCH_DAYS_FROM_CE)
        .and_then(NaiveDate::from_num_days_from_ce_opt);
    date.map_or_else(
        || format!("day {days}"),
        |date| date.format("%Y-%m-%d").to_string(),
    )
}

/// `hh:mm:ss`.
pub fn time_text(millis: i32) -> String {
    let seconds = millis / 1000;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `yyyy-mm-dd hh:mm:ss[.f]` with `precision` digits of fraction.
pub fn timestamp_text(nanos: i128, precision: u8) -> String {
    let days = nanos.div_euclid(NANOS_PER_DAY);
    let of_day = nanos.rem_euclid(NANOS_PER_DAY);
    let text = format!(
        "{} {}",
        date_text(days as i32),
        time_text((of_day / NANOS_PER_MILLI) as i32)
    );
    if precision == 0 {
        return text;
    }
    let fraction = format!("{:09}", of_day % 1_000_000_000);
    format!("{text}.{}", &fraction[..usize::from(precision.min(9))])
}
