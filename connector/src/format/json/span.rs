//! Spans of time as ISO 8601 text: durations and intervals.
//!
//! Months, days and seconds are three numbers, each with its own sign: `P1M-2DT0.5S`. Invariant: what is printed is
//! parsed to the same span; nothing is carried from one of the three to another.

use crate::format::text::put;

/// A span; months and days have no fixed length, so that they stay apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Span {
    pub(super) months: i64,
    pub(super) days: i64,
    pub(super) nanos: i128,
}

const NANOS: i128 = 1_000_000_000;

/// Prints the span; what is zero is left out, unless all is.
pub(super) fn put_span(span: Span, out: &mut Vec<u8>) {
    let Span {
        months,
        days,
        nanos,
    } = span;
    out.push(b'P');
    if months != 0 {
        put(out, format_args!("{months}M"));
    }
    if days != 0 {
        put(out, format_args!("{days}D"));
    }
    if nanos != 0 || span == Span::default() {
        let sign = if nanos < 0 { "-" } else { "" };
        let (seconds, fraction) = (nanos.abs() / NANOS, nanos.abs() % NANOS);
        put(out, format_args!("T{sign}{seconds}"));
        if fraction != 0 {
            let digits = format!("{fraction:09}");
            put(out, format_args!(".{}", digits.trim_end_matches('0')));
        }
        out.push(b'S');
    }
}

/// Parses years, months, weeks, days, hours, minutes and seconds, in this order and each at most once. A sign before
/// them is that of each.
pub(super) fn parse_span(text: &str) -> Option<Span> {
    let Some(text) = text.strip_prefix('-') else {
        return parse_unsigned(text);
    };
    let span = parse_unsigned(text)?;
    Some(Span {
        months: span.months.checked_neg()?,
        days: span.days.checked_neg()?,
        nanos: span.nanos.checked_neg()?,
    })
}

fn parse_unsigned(text: &str) -> Option<Span> {
    let text = text.strip_prefix('P')?;
    let (date, time) = match text.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let mut span = Span::default();
    let mut date = Parts { text: date };
    span.months = date.whole('Y')?.checked_mul(12)?;
    span.months = span.months.checked_add(date.whole('M')?)?;
    span.days = date.whole('W')?.checked_mul(7)?;
    span.days = span.days.checked_add(date.whole('D')?)?;
    let mut time = Parts { text: time };
    let hours = i128::from(time.whole('H')?);
    let minutes = i128::from(time.whole('M')?);
    let whole = (hours * 3600 + minutes * 60) * NANOS;
    span.nanos = whole.checked_add(time.nanos('S')?)?;
    (date.text.is_empty() && time.text.is_empty()).then_some(span)
}

/// Numbers with a letter behind each.
struct Parts<'a> {
    text: &'a str,
}

impl Parts<'_> {
    /// The number before the letter, where it is next, and 0 where it is not.
    fn take(&mut self, letter: char) -> Option<&str> {
        let number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        let length = self.text.bytes().take_while(number).count();
        let (number, rest) = self.text.split_at_checked(length)?;
        let Some(rest) = rest.strip_prefix(letter) else {
            return Some("0");
        };
        self.text = rest;
        Some(number)
    }

    fn whole(&mut self, letter: char) -> Option<i64> {
        self.take(letter)?.parse().ok()
    }

    fn nanos(&mut self, letter: char) -> Option<i128> {
        let number = self.take(letter)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let unsigned = whole.strip_prefix('-').unwrap_or(whole);
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(unsigned) || !digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let seconds = unsigned.parse::<i128>().ok()?.checked_mul(NANOS)?;
        let nanos = seconds.checked_add(format!("{fraction:0<9}").parse().ok()?)?;
        Some(if whole.starts_with('-') {
            -nanos
        } else {
            nanos
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_printed_and_parsed() {
        let span = |months, days, nanos| Span {
            months,
            days,
            nanos,
        };
        for (text, expected) in [
            ("PT0S", span(0, 0, 0)),
            ("P14M", span(14, 0, 0)),
            ("P1M-2DT0.5S", span(1, -2, 500_000_000)),
            ("PT-0.000000001S", span(0, 0, -1)),
            (
                "PT-9223372036854775808S",
                span(0, 0, i128::from(i64::MIN) * NANOS),
            ),
        ] {
            let mut out = Vec::new();
            put_span(expected, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
            assert_eq!(parse_span(text), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("P1Y2M", span(14, 0, 0)),
            ("P2W1DT1H1M1S", span(0, 15, 3_661 * NANOS)),
            ("PT60M", span(0, 0, 3_600 * NANOS)),
            ("-PT0.001S", span(0, 0, -1_000_000)),
            ("-P1M-2DT3S", span(-1, 2, -3 * NANOS)),
        ] {
            assert_eq!(parse_span(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "1D",
            "P1DT",
            "PT1.S",
            "PT.5S",
            "PT1.0000000001S",
            "P1.5D",
            "P1D1M",
            "PT1S1S",
            "P+1D",
            "P--1D",
            "P99999999999999999999D",
            "PT1h",
            "-",
            "--P1D",
            "+P1D",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }
}
