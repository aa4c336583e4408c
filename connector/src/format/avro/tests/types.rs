//! Every Arrow type that Avro holds comes back, and what it does not hold is refused.

use super::*;
use arrow_schema::IntervalUnit;
use proptest::prelude::*;

/// A column of every type, three rows each, the second of them null.
fn every_type() -> RecordBatch {
    let text = [Some("a"), None, Some("nul \0, snow \u{2603}")];
    let bytes: [Option<&[u8]>; 3] = [Some(b"\x00\xff"), None, Some(b"")];
    let mut fixed = FixedSizeBinaryBuilder::new(3);
    fixed.append_value(b"abc").unwrap();
    fixed.append_null();
    fixed.append_value(b"\0\0\0").unwrap();
    let half = <Float16Type as ArrowPrimitiveType>::Native::from_f32;
    let most = 10_i128.pow(38) - 1;
    let widest = i256::from_string(&"9".repeat(76)).unwrap();
    let utc = |array: TimestampMillisecondArray| array.with_timezone("UTC");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("null", Arc::new(NullArray::new(3))),
        (
            "bool",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        (
            "i8",
            Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)])),
        ),
        (
            "i16",
            Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)])),
        ),
        (
            "i32",
            Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)])),
        ),
        (
            "i64",
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
        ),
        (
            "u8",
            Arc::new(UInt8Array::from(vec![Some(0), None, Some(u8::MAX)])),
        ),
        (
            "u16",
            Arc::new(UInt16Array::from(vec![Some(0), None, Some(u16::MAX)])),
        ),
        (
            "u32",
            Arc::new(UInt32Array::from(vec![Some(0), None, Some(u32::MAX)])),
        ),
        (
            "u64",
            Arc::new(UInt64Array::from(vec![Some(0), None, Some(u64::MAX)])),
        ),
        (
            "f16",
            Arc::new(Float16Array::from(vec![
                Some(half(-0.0)),
                None,
                Some(half(65_504.0)),
            ])),
        ),
        (
            "f32",
            Arc::new(Float32Array::from(vec![Some(f32::NAN), None, Some(-0.0)])),
        ),
        (
            "f64",
            Arc::new(Float64Array::from(vec![
                Some(f64::NEG_INFINITY),
                None,
                Some(5e-324),
            ])),
        ),
        ("text", Arc::new(StringArray::from_iter(text))),
        ("large", Arc::new(LargeStringArray::from_iter(text))),
        ("bytes", Arc::new(BinaryArray::from_iter(bytes))),
        ("large_bytes", Arc::new(LargeBinaryArray::from_iter(bytes))),
        ("fixed", Arc::new(fixed.finish())),
        (
            "d32",
            Arc::new(
                Decimal32Array::from(vec![Some(-999_999_999), None, Some(128)])
                    .with_precision_and_scale(9, 9)
                    .unwrap(),
            ),
        ),
        (
            "d64",
            Arc::new(
                Decimal64Array::from(vec![Some(-128), None, Some(0)])
                    .with_precision_and_scale(18, 0)
                    .unwrap(),
            ),
        ),
        (
            "d128",
            Arc::new(
                Decimal128Array::from(vec![Some(most), None, Some(-most)])
                    .with_precision_and_scale(38, 10)
                    .unwrap(),
            ),
        ),
        (
            "d256",
            Arc::new(
                Decimal256Array::from(vec![Some(widest), None, Some(widest.wrapping_neg())])
                    .with_precision_and_scale(76, 76)
                    .unwrap(),
            ),
        ),
        (
            "date",
            Arc::new(Date32Array::from(vec![
                Some(i32::MIN),
                None,
                Some(i32::MAX),
            ])),
        ),
        (
            "date64",
            Arc::new(Date64Array::from(vec![Some(-86_400_000), None, Some(0)])),
        ),
        (
            "time_s",
            Arc::new(Time32SecondArray::from(vec![Some(0), None, Some(86_399)])),
        ),
        (
            "time_ms",
            Arc::new(Time32MillisecondArray::from(vec![
                Some(0),
                None,
                Some(86_399_999),
            ])),
        ),
        (
            "time_us",
            Arc::new(Time64MicrosecondArray::from(vec![Some(0), None, Some(1)])),
        ),
        (
            "time_ns",
            Arc::new(Time64NanosecondArray::from(vec![Some(0), None, Some(1)])),
        ),
        (
            "s",
            Arc::new(TimestampSecondArray::from(vec![
                Some(-62_135_596_800),
                None,
                Some(1),
            ])),
        ),
        (
            "ms",
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(i64::MIN),
                None,
                Some(1),
            ])),
        ),
        (
            "us",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(i64::MIN),
                None,
                Some(1),
            ])),
        ),
        (
            "ns",
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(i64::MIN),
                None,
                Some(1),
            ])),
        ),
        ("utc", Arc::new(utc(vec![Some(-1), None, Some(1)].into()))),
        (
            "berlin",
            Arc::new(
                TimestampNanosecondArray::from(vec![Some(-1), None, Some(1)])
                    .with_timezone("Europe/Berlin"),
            ),
        ),
        (
            "for_s",
            Arc::new(DurationSecondArray::from(vec![
                Some(i64::MIN),
                None,
                Some(1),
            ])),
        ),
        (
            "for_ms",
            Arc::new(DurationMillisecondArray::from(vec![
                Some(-1),
                None,
                Some(1),
            ])),
        ),
        (
            "for_us",
            Arc::new(DurationMicrosecondArray::from(vec![
                Some(-1),
                None,
                Some(1),
            ])),
        ),
        (
            "for_ns",
            Arc::new(DurationNanosecondArray::from(vec![Some(-1), None, Some(1)])),
        ),
        (
            "months",
            Arc::new(IntervalYearMonthArray::from(vec![
                Some(0),
                None,
                Some(i32::MAX),
            ])),
        ),
        (
            "days",
            Arc::new(IntervalDayTimeArray::from(vec![
                Some(IntervalDayTime::new(0, 0)),
                None,
                Some(IntervalDayTime::new(i32::MAX, i32::MAX)),
            ])),
        ),
        (
            "nanos",
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                Some(IntervalMonthDayNano::new(0, 0, 0)),
                None,
                Some(IntervalMonthDayNano::new(
                    i32::MAX,
                    i32::MAX,
                    4_294_967_295_000_000,
                )),
            ])),
        ),
    ];
    batch(columns)
}

