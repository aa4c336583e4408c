//! Decimal arithmetic with Flink's result types and rounding.
//!
//! Owns the rules of `LogicalTypeMerging` and `DecimalDataUtils`: exact intermediate results,
//! division to 38 significant digits, HALF_UP to the result's scale, NULL where the result does not
//! fit. Never sees a type root. Invariant: a returned value has at most `precision` digits.

use crate::semantics::types::DECIMAL_PRECISION_MAX;
use arrow_buffer::i256;

/// A decimal type's precision and scale.
pub type Shape = (u8, u8);

/// The smallest scale that Flink keeps when it has to cut a result to 38 digits.
const SCALE_KEPT_MIN: u8 = 6;
/// The significant digits to which Flink divides.
const DIVISION_DIGITS: u32 = 38;

/// The shape of a sum or a difference.
pub fn add_shape((p1, s1): Shape, (p2, s2): Shape) -> Shape {
    let scale = s1.max(s2);
    adjust(
        u32::from((p1 - s1).max(p2 - s2)) + u32::from(scale) + 1,
        u32::from(scale),
    )
}

/// The shape of a product.
pub fn multiply_shape((p1, s1): Shape, (p2, s2): Shape) -> Shape {
    adjust(
        u32::from(p1) + u32::from(p2) + 1,
        u32::from(s1) + u32::from(s2),
    )
}

/// The shape of a quotient.
pub fn divide_shape((p1, s1): Shape, (p2, s2): Shape) -> Shape {
    let scale = u32::from(SCALE_KEPT_MIN).max(u32::from(s1) + u32::from(p2) + 1);
    adjust(u32::from(p1 - s1) + u32::from(s2) + scale, scale)
}

/// The shape of a remainder.
pub fn modulo_shape((p1, s1): Shape, (p2, s2): Shape) -> Shape {
    let scale = s1.max(s2);
    adjust(
        u32::from((p1 - s1).min(p2 - s2)) + u32::from(scale),
        u32::from(scale),
    )
}

/// The smallest shape that holds both, if 38 digits are enough.
pub fn common_shape((p1, s1): Shape, (p2, s2): Shape) -> Option<Shape> {
    let scale = s1.max(s2);
    let precision = (p1 - s1).max(p2 - s2) + scale;
    (precision <= DECIMAL_PRECISION_MAX).then_some((precision, scale))
}

fn adjust(precision: u32, scale: u32) -> Shape {
    let most = u32::from(DECIMAL_PRECISION_MAX);
    if precision <= most {
        return (precision as u8, scale as u8);
    }
    let integer_digits = precision - scale;
    let scale = (most.saturating_sub(integer_digits)).max(scale.min(u32::from(SCALE_KEPT_MIN)));
    (DECIMAL_PRECISION_MAX, scale as u8)
}

/// Ten to a power of at most 76.
pub fn power_of_ten(exponent: u32) -> i256 {
    i256::from_i128(10).wrapping_pow(exponent)
}

/// `value` from one scale to another, HALF_UP, or none where it exceeds `precision` digits.
pub fn rescale(value: i256, from: u32, (precision, to): Shape) -> Option<i128> {
    let to = u32::from(to);
    let scaled = if to >= from {
        value.checked_mul(power_of_ten(to - from))?
    } else {
        divide_half_up(value, power_of_ten(from - to))
    };
    fit(scaled, precision)
}

/// The value where it has at most `precision` digits.
pub fn fit(value: i256, precision: u8) -> Option<i128> {
    let limit = power_of_ten(u32::from(precision));
    (value.wrapping_abs() < limit)
        .then(|| value.to_i128())
        .flatten()
}

/// The quotient rounded half away from zero; the divisor is positive.
pub fn divide_half_up(value: i256, divisor: i256) -> i256 {
    let quotient = value.wrapping_div(divisor);
    let rest = value.wrapping_rem(divisor).wrapping_abs();
    let away = if value < i256::ZERO {
        i256::MINUS_ONE
    } else {
        i256::ONE
    };
    if rest >= divisor.wrapping_sub(rest) {
        quotient.wrapping_add(away)
    } else {
        quotient
    }
}

/// The exact sum of two unscaled values at their scales, with the sum's scale.
pub fn add_exact(left: (i128, u8), right: (i128, u8)) -> (i256, u32) {
    let scale = left.1.max(right.1);
    let widen = |(value, from): (i128, u8)| {
        i256::from_i128(value).wrapping_mul(power_of_ten(u32::from(scale - from)))
    };
    (widen(left).wrapping_add(widen(right)), u32::from(scale))
}

