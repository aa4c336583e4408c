//! Literals of a filter: JSON, typed by the column that it is compared with.
//!
//! Pure. Invariant: a literal is the one value that it says, or is refused with the reason: nothing is rounded,
//! clamped or guessed from another type.

use super::calendar;
use super::value::{Class, Value};
use arrow_buffer::i256;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value as Json;

/// The most digits of a number that is read: those of the widest decimal.
const DIGITS_MAX: usize = 76;

/// The value that a literal says; `None` for NULL.
pub(super) fn read(class: Class, json: &Json) -> Result<Option<Value>, String> {
    if json.is_null() {
        return Ok(None);
    }
    let value = match class {
        Class::Boolean => json
            .as_bool()
            .map(|is| Value::number(is.into()))
            .ok_or_else(|| wanted("true or false"))?,
        Class::Integer { signed, bits } => within(signed, bits, integer(json, "an integer")?)?,
        Class::Decimal { digits, scale } => decimal(json, digits, scale)?,
        Class::Text => Value::Bytes(text(json, "a text")?.as_bytes().to_vec()),
        Class::Binary { width } => binary(json, width)?,
        Class::Date { bits } => date(json, bits)?,
        Class::Time { bits, nanos } => time(json, bits, nanos)?,
        Class::Timestamp { nanos, zoned } => timestamp(json, nanos, zoned)?,
        Class::Float => return float(json).map(|()| None),
        Class::Opaque => return Err("such a column is only asked whether it is null".into()),
    };
    Ok(Some(value))
}

/// What a prefix says: for fixed widths it may be shorter.
pub(super) fn read_prefix(class: Class, json: &Json) -> Result<Option<Value>, String> {
    match class {
        Class::Text => read(class, json),
        Class::Binary { .. } => read(Class::Binary { width: None }, json),
        _ => Err("only text and binary have a prefix".into()),
    }
}

fn wanted(what: &str) -> String {
    format!("it is not {what}")
}

fn text<'a>(json: &'a Json, what: &str) -> Result<&'a str, String> {
    json.as_str().ok_or_else(|| wanted(what))
}

/// An integer as JSON writes it, or as text where that cannot hold it.
fn integer(json: &Json, what: &str) -> Result<i128, String> {
    let number = match json {
        Json::Number(number) => number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from)),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| wanted(what))
}

fn within(signed: bool, bits: u8, number: i128) -> Result<Value, String> {
    let (min, max) = match signed {
        true => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        false => (0, (1_i128 << bits) - 1),
    };
    match (min..=max).contains(&number) {
        true => Ok(Value::number(number)),
        false => Err(format!("{number} does not lie between {min} and {max}")),
    }
}

fn decimal(json: &Json, digits_max: u8, scale: i8) -> Result<Value, String> {
    let what = "a decimal as text, such as \"12.50\"";
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return Err(wanted(what)),
    };
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let torn = whole.is_empty() || (fraction.is_empty() && unsigned.ends_with('.'));
    if torn || !all_digits(whole) || !all_digits(fraction) || unsigned.len() > 2 * DIGITS_MAX {
        return Err(wanted(what));
    }
    let unscaled = at_scale(whole, fraction, scale)
        .ok_or_else(|| format!("the column has the scale {scale}: it holds no such value"))?;
    let unscaled = unscaled.trim_start_matches('0');
    if unscaled.len() > usize::from(digits_max).min(DIGITS_MAX) {
        return Err(format!(
            "the column has {digits_max} digits: it holds no such value"
        ));
    }
    let number = match unscaled {
        "" => Some(i256::ZERO),
        digits => i256::from_string(digits),
    };
    let number = number.ok_or_else(|| wanted(what))?;
    Ok(Value::Number(if negative { -number } else { number }))
}

/// The digits of a number at a scale; none where it has a finer part.
fn at_scale(whole: &str, fraction: &str, scale: i8) -> Option<String> {
    let fraction = fraction.trim_end_matches('0');
    let mut digits = format!("{whole}{fraction}");
    let missing = i64::from(scale) - i64::try_from(fraction.len()).ok()?;
    match usize::try_from(missing) {
        Ok(zeros) => digits.extend(std::iter::repeat_n('0', zeros)),
        Err(_) => {
            let cut = usize::try_from(-missing).ok()?;
            let kept = digits.len().saturating_sub(cut);
            if digits.get(kept..)?.bytes().any(|digit| digit != b'0') {
                return None;
            }
            digits.truncate(kept);
        }
    }
    Some(digits)
}

fn binary(json: &Json, width: Option<i32>) -> Result<Value, String> {
    let what = "binary as base64";
    let bytes = BASE64_STANDARD
        .decode(text(json, what)?)
        .map_err(|_| wanted(what))?;
    match width {
        Some(width) if usize::try_from(width) != Ok(bytes.len()) => Err(format!(
            "it has {} bytes, the column's values have {width}",
            bytes.len()
        )),
        _ => Ok(Value::Bytes(bytes)),
    }
}

/// What is not text is the number that the column stores.
fn stored(json: &Json, bits: u8, what: &str) -> Result<Value, String> {
    let number = json.as_i64().ok_or_else(|| wanted(what))?;
    within(true, bits, number.into())
}

fn date(json: &Json, bits: u8) -> Result<Value, String> {
    let what = "a date such as \"2026-11-28\"";
    let Json::String(text) = json else {
        return stored(json, bits, what);
    };
    let days = calendar::date(text).ok_or_else(|| wanted(what))?;
    within(
        true,
        bits,
        if bits == 64 { days * 86_400_000 } else { days },
    )
}

fn time(json: &Json, bits: u8, unit: i64) -> Result<Value, String> {
    let what = "a time such as \"09:30:00.25\"";
    let Json::String(text) = json else {
        return stored(json, bits, what);
    };
    let nanos = calendar::time(text).ok_or_else(|| wanted(what))?;
    within(true, bits, whole_units(nanos, unit)?)
}

fn timestamp(json: &Json, unit: i64, zoned: bool) -> Result<Value, String> {
    let what = match zoned {
        true => "an instant with its offset, such as \"2026-11-28T09:30:00Z\"",
        false => "a local date and time, such as \"2026-11-28T09:30:00\"",
    };
    let Json::String(text) = json else {
        return stored(json, 64, what);
    };
    match calendar::timestamp(text) {
        Some((nanos, offset)) if offset == zoned => within(true, 64, whole_units(nanos, unit)?),
        _ => Err(wanted(what)),
    }
}

fn whole_units(nanos: i128, unit: i64) -> Result<i128, String> {
    let unit = i128::from(unit);
    match nanos % unit {
        0 => Ok(nanos / unit),
        _ => Err("it is finer than the column's unit".into()),
    }
}

/// Floats are handed back as they are.
fn float(json: &Json) -> Result<(), String> {
    match json {
        Json::Number(_) => Ok(()),
        Json::String(text) if ["NaN", "Infinity", "-Infinity"].contains(&text.as_str()) => Ok(()),
        _ => Err(wanted("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")),
    }
}