/// Columns that hold columns, as above.
fn every_nesting() -> RecordBatch {
    let numbers = [Some(vec![Some(1), None]), None, Some(vec![])];
    let pairs = [
        Some(vec![Some(1), None]),
        None,
        Some(vec![Some(3), Some(4)]),
    ];
    let mut words = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    words.keys().append_value("k");
    words.values().append_null();
    words.append(true).unwrap();
    words.append(false).unwrap();
    words.append(true).unwrap();
    let mut keyed = MapBuilder::new(None, Int64Builder::new(), StringBuilder::new());
    keyed.keys().append_value(7);
    keyed.values().append_value("seven");
    keyed.append(true).unwrap();
    keyed.append(false).unwrap();
    keyed.append(true).unwrap();
    let flat = every_type();
    let fields: Fields = flat.schema().fields().clone();
    let nulls = Some(vec![true, false, true].into());
    let row = StructArray::new(fields, flat.columns().to_vec(), nulls.clone());
    let strict = Fields::from(vec![Field::new("n", DataType::Int32, false)]);
    let strict = StructArray::new(
        strict,
        vec![Arc::new(Int32Array::from(vec![1, 0, 3]))],
        nulls,
    );
    let empty = StructArray::new_empty_fields(3, Some(vec![true, false, true].into()));
    let rows: ArrayRef = Arc::new(row.slice(0, 3));
    let item = Field::new("element", rows.data_type().clone(), true);
    let lists = ListArray::new(
        Arc::new(item),
        arrow_buffer::OffsetBuffer::from_lengths([2, 0, 1]),
        rows,
        Some(vec![true, false, true].into()),
    );
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
    ])
}

