//! Columns of flat types.
//!
//! Invariant: a number that its type does not hold is a fault, never another number. Nothing is reserved before there
//! is a value: a schema of a few bytes may have thousands of columns, and a fixed type values of gigabytes.

use super::{Boxed, Column, mismatched};
use crate::format::avro::cursor::{Cursor, Fault, Result, damaged};
use crate::format::avro::schema::Shape;
use crate::format::complement;
use crate::format::units::MILLIS_PER_DAY;
use arrow_array::builder::{
    BooleanBuilder, FixedSizeBinaryBuilder, GenericByteBuilder, PrimitiveBuilder,
};
use arrow_array::types::*;
use arrow_array::{ArrayRef, ArrowPrimitiveType, NullArray};
use arrow_buffer::{ArrowNativeType, i256};
use arrow_schema::{ArrowError, DataType, IntervalUnit, TimeUnit};
use std::sync::Arc;

const MILLIS_PER_SECOND: i64 = 1_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

pub(super) fn of(data_type: &DataType, shape: &Shape) -> Result<Boxed> {
    use {DataType as D, IntervalUnit as I, TimeUnit as U};
    let at = data_type;
    Ok(match (data_type, shape) {
        (D::Null, _) => Box::new(Nulls(0)),
        (D::Boolean, _) => Box::new(Booleans(BooleanBuilder::with_capacity(0))),
        (D::Int8, _) => whole::<Int8Type>(at),
        (D::Int16, _) => whole::<Int16Type>(at),
        (D::Int32, _) => whole::<Int32Type>(at),
        (D::Int64, _) => whole::<Int64Type>(at),
        (D::UInt8, _) => whole::<UInt8Type>(at),
        (D::UInt16, _) => whole::<UInt16Type>(at),
        (D::UInt32, _) => whole::<UInt32Type>(at),
        (D::UInt64, _) => primitive::<UInt64Type, _>(at, |cursor| {
            match u64::try_from(i128::from_be_bytes(extended(cursor.bytes()?)?)) {
                Ok(value) => Ok(value),
                Err(_) => damaged("a number is no unsigned one of 64 bits"),
            }
        }),
        (D::Float16, _) => primitive::<Float16Type, _>(at, float16),
        (D::Float32, _) => {
            primitive::<Float32Type, _>(at, |cursor| cursor.array().map(f32::from_le_bytes))
        }
        (D::Float64, _) => {
            primitive::<Float64Type, _>(at, |cursor| cursor.array().map(f64::from_le_bytes))
        }
        (D::Date32, _) => whole::<Date32Type>(at),
        (D::Date64, _) => primitive::<Date64Type, _>(at, |cursor| {
            Ok(i64::from(narrow::<i32>(cursor.long()?)?) * MILLIS_PER_DAY)
        }),
        (D::Time32(U::Second), _) => {
            primitive::<Time32SecondType, _>(at, |cursor| narrow(seconds(cursor)?))
        }
        (D::Time32(_), _) => whole::<Time32MillisecondType>(at),
        (D::Time64(U::Microsecond), _) => whole::<Time64MicrosecondType>(at),
        (D::Time64(_), _) => whole::<Time64NanosecondType>(at),
        (D::Timestamp(U::Second, _), _) => primitive::<TimestampSecondType, _>(at, seconds),
        (D::Timestamp(U::Millisecond, _), _) => whole::<TimestampMillisecondType>(at),
        (D::Timestamp(U::Microsecond, _), _) => whole::<TimestampMicrosecondType>(at),
        (D::Timestamp(U::Nanosecond, _), _) => whole::<TimestampNanosecondType>(at),
        (D::Duration(U::Second), _) => whole::<DurationSecondType>(at),
        (D::Duration(U::Millisecond), _) => whole::<DurationMillisecondType>(at),
        (D::Duration(U::Microsecond), _) => whole::<DurationMicrosecondType>(at),
        (D::Duration(U::Nanosecond), _) => whole::<DurationNanosecondType>(at),
        (D::Interval(I::YearMonth), _) => {
            primitive::<IntervalYearMonthType, _>(at, |cursor| match duration(cursor)? {
                (months, 0, 0) => Ok(months),
                _ => damaged("an interval of months has days"),
            })
        }
        (D::Interval(I::DayTime), _) => {
            primitive::<IntervalDayTimeType, _>(at, |cursor| match duration(cursor)? {
                (0, days, millis) => Ok(IntervalDayTimeType::make_value(
                    days,
                    narrow(millis.into())?,
                )),
                _ => damaged("an interval of days has months"),
            })
        }
        (D::Interval(I::MonthDayNano), _) => {
            primitive::<IntervalMonthDayNanoType, _>(at, |cursor| {
                let (months, days, millis) = duration(cursor)?;
                let nanos = i64::from(millis) * NANOS_PER_MILLI;
                Ok(IntervalMonthDayNanoType::make_value(months, days, nanos))
            })
        }
        (D::Decimal32(p, s), _) => {
            decimal::<Decimal32Type, 4>(at, (*p, *s), shape, i32::from_be_bytes)
        }
        (D::Decimal64(p, s), _) => {
            decimal::<Decimal64Type, 8>(at, (*p, *s), shape, i64::from_be_bytes)
        }
        (D::Decimal128(p, s), _) => {
            decimal::<Decimal128Type, 16>(at, (*p, *s), shape, i128::from_be_bytes)
        }
        (D::Decimal256(p, s), _) => {
            decimal::<Decimal256Type, 32>(at, (*p, *s), shape, i256::from_be_bytes)
        }
        (D::Utf8, Shape::Enum(words)) => {
            let words = Arc::clone(words);
            bytes::<Utf8Type, _>(move |cursor, column| {
                let number = cursor.long()?;
                let word = usize::try_from(number).ok();
                match word.and_then(|word| words.get(word)) {
                    Some(word) => put(cursor, column, word.as_str()),
                    None => damaged(format!("an enum has no symbol {number}")),
                }
            })
        }
        (D::Utf8, _) => bytes::<Utf8Type, _>(|cursor, column| {
            let text = cursor.text()?;
            put(cursor, column, text)
        }),
        (D::LargeUtf8, _) => bytes::<LargeUtf8Type, _>(|cursor, column| {
            let text = cursor.text()?;
            put(cursor, column, text)
        }),
        (D::Binary, _) => bytes::<BinaryType, _>(|cursor, column| {
            let bytes = cursor.bytes()?;
            put(cursor, column, bytes)
        }),
        (D::LargeBinary, _) => bytes::<LargeBinaryType, _>(|cursor, column| {
            let bytes = cursor.bytes()?;
            put(cursor, column, bytes)
        }),
        (D::FixedSizeBinary(width), Shape::Fixed(size)) if usize::try_from(*width) == Ok(*size) => {
            let column = FixedSizeBinaryBuilder::with_capacity(0, *width);
            let size = *size;
            Box::new(Fixed { column, size })
        }
        (other, _) => return mismatched(other),
    })
}

