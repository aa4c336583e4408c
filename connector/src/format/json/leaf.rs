//! Columns of values that are neither objects nor arrays, built from tokens.
//!
//! Strict: a number is read from a number and a text from a string, and what the type does not hold whole is refused.
//! Invariant: each column reads what the printer of its type writes.

use super::span::{Span, parse_span};
use super::tokens::Token;
use crate::format::text::{self, Number, Patterns, column_of};
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, FixedSizeBinaryBuilder, LargeBinaryBuilder,
};
use arrow_array::types::*;
use arrow_array::{ArrayRef, ArrowPrimitiveType};
use arrow_buffer::i256;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::str::FromStr;

/// What a column's values stand in the file as.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Booleans,
    Numbers,
    /// Numbers, and the names of those that JSON lacks.
    Floats,
    Texts,
    /// Whatever is neither an object nor an array, as it stands.
    All,
}

/// The strings that stand for floats without a number, and how Rust reads them.
pub(super) const NAMED_FLOATS: [(&str, &str); 3] =
    [("NaN", "NaN"), ("Infinity", "inf"), ("-Infinity", "-inf")];

/// How values are read.
#[derive(Clone, Default)]
pub(super) struct Reading {
    /// Whether columns of text take numbers and booleans, too, as they stand.
    pub(super) verbatim: bool,
    /// How dates and times stand there.
    pub(super) patterns: Patterns,
}

/// One column under construction.
pub(super) struct Leaf {
    takes: Takes,
    column: Box<dyn text::Column>,
}

impl Leaf {
    /// A column of the type; `None` where JSON has no text for it.
    pub(super) fn new(data_type: &DataType, reading: &Reading) -> Option<Self> {
        let takes = match data_type {
            DataType::Null => Takes::Nothing,
            DataType::Boolean => Takes::Booleans,
            DataType::Utf8 | DataType::LargeUtf8 if reading.verbatim => Takes::All,
            kind if kind.is_integer() || kind.is_decimal() => Takes::Numbers,
            kind if kind.is_floating() => Takes::Floats,
            _ => Takes::Texts,
        };
        let column = match takes {
            Takes::Numbers => number(data_type)?,
            Takes::Texts => texts(data_type, reading)?,
            _ => text::column(data_type)?,
        };
        Some(Self { takes, column })
    }

    /// A column of a map's keys, which are texts whatever their type; `None` where the type has no text of its own.
    pub(super) fn keys(data_type: &DataType, reading: &Reading) -> Option<Self> {
        let column = match Self::new(data_type, reading)?.takes {
            Takes::Nothing | Takes::Floats => return None,
            Takes::Texts => texts(data_type, reading)?,
            _ => text::column(data_type)?,
        };
        let takes = Takes::Texts;
        Some(Self { takes, column })
    }

    /// Appends the value; false where it is none of the type. `verbatim` is the value as it stands.
    pub(super) fn push(&mut self, token: &Token<'_>, verbatim: &str) -> bool {
        let text = match (self.takes, token) {
            (Takes::Booleans, Token::Boolean(true)) => "true",
            (Takes::Booleans, Token::Boolean(false)) => "false",
            (Takes::Numbers | Takes::Floats, Token::Number(number)) => number,
            (Takes::Texts | Takes::All, Token::Text(text)) => text,
            (Takes::All, Token::Number(_) | Token::Boolean(_)) => verbatim,
            (Takes::Floats, Token::Text(text)) => {
                let named = NAMED_FLOATS.iter().find(|(name, _)| name == text);
                match named {
                    Some((_, read)) => read,
                    None => return false,
                }
            }
            _ => return false,
        };
        self.column.push(text)
    }

    pub(super) fn push_null(&mut self) {
        self.column.push_null();
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        self.column.finish()
    }

    /// Numbers so far that are not what stood in the file, but the nearest that the type has.
    pub(super) fn rounded(&self) -> u64 {
        self.column.rounded()
    }
}

/// Integers and decimals: any text of a number that the type holds exactly.
fn number(data_type: &DataType) -> Option<Box<dyn text::Column>> {
    use DataType as D;
    Some(match *data_type {
        D::Int8 => integer::<Int8Type>(),
        D::Int16 => integer::<Int16Type>(),
        D::Int32 => integer::<Int32Type>(),
        D::Int64 => integer::<Int64Type>(),
        D::UInt8 => integer::<UInt8Type>(),
        D::UInt16 => integer::<UInt16Type>(),
        D::UInt32 => integer::<UInt32Type>(),
        D::UInt64 => integer::<UInt64Type>(),
        D::Decimal32(precision, scale) => {
            exact::<Decimal32Type>(data_type, precision, scale, |digits| digits.parse().ok())
        }
        D::Decimal64(precision, scale) => {
            exact::<Decimal64Type>(data_type, precision, scale, |digits| digits.parse().ok())
        }
        D::Decimal128(precision, scale) => {
            exact::<Decimal128Type>(data_type, precision, scale, |digits| digits.parse().ok())
        }
        D::Decimal256(precision, scale) => {
            exact::<Decimal256Type>(data_type, precision, scale, i256::from_string)
        }
        _ => return None,
    })
}

