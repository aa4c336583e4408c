//! A column of every type of the catalogue, each with values that hurt and a NULL.

use arrow_array::builder::{
    BinaryBuilder, FixedSizeBinaryBuilder, Int32Builder, Int64Builder, ListBuilder, MapBuilder,
    StringBuilder,
};
use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray,
    DictionaryArray, FixedSizeListArray, Int32Array, LargeBinaryArray, LargeListArray,
    LargeStringArray, ListArray, NullArray, PrimitiveArray, RunArray, StringArray, StringViewArray,
    StructArray, UInt32Array,
};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::take;
use std::sync::Arc;

/// Whether a sample is NULL.
pub(crate) fn is_null(samples: &ArrayRef, at: usize) -> bool {
    samples
        .logical_nulls()
        .is_some_and(|nulls| nulls.is_null(at))
}

/// The samples at these places; of none, the sample that is NULL.
pub(crate) fn rows_of(samples: &ArrayRef, places: &[Option<usize>]) -> ArrayRef {
    let none = (0..samples.len()).find(|at| is_null(samples, *at)).unwrap();
    let place = |at: &Option<usize>| Some(at.unwrap_or(none) as u32);
    let places: UInt32Array = places.iter().map(place).collect();
    take(samples, &places, None).unwrap()
}

fn leaf<T: ArrowPrimitiveType>(data_type: DataType, values: &[T::Native]) -> ArrayRef {
    let values = values.iter().copied().map(Some).chain([None]);
    Arc::new(PrimitiveArray::<T>::from_iter(values).with_data_type(data_type))
}

fn own<T: ArrowPrimitiveType>(values: &[T::Native]) -> ArrayRef {
    leaf::<T>(T::DATA_TYPE, values)
}

fn as_type(column: &ArrayRef, data_type: &DataType) -> ArrayRef {
    cast(column, data_type).unwrap()
}

fn zoned(unit: TimeUnit, zone: &str) -> DataType {
    DataType::Timestamp(unit, Some(zone.into()))
}

/// Types whose values have an order: their samples ascending, NULL last, and the same values in another type.
pub(crate) fn ordered_types() -> Vec<(ArrayRef, ArrayRef)> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let seconds: [i64; 5] = [-62_135_596_800, -1, 0, 1, 253_402_214_400];
    let millis = seconds.map(|value| value * 1000);
    let near: [i64; 5] = [-9_000_000_000, -1, 0, 1, 9_000_000_000];
    let instants = |data_type: DataType, values: &[i64]| {
        let plain = own::<Int64Type>(values);
        as_type(&plain, &data_type)
    };
    let bytes = [
        &b""[..],
        b"\0\0\0",
        b"\0\x7f\xff",
        b"ab",
        b"abc",
        b"abcd and longer than a view holds inline",
        b"\x80",
    ];
    let bytes = || bytes.into_iter().map(Some).chain([None]);
    let binary: ArrayRef = Arc::new(BinaryArray::from_iter(bytes()));
    let large: ArrayRef = Arc::new(LargeBinaryArray::from_iter(bytes()));
    let view: ArrayRef = Arc::new(BinaryViewArray::from_iter(bytes()));
    let mut fixed = FixedSizeBinaryBuilder::new(3);
    let mut same = BinaryBuilder::new();
    for value in [
        b"\0\0\0",
        b"\0\x80\xff",
        b"abc",
        b"\x80\0\0",
        b"\xff\xff\xff",
    ] {
        fixed.append_value(value).unwrap();
        same.append_value(value);
    }
    fixed.append_null();
    same.append_null();
    vec![
        (
            instants(zoned(Second, "UTC"), &seconds),
            instants(zoned(Millisecond, "Asia/Kolkata"), &millis),
        ),
        (
            instants(zoned(Millisecond, "UTC"), &millis),
            instants(zoned(Second, "+02:00"), &seconds),
        ),
        (
            instants(
                zoned(Microsecond, "UTC"),
                &near.map(|value| value * 1_000_000),
            ),
            instants(
                zoned(Nanosecond, "UTC"),
                &near.map(|value| value * 1_000_000_000),
            ),
        ),
        (
            instants(zoned(Nanosecond, "UTC"), &[i64::MIN + 1, -1, 0, i64::MAX]),
            instants(
                zoned(Nanosecond, "Europe/Berlin"),
                &[i64::MIN + 1, -1, 0, i64::MAX],
            ),
        ),
        (
            instants(zoned(Microsecond, "Asia/Kolkata"), &[-1, 0, 1]),
            instants(zoned(Microsecond, "UTC"), &[-1, 0, 1]),
        ),
        (Arc::clone(&binary), Arc::clone(&view)),
        (large, Arc::clone(&binary)),
        (view, binary),
        (Arc::new(fixed.finish()), Arc::new(same.finish())),
        (
            own::<UInt8Type>(&[0, 127, u8::MAX]),
            own::<UInt16Type>(&[0, 127, 255]),
        ),
        (
            own::<UInt16Type>(&[0, u16::MAX]),
            own::<UInt64Type>(&[0, 65_535]),
        ),
        (
            own::<UInt32Type>(&[0, 1, u32::MAX]),
            own::<UInt64Type>(&[0, 1, 4_294_967_295]),
        ),
        (
            own::<UInt64Type>(&[0, i64::MAX as u64, u64::MAX]),
            own::<UInt64Type>(&[0, i64::MAX as u64, u64::MAX]),
        ),
    ]
}