#[test]
fn every_type_comes_back_exactly() {
    for batch in [every_type(), every_nesting()] {
        let sliced = batch.slice(1, 2);
        let back = open(&write(&[batch.clone(), sliced.clone()]).unwrap()).unwrap();
        assert_eq!(back.len(), 1);
        for (column, field) in batch.columns().iter().zip(batch.schema().fields()) {
            let read = back[0].column_by_name(field.name()).unwrap();
            assert_eq!(&read.slice(0, 3), column, "{field}");
        }
        assert_eq!(back[0].schema(), batch.schema());
        let schema = batch.schema();
        assert_eq!(
            digest_of(&schema, &back),
            digest_of(&schema, &[batch, sliced])
        );
    }
}

#[test]
fn columns_that_are_not_null_have_no_union() {
    let columns = every_type().columns().to_vec();
    let strict = |field: &Field| {
        field
            .clone()
            .with_nullable(*field.data_type() == DataType::Null)
    };
    let fields = every_type()
        .schema()
        .fields()
        .iter()
        .map(|field| strict(field))
        .collect::<Vec<_>>();
    let columns = columns.iter().map(|column| column.slice(0, 1)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert!(
        !print::schema(batch.schema().fields())
            .unwrap()
            .to_string()
            .contains(r#"["null""#)
    );
    assert_eq!(
        open(&write(std::slice::from_ref(&batch)).unwrap()).unwrap(),
        [batch]
    );
}

#[test]
fn each_type_has_the_form_that_others_know_best() {
    let schema = every_type().schema();
    let printed = print::schema(schema.fields()).unwrap();
    let mut forms = Vec::new();
    for (field, printed) in schema
        .fields()
        .iter()
        .zip(printed["fields"].as_array().unwrap())
    {
        let kind = match &printed["type"] {
            serde_json::Value::Array(branches) => &branches[1],
            lone => lone,
        };
        let word = |key: &str| {
            kind[key]
                .as_str()
                .map(Into::into)
                .unwrap_or_else(|| kind[key].to_string())
        };
        forms.push(match kind {
            serde_json::Value::String(name) => format!("{}: {name}", field.name()),
            _ if kind.get("precision").is_some() => {
                format!(
                    "{}: {}({}, {})",
                    field.name(),
                    word("logicalType"),
                    kind["precision"],
                    kind["scale"]
                )
            }
            _ if kind.get("logicalType").is_some() => {
                format!("{}: {} {}", field.name(), word("type"), word("logicalType"))
            }
            _ => format!("{}: {} {}", field.name(), word("type"), word("size")),
        });
    }
    let wanted = "null: null, bool: boolean, i8: int, i16: int, i32: int, i64: long, u8: int, u16: int, u32: long, \
        u64: decimal(20, 0), f16: float, f32: float, f64: double, text: string, large: string, bytes: bytes, \
        large_bytes: bytes, fixed: fixed 3, d32: decimal(9, 9), d64: decimal(18, 0), d128: decimal(38, 10), \
        d256: decimal(76, 76), date: int date, date64: int date, time_s: int time-millis, time_ms: int time-millis, \
        time_us: long time-micros, time_ns: long time-nanos, s: long local-timestamp-millis, \
        ms: long local-timestamp-millis, us: long local-timestamp-micros, ns: long local-timestamp-nanos, \
        utc: long timestamp-millis, berlin: long timestamp-nanos, for_s: long, for_ms: long, for_us: long, \
        for_ns: long, months: fixed duration, days: fixed duration, nanos: fixed duration";
    assert_eq!(forms.join(", "), wanted);
}

#[test]
fn names_that_avro_does_not_take_come_back() {
    let names = [
        "plain",
        "event.time",
        "event_time",
        "1st",
        "snow \u{2603}",
        "_",
        "\u{2603}",
        "a b",
        "a-b",
    ];
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let columns = names.map(|name| (name, Arc::clone(&numbers)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let printed = print::schema(batch.schema().fields()).unwrap();
    let fields = printed["fields"].as_array().unwrap();
    let printed: Vec<_> = fields
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    let avro = [
        "plain",
        "event_time_2",
        "event_time",
        "_1st",
        "snow__",
        "_",
        "__7",
        "a_b",
        "a_b_9",
    ];
    assert_eq!(printed, avro);
    assert_eq!(fields[1]["doc"], "event.time");
    assert_eq!(
        open(&write(std::slice::from_ref(&batch)).unwrap()).unwrap(),
        [batch]
    );
}

#[test]
fn what_avro_has_no_form_for_is_refused_by_name() {
    let nested = (0..31).fold(DataType::Int32, |inner, _| {
        DataType::Struct(Fields::from(vec![Field::new("a", inner, true)]))
    });
    for kind in [
        DataType::Decimal128(10, -2),
        DataType::FixedSizeBinary(0),
        nested,
    ] {
        let schema = Arc::new(Schema::new(vec![Field::new("x", kind, true)]));
        let error = write(&[RecordBatch::new_empty(schema)]).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0306"));
        assert!(
            error.message().contains("column \"x\" cannot be held"),
            "{error}"
        );
        assert!(
            error.detail().is_some() && error.hint().is_some(),
            "{error}"
        );
    }
}

#[test]
fn a_value_that_has_no_place_is_refused_by_row() {
    let seconds = i64::MAX / 1_000 + 1;
    let month = |months, days, nanos| IntervalMonthDayNano::new(months, days, nanos);
    let columns: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(Date64Array::from(vec![0, 1])), "no whole day"),
        (
            Arc::new(Date64Array::from(vec![0, 86_400_000 << 32])),
            "32 bits of days",
        ),
        (
            Arc::new(Time32SecondArray::from(vec![0, 86_400])),
            "no time of a day",
        ),
        (
            Arc::new(Time64NanosecondArray::from(vec![0, -1])),
            "no time of a day",
        ),
        (
            Arc::new(TimestampSecondArray::from(vec![0, seconds])),
            "64 bits of milliseconds",
        ),
        (
            Arc::new(IntervalYearMonthArray::from(vec![0, -1])),
            "below zero",
        ),
        (
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                month(0, 0, 0),
                month(0, 0, 1),
            ])),
            "finer",
        ),
        (
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                month(0, 0, 0),
                month(0, -1, 0),
            ])),
            "below zero",
        ),
        (
            Arc::new(
                Decimal128Array::from(vec![0, 1_000])
                    .with_precision_and_scale(3, 0)
                    .unwrap(),
            ),
            "more than the 3 digits",
        ),
    ];
    for (column, says) in columns {
        let error = write(&[batch(vec![("x", column)])]).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS0311"),
            "{says}"
        );
        assert!(error.message().contains("row 2 of column \"x\""), "{error}");
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
}

