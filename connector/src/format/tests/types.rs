//! The table of `docs/types.md`: what each format does with each type, out and back.
//!
//! Invariant: the page is what this test finds; where it is not, the test says where the true one lies.

use super::*;
use arrow_array::builder::*;
use arrow_array::types::*;
use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano, i256};
use arrow_schema::IntervalUnit;
use flinkspark_model::schema::type_name;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const BEFORE: &str = "\
# Types and formats

What each format does with each type, made by a test (`connector::format::tests::types`), which writes extremes, values before 1970,
and nulls, and reads them back.

* `=`: comes back as it was, at the dataset's schema and without one.
* a type: comes back as it was at the dataset's schema; without one the file is read as that type. Text formats infer from
  what they hold: `utf8` there says that the values of this test have no narrower type in common.
* `schema`: comes back as it was at the dataset's schema; the format has none of its own.
* a code: refused by name when it is written.

";

fn leaf<T: ArrowPrimitiveType>(data_type: DataType, values: &[T::Native]) -> ArrayRef {
    let values = values.iter().copied().map(Some).chain([None]);
    Arc::new(PrimitiveArray::<T>::from_iter(values).with_data_type(data_type))
}

fn own<T: ArrowPrimitiveType>(values: &[T::Native]) -> ArrayRef {
    leaf::<T>(T::DATA_TYPE, values)
}

/// Every type, with values that hurt.
fn samples() -> Vec<ArrayRef> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let texts = ["", "NA", "\u{2603}", "line\nbreak, \"quoted\"", "007"];
    let texts = || texts.iter().copied().map(Some).chain([None]);
    let bytes = || {
        [&b""[..], &b"\0\xff"[..], b"abc"]
            .into_iter()
            .map(Some)
            .chain([None])
    };
    let mut fixed = FixedSizeBinaryBuilder::new(3);
    fixed.append_value(b"\0\x80\xff").unwrap();
    fixed.append_null();
    let zone = |name: &str| Some(name.into());
    // 0001-01-01, 1969-12-31T23:59:59 and 9999-12-31, in seconds.
    let seconds = [-62_135_596_800, -1, 0, 253_402_214_400];
    let scaled = |factor: i64| seconds.map(|value| value * factor);
    let nanos = [i64::MIN + 1, -1, 0, i64::MAX];
    let day = 86_400;
    vec![
        Arc::new(NullArray::new(3)),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        own::<Int8Type>(&[i8::MIN, 0, i8::MAX]),
        own::<Int16Type>(&[i16::MIN, 0, i16::MAX]),
        own::<Int32Type>(&[i32::MIN, 0, i32::MAX]),
        own::<Int64Type>(&[i64::MIN, 0, i64::MAX]),
        own::<UInt8Type>(&[0, u8::MAX]),
        own::<UInt16Type>(&[0, u16::MAX]),
        own::<UInt32Type>(&[0, u32::MAX]),
        own::<UInt64Type>(&[0, u64::MAX]),
        halves(),
        own::<Float32Type>(&[f32::MIN, -0.0, f32::NAN, 1e-45]),
        own::<Float64Type>(&[f64::MIN, -0.0, f64::NAN, 5e-324]),
        leaf::<Decimal32Type>(DataType::Decimal32(9, 2), &[-999_999_999, 0, 999_999_999]),
        leaf::<Decimal64Type>(DataType::Decimal64(18, 4), &[-999_999_999_999_999_999, 1]),
        leaf::<Decimal128Type>(DataType::Decimal128(38, 10), &[10_i128.pow(38) - 1, -1, 0]),
        leaf::<Decimal128Type>(DataType::Decimal128(5, -2), &[99_999, -1]),
        leaf::<Decimal256Type>(
            DataType::Decimal256(76, 0),
            &[i256::MAX / i256::from(10), i256::from(-1)],
        ),
        Arc::new(StringArray::from_iter(texts())),
        Arc::new(LargeStringArray::from_iter(texts())),
        Arc::new(StringViewArray::from_iter(texts())),
        Arc::new(BinaryArray::from_iter(bytes())),
        Arc::new(LargeBinaryArray::from_iter(bytes())),
        Arc::new(BinaryViewArray::from_iter(bytes())),
        Arc::new(fixed.finish()),
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
        leaf::<TimestampNanosecondType>(DataType::Timestamp(Nanosecond, None), &nanos),
        leaf::<TimestampSecondType>(DataType::Timestamp(Second, zone("UTC")), &seconds),
        leaf::<TimestampMillisecondType>(
            DataType::Timestamp(Millisecond, zone("UTC")),
            &scaled(1_000),
        ),
        leaf::<TimestampMicrosecondType>(
            DataType::Timestamp(Microsecond, zone("UTC")),
            &scaled(1_000_000),
        ),
        leaf::<TimestampNanosecondType>(DataType::Timestamp(Nanosecond, zone("UTC")), &nanos),
        leaf::<TimestampMicrosecondType>(
            DataType::Timestamp(Microsecond, zone("Asia/Kolkata")),
            &[-1, 0, 1],
        ),
        own::<DurationSecondType>(&[-1, 0, 86_400]),
        own::<DurationMicrosecondType>(&[-1, 0, 86_400]),
        leaf::<IntervalYearMonthType>(DataType::Interval(IntervalUnit::YearMonth), &[0, 14]),
        leaf::<IntervalDayTimeType>(
            DataType::Interval(IntervalUnit::DayTime),
            &[IntervalDayTime::new(1, 2)],
        ),
        leaf::<IntervalMonthDayNanoType>(
            DataType::Interval(IntervalUnit::MonthDayNano),
            &[IntervalMonthDayNano::new(1, 2, 3_000_000)],
        ),
        Arc::new(texts().collect::<DictionaryArray<Int32Type>>()),
        Arc::new(
            vec![Some("a"), Some("a"), None]
                .into_iter()
                .collect::<RunArray<Int32Type>>(),
        ),
        list(),
        Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1)]),
            None,
        ])),
        Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
            [Some(vec![Some(1), Some(2)]), None],
            2,
        )),
        map(),
        structure(),
    ]
}