/// Every type that a dataset can have, and some that are nested to two levels.
pub(crate) fn every_type() -> Vec<ArrayRef> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let texts = ["", "NA", "\u{2603}", "line\nbreak, \"quoted\"", "007"];
    let texts = || texts.into_iter().map(Some).chain([None]);
    let seconds: [i64; 3] = [-62_135_596_800, -1, 253_402_214_400];
    let scaled = |factor: i64| seconds.map(|value| value * factor);
    let day = 86_400;
    let ordered = ordered_types().into_iter().map(|(samples, _)| samples);
    let wide = own::<Decimal128Type>(&[10_i128.pow(37), -1, 0]);
    let mut all: Vec<ArrayRef> = ordered.collect();
    all.extend([
        Arc::new(NullArray::new(3)) as ArrayRef,
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        own::<Int8Type>(&[i8::MIN, 0, i8::MAX]),
        own::<Int16Type>(&[i16::MIN, 0, i16::MAX]),
        own::<Int32Type>(&[i32::MIN, 0, i32::MAX]),
        own::<Int64Type>(&[i64::MIN, 0, i64::MAX]),
        as_type(
            &own::<Float32Type>(&[1.5, -0.0, f32::INFINITY]),
            &DataType::Float16,
        ),
        own::<Float32Type>(&[f32::MIN, -0.0, f32::NAN, 1e-45]),
        own::<Float64Type>(&[f64::MIN, -0.0, f64::NAN, 5e-324]),
        leaf::<Decimal32Type>(DataType::Decimal32(9, 2), &[-999_999_999, 0, 999_999_999]),
        leaf::<Decimal64Type>(DataType::Decimal64(18, 4), &[-999_999_999_999_999_999, 1]),
        leaf::<Decimal128Type>(DataType::Decimal128(38, 10), &[10_i128.pow(38) - 1, -1, 0]),
        leaf::<Decimal128Type>(DataType::Decimal128(5, -2), &[99_999, -1]),
        as_type(&wide, &DataType::Decimal256(76, 10)),
        Arc::new(StringArray::from_iter(texts())),
        Arc::new(LargeStringArray::from_iter(texts())),
        Arc::new(StringViewArray::from_iter(texts())),
        own::<Date32Type>(&[-719_162, -1, 0, 2_932_896]),
        own::<Date64Type>(&[-719_162 * day * 1000, -day * 1000, 0]),
        own::<Time32SecondType>(&[0, 86_399]),
        own::<Time32MillisecondType>(&[0, 86_399_999]),
        own::<Time64MicrosecondType>(&[0, 86_399_999_999]),
        own::<Time64NanosecondType>(&[0, 86_399_999_999_999]),
        leaf::<TimestampSecondType>(DataType::Timestamp(Second, None), &seconds),
        leaf::<TimestampMillisecondType>(DataType::Timestamp(Millisecond, None), &scaled(1_000)),
        leaf::<TimestampMicrosecondType>(
            DataType::Timestamp(Microsecond, None),
            &scaled(1_000_000),
        ),
        leaf::<TimestampNanosecondType>(
            DataType::Timestamp(Nanosecond, None),
            &[i64::MIN + 1, -1, i64::MAX],
        ),
        own::<DurationSecondType>(&[-1, 0, 86_400]),
        own::<DurationMillisecondType>(&[-1, 0, 86_400]),
        own::<DurationMicrosecondType>(&[-1, 0, 86_400]),
        own::<DurationNanosecondType>(&[i64::MIN, 0, i64::MAX]),
        leaf::<IntervalYearMonthType>(DataType::Interval(IntervalUnit::YearMonth), &[0, 14]),
        leaf::<IntervalDayTimeType>(
            DataType::Interval(IntervalUnit::DayTime),
            &[
                IntervalDayTimeType::make_value(1, 2),
                IntervalDayTimeType::make_value(-1, 0),
            ],
        ),
        leaf::<IntervalMonthDayNanoType>(
            DataType::Interval(IntervalUnit::MonthDayNano),
            &[IntervalMonthDayNanoType::make_value(1, 2, 3_000_000)],
        ),
        Arc::new(texts().collect::<DictionaryArray<Int32Type>>()),
        as_type(
            &own::<Int64Type>(&[7, 7, -1]),
            &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64)),
        ),
        Arc::new(
            vec![Some("a"), Some("a"), None, Some("b")]
                .into_iter()
                .collect::<RunArray<Int32Type>>(),
        ),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(numbers())),
        Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>(
            numbers(),
        )),
        Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
            [
                Some(vec![Some(1), None]),
                None,
                Some(vec![Some(-1), Some(2)]),
            ],
            2,
        )),
        map_of_numbers(),
        map_of_lists(),
        list_of_bytes(),
        list_of_texts_lists(),
        structure(),
        structure_of_nested(),
        list_of_structures(),
    ]);
    all
}

