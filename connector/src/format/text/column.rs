//! Columns that are built from text, one parser for each type.
//!
//! Strict: what the type does not hold whole is refused, never rounded or cut. Invariant: each
//! parser reads what the printer of its type writes.

use super::calendar::{SECONDS_PER_DAY, parse_date, parse_moment, parse_time};
use super::look::parse_bool;
use super::number::{DOUBLE, Number, SINGLE, rounds};
use crate::format::civil::per_second;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, GenericBinaryBuilder,
    GenericStringBuilder, LargeBinaryBuilder, LargeStringBuilder, PrimitiveBuilder, StringBuilder,
};
use arrow_array::types::*;
use arrow_array::{ArrayRef, ArrowPrimitiveType, NullArray, OffsetSizeTrait};
use arrow_buffer::i256;
use arrow_schema::{DataType, TimeUnit};
use std::str::FromStr;
use std::sync::Arc;

/// One column under construction.
pub(in crate::format) trait Column: Send {
    /// Appends the value of this text; false where it is none.
    fn push(&mut self, text: &str) -> bool;

    /// Appends a null.
    fn push_null(&mut self);

    /// The column so far; the next one begins empty.
    fn finish(&mut self) -> ArrayRef;

    /// Texts so far whose digits the type did not keep: it holds the number that is nearest.
    fn rounded(&self) -> u64 {
        0
    }
}

/// A column of the type; `None` where there is no text for it.
pub(in crate::format) fn column(data_type: &DataType) -> Option<Box<dyn Column>> {
    use {DataType as D, TimeUnit as U};
    Some(match data_type {
        D::Null => Box::new(Nulls(0)),
        D::Boolean => Box::new(BooleanBuilder::new()),
        D::Utf8 => Box::new(StringBuilder::new()),
        D::LargeUtf8 => Box::new(LargeStringBuilder::new()),
        D::Binary => Box::new(BinaryBuilder::new()),
        D::LargeBinary => Box::new(LargeBinaryBuilder::new()),
        D::FixedSizeBinary(length) => Box::new(FixedSizeBinaryBuilder::new(*length)),
        D::Int8 => number::<Int8Type>(),
        D::Int16 => number::<Int16Type>(),
        D::Int32 => number::<Int32Type>(),
        D::Int64 => number::<Int64Type>(),
        D::UInt8 => number::<UInt8Type>(),
        D::UInt16 => number::<UInt16Type>(),
        D::UInt32 => number::<UInt32Type>(),
        D::UInt64 => number::<UInt64Type>(),
        D::Float32 => Box::new(Floats {
            column: column_of::<Float32Type>(data_type, float),
            rounds: |text| {
                let nearest = || float::<f32>(text).map(|value| format!("{value:?}"));
                rounds(text, || nearest().unwrap_or_default(), SINGLE)
            },
            rounded: 0,
        }),
        D::Float64 => Box::new(Floats {
            column: column_of::<Float64Type>(data_type, float),
            rounds: |text| {
                let nearest = || float::<f64>(text).map(|value| format!("{value:?}"));
                rounds(text, || nearest().unwrap_or_default(), DOUBLE)
            },
            rounded: 0,
        }),
        D::Decimal32(..) => decimal::<Decimal32Type>(data_type, |digits| digits.parse().ok())?,
        D::Decimal64(..) => decimal::<Decimal64Type>(data_type, |digits| digits.parse().ok())?,
        D::Decimal128(..) => decimal::<Decimal128Type>(data_type, |digits| digits.parse().ok())?,
        D::Decimal256(..) => decimal::<Decimal256Type>(data_type, i256::from_string)?,
        D::Date32 => column_of::<Date32Type>(data_type, |text| parse_date(text)?.try_into().ok()),
        D::Time32(unit) => match unit {
            U::Second => column_of::<Time32SecondType>(data_type, |text| {
                time(text, U::Second)?.try_into().ok()
            }),
            _ => column_of::<Time32MillisecondType>(data_type, |text| {
                time(text, U::Millisecond)?.try_into().ok()
            }),
        },
        D::Time64(U::Microsecond) => {
            column_of::<Time64MicrosecondType>(data_type, |text| time(text, U::Microsecond))
        }
        D::Time64(_) => {
            column_of::<Time64NanosecondType>(data_type, |text| time(text, U::Nanosecond))
        }
        D::Timestamp(unit, zone) => {
            let (unit, zoned) = (*unit, zone.is_some());
            let parse = move |text: &str| {
                let moment = parse_moment(text).filter(|moment| moment.zoned == zoned)?;
                moment.ticks(per_second(unit))
            };
            match unit {
                U::Second => column_of::<TimestampSecondType>(data_type, parse),
                U::Millisecond => column_of::<TimestampMillisecondType>(data_type, parse),
                U::Microsecond => column_of::<TimestampMicrosecondType>(data_type, parse),
                U::Nanosecond => column_of::<TimestampNanosecondType>(data_type, parse),
            }
        }
        _ => return None,
    })
}

