//! Every Arrow type that Thrift holds comes back, and what it does not hold is refused.

use super::*;
use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano, OffsetBuffer, i256};
use arrow_schema::IntervalUnit;
use proptest::prelude::*;

/// A number's column: the least, a null, the most.
fn ends<T: ArrowPrimitiveType>(least: T::Native, most: T::Native) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter([
        Some(least),
        None,
        Some(most),
    ]))
}

fn of(column: ArrayRef, data_type: DataType) -> ArrayRef {
    let data = column.to_data().into_builder().data_type(data_type);
    make_array(data.build().unwrap())
}

/// A column of every type, three rows each, the second of them null.
pub(super) fn every_type() -> RecordBatch {
    use {DataType as D, TimeUnit as U};
    let text = [Some("a"), None, Some("nul \0, snow \u{2603}")];
    let bytes: [Option<&[u8]>; 3] = [Some(b"\x00\xff"), None, Some(b"")];
    let fixed = |value: &[u8]| -> ArrayRef {
        let mut fixed = FixedSizeBinaryBuilder::new(value.len() as i32);
        fixed.append_value(value).unwrap();
        fixed.append_null();
        fixed.append_value(vec![0; value.len()]).unwrap();
        Arc::new(fixed.finish())
    };
    let half = <Float16Type as ArrowPrimitiveType>::Native::from_f32;
    let most = 10_i128.pow(38) - 1;
    let widest = i256::from_string(&"9".repeat(76)).unwrap();
    let month = |n| IntervalMonthDayNano::new(n, -n, i64::from(n) << 20);
    let (least, long) = (i64::MIN, i64::MAX);
    let zoned = |unit, zone: &str| D::Timestamp(unit, Some(zone.into()));
    batch(vec![
        ("null", Arc::new(NullArray::new(3))),
        (
            "bool",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        ("i8", ends::<Int8Type>(i8::MIN, i8::MAX)),
        ("i16", ends::<Int16Type>(i16::MIN, i16::MAX)),
        ("i32", ends::<Int32Type>(i32::MIN, i32::MAX)),
        ("i64", ends::<Int64Type>(least, long)),
        ("u8", ends::<UInt8Type>(0, u8::MAX)),
        ("u16", ends::<UInt16Type>(0, u16::MAX)),
        ("u32", ends::<UInt32Type>(0, u32::MAX)),
        ("u64", ends::<UInt64Type>(0, u64::MAX)),
        ("f16", ends::<Float16Type>(half(-0.0), half(65_504.0))),
        ("f32", ends::<Float32Type>(f32::NAN, f32::MIN_POSITIVE)),
        ("f64", ends::<Float64Type>(f64::NEG_INFINITY, 5e-324)),
        ("text", Arc::new(StringArray::from_iter(text))),
        ("large", Arc::new(LargeStringArray::from_iter(text))),
        ("bytes", Arc::new(BinaryArray::from_iter(bytes))),
        ("large_bytes", Arc::new(LargeBinaryArray::from_iter(bytes))),
        ("fixed", fixed(b"abc")),
        ("id", fixed(b"0123456789abcdef")),
        (
            "d32",
            of(ends::<Decimal32Type>(-999_999_999, 128), D::Decimal32(9, 9)),
        ),
        (
            "d64",
            of(ends::<Decimal64Type>(-128, 0), D::Decimal64(18, 0)),
        ),
        (
            "d128",
            of(ends::<Decimal128Type>(most, -most), D::Decimal128(38, 10)),
        ),
        (
            "below",
            of(ends::<Decimal128Type>(-1, 99), D::Decimal128(2, -3)),
        ),
        (
            "d256",
            of(
                ends::<Decimal256Type>(widest, widest.wrapping_neg()),
                D::Decimal256(76, 76),
            ),
        ),
        ("date", ends::<Date32Type>(i32::MIN, i32::MAX)),
        ("date64", ends::<Date64Type>(least, long)),
        ("time_s", ends::<Time32SecondType>(-1, i32::MAX)),
        ("time_ms", ends::<Time32MillisecondType>(0, 86_399_999)),
        ("time_us", ends::<Time64MicrosecondType>(0, long)),
        ("time_ns", ends::<Time64NanosecondType>(least, 1)),
        ("s", ends::<TimestampSecondType>(least, long)),
        (
            "ms",
            of(
                ends::<TimestampMillisecondType>(least, long),
                zoned(U::Millisecond, "UTC"),
            ),
        ),
        ("us", ends::<TimestampMicrosecondType>(least, long)),
        (
            "ns",
            of(
                ends::<TimestampNanosecondType>(least, long),
                zoned(U::Nanosecond, "Europe/Berlin"),
            ),
        ),
        ("for_s", ends::<DurationSecondType>(least, long)),
        ("for_ms", ends::<DurationMillisecondType>(least, long)),
        ("for_us", ends::<DurationMicrosecondType>(least, long)),
        ("for_ns", ends::<DurationNanosecondType>(least, long)),
        ("months", ends::<IntervalYearMonthType>(i32::MIN, i32::MAX)),
        (
            "days",
            ends::<IntervalDayTimeType>(
                IntervalDayTime::new(i32::MIN, 7),
                IntervalDayTime::new(1, i32::MAX),
            ),
        ),
        (
            "nanos",
            ends::<IntervalMonthDayNanoType>(month(i32::MIN + 1), month(i32::MAX)),
        ),
    ])
}

/// Columns that hold columns, three rows each, the second of them null.
pub(super) fn every_nesting() -> RecordBatch {
    let numbers = vec![Some(vec![Some(1), Some(2)]), None, Some(vec![])];
    let pairs = vec![
        Some(vec![Some(1), Some(2)]),
        None,
        Some(vec![Some(3), Some(4)]),
    ];
    let mut words = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    words.keys().append_value("k");
    words.values().append_value(-1);
    words.append(true).unwrap();
    words.append(false).unwrap();
    words.append(true).unwrap();
    let mut keyed = MapBuilder::new(None, Int64Builder::new(), StringBuilder::new());
    for key in [7, 8] {
        keyed.keys().append_value(key);
        keyed.values().append_value("seven");
    }
    keyed.append(true).unwrap();
    keyed.append(false).unwrap();
    keyed.append(true).unwrap();
    let flat = every_type();
    let fields: Fields = flat.schema().fields().clone();
    let nulls: Option<arrow_buffer::NullBuffer> = Some(vec![true, false, true].into());
    let row = StructArray::new(fields, flat.columns().to_vec(), nulls.clone());
    let strict = Fields::from(vec![Field::new("n", DataType::Int32, false)]);
    let ones = Arc::new(Int32Array::from(vec![1, 0, 3]));
    let strict = StructArray::new(strict, vec![ones], nulls.clone());
    let empty = StructArray::new_empty_fields(3, nulls.clone());
    let rows: ArrayRef = Arc::new(strict.slice(2, 1));
    let item = Field::new("element", rows.data_type().clone(), false);
    let lists = ListArray::new(
        Arc::new(item),
        OffsetBuffer::from_lengths([1, 0, 0]),
        rows,
        nulls,
    );
    let deep = ListArray::from_iter_primitive::<TimestampMicrosecondType, _, _>(vec![
        Some(vec![Some(9)]),
        None,
        None,
    ]);
    batch(vec![
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(
                numbers.clone(),
            )),
        ),
        (
            "large",
            Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>(
                numbers,
            )),
        ),
        (
            "pairs",
            Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
                pairs, 2,
            )),
        ),
        ("words", Arc::new(words.finish())),
        ("keyed", Arc::new(keyed.finish())),
        ("row", Arc::new(row)),
        ("strict", Arc::new(strict)),
        ("empty", Arc::new(empty)),
        ("lists", Arc::new(lists)),
        ("moments", Arc::new(deep)),
    ])
}