/// Nulls, which take no bytes in the file.
struct Nulls(usize);

impl Column for Nulls {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.skip(cursor)
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        self.0 += 1;
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(Arc::new(NullArray::new(std::mem::take(&mut self.0))))
    }
}

struct Booleans(BooleanBuilder);

impl Column for Booleans {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        match cursor.array()? {
            [0] => self.0.append_value(false),
            [1] => self.0.append_value(true),
            [other] => return damaged(format!("a boolean is {other}")),
        }
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        self.0.append_null();
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.0.finish()))
    }
}

/// Values of one width, each as `read` makes it.
struct Primitive<T: ArrowPrimitiveType, R> {
    column: PrimitiveBuilder<T>,
    read: R,
}

impl<T, R> Column for Primitive<T, R>
where
    T: ArrowPrimitiveType,
    R: Fn(&mut Cursor<'_>) -> Result<T::Native> + Send,
{
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(T::Native::get_byte_width())?;
        self.column.append_value((self.read)(cursor)?);
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(T::Native::get_byte_width())?;
        self.column.append_null();
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.column.finish()))
    }
}

fn primitive<T, R>(data_type: &DataType, read: R) -> Boxed
where
    T: ArrowPrimitiveType,
    R: Fn(&mut Cursor<'_>) -> Result<T::Native> + Send + 'static,
{
    let column = PrimitiveBuilder::<T>::with_capacity(0).with_data_type(data_type.clone());
    Box::new(Primitive { column, read })
}

/// Numbers that stand as numbers.
fn whole<T>(data_type: &DataType) -> Boxed
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i64>,
{
    primitive::<T, _>(data_type, |cursor| narrow(cursor.long()?))
}

fn narrow<N: TryFrom<i64>>(value: i64) -> Result<N> {
    N::try_from(value).or_else(|_| damaged(format!("{value} is no value of its type")))
}

/// Seconds that stand as milliseconds.
fn seconds(cursor: &mut Cursor<'_>) -> Result<i64> {
    match cursor.long()? {
        millis if millis % MILLIS_PER_SECOND == 0 => Ok(millis / MILLIS_PER_SECOND),
        millis => damaged(format!(
            "{millis} milliseconds are no seconds, which its column has"
        )),
    }
}

fn float16(cursor: &mut Cursor<'_>) -> Result<<Float16Type as ArrowPrimitiveType>::Native> {
    let wide = f32::from_le_bytes(cursor.array()?);
    let value = <Float16Type as ArrowPrimitiveType>::Native::from_f32(wide);
    if value.to_f32() == wide || wide.is_nan() {
        Ok(value)
    } else {
        damaged(format!("{wide} is no float of 16 bits"))
    }
}

/// Months, days and milliseconds.
fn duration(cursor: &mut Cursor<'_>) -> Result<(i32, i32, u32)> {
    let mut part = || cursor.array().map(u32::from_le_bytes);
    let (months, days, millis) = (part()?, part()?, part()?);
    match (i32::try_from(months), i32::try_from(days)) {
        (Ok(months), Ok(days)) => Ok((months, days, millis)),
        _ => Err(Fault::Unheld(format!(
            "its {months} months or {days} days are more than 31 bits hold"
        ))),
    }
}

/// Decimals as the bytes of their digits, the first byte first, with or without their length before them.
fn decimal<T, const N: usize>(
    data_type: &DataType,
    (precision, scale): (u8, i8),
    shape: &Shape,
    make: fn([u8; N]) -> T::Native,
) -> Boxed
where
    T: DecimalType + ArrowPrimitiveType,
{
    let size = match shape {
        Shape::Fixed(size) => Some(*size),
        _ => None,
    };
    primitive::<T, _>(data_type, move |cursor| {
        let bytes = match size {
            Some(size) => cursor.take(size)?,
            None => cursor.bytes()?,
        };
        let value = make(extended(bytes)?);
        T::validate_decimal_precision(value, precision, scale).map_err(|_| too_long(precision))?;
        Ok(value)
    })
}

fn too_long(digits: u8) -> Fault {
    Fault::Unheld(format!(
        "it has more than the {digits} digits of its column"
    ))
}

/// A number's bytes, filled up with its sign.
fn extended<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    if bytes.is_empty() {
        return damaged("a decimal has no bytes");
    }
    complement::extended(bytes)
        .ok_or_else(|| Fault::Unheld(format!("it has more than {} bits", 8 * N)))
}