fn numbers() -> [Option<Vec<Option<i32>>>; 4] {
    [
        Some(vec![Some(1), None, Some(-2)]),
        Some(vec![]),
        None,
        Some(vec![None]),
    ]
}

fn map_of_numbers() -> ArrayRef {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    maps.keys().append_value("k");
    maps.values().append_value(-1);
    maps.keys().append_value("");
    maps.values().append_null();
    maps.append(true).unwrap();
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    Arc::new(maps.finish())
}

fn map_of_lists() -> ArrayRef {
    let values = ListBuilder::new(Int32Builder::new());
    let mut maps = MapBuilder::new(None, StringBuilder::new(), values);
    maps.keys().append_value("empty");
    maps.values().append(true);
    maps.keys().append_value("full");
    maps.values().values().append_value(1);
    maps.values().values().append_null();
    maps.values().append(true);
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    maps.keys().append_value("none");
    maps.values().append(false);
    maps.append(true).unwrap();
    Arc::new(maps.finish())
}

fn list_of_bytes() -> ArrayRef {
    let mut lists = ListBuilder::new(BinaryBuilder::new());
    lists.values().append_value(b"\0\xff");
    lists.values().append_null();
    lists.append(true);
    lists.append(false);
    lists.append(true);
    Arc::new(lists.finish())
}

fn list_of_texts_lists() -> ArrayRef {
    let mut lists = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    lists.values().values().append_value("a");
    lists.values().values().append_null();
    lists.values().append(true);
    lists.values().append(false);
    lists.values().append(true);
    lists.append(true);
    lists.append(true);
    lists.append(false);
    Arc::new(lists.finish())
}

fn structure() -> ArrayRef {
    let inner: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let field = Arc::new(Field::new("inner", DataType::Int32, true));
    Arc::new(StructArray::new(
        vec![field].into(),
        vec![inner],
        Some(vec![true, true, false].into()),
    ))
}

fn structure_of_nested() -> ArrayRef {
    let columns = [
        ("s", structure()),
        ("l", numbers_of_three()),
        ("a b", map_of_numbers()),
    ];
    let fields = columns
        .iter()
        .map(|(name, column)| Arc::new(Field::new(*name, column.data_type().clone(), true)));
    Arc::new(StructArray::new(
        fields.collect::<Vec<_>>().into(),
        columns
            .iter()
            .map(|(_, column)| Arc::clone(column))
            .collect(),
        Some(vec![true, false, true].into()),
    ))
}

fn numbers_of_three() -> ArrayRef {
    let lists = numbers().into_iter().take(3);
    Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists))
}

fn list_of_structures() -> ArrayRef {
    let flat = structure();
    let field = Arc::new(Field::new("item", flat.data_type().clone(), true));
    let lengths = [2_usize, 0, 0, 1];
    Arc::new(ListArray::new(
        field,
        OffsetBuffer::from_lengths(lengths),
        flat,
        Some(vec![true, true, false, true].into()),
    ))
}
