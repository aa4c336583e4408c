//! Columns of flat types.
//!
//! Invariant: a value that its type does not hold is a fault, never another value. Nothing is reserved before there is
//! a value: a schema of a few bytes may have thousands of columns, and a fixed type values of gigabytes.

use super::{Boxed, Column, mismatched};
use crate::format::complement;
use crate::format::thrift::cursor::{Cursor, Kind, Result, damaged, unheld};
use crate::format::thrift::layout::Wire;
use arrow_array::builder::{
    BooleanBuilder, FixedSizeBinaryBuilder, GenericByteBuilder, PrimitiveBuilder,
};
use arrow_array::types::*;
use arrow_array::{ArrayRef, ArrowPrimitiveType, NullArray};
use arrow_buffer::{ArrowNativeType, i256};
use arrow_schema::{ArrowError, DataType, IntervalUnit, TimeUnit};
use std::sync::Arc;

pub(super) fn of(data_type: &DataType, wire: &Wire) -> Result<Boxed> {
    use {DataType as D, IntervalUnit as I, TimeUnit as U, Wire as W};
    let at = data_type;
    Ok(match (data_type, wire) {
        (D::Null, W::Bool) => Box::new(Nulls(0)),
        (D::Boolean, W::Bool) => Box::new(Booleans(BooleanBuilder::with_capacity(0))),
        (D::Int8, W::I8) => whole::<Int8Type>(at, Kind::I8),
        (D::Int16, W::I16) => whole::<Int16Type>(at, Kind::I16),
        (D::UInt8, W::I16) => whole::<UInt8Type>(at, Kind::I16),
        (D::Int32, W::I32 | W::Enum(_)) => whole::<Int32Type>(at, Kind::I32),
        (D::UInt16, W::I32) => whole::<UInt16Type>(at, Kind::I32),
        (D::Date32, W::I32) => whole::<Date32Type>(at, Kind::I32),
        (D::Time32(U::Second), W::I32) => whole::<Time32SecondType>(at, Kind::I32),
        (D::Time32(_), W::I32) => whole::<Time32MillisecondType>(at, Kind::I32),
        (D::Interval(I::YearMonth), W::I32) => whole::<IntervalYearMonthType>(at, Kind::I32),
        (D::Int64, W::I64) => whole::<Int64Type>(at, Kind::I64),
        (D::UInt32, W::I64) => whole::<UInt32Type>(at, Kind::I64),
        (D::Date64, W::I64) => whole::<Date64Type>(at, Kind::I64),
        (D::Time64(U::Microsecond), W::I64) => whole::<Time64MicrosecondType>(at, Kind::I64),
        (D::Time64(_), W::I64) => whole::<Time64NanosecondType>(at, Kind::I64),
        (D::Timestamp(unit, _), W::I64) => match unit {
            U::Second => whole::<TimestampSecondType>(at, Kind::I64),
            U::Millisecond => whole::<TimestampMillisecondType>(at, Kind::I64),
            U::Microsecond => whole::<TimestampMicrosecondType>(at, Kind::I64),
            U::Nanosecond => whole::<TimestampNanosecondType>(at, Kind::I64),
        },
        (D::Duration(unit), W::I64) => match unit {
            U::Second => whole::<DurationSecondType>(at, Kind::I64),
            U::Millisecond => whole::<DurationMillisecondType>(at, Kind::I64),
            U::Microsecond => whole::<DurationMicrosecondType>(at, Kind::I64),
            U::Nanosecond => whole::<DurationNanosecondType>(at, Kind::I64),
        },
        (D::Float16, W::Double) => primitive::<Float16Type, _>(at, float16),
        (D::Float32, W::Double) => primitive::<Float32Type, _>(at, float32),
        (D::Float64, W::Double) => primitive::<Float64Type, _>(at, |cursor| cursor.double()),
        (D::UInt64, W::Binary) => primitive::<UInt64Type, _>(at, |cursor| {
            let number = i128::from_be_bytes(extended(cursor.bytes()?)?);
            u64::try_from(number)
                .map_err(|_| unheld(format!("{number} is no whole number of 64 bits")))
        }),
        (D::Interval(I::DayTime), W::Binary) => {
            primitive::<IntervalDayTimeType, _>(at, |cursor| match halves(cursor.bytes()?) {
                Some(([], days, millis)) => Ok(IntervalDayTimeType::make_value(days, millis)),
                _ => damaged("an interval of days has not 8 bytes"),
            })
        }
        (D::Interval(I::MonthDayNano), W::Binary) => {
            primitive::<IntervalMonthDayNanoType, _>(at, |cursor| {
                let bytes = cursor.bytes()?;
                let nanos = bytes.last_chunk().map(|nanos| i64::from_be_bytes(*nanos));
                let rest = bytes.get(..bytes.len().saturating_sub(8));
                match (rest.and_then(halves), nanos) {
                    (Some(([], months, days)), Some(nanos)) => {
                        Ok(IntervalMonthDayNanoType::make_value(months, days, nanos))
                    }
                    _ => damaged("an interval of months has not 16 bytes"),
                }
            })
        }
        (D::Decimal32(p, s), W::Binary) => {
            decimal::<Decimal32Type, 4>(at, (*p, *s), i32::from_be_bytes)
        }
        (D::Decimal64(p, s), W::Binary) => {
            decimal::<Decimal64Type, 8>(at, (*p, *s), i64::from_be_bytes)
        }
        (D::Decimal128(p, s), W::Binary) => {
            decimal::<Decimal128Type, 16>(at, (*p, *s), i128::from_be_bytes)
        }
        (D::Decimal256(p, s), W::Binary) => {
            decimal::<Decimal256Type, 32>(at, (*p, *s), i256::from_be_bytes)
        }
        (D::Utf8, W::Binary) => text::<Utf8Type>(),
        (D::LargeUtf8, W::Binary) => text::<LargeUtf8Type>(),
        (D::Utf8, W::Enum(words)) => {
            let words = Arc::clone(words);
            bytes::<Utf8Type, _>(move |cursor, column| {
                let number = cursor.whole(Kind::I32)?;
                let word = i32::try_from(number)
                    .ok()
                    .and_then(|number| words.word(number));
                match word {
                    Some(word) => put(cursor, column, word),
                    None => Err(unheld(format!(
                        "the enum {} has no word for {number}",
                        words.name
                    ))),
                }
            })
        }
        (D::Binary, W::Binary) => bytes::<BinaryType, _>(|cursor, column| {
            let bytes = cursor.bytes()?;
            put(cursor, column, bytes)
        }),
        (D::LargeBinary, W::Binary) => bytes::<LargeBinaryType, _>(|cursor, column| {
            let bytes = cursor.bytes()?;
            put(cursor, column, bytes)
        }),
        (D::FixedSizeBinary(width), W::Binary | W::Uuid) if *width > 0 => Box::new(Fixed {
            column: FixedSizeBinaryBuilder::with_capacity(0, *width),
            size: usize::try_from(*width).unwrap_or_default(),
            sized: *wire == W::Binary,
        }),
        (other, _) => return mismatched(other),
    })
}