#[test]
fn a_row_beyond_a_block_is_refused_and_one_that_fills_it_is_not() {
    let list = |rows: usize| -> RecordBatch {
        let nulls: ArrayRef = Arc::new(NullArray::new(rows));
        let item = Arc::new(Field::new_list_field(DataType::Null, true));
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([rows]);
        batch(vec![(
            "x",
            Arc::new(ListArray::new(item, offsets, nulls, None)),
        )])
    };
    let most = list(1 << 19);
    assert_eq!(
        open(&write(std::slice::from_ref(&most)).unwrap()).unwrap(),
        [most]
    );
    let error = write(&[list((1 << 19) + 1)]).unwrap_err();
    assert_eq!(error.code(), "FS0311", "{error}");
    let long = StringArray::from(vec!["x".repeat(63 << 20)]);
    let error = write(&[batch(vec![("x", Arc::new(long))])]).unwrap_err();
    assert_eq!(error.code(), "FS0311", "{error}");
}

#[test]
fn rows_without_columns_are_counted() {
    let options = RecordBatchOptions::new().with_row_count(Some(3_000_000));
    let schema = Arc::new(Schema::empty());
    let batch = RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
    let back = open(&write(&[batch]).unwrap()).unwrap();
    let rows: usize = back.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 3_000_000);
}

