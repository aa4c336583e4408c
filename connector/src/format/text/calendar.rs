//! Dates and times of day as ISO 8601 text, for every value that Arrow can hold.
//!
//! The proleptic Gregorian calendar. Years outside of 0 to 9999 have a sign. Invariant: what is
//! printed parses to the same value.

use crate::format::civil::{Date, date_of, day_of};
use std::fmt::Display;
use std::io::Write;

pub(in crate::format) const SECONDS_PER_DAY: i64 = 86_400;

/// Appends the value's text.
pub(in crate::format) fn put(out: &mut Vec<u8>, value: impl Display) {
    // Writing to memory cannot fail.
    let _ = write!(out, "{value}");
}

/// Appends the last so many digits of a number that is not negative, with zeros before it.
fn put_digits(mut value: i64, digits: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + digits, b'0');
    for place in out.iter_mut().skip(start).rev() {
        *place += (value % 10) as u8;
        value /= 10;
    }
}

/// Prints the day, counted from 1970-01-01.
pub(in crate::format) fn put_date(days: i64, out: &mut Vec<u8>) {
    let Date { year, month, day } = date_of(days);
    if (0..=9999).contains(&year) {
        put_digits(year, 4, out);
    } else {
        put(out, format_args!("{year:+05}"));
    }
    for part in [month, day] {
        out.push(b'-');
        put_digits(part, 2, out);
    }
}

/// Prints the time of day; the fraction counts `per_second` and is left out where it is 0.
pub(in crate::format) fn put_time(
    second_of_day: i64,
    fraction: i64,
    per_second: i64,
    out: &mut Vec<u8>,
) {
    let (hour, minute) = (second_of_day / 3600, second_of_day / 60 % 60);
    put_digits(hour, 2, out);
    for part in [minute, second_of_day % 60] {
        out.push(b':');
        put_digits(part, 2, out);
    }
    if fraction != 0 {
        out.push(b'.');
        put_digits(fraction, per_second.ilog10() as usize, out);
    }
}

/// Prints the moment of so many ticks since 1970, with `Z` where it is an instant.
pub(in crate::format) fn put_moment(ticks: i64, per_second: i64, zoned: bool, out: &mut Vec<u8>) {
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

/// The day, counted from 1970-01-01, at the text's start, and the rest of the text.
fn split_date(text: &str) -> Option<(i64, &str)> {
    let signed = text.starts_with(['+', '-']);
    let digits = text.get(usize::from(signed)..)?;
    let length = digits.bytes().position(|byte| !byte.is_ascii_digit())?;
    if length < 4 || (length > 4 && !signed) || length > 12 {
        return None;
    }
    let (year, rest) = text.split_at(length + usize::from(signed));
    let year: i64 = year.parse().ok()?;
    let (month, rest) = two_digits(rest.strip_prefix('-')?)?;
    let (day, rest) = two_digits(rest.strip_prefix('-')?)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    Some((day_of(Date { year, month, day }), rest))
}

fn two_digits(text: &str) -> Option<(i64, &str)> {
    let [tens, ones] = *text.as_bytes().first_chunk::<2>()?;
    if !(tens.is_ascii_digit() && ones.is_ascii_digit()) {
        return None;
    }
    Some((
        i64::from(tens - b'0') * 10 + i64::from(ones - b'0'),
        text.get(2..)?,
    ))
}

/// The day, counted from 1970-01-01.
pub(in crate::format) fn parse_date(text: &str) -> Option<i64> {
    split_date(text)
        .filter(|(_, rest)| rest.is_empty())
        .map(|(days, _)| days)
}

/// A moment of a day with nine digits of fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::format) struct Time {
    pub(in crate::format) second_of_day: i64,
    pub(in crate::format) nanos: i64,
    /// Digits of the fraction that the text has.
    pub(in crate::format) digits: usize,
}

impl Time {
    /// The fraction in units of `1 / per_second`; `None` where it has a finer part.
    pub(in crate::format) fn fraction(&self, per_second: i64) -> Option<i64> {
        let nanos = 1_000_000_000 / per_second;
        (self.nanos % nanos == 0).then(|| self.nanos / nanos)
    }
}

fn split_time(text: &str) -> Option<(Time, &str)> {
    let (hour, rest) = two_digits(text)?;
    let (minute, rest) = two_digits(rest.strip_prefix(':')?)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => two_digits(rest)?,
        None => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut time = Time {
        second_of_day: hour * 3600 + minute * 60 + second,
        nanos: 0,
        digits: 0,
    };
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some((time, rest));
    };
    time.digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&time.digits) {
        return None;
    }
    let (digits, rest) = fraction.split_at(time.digits);
    let value = digits
        .bytes()
        .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    time.nanos = value * 10_i64.pow(u32::try_from(9 - time.digits).ok()?);
    Some((time, rest))
}

/// A time of day.
pub(in crate::format) fn parse_time(text: &str) -> Option<Time> {
    split_time(text)
        .filter(|(_, rest)| rest.is_empty())
        .map(|(time, _)| time)
}

/// A moment: whole seconds since 1970-01-01T00:00:00, in UTC where it has an offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::format) struct Moment {
    pub(in crate::format) seconds: i128,
    pub(in crate::format) time: Time,
    pub(in crate::format) zoned: bool,
}

impl Moment {
    /// Ticks of `1 / per_second` since 1970; `None` where it has a finer part or is out of range.
    pub(in crate::format) fn ticks(&self, per_second: i64) -> Option<i64> {
        let whole = self.seconds * i128::from(per_second);
        i64::try_from(whole + i128::from(self.time.fraction(per_second)?)).ok()
    }
}

/// A date and a time, joined by `T` or a space, with `Z`, an offset such as `+01:00`, `+0100` or `+01`, or neither.
pub(in crate::format) fn parse_moment(text: &str) -> Option<Moment> {
    let (days, rest) = split_date(text)?;
    let (time, rest) = split_time(rest.strip_prefix(['T', ' '])?)?;
    let offset = match rest {
        "" => None,
        "Z" => Some(0),
        _ => {
            let sign = if rest.starts_with('-') { -1 } else { 1 };
            let (hours, rest) = two_digits(rest.strip_prefix(['+', '-'])?)?;
            let (minutes, rest) = match rest {
                "" => (0, rest),
                _ => two_digits(rest.strip_prefix(':').unwrap_or(rest))?,
            };
            if hours > 23 || minutes > 59 || !rest.is_empty() {
                return None;
            }
            Some(sign * (hours * 3600 + minutes * 60))
        }
    };
    let seconds = i128::from(days) * i128::from(SECONDS_PER_DAY)
        + i128::from(time.second_of_day - offset.unwrap_or(0));
    Some(Moment {
        seconds,
        time,
        zoned: offset.is_some(),
    })
}
