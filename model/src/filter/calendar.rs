//! Dates, times of day and instants as ISO 8601 writes them, in the proleptic Gregorian calendar.
//!
//! Pure. Invariant: a text means one value or none: no field is rolled over, and nothing is rounded.

/// The days from 1970-01-01 to a date such as `2026-11-28`; years beyond 9999 have a sign.
pub(super) fn date(text: &str) -> Option<i128> {
    let (sign, rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) if text.starts_with('-') => (-1, rest),
        Some(rest) => (1, rest),
        None => (1, text),
    };
    let (year, rest) = rest.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let year_digits = year.len();
    if !(4..=9).contains(&year_digits)
        || (year_digits > 4 && text.starts_with(|c: char| c.is_ascii_digit()))
    {
        return None;
    }
    let (year, month, day) = (sign * digits(year)?, two(month)?, two(day)?);
    let valid = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    valid.then(|| days_from_civil(year, month, day))
}

/// The nanoseconds since midnight of a time such as `09:30:00.25`.
pub(super) fn time(text: &str) -> Option<i128> {
    let (hour, rest) = text.split_once(':')?;
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "00"));
    let (second, fraction) = match second.split_once('.') {
        Some((second, fraction)) => (second, nanos(fraction)?),
        None => (second, 0),
    };
    let (hour, minute, second) = (two(hour)?, two(minute)?, two(second)?);
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then(|| ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction)
}

/// The nanoseconds from 1970-01-01T00:00:00 to a date and time, and whether it came with an offset, which is
/// taken off then.
pub(super) fn timestamp(text: &str) -> Option<(i128, bool)> {
    let (day, clock) = text.split_once(['T', ' '])?;
    let (clock, offset) = match clock.find(['Z', '+', '-']) {
        Some(at) => (clock.get(..at)?, Some(offset(clock.get(at..)?)?)),
        None => (clock, None),
    };
    let local = date(day)? * 86_400_000_000_000 + time(clock)?;
    Some((local - offset.unwrap_or(0), offset.is_some()))
}

/// The nanoseconds of `Z`, `+05:30` or `-08`.
fn offset(text: &str) -> Option<i128> {
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None if text == "Z" => return Some(0),
        None => (-1, text.strip_prefix('-')?),
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 18 && minutes < 60).then(|| sign * (hours * 60 + minutes) * 60_000_000_000)
}

fn digits(text: &str) -> Option<i128> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

fn two(text: &str) -> Option<i128> {
    (text.len() == 2).then(|| digits(text)).flatten()
}

fn nanos(fraction: &str) -> Option<i128> {
    let missing = u32::try_from(9_usize.checked_sub(fraction.len())?).ok()?;
    Some(digits(fraction)? * 10_i128.pow(missing))
}

fn days_of(year: i128, month: i128) -> i128 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that the leap day is the last.
fn days_from_civil(year: i128, month: i128, day: i128) -> i128 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (text, days) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("0001-01-01", Some(-719_162)),
            ("0000-02-29", Some(-719_469)),
            ("-0001-12-31", Some(-719_529)),
            ("9999-12-31", Some(2_932_896)),
            ("+10000-01-01", Some(2_932_897)),
            ("1900-02-29", None),
            ("2023-13-01", None),
            ("2023-1-01", None),
            ("10000-01-01", None),
            ("+-100-01-01", None),
            ("2023-01-32", None),
            ("", None),
        ] {
            assert_eq!(date(text), days, "{text}");
        }
    }

    #[test]
    fn instants_have_no_second_reading() {
        let second = 1_000_000_000;
        for (text, instant) in [
            ("1970-01-01T00:00:00", Some((0, false))),
            ("1970-01-01 00:00:01Z", Some((second, true))),
            ("1970-01-01T00:00:00.000000001", Some((1, false))),
            ("1970-01-01T05:30+05:30", Some((0, true))),
            ("1969-12-31T16:00:00.5-08", Some((second / 2, true))),
            ("1970-01-01T24:00:00", None),
            ("1970-01-01T00:00:60", None),
            ("1970-01-01T00:00:00.0000000001", None),
            ("1970-01-01T00:00:00.", None),
            ("1970-01-01T00:00:00+19:00", None),
            ("1970-01-01T00:00:00 Z", None),
            ("1970-01-01", None),
            ("1970-01-01T", None),
        ] {
            assert_eq!(timestamp(text), instant, "{text}");
        }
    }
}