/// The nearest float; an infinity only where the text names one.
fn float<T: FromStr + Into<f64> + Copy>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let infinite = value.into().is_infinite();
    (!infinite || text.contains(['i', 'I'])).then_some(value)
}

/// Floats, and how many of them are not the number that their text was.
struct Floats {
    column: Box<dyn Column>,
    rounds: fn(&str) -> bool,
    rounded: u64,
}

impl Column for Floats {
    fn push(&mut self, text: &str) -> bool {
        self.rounded += u64::from((self.rounds)(text));
        self.column.push(text)
    }

    fn push_null(&mut self) {
        self.column.push_null();
    }

    fn finish(&mut self) -> ArrayRef {
        self.column.finish()
    }

    fn rounded(&self) -> u64 {
        self.rounded
    }
}

fn time(text: &str, unit: TimeUnit) -> Option<i64> {
    let (time, per_second) = (parse_time(text)?, per_second(unit));
    debug_assert!(time.second_of_day < SECONDS_PER_DAY);
    Some(time.second_of_day * per_second + time.fraction(per_second)?)
}

struct Parsed<T: ArrowPrimitiveType, F> {
    builder: PrimitiveBuilder<T>,
    parse: F,
}

impl<T, F> Column for Parsed<T, F>
where
    T: ArrowPrimitiveType,
    F: Fn(&str) -> Option<T::Native> + Send,
{
    fn push(&mut self, text: &str) -> bool {
        let value = (self.parse)(text);
        value
            .inspect(|value| self.builder.append_value(*value))
            .is_some()
    }

    fn push_null(&mut self) {
        self.builder.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// A column of numbers of the type, each parsed from its text.
pub(in crate::format) fn column_of<T: ArrowPrimitiveType>(
    data_type: &DataType,
    parse: impl Fn(&str) -> Option<T::Native> + Send + 'static,
) -> Box<dyn Column> {
    let builder = PrimitiveBuilder::<T>::new().with_data_type(data_type.clone());
    Box::new(Parsed { builder, parse })
}

fn number<T: ArrowPrimitiveType>() -> Box<dyn Column>
where
    T::Native: FromStr,
{
    column_of::<T>(&T::DATA_TYPE, |text| text.parse().ok())
}

fn decimal<T: ArrowPrimitiveType>(
    data_type: &DataType,
    parse: impl Fn(&str) -> Option<T::Native> + Send + 'static,
) -> Option<Box<dyn Column>> {
    let (precision, scale) = match *data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            (usize::from(precision), usize::try_from(scale).ok()?)
        }
        _ => return None,
    };
    let exponent = |text: &str| text.contains(['e', 'E']);
    let (digits, places) = (u8::try_from(precision).ok()?, i8::try_from(scale).ok()?);
    Some(column_of::<T>(data_type, move |text| {
        match exponent(text) {
            true => parse(&Number::of(text)?.unscaled(digits, places)?),
            false => parse(&unscaled(text, precision, scale)?),
        }
    }))
}

/// The digits of a decimal at the scale; `None` where it does not fit without rounding.
fn unscaled(text: &str, precision: usize, scale: usize) -> Option<String> {
    let (sign, rest) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let (kept, cut) = fraction.split_at(fraction.len().min(scale));
    if cut.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let digits = format!("{whole}{kept:0<scale$}");
    let digits = digits.trim_start_matches('0');
    if digits.len() > precision {
        return None;
    }
    Some(if digits.is_empty() {
        "0".into()
    } else {
        format!("{sign}{digits}")
    })
}

struct Nulls(usize);

impl Column for Nulls {
    fn push(&mut self, _text: &str) -> bool {
        false
    }

    fn push_null(&mut self) {
        self.0 += 1;
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(NullArray::new(std::mem::take(&mut self.0)))
    }
}

impl Column for BooleanBuilder {
    fn push(&mut self, text: &str) -> bool {
        parse_bool(text)
            .inspect(|value| self.append_value(*value))
            .is_some()
    }

    fn push_null(&mut self) {
        self.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.finish())
    }
}

impl<O: OffsetSizeTrait> Column for GenericStringBuilder<O> {
    fn push(&mut self, text: &str) -> bool {
        self.append_value(text);
        true
    }

    fn push_null(&mut self) {
        self.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.finish())
    }
}

impl<O: OffsetSizeTrait> Column for GenericBinaryBuilder<O> {
    fn push(&mut self, text: &str) -> bool {
        base16(text)
            .inspect(|bytes| self.append_value(bytes))
            .is_some()
    }

    fn push_null(&mut self) {
        self.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.finish())
    }
}

impl Column for FixedSizeBinaryBuilder {
    fn push(&mut self, text: &str) -> bool {
        base16(text).is_some_and(|bytes| self.append_value(bytes).is_ok())
    }

    fn push_null(&mut self) {
        self.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.finish())
    }
}

fn base16(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect();
    if odd.is_empty() { bytes } else { None }
}