fn halves() -> ArrayRef {
    let singles = own::<Float32Type>(&[1.5, -0.0, f32::INFINITY]);
    arrow_cast::cast(&singles, &DataType::Float16).unwrap()
}

fn list() -> ArrayRef {
    let lists = [Some(vec![Some(1), Some(-2)]), Some(vec![]), None];
    Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists))
}

fn map() -> ArrayRef {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    maps.keys().append_value("k");
    maps.values().append_value(-1);
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    Arc::new(maps.finish())
}

fn structure() -> ArrayRef {
    let inner = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])) as ArrayRef;
    let field = Arc::new(Field::new("inner", DataType::Int32, true));
    let nulls = arrow_buffer::NullBuffer::from(vec![true, true, false]);
    Arc::new(StructArray::new(
        vec![field].into(),
        vec![inner],
        Some(nulls),
    ))
}

/// What a format does with a column.
fn cell(format: Format, column: &ArrayRef) -> String {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "c",
        column.data_type().clone(),
        true,
    )]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(column)]).unwrap();
    let bytes = match written(
        format,
        std::slice::from_ref(&batch),
        &WriteOptions::default(),
    ) {
        Ok(bytes) => bytes,
        Err(error) => return error.code().to_owned(),
    };
    let sent = digest_of(&schema, std::slice::from_ref(&batch));
    let declared = ReadOptions {
        schema: Some(Arc::clone(&schema)),
        ..ReadOptions::default()
    };
    let back = read(format, bytes.clone(), &declared).unwrap();
    let stored = stored_schema(&schema).unwrap();
    let what = type_name(column.data_type());
    let read_as = back[0].schema();
    if read_as == stored {
        assert_eq!(digest_of(&schema, &back), sent, "{format}, {what}");
    } else {
        // A format that keeps its own types gives the nearest that it has.
        return type_name(read_as.field(0).data_type());
    }
    let alone = format
        .read(
            Box::new(Cursor::new(bytes)),
            "test",
            &ReadOptions::default(),
        )
        .and_then(|mut reader| {
            let schema = reader.schema();
            reader
                .try_for_each(|batch| batch.map(drop))
                .map(|()| schema)
        });
    match alone {
        Ok(schema) if schema.field(0).data_type() == stored.field(0).data_type() => "=".into(),
        Ok(schema) => type_name(schema.field(0).data_type()),
        Err(error) if error.code() == "FS0317" => "schema".into(),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn the_page_of_types_is_true() {
    let mut page = String::from(BEFORE);
    let names = formats()
        .map(|(format, _)| format.name())
        .collect::<Vec<_>>();
    writeln!(page, "| type | {} |", names.join(" | ")).unwrap();
    writeln!(page, "| --- |{}", " --- |".repeat(names.len())).unwrap();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for column in samples() {
        let cells: Vec<String> = formats().map(|(format, _)| cell(format, &column)).collect();
        for cell in &cells {
            *counts
                .entry(
                    if cell.starts_with("FS") {
                        "refused"
                    } else {
                        "held"
                    }
                    .into(),
                )
                .or_default() += 1;
        }
        let shown = cells.iter().map(|cell| format!("`{cell}`"));
        let shown = shown.collect::<Vec<_>>().join(" | ");
        writeln!(page, "| `{}` | {shown} |", type_name(column.data_type())).unwrap();
    }
    writeln!(
        page,
        "\n{} of the {} pairs are held, {} are refused by name.",
        counts["held"],
        counts["held"] + counts["refused"],
        counts["refused"]
    )
    .unwrap();
    let known = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/types.md");
    if std::fs::read_to_string(known).unwrap_or_default() != page {
        let made = std::env::temp_dir().join("flinkspark-types.md");
        std::fs::write(&made, &page).unwrap();
        panic!(
            "docs/types.md is not what the formats do; {} is",
            made.display()
        );
    }
}
