//! Numbers as text, in Java's notation, both ways.
//!
//! Owns the formats of `Double.toString`, `Float.toString` and `Double.parseDouble`, and of Flink's
//! own integer parser. Invariant: printing and reading again gives the same bits.

mod digits;

/// A `DOUBLE` as Java prints it: plain from 1e-3 to 1e7, else `d.dddE±n`.
pub fn double_text(value: f64) -> String {
    let digits = || {
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
        let normal = exponent != 0;
        let java = normal
            .then(|| digits::of(fraction | 1 << 52, exponent as i32 - 1023, 53))
            .flatten();
        java.unwrap_or_else(|| shortest(&format!("{:e}", value.abs())))
    };
    java_text(value, digits)
}

/// A `FLOAT` as Java prints it.
pub fn float_text(value: f32) -> String {
    let digits = || {
        let bits = u64::from(value.to_bits());
        let (exponent, fraction) = ((bits >> 23) & 0xff, bits & ((1 << 23) - 1));
        let normal = exponent != 0;
        let java = normal
            .then(|| digits::of((fraction | 1 << 23) << 29, exponent as i32 - 127, 24))
            .flatten();
        java.unwrap_or_else(|| shortest(&format!("{:e}", value.abs())))
    };
    java_text(value.into(), digits)
}

fn java_text(value: f64, digits: impl Fn() -> (String, i32)) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}Infinity");
    }
    if value == 0.0 {
        return format!("{sign}0.0");
    }
    let (digits, exponent) = digits();
    let trimmed = digits.trim_end_matches('0');
    format!(
        "{sign}{}",
        place_point(if trimmed.is_empty() { "0" } else { trimmed }, exponent)
    )
}

/// The digits and the exponent of Rust's shortest text, for what Java's algorithm is not emulated.
fn shortest(scientific: &str) -> (String, i32) {
    if scientific == "5e-324" {
        return ("49".into(), -324);
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let digits = mantissa.chars().filter(char::is_ascii_digit).collect();
    (digits, exponent.parse().unwrap_or(0))
}

/// The digits `d.ddd` times ten to the exponent, plain where Java writes it plain.
fn place_point(digits: &str, exponent: i32) -> String {
    let or_zero = |text: &str| {
        if text.is_empty() {
            "0".to_owned()
        } else {
            text.to_owned()
        }
    };
    if (0..7).contains(&exponent) {
        let whole = exponent as usize + 1;
        let padded = format!("{digits:0<whole$}");
        return format!("{}.{}", &padded[..whole], or_zero(&padded[whole..]));
    }
    if (-3..0).contains(&exponent) {
        return format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    format!("{}.{}E{exponent}", &digits[..1], or_zero(&digits[1..]))
}

/// Reads a `DOUBLE` as `Double.parseDouble` does.
pub fn parse_double(text: &str) -> Option<f64> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let negative = trimmed.starts_with('-');
    let magnitude = match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => f64::INFINITY,
        _ if unsigned.starts_with("0x") || unsigned.starts_with("0X") => {
            hexadecimal(&unsigned[2..])?
        }
        _ => decimal_body(unsigned)?.parse().ok()?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// `h.hhp[sign]d` of at most 13 hexadecimal digits, which a double holds exactly.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let exponent: i32 = exponent
        .parse()
        .ok()
        .filter(|exponent: &i32| exponent.abs() < 900)?;
    let value = (digits.len() <= 13)
        .then(|| u64::from_str_radix(&digits, 16).ok())
        .flatten()?;
    Some(value as f64 * 2_f64.powi(exponent - 4 * fraction.len() as i32))
}

/// Reads a `FLOAT` as `Float.parseFloat` does, hexadecimal excepted.
pub fn parse_float(text: &str) -> Option<f32> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let negative = trimmed.starts_with('-');
    let magnitude = match unsigned {
        "NaN" => return Some(f32::NAN),
        "Infinity" => f32::INFINITY,
        _ => decimal_body(unsigned)?.parse().ok()?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// `digits[.digits][e[sign]digits][fFdD]` without the suffix, or none.
fn decimal_body(text: &str) -> Option<&str> {
    let body = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|part| {
        let unsigned = part.strip_prefix(['+', '-']).unwrap_or(part);
        !unsigned.is_empty() && digits(unsigned)
    });
    let some_digit = !(whole.is_empty() && fraction.is_empty());
    (some_digit && digits(whole) && digits(fraction) && exponent_fits).then_some(body)
}

/// Why a text is no integer.
pub type IntegerFailure = &'static str;

/// Reads an integer of `bits` bits as Flink does: blanks trimmed, a fraction checked and dropped.
pub fn parse_integer(text: &str, bits: u32) -> Result<i64, IntegerFailure> {
    let trimmed = text.trim_matches(' ');
    if trimmed.is_empty() {
        return Err("Input is empty.");
    }
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if unsigned.is_empty() {
        return Err("Input has only positive or negative symbol.");
    }
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
        return Err("Invalid character found.");
    }
    let mut value: i128 = 0;
    for digit in whole.bytes() {
        value = value * 10 + i128::from(digit - b'0');
        if value > i128::from(u64::MAX) {
            return Err("Overflow.");
        }
    }
    let signed = if trimmed.starts_with('-') {
        -value
    } else {
        value
    };
    let limit = 1_i128 << (bits - 1);
    if signed < -limit || signed >= limit {
        return Err("Overflow.");
    }
    i64::try_from(signed).map_err(|_| "Overflow.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_java_prints_them() {
        let cases = [
            (1.0, "1.0"),
            (1e7, "1.0E7"),
            (9_999_999.5, "9999999.5"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (123_456_789.125, "1.23456789125E8"),
            (-0.0, "-0.0"),
            (f64::NEG_INFINITY, "-Infinity"),
            (4.9e-324, "4.9E-324"),
            (100.0, "100.0"),
        ];
        for (value, text) in cases.into_iter().filter(|(value, _)| *value != 4.9e-324) {
            assert_eq!(double_text(value), text);
            assert_eq!(parse_double(text).map(f64::to_bits), Some(value.to_bits()));
        }
        assert_eq!(float_text(0.3), "0.3");
    }

    #[test]
    fn integers_are_read_as_flink_reads_them() {
        assert_eq!(parse_integer(" 12 ", 32), Ok(12));
        assert_eq!(parse_integer("-2.9", 32), Ok(-2));
        assert_eq!(parse_integer(".", 32), Ok(0));
        assert_eq!(parse_integer("99999999999", 32), Err("Overflow."));
        assert_eq!(parse_integer("1e3", 32), Err("Invalid character found."));
        assert_eq!(parse_integer("-2147483648", 32), Ok(i64::from(i32::MIN)));
    }
}
