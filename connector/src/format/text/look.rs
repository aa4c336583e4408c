//! What a text looks like when nothing says what it is.
//!
//! Invariant: a text looks like a type only if the type holds it without loss of a digit.

use super::calendar::{Moment, parse_date, parse_moment, put_date, put_moment};

/// Integers up to here are exact as 64-bit floats.
const EXACT_FLOAT_MAX: u64 = 1 << 53;

/// What a field without quotes looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::format) enum Kind {
    Text,
    Boolean,
    /// Whether a 64-bit float holds it exactly.
    Integer {
        exact: bool,
    },
    Float,
    /// A number with a fraction that a float would be written otherwise than: `9.50`, or more digits than it has.
    Decimal,
    Date,
    /// The units that hold it.
    Timestamp {
        zoned: bool,
        micros: bool,
        nanos: bool,
    },
}

/// What the text looks like; the writer quotes text that looks like anything else.
pub(in crate::format) fn kind(text: &str) -> Kind {
    match text.as_bytes() {
        [b't' | b'T' | b'f' | b'F', ..] if parse_bool(text).is_some() => Kind::Boolean,
        [b'N', ..] | [b'i', ..] | [b'-', b'i', ..] if matches!(text, "NaN" | "inf" | "-inf") => {
            Kind::Float
        }
        [b'0'..=b'9' | b'-' | b'+', ..] => numeric(text),
        _ => Kind::Text,
    }
}

/// `true` or `false`, also with a first or all capital letters.
pub(in crate::format) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn numeric(text: &str) -> Kind {
    if parse_date(text).is_some() {
        return Kind::Date;
    }
    if let Some(moment) = parse_moment(text) {
        let fits = |per_second| moment.ticks(per_second).is_some();
        let (micros, nanos) = (fits(1_000_000), fits(1_000_000_000));
        let some = micros || nanos;
        return if some {
            Kind::Timestamp {
                zoned: moment.zoned,
                micros,
                nanos,
            }
        } else {
            Kind::Text
        };
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let whole = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = unsigned.split_at(whole);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return Kind::Text;
    }
    if rest.is_empty() && text != "-0" {
        return match text.parse::<i64>() {
            Ok(value) => Kind::Integer {
                exact: value.unsigned_abs() <= EXACT_FLOAT_MAX,
            },
            Err(_) => Kind::Text,
        };
    }
    // A text that a float would be written as otherwise (1E5) is a code; with a plain fraction (1.10, digits beyond
    // a float) a decimal writes it as it is.
    let same = || {
        text.parse::<f64>()
            .is_ok_and(|value| format!("{value:?}") == text)
    };
    if is_fraction_and_exponent(rest) && same() {
        Kind::Float
    } else if Fixed::of(text).is_some() {
        Kind::Decimal
    } else {
        Kind::Text
    }
}

/// The digits of a number with a plain fraction, on both sides of the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fixed {
    pub(super) whole: u8,
    pub(super) scale: u8,
}

impl Fixed {
    /// The most digits of a decimal of 128 bits.
    pub(super) const DIGITS_MAX: u8 = 38;

    /// None for what a decimal would not be written as: other forms of numbers, and a zero with a sign.
    pub(super) fn of(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.')?;
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let zeros = unsigned.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let canonical =
            digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'));
        if !canonical || (zeros && unsigned.len() < text.len()) {
            return None;
        }
        let fixed = Self {
            whole: u8::try_from(whole.len()).ok()?,
            scale: u8::try_from(fraction.len()).ok()?,
        };
        let all = fixed.whole.checked_add(fixed.scale)?;
        (all <= Self::DIGITS_MAX).then_some(fixed)
    }
}

/// The text that the field would be written as, where that is another.
pub(in crate::format) fn restated(text: &str, kind: Kind, nanos: bool) -> Option<String> {
    let mut written = Vec::new();
    match kind {
        Kind::Boolean => return Some(text.to_ascii_lowercase()).filter(|lower| lower != text),
        Kind::Date => put_date(parse_date(text)?, &mut written),
        Kind::Timestamp { zoned, .. } => {
            let per_second = if nanos { 1_000_000_000 } else { 1_000_000 };
            let ticks = parse_moment(text).and_then(|moment: Moment| moment.ticks(per_second))?;
            put_moment(ticks, per_second, zoned, &mut written);
        }
        Kind::Integer { .. } => return Some(format!("{text}.0")),
        Kind::Text | Kind::Float | Kind::Decimal => return None,
    }
    String::from_utf8(written)
        .ok()
        .filter(|written| written != text)
}

fn is_fraction_and_exponent(rest: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let fraction = fraction.is_empty() || fraction.strip_prefix('.').is_some_and(digits);
    fraction
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}