#[test]
fn the_same_rows_make_the_same_file_and_others_another_marker() {
    let [a, b] =
        [1, 2].map(|n| write(&[batch(vec![("n", Arc::new(Int32Array::from(vec![n])))])]).unwrap());
    let again = write(&[batch(vec![("n", Arc::new(Int32Array::from(vec![1])))])]).unwrap();
    assert_eq!(a, again);
    assert_ne!(a[a.len() - 16..], b[b.len() - 16..]);
}

/// A file that this writer made when it was new. Its schema must be printed in the same way for ever, or the file
/// is taken for somebody else's and loses its types.
const FIRST: &[u8] = include_bytes!("first.avro");

#[test]
fn a_file_of_the_first_version_keeps_its_types() {
    assert_eq!(open(FIRST).unwrap(), [first()]);
}

/// Every type, under names that Avro does not take.
fn first() -> RecordBatch {
    let nested = every_nesting();
    let few: Vec<_> = nested
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| !["row", "lists"].contains(&field.name().as_str()))
        .map(|(at, _)| at)
        .collect();
    let both = [every_type(), nested.project(&few).unwrap()];
    let fields = both
        .iter()
        .flat_map(|batch| batch.schema().fields().to_vec());
    let fields = fields.enumerate().map(|(at, field)| {
        let name = format!("{}.{at}", field.name());
        field.as_ref().clone().with_name(name)
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let columns = both
        .iter()
        .flat_map(|batch| batch.columns().iter().cloned());
    RecordBatch::try_new(Arc::new(schema), columns.collect()).unwrap()
}

#[test]
fn a_day_or_a_month_of_the_other_kind_is_damage() {
    for (unit, block, says) in [
        (
            IntervalUnit::YearMonth,
            [0, 1, 0],
            "an interval of months has days",
        ),
        (
            IntervalUnit::DayTime,
            [1, 0, 0],
            "an interval of days has months",
        ),
    ] {
        let schema = Schema::new(vec![Field::new("x", DataType::Interval(unit), false)]);
        let avro = print::schema(schema.fields()).unwrap().to_string();
        let own = flinkspark_model::schema::to_json(&schema).unwrap();
        let mut bytes = header(&[("avro.schema", &avro), (container::OWN_SCHEMA, &own)]);
        bytes.extend([7; 16]);
        let block: Vec<u8> = block
            .iter()
            .flat_map(|part: &u32| part.to_le_bytes())
            .collect();
        bytes.extend([2, 24]);
        bytes.extend(block);
        bytes.extend([7; 16]);
        let error = open(&bytes).unwrap_err();
        assert_eq!(error.code(), "FS0305");
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_and_decimals_survive(
        rows in prop::collection::vec(
            (any::<Option<i64>>(), any::<i128>(), any::<Vec<u8>>(), any::<u64>(), any::<String>()), 0..20,
        ),
    ) {
        let most = 10_i128.pow(38);
        let decimals = Decimal128Array::from_iter_values(rows.iter().map(|row| row.1 % most));
        let wide = rows.iter().map(|row| {
            i256::from_i128(row.1).wrapping_mul(i256::from_i128(most >> (row.3 % 120)))
        });
        let limit = i256::from_i128(10).wrapping_pow(70);
        let wide = Decimal256Array::from_iter_values(wide.map(|value| value.wrapping_rem(limit)));
        let batch = batch(vec![
            ("n", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.0)))),
            ("d", Arc::new(decimals.with_precision_and_scale(38, 3).unwrap())),
            ("w", Arc::new(wide.with_precision_and_scale(70, 3).unwrap())),
            ("b", Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| &row.2)))),
            ("u", Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.3)))),
            ("t", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.4)))),
        ]);
        let back = open(&write(std::slice::from_ref(&batch)).unwrap()).unwrap();
        let wanted = if rows.is_empty() { vec![] } else { vec![batch] };
        prop_assert_eq!(back, wanted);
    }
}