#[test]
fn every_type_comes_back_exactly_in_both_protocols_and_by_its_idl() {
    for batch in [every_type(), every_nesting()] {
        let idl = thrift_idl(&batch.schema()).unwrap();
        let batches = [batch.clone(), batch.slice(1, 2)];
        for protocol in BOTH {
            let file = write(&batches, protocol).unwrap();
            for back in [
                open(&file, batch.schema(), protocol),
                open_idl(&file, &idl, protocol),
            ] {
                let back = back.unwrap();
                assert_eq!(back.len(), 1);
                for (column, field) in batch.columns().iter().zip(batch.schema().fields()) {
                    let read = back[0].column_by_name(field.name()).unwrap();
                    assert_eq!(&read.slice(0, 3), column, "{field}");
                }
                assert_eq!(back[0].schema(), batch.schema());
                let schema = batch.schema();
                assert_eq!(digest_of(&schema, &back), digest_of(&schema, &batches));
            }
            // With its IDL the writer makes the same file.
            assert_eq!(
                write_at(&batches, options(protocol, Some(&idl))).unwrap(),
                file
            );
        }
    }
}

#[test]
fn columns_without_nulls_are_required_and_without_columns_there_are_rows() {
    let (every, schema) = (every_type(), every_type().schema());
    let strict = schema.fields().iter().zip(every.columns()).skip(1);
    let strict: Vec<_> = strict
        .map(|(field, column)| (field.name().clone(), column.slice(0, 1), false))
        .collect();
    let batch = RecordBatch::try_from_iter_with_nullable(strict).unwrap();
    let idl = thrift_idl(&batch.schema()).unwrap();
    assert!(!idl.contains("optional"), "{idl}");
    let options = RecordBatchOptions::new().with_row_count(Some(70_000));
    let none =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    for protocol in BOTH {
        let file = write(std::slice::from_ref(&batch), protocol).unwrap();
        assert_eq!(
            open(&file, batch.schema(), protocol).unwrap(),
            std::slice::from_ref(&batch)
        );
        let file = write(std::slice::from_ref(&none), protocol).unwrap();
        let back = open(&file, none.schema(), protocol).unwrap();
        assert_eq!(
            back.iter().map(RecordBatch::num_rows).sum::<usize>(),
            70_000
        );
    }
}

