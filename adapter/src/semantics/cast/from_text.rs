//! Dates and times from text, with Flink's leniency and no more.
//!
//! Invariant: what is not recognised is none; the caller decides whether that is NULL or a failure.

use super::NANOS_PER_DAY;
use chrono::{Datelike, NaiveDate};

/// Days of a civil date, none where it does not exist.
fn days_of(year: i32, month: u32, day: u32) -> Option<i32> {
    NaiveDate::from_ymd_opt(year, month, day).map(|date| date.num_days_from_ce() - 719_163)
}

/// A number of one to `most` ASCII digits.
fn number(text: &str, most: usize) -> Option<u32> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// `y[-m[-d]]`, blanks around it and anything after a blank ignored, as Flink casts text to DATE.
pub fn parse_date(text: &str) -> Option<i32> {
    let trimmed = text.trim_matches(' ');
    let date = trimmed.split(' ').next()?;
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
    if parts.next().is_some() {
        return None;
    }
    days_of(year as i32, month, day)
}

/// `h[:m[:s[.fraction]]]` in whole seconds, as milliseconds of the day; blanks around it are ignored.
pub(super) fn parse_time(text: &str) -> Option<i32> {
    let trimmed = text.trim_matches(' ');
    let (clock, fraction) = trimmed.split_once('.').unwrap_or((trimmed, "0"));
    number(fraction, 9)?;
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = parts
        .next()
        .map_or(Some(0), |part| number(part, 2))
        .filter(|minute| *minute < 60)?;
    let second = parts
        .next()
        .map_or(Some(0), |part| number(part, 2))
        .filter(|second| *second < 60)?;
    if parts.next().is_some() {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) as i32 * 1000)
}

/// `y-m-d[ h:m:s[.fraction]]` in nanoseconds.
///
/// As Flink's resolver does: a day of 29 to 31 falls back to the month's last, 24:00:00 is the next
/// midnight, digits beyond nine are not accepted.
pub fn parse_timestamp(text: &str) -> Option<i128> {
    let (date, clock) = text
        .split_once(' ')
        .map_or((text, None), |(date, clock)| (date, Some(clock)));
    let mut parts = date.split('-');
    let year = parts.next().filter(|part| part.len() == 4)?;
    let (year, month) = (number(year, 4)?, number(parts.next()?, 2)?);
    let day = number(parts.next()?, 2).filter(|day| (1..=31).contains(day))?;
    if parts.next().is_some() {
        return None;
    }
    let days = (0..4).find_map(|back| days_of(year as i32, month, day - back.min(day - 1)))?;
    let of_day = clock.map_or(Some(0), clock_nanos)?;
    Some(i128::from(days) * NANOS_PER_DAY + of_day)
}

fn clock_nanos(clock: &str) -> Option<i128> {
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let mut next = |limit: u32| {
        parts
            .next()
            .and_then(|part| number(part, 2))
            .filter(|value| *value < limit)
    };
    let (hour, minute, second) = (next(25)?, next(60)?, next(60)?);
    if parts.next().is_some() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let nanos: i128 = format!("{fraction:0<9}").parse().ok()?;
    if hour == 24 && (minute, second, nanos) != (0, 0, 0) {
        return None;
    }
    Some(i128::from((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
}