/// The product in the result's shape, or none where it does not fit.
pub fn multiply(left: (i128, u8), right: (i128, u8), shape: Shape) -> Option<i128> {
    let product = i256::from_i128(left.0).wrapping_mul(i256::from_i128(right.0));
    rescale(product, u32::from(left.1) + u32::from(right.1), shape)
}

/// The quotient in the result's shape; the divisor is not zero.
///
/// As `BigDecimal.divide(MathContext(38, HALF_UP))` followed by a rounding to the scale does it.
pub fn divide(left: (i128, u8), right: (i128, u8), shape: Shape) -> Option<i128> {
    if left.0 == 0 {
        return Some(0);
    }
    let negative = (left.0 < 0) != (right.0 < 0);
    let (n, d) = (
        i256::from_i128(left.0).wrapping_abs(),
        i256::from_i128(right.0).wrapping_abs(),
    );
    let shift = DIVISION_DIGITS + digits(d) - digits(n).min(DIVISION_DIGITS + digits(d));
    let numerator = n.wrapping_mul(power_of_ten(shift));
    let (mut quotient, rest) = (numerator.wrapping_div(d), numerator.wrapping_rem(d));
    // The quotient's decimal exponent is -(shift + s1 - s2).
    let mut scale = i64::from(shift) + i64::from(left.1) - i64::from(right.1);
    if digits(quotient) > DIVISION_DIGITS {
        quotient = divide_half_up(quotient, power_of_ten(1));
        scale -= 1;
    } else if rest >= d.wrapping_sub(rest) {
        quotient = quotient.wrapping_add(i256::ONE);
    }
    let signed = if negative {
        quotient.wrapping_neg()
    } else {
        quotient
    };
    from_scaled(signed, scale, shape)
}

/// A value of at most 39 digits times ten to `-scale`, in the result's shape.
pub fn from_scaled(value: i256, scale: i64, shape: Shape) -> Option<i128> {
    if value == i256::ZERO {
        return Some(0);
    }
    if scale < 0 {
        let up = u32::try_from(-scale).ok().filter(|up| *up <= 38)?;
        return rescale(value.checked_mul(power_of_ten(up))?, 0, shape);
    }
    // Beyond 76 places nothing of a 39-digit value reaches the 38th decimal place.
    match u32::try_from(scale)
        .ok()
        .filter(|scale| scale.saturating_sub(u32::from(shape.1)) <= 76)
    {
        Some(scale) => rescale(value, scale, shape),
        None => Some(0),
    }
}

/// The number of decimal digits of a value that is not negative; one for zero.
pub fn digits(value: i256) -> u32 {
    let mut count = 1;
    while count < 77 && value >= power_of_ten(count) {
        count += 1;
    }
    count
}

/// The digits with the decimal point where the scale puts it, as Flink prints decimals.
pub fn to_text(value: i128, scale: u8) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// Reads plain or exponential notation exactly; none where it is no number or too long to keep.
pub fn parse(text: &str) -> Option<(i256, i64)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() && fraction.is_empty()
        || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let mut value = i256::ZERO;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value
            .checked_mul(i256::from_i128(10))?
            .checked_add(i256::from_i128(i128::from(digit - b'0')))?;
    }
    let signed = if mantissa.starts_with('-') {
        value.wrapping_neg()
    } else {
        value
    };
    Some((signed, fraction.len() as i64 - i64::from(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_shapes_are_flinks() {
        assert_eq!(divide_shape((10, 2), (10, 2)), (23, 13));
        assert_eq!(divide_shape((38, 18), (38, 18)), (38, 6));
        assert_eq!(multiply_shape((38, 10), (38, 10)), (38, 6));
        assert_eq!(add_shape((38, 10), (38, 4)), (38, 6));
        assert_eq!(modulo_shape((5, 2), (8, 3)), (6, 3));
    }

    #[test]
    fn division_rounds_half_up_once_at_38_digits_and_once_at_the_scale() {
        assert_eq!(
            divide((100, 2), (300, 2), (23, 13)),
            Some(3_333_333_333_333)
        );
        assert_eq!(divide((-500, 2), (300, 2), (23, 6)), Some(-1_666_667));
        assert_eq!(divide((10_i128.pow(37), 0), (1, 38), (38, 6)), None);
    }

    #[test]
    fn text_round_trips() {
        for (value, scale, text) in [
            (-5, 2, "-0.05"),
            (150, 2, "1.50"),
            (0, 1, "0.0"),
            (12, 0, "12"),
        ] {
            assert_eq!(to_text(value, scale), text);
            assert_eq!(
                parse(text),
                Some((i256::from_i128(value), i64::from(scale)))
            );
        }
    }
}