/// Text and bytes, appended by `read`.
struct Bytes<T: ByteArrayType, R> {
    column: GenericByteBuilder<T>,
    read: R,
}

impl<T, R> Column for Bytes<T, R>
where
    T: ByteArrayType,
    R: Fn(&mut Cursor<'_>, &mut GenericByteBuilder<T>) -> Result<()> + Send,
{
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        (self.read)(cursor, &mut self.column)
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(size_of::<T::Offset>())?;
        self.column.append_null();
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.column.finish()))
    }
}

fn bytes<T, R>(read: R) -> Boxed
where
    T: ByteArrayType,
    R: Fn(&mut Cursor<'_>, &mut GenericByteBuilder<T>) -> Result<()> + Send + 'static,
{
    let column = GenericByteBuilder::with_capacity(0, 0);
    Box::new(Bytes { column, read })
}

fn put<T: ByteArrayType>(
    cursor: &mut Cursor<'_>,
    column: &mut GenericByteBuilder<T>,
    value: &T::Native,
) -> Result<()> {
    let bytes: &[u8] = value.as_ref();
    cursor.charge(bytes.len() + size_of::<T::Offset>())?;
    column.append_value(value);
    Ok(())
}

/// Bytes of one length.
struct Fixed {
    column: FixedSizeBinaryBuilder,
    size: usize,
}

impl Column for Fixed {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(self.size)?;
        let appended = self.column.append_value(cursor.take(self.size)?);
        appended.or_else(|cause| damaged(cause.to_string()))
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(self.size)?;
        self.column.append_null();
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(Arc::new(self.column.finish()))
    }
}