/// Nulls, which no record has a value for.
struct Nulls(usize);

impl Column for Nulls {
    fn read(&mut self, _: &mut Cursor<'_>) -> Result<()> {
        damaged("it has a value, and its column has none")
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
        self.0.append_value(cursor.truth()?);
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
fn whole<T>(data_type: &DataType, kind: Kind) -> Boxed
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i64>,
{
    primitive::<T, _>(data_type, move |cursor| {
        let value = cursor.whole(kind)?;
        let name = T::DATA_TYPE;
        T::Native::try_from(value).map_err(|_| unheld(format!("{value} is no {name}")))
    })
}

fn float16(cursor: &mut Cursor<'_>) -> Result<<Float16Type as ArrowPrimitiveType>::Native> {
    let wide = cursor.double()?;
    let value = <Float16Type as ArrowPrimitiveType>::Native::from_f64(wide);
    if value.to_f64() == wide || wide.is_nan() {
        Ok(value)
    } else {
        Err(unheld(format!("{wide} is no float of 16 bits")))
    }
}

fn float32(cursor: &mut Cursor<'_>) -> Result<f32> {
    let wide = cursor.double()?;
    // The nearest one; whether it is the same is asked next.
    let value = wide as f32;
    if f64::from(value) == wide || wide.is_nan() {
        Ok(value)
    } else {
        Err(unheld(format!("{wide} is no float of 32 bits")))
    }
}

/// Two numbers of 32 bits, and what stands behind them.
fn halves(bytes: &[u8]) -> Option<(&[u8], i32, i32)> {
    let (first, rest) = bytes.split_first_chunk()?;
    let (second, rest) = rest.split_first_chunk()?;
    Some((
        rest,
        i32::from_be_bytes(*first),
        i32::from_be_bytes(*second),
    ))
}

/// Decimals as the bytes of their digits, the first byte first.
fn decimal<T, const N: usize>(
    data_type: &DataType,
    (precision, scale): (u8, i8),
    make: fn([u8; N]) -> T::Native,
) -> Boxed
where
    T: DecimalType + ArrowPrimitiveType,
{
    primitive::<T, _>(data_type, move |cursor| {
        let value = make(extended(cursor.bytes()?)?);
        T::validate_decimal_precision(value, precision, scale).map_err(|_| {
            unheld(format!(
                "it has more than the {precision} digits of its column"
            ))
        })?;
        Ok(value)
    })
}

/// A number's bytes, filled up with its sign.
fn extended<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    if bytes.is_empty() {
        return damaged("a decimal has no bytes");
    }
    complement::extended(bytes).ok_or_else(|| unheld(format!("it has more than {} bits", 8 * N)))
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

fn text<T: ByteArrayType<Native = str>>() -> Boxed {
    bytes::<T, _>(|cursor, column| {
        let text = cursor.text()?;
        put(cursor, column, text)
    })
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

/// Bytes of one length, with or without it before them.
struct Fixed {
    column: FixedSizeBinaryBuilder,
    size: usize,
    sized: bool,
}

impl Column for Fixed {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let bytes = if self.sized {
            cursor.bytes()?
        } else {
            cursor.take(self.size)?
        };
        let (size, wanted) = (bytes.len(), self.size);
        if size != wanted {
            return damaged(format!("it has {size} bytes, and its column {wanted}"));
        }
        cursor.charge(size)?;
        let appended = self.column.append_value(bytes);
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
