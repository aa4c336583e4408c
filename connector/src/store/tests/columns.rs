//! Columns of every type that a dataset holds, for tests that go through all of them.

use arrow_array::builder::{BinaryBuilder, FixedSizeBinaryBuilder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, Int64Array,
    IntervalDayTimeArray, IntervalMonthDayNanoArray, IntervalYearMonthArray, LargeListArray,
    ListArray, MapArray, NullArray, StringArray, StructArray, make_array,
};
use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano, NullBuffer, OffsetBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit};
use std::sync::Arc;

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, true))
}

fn entries(key: DataType, value: DataType) -> Arc<Field> {
    let fields = vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ];
    Arc::new(Field::new(
        "entries",
        DataType::Struct(fields.into()),
        false,
    ))
}

fn keyed(keys: DataType, values: DataType) -> DataType {
    DataType::Dictionary(keys.into(), values.into())
}

fn runs(ends: DataType, values: DataType) -> DataType {
    let ends = Field::new("run_ends", ends, false);
    DataType::RunEndEncoded(ends.into(), Field::new("values", values, true).into())
}

/// Types without children.
fn flat() -> Vec<DataType> {
    use DataType as D;
    let mut types = vec![
        D::Null,
        D::Boolean,
        D::Int8,
        D::Int16,
        D::Int32,
        D::Int64,
        D::UInt8,
        D::UInt16,
        D::UInt32,
        D::UInt64,
        D::Float16,
        D::Float32,
        D::Float64,
        D::Utf8,
        D::LargeUtf8,
        D::Utf8View,
        D::Binary,
        D::LargeBinary,
        D::BinaryView,
        D::FixedSizeBinary(0),
        D::FixedSizeBinary(5),
        D::Date32,
        D::Date64,
        D::Time32(TimeUnit::Second),
        D::Time32(TimeUnit::Millisecond),
        D::Time64(TimeUnit::Microsecond),
        D::Time64(TimeUnit::Nanosecond),
        D::Decimal32(9, 2),
        D::Decimal64(18, 0),
        D::Decimal128(38, -3),
        D::Decimal256(76, 10),
        D::Interval(IntervalUnit::YearMonth),
        D::Interval(IntervalUnit::DayTime),
        D::Interval(IntervalUnit::MonthDayNano),
    ];
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        types.extend([
            D::Duration(unit),
            D::Timestamp(unit, None),
            D::Timestamp(unit, Some("+02:00".into())),
        ]);
    }
    types
}

/// Every kind of type, nested up to three deep.
pub(crate) fn types() -> Vec<DataType> {
    use DataType as D;
    let mut types = flat();
    for inner in [
        D::Null,
        D::Boolean,
        D::Utf8View,
        D::Decimal256(50, 3),
        D::FixedSizeBinary(0),
    ] {
        let one: Fields = vec![
            Field::new("x", inner.clone(), true),
            Field::new("y", D::Int8, true),
        ]
        .into();
        types.extend([
            D::List(item(inner.clone())),
            D::LargeList(item(inner.clone())),
            D::ListView(item(inner.clone())),
            D::LargeListView(item(inner.clone())),
            D::FixedSizeList(item(inner.clone()), 0),
            D::FixedSizeList(item(inner.clone()), 3),
            D::Struct(one.clone()),
            D::Map(entries(D::Utf8, inner.clone()), false),
            D::List(item(D::Struct(one.clone()))),
            D::Struct(vec![Field::new("s", D::Struct(one), true)].into()),
            D::List(item(D::List(item(D::List(item(inner.clone())))))),
            D::List(item(D::Map(entries(D::Int32, inner), true))),
        ]);
    }
    types.push(D::Struct(Fields::empty()));
    for keys in [D::Int8, D::UInt8, D::Int16, D::Int32, D::UInt64] {
        types.extend([
            keyed(keys.clone(), D::Utf8),
            keyed(keys.clone(), D::Int64),
            keyed(keys, D::Boolean),
        ]);
    }
    types.extend([
        D::List(item(keyed(D::Int32, D::Utf8))),
        D::Struct(vec![Field::new("k", keyed(D::Int8, D::Utf8), true)].into()),
        runs(D::Int16, D::Int64),
        runs(D::Int32, D::Utf8),
        runs(D::Int64, D::Boolean),
        D::List(item(runs(D::Int32, D::Utf8View))),
    ]);
    types
}

fn nulls(rows: usize) -> Option<NullBuffer> {
    Some((0..rows).map(|row| row % 5 != 3).collect())
}

