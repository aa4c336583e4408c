//! Numbers of a filter as arrays store them, and back.
//!
//! Invariant: a number goes over exactly or not at all; floats and intervals have none.

use arrow_array::types::*;
use arrow_array::{ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::i256;
use arrow_schema::DataType;

/// A type whose arrays store numbers, or might.
pub(super) trait Numbers: ArrowPrimitiveType {
    /// How arrays store a number.
    fn stored(number: i256) -> Option<Self::Native>;

    /// The number that is stored.
    fn number(stored: Self::Native) -> Option<i256>;
}

macro_rules! integers {
    ($($type:ty),* $(,)?) => {$(
        impl Numbers for $type {
            fn stored(number: i256) -> Option<Self::Native> {
                number.to_i128()?.try_into().ok()
            }

            fn number(stored: Self::Native) -> Option<i256> {
                Some(i256::from_i128(stored.into()))
            }
        }
    )*};
}

macro_rules! without_numbers {
    ($($type:ty),* $(,)?) => {$(
        impl Numbers for $type {
            fn stored(_: i256) -> Option<Self::Native> {
                None
            }

            fn number(_: Self::Native) -> Option<i256> {
                None
            }
        }
    )*};
}

integers!(
    Int8Type,
    Int16Type,
    Int32Type,
    Int64Type,
    UInt8Type,
    UInt16Type,
    UInt32Type,
    UInt64Type,
    Decimal32Type,
    Decimal64Type,
    Decimal128Type,
    Date32Type,
    Date64Type,
    Time32SecondType,
    Time32MillisecondType,
    Time64MicrosecondType,
    Time64NanosecondType,
    TimestampSecondType,
    TimestampMillisecondType,
    TimestampMicrosecondType,
    TimestampNanosecondType,
    DurationSecondType,
    DurationMillisecondType,
    DurationMicrosecondType,
    DurationNanosecondType,
);
without_numbers!(
    Float16Type,
    Float32Type,
    Float64Type,
    IntervalYearMonthType,
    IntervalDayTimeType,
    IntervalMonthDayNanoType,
);

impl Numbers for Decimal256Type {
    fn stored(number: i256) -> Option<Self::Native> {
        Some(number)
    }

    fn number(stored: Self::Native) -> Option<i256> {
        Some(stored)
    }
}

/// An array of this one number.
pub(super) fn one<T: Numbers>(number: i256, data_type: &DataType) -> Option<PrimitiveArray<T>> {
    let values = vec![T::stored(number)?];
    Some(PrimitiveArray::<T>::new(values.into(), None).with_data_type(data_type.clone()))
}

/// The number of an element of this array.
pub(super) fn number_of<T: Numbers>(_: &PrimitiveArray<T>, stored: T::Native) -> Option<i256> {
    T::number(stored)
}
