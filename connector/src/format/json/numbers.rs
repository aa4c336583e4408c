//! Which type numbers have, from all of their texts.
//!
//! Invariant: the type holds every number that was seen, exactly; a float is taken only where its shortest text is the
//! same number.

use super::wrong::shown;
use crate::format::text::{Number, Restated, keeps};
use arrow_schema::DataType;

/// Integers up to here are exact as 64-bit floats.
const EXACT_FLOAT_MAX: u64 = 1 << 53;
/// The most digits of a decimal.
const DECIMAL_DIGITS_MAX: u64 = 38;

/// What was seen of numbers.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    any: bool,
    /// Whether one is beyond 64-bit integers.
    not_integer: bool,
    /// Whether one has a point, an exponent or a sign before zero.
    fractions: bool,
    /// Whether one is no 64-bit float.
    not_float: bool,
    /// Whether one is no decimal.
    not_decimal: bool,
    /// The most digits before the point, and behind it.
    before: u64,
    behind: u64,
    /// The first one that is written otherwise among floats.
    restated: Option<Restated>,
}

impl Numbers {
    /// Counts a number.
    pub(super) fn see(&mut self, text: &str, line: u64) {
        self.any = true;
        let integer = text.parse::<i64>().ok().filter(|_| text != "-0");
        let has_fraction = text == "-0" || text.contains(['.', 'e', 'E']);
        self.not_integer |= integer.is_none();
        self.fractions |= has_fraction;
        self.not_float |= match integer {
            Some(integer) => integer.unsigned_abs() > EXACT_FLOAT_MAX,
            None => !has_fraction || !keeps(text),
        };
        let number = Number::of(text).filter(|number| !number.is_negative_zero());
        match number {
            Some(number) => {
                let (before, behind) = number.extent();
                self.before = self.before.max(before);
                self.behind = self.behind.max(behind);
            }
            None => self.not_decimal = true,
        }
        if self.restated.is_none() && !self.not_float {
            let written = text.parse::<f64>().map(|value| format!("{value:?}"));
            let written = written.ok().filter(|written| written != text);
            self.restated = written.map(|written| Restated {
                line,
                text: shown(text).to_string(),
                written,
            });
        }
    }

    /// The first type that holds all of them, text where none does; `None` where there was no number.
    pub(super) fn data_type(&self) -> Option<DataType> {
        if !self.any {
            return None;
        }
        if !self.not_integer {
            return Some(DataType::Int64);
        }
        if self.fractions && !self.not_float {
            return Some(DataType::Float64);
        }
        let digits = self.before.saturating_add(self.behind).max(1);
        let decimal = || {
            let (precision, scale) = (u8::try_from(digits).ok()?, i8::try_from(self.behind).ok()?);
            Some(DataType::Decimal128(precision, scale))
        };
        let fits = !self.not_decimal && digits <= DECIMAL_DIGITS_MAX;
        Some(decimal().filter(|_| fits).unwrap_or(DataType::Utf8))
    }

    /// The first number that a float is written as otherwise.
    pub(super) fn restated(&self) -> Option<&Restated> {
        self.restated.as_ref()
    }
}