/// Digits of the longest integer.
const INTEGER_DIGITS_MAX: u8 = 20;

fn integer<T: ArrowPrimitiveType>() -> Box<dyn text::Column>
where
    T::Native: FromStr,
{
    column_of::<T>(&T::DATA_TYPE, |text| {
        let plain = text.parse().ok();
        plain.or_else(|| {
            let digits = Number::of(text)?.unscaled(INTEGER_DIGITS_MAX, 0)?;
            digits.parse().ok()
        })
    })
}

fn exact<T: ArrowPrimitiveType>(
    data_type: &DataType,
    precision: u8,
    scale: i8,
    parse: impl Fn(&str) -> Option<T::Native> + Send + 'static,
) -> Box<dyn text::Column> {
    column_of::<T>(data_type, move |text| {
        parse(&Number::of(text)?.unscaled(precision, scale)?)
    })
}

/// Types whose values are strings.
fn texts(data_type: &DataType, reading: &Reading) -> Option<Box<dyn text::Column>> {
    let column = coded(data_type).or_else(|| text::column(data_type))?;
    Some(reading.patterns.column(data_type, column))
}

/// Types whose texts are JSON's own: bytes and spans.
fn coded(data_type: &DataType) -> Option<Box<dyn text::Column>> {
    use {DataType as D, TimeUnit as U};
    Some(match data_type {
        D::Binary => bytes(BinaryBuilder::new(), |builder, value| {
            builder.append_option(value);
            true
        }),
        D::LargeBinary => bytes(LargeBinaryBuilder::new(), |builder, value| {
            builder.append_option(value);
            true
        }),
        D::FixedSizeBinary(length) => {
            let builder = FixedSizeBinaryBuilder::new(*length);
            bytes(builder, |builder, value| match value {
                Some(value) => builder.append_value(value).is_ok(),
                None => {
                    builder.append_null();
                    true
                }
            })
        }
        D::Duration(U::Second) => duration::<DurationSecondType>(data_type, 1_000_000_000),
        D::Duration(U::Millisecond) => duration::<DurationMillisecondType>(data_type, 1_000_000),
        D::Duration(U::Microsecond) => duration::<DurationMicrosecondType>(data_type, 1_000),
        D::Duration(U::Nanosecond) => duration::<DurationNanosecondType>(data_type, 1),
        D::Interval(IntervalUnit::YearMonth) => {
            column_of::<IntervalYearMonthType>(data_type, |text| {
                let span = parse_span(text).filter(|span| (span.days, span.nanos) == (0, 0))?;
                span.months.try_into().ok()
            })
        }
        D::Interval(IntervalUnit::DayTime) => column_of::<IntervalDayTimeType>(data_type, |text| {
            let span = parse_span(text).filter(|span| span.months == 0)?;
            let millis = whole(span.nanos, 1_000_000)?.try_into().ok()?;
            let days = span.days.try_into().ok()?;
            Some(IntervalDayTimeType::make_value(days, millis))
        }),
        D::Interval(IntervalUnit::MonthDayNano) => {
            column_of::<IntervalMonthDayNanoType>(data_type, |text| {
                let Span {
                    months,
                    days,
                    nanos,
                } = parse_span(text)?;
                let (months, days) = (months.try_into().ok()?, days.try_into().ok()?);
                let nanos = nanos.try_into().ok()?;
                Some(IntervalMonthDayNanoType::make_value(months, days, nanos))
            })
        }
        _ => return None,
    })
}

/// A duration is as long as its days are of 24 hours; it has no months.
fn duration<T: ArrowPrimitiveType<Native = i64>>(
    data_type: &DataType,
    nanos_per_tick: i128,
) -> Box<dyn text::Column> {
    const DAY_NANOS: i128 = 86_400_000_000_000;
    column_of::<T>(data_type, move |text| {
        let span = parse_span(text).filter(|span| span.months == 0)?;
        let nanos = span.nanos.checked_add(i128::from(span.days) * DAY_NANOS)?;
        whole(nanos, nanos_per_tick)?.try_into().ok()
    })
}

fn whole(nanos: i128, nanos_per_tick: i128) -> Option<i128> {
    (nanos % nanos_per_tick == 0).then(|| nanos / nanos_per_tick)
}

/// Bytes, in base 64.
struct Bytes<B> {
    builder: B,
    append: fn(&mut B, Option<&[u8]>) -> bool,
}

fn bytes<B: ArrayBuilder>(
    builder: B,
    append: fn(&mut B, Option<&[u8]>) -> bool,
) -> Box<dyn text::Column> {
    Box::new(Bytes { builder, append })
}

impl<B: ArrayBuilder> text::Column for Bytes<B> {
    fn push(&mut self, text: &str) -> bool {
        let bytes = STANDARD.decode(text);
        bytes.is_ok_and(|bytes| (self.append)(&mut self.builder, Some(&bytes)))
    }

    fn push_null(&mut self) {
        (self.append)(&mut self.builder, None);
    }

    fn finish(&mut self) -> ArrayRef {
        self.builder.finish()
    }
}
