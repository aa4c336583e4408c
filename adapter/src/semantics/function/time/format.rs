//! Moments as text by a pattern.
//!
//! Owns the subset of Java's pattern letters whose meaning was probed; others are refused.

use super::days_of;
use crate::semantics::cast::{NANOS_PER_DAY, parse_timestamp, timestamp_text};
use crate::semantics::expr::Expr;
use crate::semantics::function::Call;
use crate::semantics::function::signature::{
    Want, always_nullable, as_nullable_as, mismatch, want,
};
use crate::semantics::function::text::{integer, text};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, cast, failed, invalid, refuse};
use chrono::{Datelike, NaiveDate};
use flinkspark_model::Result;

/// Java's pattern letters that are understood, with the same moment's chrono format.
const PATTERNS: [(&str, &str); 14] = [
    ("yyyy", "%Y"),
    ("yy", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("hh", "%I"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("SSS", "%3f"),
    ("EEEE", "%A"),
    ("E", "%a"),
    ("a", "%p"),
];

/// The chrono format of a Java pattern, or none where a letter is not understood.
fn translate(pattern: &str) -> Option<String> {
    let mut format = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let run = rest
            .chars()
            .take_while(|other| *other == c)
            .map(char::len_utf8)
            .sum();
        let (token, tail) = rest.split_at(run);
        if c.is_ascii_alphabetic() {
            format.push_str(PATTERNS.iter().find(|(java, _)| *java == token)?.1);
        } else if "'%{}[]#\"".contains(c) || !c.is_ascii() {
            return None;
        } else {
            format.push_str(token);
        }
        rest = tail;
    }
    Some(format)
}

pub(super) fn bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let [moment, pattern] = args.as_slice() else {
        return Err(invalid("DATE_FORMAT takes two arguments"));
    };
    if !matches!(moment.ty.root, Root::Timestamp(_)) {
        return Err(mismatch(moment));
    }
    let known =
        matches!(pattern.as_literal(), Some(Value::Text(pattern)) if translate(pattern).is_some());
    if !known {
        return Err(refuse(
            "a date pattern with letters whose meaning was not probed",
            "date-pattern",
        ));
    }
    always_nullable(args, Root::STRING)
}

pub(super) fn date_format(call: &Call<'_>) -> Result<Value> {
    let Value::Timestamp(nanos) = &call.args[0] else {
        return Err(broken("no moment to print"));
    };
    let format = translate(text(call, 1)?).ok_or_else(|| broken("an unchecked date pattern"))?;
    let seconds = nanos.div_euclid(1_000_000_000);
    let moment =
        chrono::DateTime::from_timestamp(seconds as i64, nanos.rem_euclid(1_000_000_000) as u32);
    let moment = moment.filter(|moment| (1..=9999).contains(&moment.year()));
    let moment = moment.ok_or_else(|| failed("a timestamp outside the years 1 to 9999"))?;
    Ok(Value::text(moment.naive_utc().format(&format).to_string()))
}

pub(super) fn unixtime_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let [seconds] = <[Expr; 1]>::try_from(args)
        .map_err(|_| refuse("FROM_UNIXTIME with a pattern", "date-pattern"))?;
    if !seconds.ty.root.is_integer() {
        return Err(mismatch(&seconds));
    }
    always_nullable(vec![cast::to_root(seconds, &Root::BigInt)], Root::STRING)
}

pub(super) fn from_unixtime(call: &Call<'_>) -> Result<Value> {
    let nanos = i128::from(integer(call, 0)?) * 1_000_000_000;
    let first = days_of(NaiveDate::from_ymd_opt(1, 1, 1).ok_or_else(|| broken("no first day"))?);
    if nanos < i128::from(first) * NANOS_PER_DAY || nanos >= 253_402_300_800 * 1_000_000_000 {
        return Err(failed("a timestamp outside the years 1 to 9999"));
    }
    Ok(Value::text(timestamp_text(nanos, 0)))
}

pub(super) fn unix_timestamp_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Want::Text], 0)?;
    let full = matches!(args[0].as_literal(), Some(Value::Text(text)) if text.len() == 19 && parse_timestamp(text).is_some());
    if !full {
        return Err(refuse(
            "UNIX_TIMESTAMP of what is no literal 'yyyy-MM-dd HH:mm:ss'",
            "date-pattern",
        ));
    }
    as_nullable_as(args, Root::BigInt)
}

pub(super) fn unix_timestamp(call: &Call<'_>) -> Result<Value> {
    let nanos = parse_timestamp(text(call, 0)?).ok_or_else(|| broken("an unchecked timestamp"))?;
    Ok(Value::Integer((nanos / 1_000_000_000) as i64))
}
