//! The decimal digits that Java (before 19) finds for a binary number.
//!
//! Owns `FloatingDecimal.dtoa`: integers lose the digits that their bits cannot tell apart, others are
//! developed digit by digit until the rest is below half a unit. The result is not always the shortest.
//! Invariant: numbers whose scaled parts do not fit 255 bits give none.

use arrow_buffer::i256;

/// The position of a double's hidden bit.
const HIDDEN_BIT: i32 = 52;
/// The digits and the exponent of the first one, for `fraction` times two to `binary - 52`.
pub(super) fn of(fraction: u64, binary: i32, significant: i32) -> Option<(String, i32)> {
    let tail = fraction.trailing_zeros() as i32;
    let bits = HIDDEN_BIT + 1 - tail;
    let tiny = (bits - binary - 1).max(0);
    if tiny == 0 && (-21..=62).contains(&binary) {
        // The digits below the precision of an integer with bits beyond it: a bit is 0.30103 digits.
        let beyond = u32::try_from(binary - significant - 1).unwrap_or(0);
        let dropped = beyond * 30_103 / 100_000;
        return Some(whole(shifted(fraction, binary), dropped));
    }
    developed(fraction >> tail, bits, tiny, binary, significant)
}

fn shifted(fraction: u64, binary: i32) -> u64 {
    if binary >= HIDDEN_BIT {
        fraction << (binary - HIDDEN_BIT)
    } else {
        fraction >> (HIDDEN_BIT - binary)
    }
}

/// An integer with its insignificant digits rounded away.
fn whole(value: u64, dropped: u32) -> (String, i32) {
    let power = 10_u64.pow(dropped);
    let rounded = value / power + u64::from(dropped > 0 && value % power >= power / 2);
    let digits = rounded.to_string();
    let exponent = digits.len() as i32 + dropped as i32 - 1;
    (digits, exponent)
}

/// Java's estimate of the decimal exponent, at most one too high.
fn estimate(odd: u64, bits: i32, binary: i32) -> i32 {
    let fraction = odd << (HIDDEN_BIT + 1 - bits);
    let unit = f64::from_bits(0x3ff0_0000_0000_0000 | fraction & ((1 << HIDDEN_BIT) - 1));
    #[expect(
        clippy::approx_constant,
        reason = "the estimate is Java's, digit by digit"
    )]
    let estimate =
        (unit - 1.5) * 0.289_529_654 + 0.176_091_259 + f64::from(binary) * 0.301_029_995_663_981;
    estimate.floor() as i32
}

/// `base` times five and two to these powers, none where it does not fit.
fn scaled(base: u64, fives: i32, twos: i32) -> Option<i256> {
    let size = 64 - base.leading_zeros() as i32 + (fives * 7 + 2) / 3 + twos;
    if size > 245 || fives < 0 || twos < 0 {
        return None;
    }
    let five = i256::from_i128(5).wrapping_pow(fives as u32);
    let two = i256::from_i128(2).wrapping_pow(twos as u32);
    Some(
        i256::from_i128(base.into())
            .wrapping_mul(five)
            .wrapping_mul(two),
    )
}

/// The bits of a power of five, as Java's table has them.
fn fives_bits(power: i32) -> i32 {
    if power < 27 {
        (f64::from(power) * 5_f64.log2()).floor() as i32 + i32::from(power > 0)
    } else {
        power * 3
    }
}

fn developed(
    odd: u64,
    bits: i32,
    tiny: i32,
    binary: i32,
    significant: i32,
) -> Option<(String, i32)> {
    let mut exponent = estimate(odd, bits, binary);
    let (fives_b, fives_s) = ((-exponent).max(0), exponent.max(0));
    let mut twos_b = fives_b + tiny + binary;
    let mut twos_s = fives_s + tiny;
    let mut twos_m = twos_b - significant;
    twos_b -= bits - 1;
    let common = twos_b.min(twos_s);
    (twos_b, twos_s, twos_m) = (twos_b - common, twos_s - common, twos_m - common);
    // The next lower number is half as far away from a power of two.
    twos_m -= i32::from(bits == 1);
    let lift = (-twos_m).max(0);
    (twos_b, twos_s, twos_m) = (twos_b + lift, twos_s + lift, twos_m + lift);
    let mut rest = scaled(odd, fives_b, twos_b)?;
    let unit = scaled(1, fives_s, twos_s)?;
    let mut half = scaled(1, fives_b, twos_m)?;
    // Java compares strictly where its parts fit a long, not so beyond.
    let size_b = bits + twos_b + fives_bits(fives_b);
    let size_tens = twos_s + 1 + fives_bits(fives_s + 1);
    let strict = size_b < 64 && size_tens < 64;
    let ten = i256::from_i128(10);
    let tens = unit.wrapping_mul(ten);
    let mut digits = Vec::new();
    let step = |rest: &mut i256, half: &mut i256| {
        let digit = rest.wrapping_div(unit).to_i128().unwrap_or(0);
        *rest = rest.wrapping_rem(unit).wrapping_mul(ten);
        *half = half.wrapping_mul(ten);
        let sum = rest.wrapping_add(*half);
        (
            digit as u8,
            *rest < *half,
            sum > tens || !strict && sum == tens,
        )
    };
    let (digit, mut low, mut high) = step(&mut rest, &mut half);
    if digit == 0 && !high {
        exponent -= 1;
    } else {
        digits.push(digit);
    }
    // Outside the plain range there are at least two digits.
    if !(-3..8).contains(&exponent) {
        (low, high) = (false, false);
    }
    while !low && !high && digits.len() < 20 {
        let digit;
        (digit, low, high) = step(&mut rest, &mut half);
        digits.push(digit);
    }
    let twice = rest.wrapping_add(rest);
    let tie_up = digits.last().is_some_and(|digit| digit % 2 == 1);
    if high && (!low || twice > tens || twice == tens && tie_up) {
        exponent += i32::from(round_up(&mut digits));
    }
    Some((
        digits
            .into_iter()
            .map(|digit| char::from(b'0' + digit))
            .collect(),
        exponent,
    ))
}

/// Adds one to the last digit; true where a digit was gained, as in 9.9 to 10.
fn round_up(digits: &mut [u8]) -> bool {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return false;
        }
        *digit = 0;
    }
    if let Some(first) = digits.first_mut() {
        *first = 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::semantics::number_text::{double_text, float_text};

    #[test]
    fn digits_are_javas_where_they_are_not_the_shortest() {
        assert_eq!(double_text(2e23), "1.9999999999999998E23");
        assert_eq!(double_text(1e23), "9.999999999999999E22");
        assert_eq!(float_text(5.84e13), "5.84E13");
        assert_eq!(double_text(8.230452600823045e18), "8.2304526008230451E18");
        assert_eq!(float_text(3e10), "3.0000001E10");
        assert_eq!(float_text(2_147_483_647.0), "2.14748365E9");
        assert_eq!(double_text(9.999_999e6), "9999999.0");
        assert_eq!(double_text(1.0 / 3.0), "0.3333333333333333");
        assert_eq!(double_text(2.0 / 3.0), "0.6666666666666666");
    }
}