#[test]
fn a_null_within_a_list_or_a_map_is_refused_by_row_and_column() {
    let lists = vec![Some(vec![Some(1)]), None, Some(vec![Some(1), None])];
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..3 {
        map.keys().append_value("k");
        map.values().append_option((row < 2).then_some(1));
        map.append(true).unwrap();
    }
    let field = Arc::new(Field::new("inner", list.data_type().clone(), true));
    let within: ArrayRef = Arc::new(StructArray::from(vec![(field, Arc::clone(&list))]));
    for (column, path) in [
        (list, "x[1]"),
        (Arc::new(map.finish()), "x[0]"),
        (within, "x.inner[1]"),
    ] {
        for protocol in BOTH {
            let error = write(&[batch(vec![("x", Arc::clone(&column))])], protocol).unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (Kind::Invalid, "FS0311"),
                "{error}"
            );
            assert!(
                error
                    .message()
                    .contains(&format!("row 3 of column \"{path}\"")),
                "{error}"
            );
            assert!(error.detail().unwrap().contains("have no nulls"), "{error}");
        }
    }
}

#[test]
fn what_thrift_has_no_form_for_is_refused_by_name() {
    let fixed = DataType::FixedSizeBinary(0);
    let within = DataType::Struct(Fields::from(vec![Field::new("a", fixed.clone(), true)]));
    for kind in [fixed, within] {
        let schema = Arc::new(Schema::new(vec![Field::new("x", kind, true)]));
        for error in [
            write(
                &[RecordBatch::new_empty(Arc::clone(&schema))],
                ThriftProtocol::Binary,
            )
            .unwrap_err(),
            open(&[], Arc::clone(&schema), ThriftProtocol::Binary).unwrap_err(),
            thrift_idl(&schema).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0306"));
            assert!(
                error.message().contains("column \"x\" cannot be held"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_cell_and_a_row_beyond_what_datasets_hold_are_refused() {
    let text = |bytes: usize| -> ArrayRef { Arc::new(StringArray::from(vec!["x".repeat(bytes)])) };
    let most = batch(vec![("a", text(31 << 20)), ("b", text(31 << 20))]);
    let file = write(std::slice::from_ref(&most), ThriftProtocol::Compact).unwrap();
    assert_eq!(
        open(&file, most.schema(), ThriftProtocol::Compact).unwrap(),
        [most]
    );
    for columns in [
        vec![("a", text(33 << 20))],
        vec![
            ("a", text(31 << 20)),
            ("b", text(31 << 20)),
            ("c", text(2 << 20)),
        ],
    ] {
        let error = write(&[batch(columns)], ThriftProtocol::Compact).unwrap_err();
        assert_eq!(error.code(), "FS0311", "{error}");
    }
    // A file of somebody else.
    let size = 33_u32 << 20;
    let record = [
        &hex("0b 0001")[..],
        &size.to_be_bytes(),
        &vec![b'x'; size as usize],
        &[0],
    ]
    .concat();
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)]));
    let error = open(&framed(&[&record]), schema, ThriftProtocol::Binary).unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Data, "FS0310"),
        "{error}"
    );
    assert!(error.message().contains("row 1 of column \"a\""), "{error}");
}

