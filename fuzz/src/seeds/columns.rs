//! A small column of every type and encoding.
//!
//! Invariant: each has three rows, the second of them null where the type has nulls.

use super::Failure;
use arrow_array::builder::{
    FixedSizeBinaryBuilder, Int32Builder, ListBuilder, ListViewBuilder, MapBuilder, StringBuilder,
};
use arrow_array::types::{Int8Type, Int16Type, Int32Type};
use arrow_array::{
    ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array,
    Decimal128Array, Decimal256Array, DictionaryArray, DurationMillisecondArray,
    FixedSizeListArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    IntervalDayTimeArray, IntervalMonthDayNanoArray, IntervalYearMonthArray, LargeBinaryArray,
    LargeStringArray, NullArray, RunArray, StringArray, StringViewArray, StructArray,
    Time32SecondArray, Time64NanosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow_schema::Field;
use std::sync::Arc;

/// Columns whose encoding every format keeps.
pub(super) fn plain() -> Result<Vec<(&'static str, ArrayRef)>, Failure> {
    let text = vec![Some("a"), None, Some("longer than twelve bytes")];
    let blob: Vec<Option<&[u8]>> = vec![Some(b"\x00\xff"), None, Some(b"")];
    let mut fixed = FixedSizeBinaryBuilder::new(4);
    fixed.append_value(b"abcd")?;
    fixed.append_null();
    fixed.append_value(b"efgh")?;
    let decimals = Decimal128Array::from(vec![Some(12_345), None, Some(-1)]);
    Ok(vec![
        (
            "bool",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "i8",
            Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(1)])),
        ),
        (
            "i16",
            Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(1)])),
        ),
        (
            "i32",
            Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(1)])),
        ),
        (
            "i64",
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(1)])),
        ),
        (
            "u8",
            Arc::new(UInt8Array::from(vec![Some(u8::MAX), None, Some(1)])),
        ),
        (
            "u16",
            Arc::new(UInt16Array::from(vec![Some(u16::MAX), None, Some(1)])),
        ),
        (
            "u32",
            Arc::new(UInt32Array::from(vec![Some(u32::MAX), None, Some(1)])),
        ),
        (
            "u64",
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(1)])),
        ),
        (
            "f32",
            Arc::new(Float32Array::from(vec![Some(f32::NAN), None, Some(-0.0)])),
        ),
        (
            "f64",
            Arc::new(Float64Array::from(vec![
                Some(f64::INFINITY),
                None,
                Some(1.5),
            ])),
        ),
        ("text", Arc::new(StringArray::from(text.clone()))),
        ("large", Arc::new(LargeStringArray::from(text))),
        ("blob", Arc::new(BinaryArray::from(blob.clone()))),
        ("large_blob", Arc::new(LargeBinaryArray::from(blob))),
        ("fixed", Arc::new(fixed.finish())),
        (
            "decimal",
            Arc::new(decimals.with_precision_and_scale(10, 2)?),
        ),
        (
            "date",
            Arc::new(Date32Array::from(vec![Some(-1), None, Some(20_000)])),
        ),
        (
            "time",
            Arc::new(Time64NanosecondArray::from(vec![Some(0), None, Some(1)])),
        ),
        (
            "ts_ms",
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(-1),
                None,
                Some(1),
            ])),
        ),
        (
            "ts_us",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1)]).with_timezone("UTC"),
            ),
        ),
        (
            "ts_ns",
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(-1),
                None,
                Some(1),
            ])),
        ),
    ])
}

/// Columns that hold columns.
pub(super) fn nested() -> Result<Vec<(&'static str, ArrayRef)>, Failure> {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["p", "q", "r"]));
    let mut list = ListBuilder::new(Int32Builder::new());
    list.append_value([Some(1), None]);
    list.append_null();
    list.append_value([]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("k");
    map.values().append_value(7);
    map.append(true)?;
    map.append(false)?;
    map.append(true)?;
    let fields = vec![
        (
            Arc::new(Field::new("n", numbers.data_type().clone(), true)),
            Arc::clone(&numbers),
        ),
        (
            Arc::new(Field::new("s", text.data_type().clone(), false)),
            text,
        ),
    ];
    let pairs = [Some([Some(1), None]), None, Some([Some(3), Some(4)])];
    let pairs = pairs.map(|pair| pair.map(Vec::from));
    Ok(vec![
        ("list", Arc::new(list.finish())),
        ("map", Arc::new(map.finish())),
        ("row", Arc::new(StructArray::from(fields))),
        (
            "pairs",
            Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
                pairs, 2,
            )),
        ),
    ])
}

/// Columns whose type or encoding not every format keeps.
pub(super) fn foreign() -> Result<Vec<(&'static str, ArrayRef)>, Failure> {
    let words = vec![Some("a"), None, Some("longer than twelve bytes")];
    let keys = Int8Array::from(vec![Some(0), None, Some(1)]);
    let values: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let ends = Int32Array::from(vec![2, 3]);
    let mut views = ListViewBuilder::new(Int32Builder::new());
    views.append_value([Some(1), None]);
    views.append_null();
    views.append_value([Some(2)]);
    let blobs: Vec<Option<&[u8]>> = vec![Some(b"z"), None, Some(b"longer than twelve bytes")];
    let wide = Decimal256Array::from(vec![Some(1.into()), None, Some((-1).into())]);
    Ok(vec![
        ("null", Arc::new(NullArray::new(3))),
        ("view", Arc::new(StringViewArray::from(words.clone()))),
        ("blob_view", Arc::new(BinaryViewArray::from(blobs))),
        (
            "dictionary",
            Arc::new(DictionaryArray::<Int8Type>::try_new(
                keys,
                Arc::clone(&values),
            )?),
        ),
        (
            "dictionary16",
            Arc::new(words.into_iter().collect::<DictionaryArray<Int16Type>>()),
        ),
        (
            "runs",
            Arc::new(RunArray::<Int32Type>::try_new(&ends, &values)?),
        ),
        ("list_view", Arc::new(views.finish())),
        ("wide", Arc::new(wide.with_precision_and_scale(50, 5)?)),
        (
            "date64",
            Arc::new(Date64Array::from(vec![Some(0), None, Some(86_400_000)])),
        ),
        (
            "seconds",
            Arc::new(TimestampSecondArray::from(vec![Some(0), None, Some(1)])),
        ),
        (
            "time32",
            Arc::new(Time32SecondArray::from(vec![Some(0), None, Some(1)])),
        ),
        (
            "duration",
            Arc::new(DurationMillisecondArray::from(vec![Some(0), None, Some(1)])),
        ),
        (
            "months",
            Arc::new(IntervalYearMonthArray::from(vec![Some(0), None, Some(1)])),
        ),
        (
            "days",
            Arc::new(IntervalDayTimeArray::from(vec![
                Some(Default::default()),
                None,
                None,
            ])),
        ),
        (
            "nanos",
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                Some(Default::default()),
                None,
                None,
            ])),
        ),
    ])
}

/// All of them.
pub(super) fn all() -> Result<Vec<(&'static str, ArrayRef)>, Failure> {
    let mut all = plain()?;
    all.extend(nested()?);
    all.extend(foreign()?);
    Ok(all)
}