/// The offsets of lists of 0 to 3 items.
fn offsets(rows: usize) -> Vec<usize> {
    let ends = (0..rows).scan(0, |end, row| {
        *end += (row * 7) % 4;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

fn offset<O: TryFrom<usize>>(rows: usize) -> Vec<O> {
    offsets(rows)
        .into_iter()
        .filter_map(|end| O::try_from(end).ok())
        .collect()
}

fn with_nulls(array: &dyn Array) -> ArrayRef {
    let data = array.to_data().into_builder().nulls(nulls(array.len()));
    make_array(data.build().unwrap())
}

/// Rows of any type; every fifth is null, values repeat with a period.
pub(crate) fn column(data_type: &DataType, rows: usize) -> ArrayRef {
    use DataType as D;
    let number = |row: usize| (row * 31 % 251) as i64;
    let numbers = || Int64Array::from_iter_values((0..rows).map(number));
    match data_type {
        D::Null => Arc::new(NullArray::new(rows)),
        D::Boolean => with_nulls(
            &(0..rows)
                .map(|row| Some(number(row) % 2 == 0))
                .collect::<BooleanArray>(),
        ),
        D::Interval(IntervalUnit::YearMonth) => {
            let months = (0..rows).map(|row| number(row) as i32 - 100);
            with_nulls(&IntervalYearMonthArray::from_iter_values(months))
        }
        D::Interval(IntervalUnit::DayTime) => {
            let days = (0..rows).map(|row| IntervalDayTime::new(number(row) as i32, -5));
            with_nulls(&IntervalDayTimeArray::from_iter_values(days))
        }
        D::Interval(IntervalUnit::MonthDayNano) => {
            let all =
                (0..rows).map(|row| IntervalMonthDayNano::new(number(row) as i32, -1, 1 << 40));
            with_nulls(&IntervalMonthDayNanoArray::from_iter_values(all))
        }
        D::Utf8 | D::LargeUtf8 | D::Utf8View => {
            let texts = (0..rows).map(|row| {
                Some("long enough to be no inline view ".repeat(row % 2) + &number(row).to_string())
            });
            cast(&with_nulls(&texts.collect::<StringArray>()), data_type).unwrap()
        }
        D::Binary | D::LargeBinary | D::BinaryView => {
            let mut builder = BinaryBuilder::new();
            (0..rows).for_each(|row| builder.append_value(vec![row as u8; row % 20]));
            let binary: BinaryArray = builder.finish();
            cast(&with_nulls(&binary), data_type).unwrap()
        }
        D::FixedSizeBinary(width) => {
            let mut builder = FixedSizeBinaryBuilder::new(*width);
            (0..rows).for_each(|row| {
                builder
                    .append_value(vec![row as u8; *width as usize])
                    .unwrap()
            });
            with_nulls(&builder.finish())
        }
        D::Date32 | D::Time32(_) => {
            let days = cast(&with_nulls(&numbers()), &D::Int32).unwrap();
            cast(&days, data_type).unwrap()
        }
        D::List(field) => {
            let offsets = OffsetBuffer::new(offset::<i32>(rows).into());
            let values = column(field.data_type(), offsets[rows] as usize);
            Arc::new(ListArray::try_new(field.clone(), offsets, values, nulls(rows)).unwrap())
        }
        D::LargeList(field) => {
            let offsets = OffsetBuffer::new(offset::<i64>(rows).into());
            let values = column(field.data_type(), offsets[rows] as usize);
            Arc::new(LargeListArray::try_new(field.clone(), offsets, values, nulls(rows)).unwrap())
        }
        D::ListView(field) => {
            let list = column(&D::List(field.clone()), rows);
            cast(&list, data_type).unwrap()
        }
        D::LargeListView(field) => {
            let list = column(&D::LargeList(field.clone()), rows);
            cast(&list, data_type).unwrap()
        }
        D::FixedSizeList(field, size) => {
            let values = column(field.data_type(), rows * *size as usize);
            let (field, nulls) = (field.clone(), nulls(rows));
            Arc::new(
                FixedSizeListArray::try_new_with_length(field, *size, values, nulls, rows).unwrap(),
            )
        }
        D::Struct(fields) => {
            let columns = fields
                .iter()
                .map(|field| column(field.data_type(), rows))
                .collect();
            Arc::new(
                StructArray::try_new_with_length(fields.clone(), columns, nulls(rows), rows)
                    .unwrap(),
            )
        }
        D::Map(field, sorted) => {
            let D::Struct(fields) = field.data_type() else {
                unreachable!()
            };
            let offsets = OffsetBuffer::new(offset::<i32>(rows).into());
            let count = offsets[rows] as usize;
            let keys = Int64Array::from_iter_values((0..count).map(|n| n as i64));
            let keys = cast(&keys, fields[0].data_type()).unwrap();
            let columns = vec![keys, column(fields[1].data_type(), count)];
            let entries = StructArray::try_new(fields.clone(), columns, None).unwrap();
            Arc::new(
                MapArray::try_new(field.clone(), offsets, entries, nulls(rows), *sorted).unwrap(),
            )
        }
        // Few values, so that every key has room for them.
        D::Dictionary(_, values) => {
            let few = Int64Array::from_iter_values((0..rows).map(|row| (row % 100) as i64));
            let few = with_nulls(&few);
            match values.as_ref() {
                D::Boolean => {
                    let keys = cast(&few, &D::Int8).unwrap();
                    let keys: Vec<Option<i8>> = arrow_array::cast::AsArray::as_primitive::<
                        arrow_array::types::Int8Type,
                    >(&keys)
                    .iter()
                    .map(|key| key.map(|key| key % 2))
                    .collect();
                    let values: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
                    let dictionary =
                        arrow_array::DictionaryArray::<arrow_array::types::Int8Type>::try_new(
                            keys.into(),
                            values,
                        )
                        .unwrap();
                    cast(&dictionary, data_type).unwrap()
                }
                values => cast(&cast(&few, values).unwrap(), data_type).unwrap(),
            }
        }
        D::RunEndEncoded(ends, values) => {
            let rows = if *ends.data_type() == D::Int16 {
                rows.min(30_000)
            } else {
                rows
            };
            let plain = column(values.data_type(), rows);
            cast(&plain, data_type).unwrap()
        }
        other => cast(&with_nulls(&numbers()), other).unwrap(),
    }
}
