//! Decimal numbers, and whether a float keeps the digits of its text.
//!
//! No digit passes through a float. Invariant: texts of one decimal number are equal here, whatever their zeros, point
//! and exponent.

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

/// Whether the shortest text of a float is another number than the text that it was read from.
pub(in crate::format) fn rounds(text: &str, shortest: impl FnOnce() -> String, kept: Kept) -> bool {
    if text.len() <= kept.digits && !text.contains(['e', 'E']) {
        // No more digits than there are bytes, and none behind as many places.
        return false;
    }
    Number::of(text).is_some_and(|number| {
        let may = number.digits.len() > kept.digits || number.power < kept.power;
        may && Some(number) != Number::of(&shortest())
    })
}

/// Whether a 64-bit float keeps the number that the text says.
pub(in crate::format) fn keeps(text: &str) -> bool {
    text.parse::<f64>()
        .is_ok_and(|value| value.is_finite() && !rounds(text, || format!("{value:?}"), DOUBLE))
}

/// A decimal number, `0.digits` times ten to a power; its digits have no zeros around them.
#[derive(Debug, PartialEq)]
pub(in crate::format) struct Number {
    negative: bool,
    digits: Vec<u8>,
    power: i64,
}

impl Number {
    /// The number that the text says; `None` where it says none, or one of an exponent beyond 64 bits.
    pub(in crate::format) fn of(text: &str) -> Option<Self> {
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
        let negative = text.starts_with('-');
        let zero = |digit: &u8| *digit == b'0';
        let leading = digits.iter().take_while(|digit| zero(digit)).count();
        let trailing = digits.iter().rev().take_while(|digit| zero(digit)).count();
        let Some(kept) = digits.get(leading..digits.len().saturating_sub(trailing)) else {
            return Some(Self {
                negative,
                digits: Vec::new(),
                power: 0,
            });
        };
        Some(Self {
            negative,
            digits: kept.to_vec(),
            power: (i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?)
                .checked_add(exponent)?,
        })
    }

    /// Whether it is a zero with a sign, which integers and decimals do not have.
    pub(in crate::format) fn is_negative_zero(&self) -> bool {
        self.negative && self.digits.is_empty()
    }

    /// How many digits it has before the point and behind it.
    pub(in crate::format) fn extent(&self) -> (u64, u64) {
        let behind = (self.digits.len() as i64).saturating_sub(self.power);
        let not_negative = |count: i64| u64::try_from(count).unwrap_or_default();
        (not_negative(self.power), not_negative(behind))
    }

    /// Its digits in units of ten to `-scale`; `None` where they are more than `precision`, or there is a part
    /// below the unit.
    pub(in crate::format) fn unscaled(&self, precision: u8, scale: i8) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        let length = usize::try_from(self.power.checked_add(scale.into())?).ok()?;
        if length > usize::from(precision) {
            return None;
        }
        let zeros = length.checked_sub(self.digits.len())?;
        let mut unscaled = String::with_capacity(length + 1);
        unscaled.extend(self.negative.then_some('-'));
        unscaled.extend(self.digits.iter().copied().map(char::from));
        unscaled.extend(std::iter::repeat_n('0', zeros));
        Some(unscaled)
    }
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

    #[test]
    fn a_number_is_unscaled_whole_or_not_at_all() {
        let unscaled = |text, precision, scale| Number::of(text)?.unscaled(precision, scale);
        for (text, precision, scale, expected) in [
            ("1.5", 2, 1, Some("15")),
            ("1.50e0", 3, 2, Some("150")),
            ("-15e-1", 2, 1, Some("-15")),
            ("1.5", 3, 0, None),
            ("1.5e1", 2, 0, Some("15")),
            ("100", 2, 0, None),
            ("100", 1, -2, Some("1")),
            ("150", 2, -2, None),
            ("-0.000", 1, 0, Some("0")),
            ("1e-9223372036854775808", 38, 10, None),
            ("1e9223372036854775806", 38, 127, None),
            ("1e9999999999999999999", 38, 0, None),
        ] {
            assert_eq!(
                unscaled(text, precision, scale).as_deref(),
                expected,
                "{text} of {precision} digits at {scale}"
            );
        }
        let nines = "9".repeat(38);
        assert_eq!(unscaled(&nines, 38, 0), Some(nines.clone()));
        assert_eq!(unscaled(&nines, 38, 1), None);
        assert_eq!(Number::of("0.0012").map(|n| n.extent()), Some((0, 4)));
        assert_eq!(Number::of("12e3").map(|n| n.extent()), Some((5, 0)));
    }
}
