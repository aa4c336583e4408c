//! Whether a float keeps the digits of its text.
//!
//! Invariant: texts of one decimal number are equal here, whatever their zeros, point and exponent.

/// What a kind of float keeps of every number.
#[derive(Clone, Copy)]
pub(in crate::format) struct Kept {
    /// Significant digits.
    digits: usize,
    /// The power of ten below which there are fewer.
    power: i64,
}

/// Of 32-bit floats.
pub(in crate::format) const SINGLE: Kept = Kept {
    digits: 6,
    power: -36,
};
/// Of 64-bit floats.
pub(in crate::format) const DOUBLE: Kept = Kept {
    digits: 15,
    power: -306,
};

/// A decimal number: its digits without zeros around them, and the power of ten of the first.
#[derive(PartialEq)]
struct Number {
    digits: Vec<u8>,
    power: i64,
}

/// Whether the shortest text of a float is another number than the text that it was read from.
pub(in crate::format) fn rounds(text: &str, shortest: impl FnOnce() -> String, kept: Kept) -> bool {
    number(text).is_some_and(|number| {
        let may = number.digits.len() > kept.digits || number.power < kept.power;
        may && Some(number) != self::number(&shortest())
    })
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.trim_start_matches(['-', '+']);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let zero = |digit: &u8| *digit == b'0';
    let leading = digits.iter().take_while(|digit| zero(digit)).count();
    let trailing = digits.iter().rev().take_while(|digit| zero(digit)).count();
    let Some(kept) = digits.get(leading..digits.len().saturating_sub(trailing)) else {
        let (digits, power) = (Vec::new(), 0);
        return Some(Number { digits, power });
    };
    Some(Number {
        digits: kept.to_vec(),
        power: (i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?)
            .checked_add(exponent)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lost_digits_are_rounded() {
        let rounded = |text: &str| {
            let value: f64 = text.parse().unwrap();
            rounds(text, || format!("{value:?}"), DOUBLE)
        };
        for text in [
            "0.1",
            "1.10",
            "1E5",
            "-0.0",
            "000",
            "123456789012345680000",
            "9007199254740992.0",
            "5e-324",
            "1e300",
            "2.5e-7",
            "0.30000000000000004",
        ] {
            assert!(!rounded(text), "{text}");
        }
        for text in [
            "0.1234567890123456789",
            "9007199254740993.0",
            "123456789012345678.25",
            "1e-400",
            "4e-324",
        ] {
            assert!(rounded(text), "{text}");
        }
        // More than any float's exponent: no number, and no overflow.
        assert!(!rounded("1e9223372036854775807"));
        let single: f32 = "16777217".parse().unwrap();
        assert!(rounds("16777217", || format!("{single:?}"), SINGLE));
    }
}