#[test]
fn a_value_that_the_type_does_not_hold_is_refused_by_row() {
    let one = |kind| Arc::new(Schema::new(vec![Field::new("x", kind, true)]));
    for (record, kind, says) in [
        ("06 0001 0100 00", DataType::UInt8, "256 is no UInt8"),
        (
            "0a 0001 ffffffffffffffff 00",
            DataType::UInt32,
            "-1 is no UInt32",
        ),
        (
            "04 0001 3ff0000000000001 00",
            DataType::Float32,
            "no float of 32 bits",
        ),
        (
            "04 0001 40f0000000000000 00",
            DataType::Float16,
            "no float of 16 bits",
        ),
        (
            "0b 0001 00000002 03e8 00",
            DataType::Decimal128(3, 0),
            "more than the 3 digits",
        ),
        (
            "0b 0001 00000009 0fffffffffffffffff 00",
            DataType::Decimal64(18, 0),
            "more than 64 bits",
        ),
        (
            "0b 0001 00000001 ff 00",
            DataType::UInt64,
            "no whole number of 64 bits",
        ),
    ] {
        let file = framed(&[&[0], &hex(record)]);
        let error = open(&file, one(kind), ThriftProtocol::Binary).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Data, "FS0310"),
            "{error}"
        );
        assert!(error.message().contains("row 2 of column \"x\""), "{error}");
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
    let over = Decimal128Array::from(vec![1_000])
        .with_precision_and_scale(3, 0)
        .unwrap();
    let error = write(
        &[batch(vec![("x", Arc::new(over))])],
        ThriftProtocol::Binary,
    )
    .unwrap_err();
    assert_eq!(error.code(), "FS0311", "{error}");
}

#[test]
fn intervals_have_their_parts_one_after_another() {
    let month = IntervalMonthDayNano::new(1, -2, 3);
    let column: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![month]));
    assert_eq!(
        *column.data_type(),
        DataType::Interval(IntervalUnit::MonthDayNano)
    );
    let file = write(&[batch(vec![("x", column)])], ThriftProtocol::Binary).unwrap();
    assert_eq!(
        file,
        framed(&[&hex(
            "0b 0001 00000010 00000001 fffffffe 0000000000000003 00"
        )])
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_and_decimals_survive(
        rows in prop::collection::vec(
            (any::<Option<i64>>(), any::<i128>(), any::<Vec<u8>>(), any::<u64>(), any::<Option<String>>(), any::<f32>()), 0..20,
        ),
    ) {
        let most = 10_i128.pow(38);
        let decimals = Decimal128Array::from_iter_values(rows.iter().map(|row| row.1 % most));
        let batch = batch(vec![
            ("n", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.0)))),
            ("d", Arc::new(decimals.with_precision_and_scale(38, 3).unwrap())),
            ("b", Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| &row.2)))),
            ("u", Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.3)))),
            ("t", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.4.as_deref())))),
            ("f", Arc::new(Float32Array::from_iter_values(rows.iter().map(|row| row.5)))),
        ]);
        for protocol in BOTH {
            let file = write(std::slice::from_ref(&batch), protocol).unwrap();
            let wanted = if rows.is_empty() { vec![] } else { vec![batch.clone()] };
            prop_assert_eq!(open(&file, batch.schema(), protocol).unwrap(), wanted);
        }
    }
}
