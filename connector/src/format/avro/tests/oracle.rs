//! What another implementation reads of ours, and what it writes that we read.

use super::*;
use apache_avro::types::Value;
use apache_avro::{Codec, DeflateSettings, Schema as Avro, Writer};
use arrow_array::cast::AsArray;

/// Every codec, by its name.
pub(super) fn codecs() -> [(&'static str, Codec); 6] {
    [
        ("null", Codec::Null),
        ("deflate", Codec::Deflate(DeflateSettings::default())),
        ("snappy", Codec::Snappy),
        ("zstandard", Codec::Zstandard(Default::default())),
        ("bzip2", Codec::Bzip2(Default::default())),
        ("xz", Codec::Xz(Default::default())),
    ]
}

/// The rows of a file, as the oracle reads them.
fn theirs(bytes: &[u8]) -> Vec<Value> {
    let reader = apache_avro::Reader::new(bytes).unwrap();
    reader.collect::<std::result::Result<_, _>>().unwrap()
}

fn some(value: Value) -> Value {
    Value::Union(1, value.into())
}

fn none() -> Value {
    Value::Union(0, Value::Null.into())
}

fn duration(months: u32, days: u32, millis: u32) -> Value {
    let parts = [months, days, millis].map(u32::to_le_bytes).concat();
    let parts: [u8; 12] = parts.try_into().unwrap();
    Value::Duration(parts.into())
}

fn decimal(bytes: &[u8]) -> Value {
    Value::Decimal(bytes.into())
}

#[test]
fn the_oracle_reads_what_we_write() {
    let utc = TimestampMicrosecondArray::from(vec![-1]).with_timezone("UTC");
    let wide = Decimal256Array::from(vec![i256::from_i128(-129)]);
    let month = IntervalMonthDayNano::new(1, 2, 3_000_000);
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None])]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    map.keys().append_value("k");
    map.values().append_value(7);
    map.append(true).unwrap();
    let inner = Field::new("x y", DataType::Utf8, false);
    let row = StructArray::from(vec![(
        Arc::new(inner),
        Arc::new(StringArray::from(vec!["z"])) as ArrayRef,
    )]);
    let cases: Vec<(ArrayRef, Value)> = vec![
        (
            Arc::new(BooleanArray::from(vec![true])),
            Value::Boolean(true),
        ),
        (Arc::new(Int8Array::from(vec![-128])), Value::Int(-128)),
        (
            Arc::new(UInt32Array::from(vec![u32::MAX])),
            Value::Long(u32::MAX.into()),
        ),
        (
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            decimal(&[0, 255, 255, 255, 255, 255, 255, 255, 255]),
        ),
        (Arc::new(Float32Array::from(vec![1.5])), Value::Float(1.5)),
        (
            Arc::new(Float64Array::from(vec![f64::MIN])),
            Value::Double(f64::MIN),
        ),
        (
            Arc::new(StringArray::from(vec!["\0"])),
            Value::String("\0".into()),
        ),
        (
            Arc::new(BinaryArray::from(vec![&b"\xff"[..]])),
            Value::Bytes(vec![255]),
        ),
        (
            Arc::new(FixedSizeBinaryArray::try_from_iter([b"abc"].into_iter()).unwrap()),
            Value::Fixed(3, b"abc".to_vec()),
        ),
        (
            Arc::new(wide.with_precision_and_scale(50, 2).unwrap()),
            decimal(&[0xff, 0x7f]),
        ),
        (Arc::new(Date32Array::from(vec![-1])), Value::Date(-1)),
        (
            Arc::new(Date64Array::from(vec![86_400_000])),
            Value::Date(1),
        ),
        (
            Arc::new(Time32SecondArray::from(vec![2])),
            Value::TimeMillis(2_000),
        ),
        (
            Arc::new(Time64MicrosecondArray::from(vec![2])),
            Value::TimeMicros(2),
        ),
        (
            Arc::new(Time64NanosecondArray::from(vec![2])),
            Value::Long(2),
        ),
        (Arc::new(utc), Value::TimestampMicros(-1)),
        (
            Arc::new(TimestampSecondArray::from(vec![-2])),
            Value::LocalTimestampMillis(-2_000),
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![-2])),
            Value::LocalTimestampMicros(-2),
        ),
        (
            Arc::new(TimestampNanosecondArray::from(vec![-2])),
            Value::LocalTimestampNanos(-2),
        ),
        (Arc::new(DurationSecondArray::from(vec![3])), Value::Long(3)),
        (
            Arc::new(IntervalMonthDayNanoArray::from(vec![month])),
            duration(1, 2, 3),
        ),
        (
            Arc::new(list),
            Value::Array(vec![some(Value::Int(1)), none()]),
        ),
        (
            Arc::new(map.finish()),
            Value::Map([("k".into(), some(Value::Long(7)))].into()),
        ),
        (
            Arc::new(row),
            Value::Record(vec![("x_y".into(), Value::String("z".into()))]),
        ),
    ];
    let names: Vec<String> = (0..cases.len()).map(|at| format!("c{at}")).collect();
    let columns = names.iter().zip(&cases);
    let columns = columns.map(|(name, (column, _))| (name.as_str(), Arc::clone(column)));
    let batch = batch(columns.collect());
    let nulls = columns_of_nulls(&batch);
    let rows = theirs(&write(&[batch, nulls]).unwrap());
    let row = |value: &dyn Fn(&Value) -> Value| {
        let values = names.iter().zip(&cases);
        Value::Record(
            values
                .map(|(name, (_, known))| (name.clone(), value(known)))
                .collect(),
        )
    };
    assert_eq!(rows, [row(&|known| some(known.clone())), row(&|_| none())]);
}

/// A row of nulls.
fn columns_of_nulls(batch: &RecordBatch) -> RecordBatch {
    let columns = batch.columns().iter();
    let columns = columns.map(|column| new_null_array(column.data_type(), 1));
    RecordBatch::try_new(batch.schema(), columns.collect()).unwrap()
}

/// One type: its schema, what it is read as, the oracle's value and ours.
type Case = (&'static str, DataType, Value, ArrayRef);

fn cases() -> Vec<Case> {
    use {DataType as D, TimeUnit as U};
    let utc = || Some("UTC".into());
    let text = |word: &str| Arc::new(StringArray::from(vec![word])) as ArrayRef;
    let d128 = |value: i128, precision, scale| -> ArrayRef {
        let array = Decimal128Array::from(vec![value]);
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
    };
    let month = IntervalMonthDayNano::new(1, 2, 3_000_000);
    let uuid = "936da01f-9abd-4d9d-80c7-02af85c822a8";
    vec![
        (
            r#""boolean""#,
            D::Boolean,
            Value::Boolean(true),
            Arc::new(BooleanArray::from(vec![true])),
        ),
        (
            r#""int""#,
            D::Int32,
            Value::Int(i32::MIN),
            Arc::new(Int32Array::from(vec![i32::MIN])),
        ),
        (
            r#""long""#,
            D::Int64,
            Value::Long(i64::MAX),
            Arc::new(Int64Array::from(vec![i64::MAX])),
        ),
        (
            r#""float""#,
            D::Float32,
            Value::Float(-0.0),
            Arc::new(Float32Array::from(vec![-0.0])),
        ),
        (
            r#""double""#,
            D::Float64,
            Value::Double(1e300),
            Arc::new(Float64Array::from(vec![1e300])),
        ),
        (
            r#""bytes""#,
            D::Binary,
            Value::Bytes(vec![0]),
            Arc::new(BinaryArray::from(vec![&[0][..]])),
        ),
        (
            r#""string""#,
            D::Utf8,
            Value::String("\u{2603}".into()),
            text("\u{2603}"),
        ),
        (
            r#"{"type":"fixed","name":"f","size":2}"#,
            D::FixedSizeBinary(2),
            Value::Fixed(2, vec![1, 2]),
            Arc::new(FixedSizeBinaryArray::try_from_iter([[1, 2]].into_iter()).unwrap()),
        ),
        (
            r#"{"type":"enum","name":"e","symbols":["RED","BLUE"]}"#,
            D::Utf8,
            Value::Enum(1, "BLUE".into()),
            text("BLUE"),
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}"#,
            D::Decimal128(38, 2),
            decimal(&[0xff, 0x7f]),
            d128(-129, 38, 2),
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":76}"#,
            D::Decimal256(76, 0),
            decimal(&[0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Arc::new(
                Decimal256Array::from(vec![i256::from_parts(0, 256)])
                    .with_precision_and_scale(76, 0)
                    .unwrap(),
            ),
        ),
        (
            r#"{"type":"fixed","name":"d","size":20,"logicalType":"decimal","precision":10,"scale":3}"#,
            D::Decimal128(10, 3),
            decimal(&[[0xff; 19].as_slice(), &[0xfe]].concat()),
            d128(-2, 10, 3),
        ),
        (
            r#"{"type":"int","logicalType":"date"}"#,
            D::Date32,
            Value::Date(-719_528),
            Arc::new(Date32Array::from(vec![-719_528])),
        ),
        (
            r#"{"type":"int","logicalType":"time-millis"}"#,
            D::Time32(U::Millisecond),
            Value::TimeMillis(1),
            Arc::new(Time32MillisecondArray::from(vec![1])),
        ),
        (
            r#"{"type":"long","logicalType":"time-micros"}"#,
            D::Time64(U::Microsecond),
            Value::TimeMicros(1),
            Arc::new(Time64MicrosecondArray::from(vec![1])),
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-millis"}"#,
            D::Timestamp(U::Millisecond, utc()),
            Value::TimestampMillis(-1),
            Arc::new(TimestampMillisecondArray::from(vec![-1]).with_timezone("UTC")),
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-micros"}"#,
            D::Timestamp(U::Microsecond, utc()),
            Value::TimestampMicros(-1),
            Arc::new(TimestampMicrosecondArray::from(vec![-1]).with_timezone("UTC")),
        ),
        (
            r#"{"type":"long","logicalType":"timestamp-nanos"}"#,
            D::Timestamp(U::Nanosecond, utc()),
            Value::TimestampNanos(-1),
            Arc::new(TimestampNanosecondArray::from(vec![-1]).with_timezone("UTC")),
        ),
        (
            r#"{"type":"long","logicalType":"local-timestamp-millis"}"#,
            D::Timestamp(U::Millisecond, None),
            Value::LocalTimestampMillis(-1),
            Arc::new(TimestampMillisecondArray::from(vec![-1])),
        ),
        (
            r#"{"type":"long","logicalType":"local-timestamp-micros"}"#,
            D::Timestamp(U::Microsecond, None),
            Value::LocalTimestampMicros(-1),
            Arc::new(TimestampMicrosecondArray::from(vec![-1])),
        ),
        (
            r#"{"type":"long","logicalType":"local-timestamp-nanos"}"#,
            D::Timestamp(U::Nanosecond, None),
            Value::LocalTimestampNanos(-1),
            Arc::new(TimestampNanosecondArray::from(vec![-1])),
        ),
        (
            r#"{"type":"string","logicalType":"uuid"}"#,
            D::Utf8,
            Value::Uuid(uuid.parse().unwrap()),
            text(uuid),
        ),
        (
            r#"{"type":"fixed","name":"u","size":16,"logicalType":"uuid"}"#,
            D::FixedSizeBinary(16),
            Value::Uuid(uuid.parse().unwrap()),
            Arc::new(
                FixedSizeBinaryArray::try_from_iter(
                    [uuid.parse::<uuid::Uuid>().unwrap().into_bytes()].into_iter(),
                )
                .unwrap(),
            ),
        ),
        (
            r#"{"type":"fixed","name":"p","size":12,"logicalType":"duration"}"#,
            D::Interval(arrow_schema::IntervalUnit::MonthDayNano),
            duration(1, 2, 3),
            Arc::new(IntervalMonthDayNanoArray::from(vec![month])),
        ),
    ]
}

/// A file of the oracle, of these rows of one column.
fn by_oracle(kind: &str, codec: Codec, values: Vec<Value>) -> Vec<u8> {
    let schema = Avro::parse_str(&one(kind)).unwrap();
    let mut writer = Writer::with_codec(&schema, Vec::new(), codec).unwrap();
    for value in values {
        writer
            .append_value(Value::Record(vec![("a".into(), value)]))
            .unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn we_read_each_type_that_the_oracle_writes() {
    for (kind, data_type, value, array) in cases() {
        let file = by_oracle(kind, Codec::Null, vec![value.clone()]);
        let read = open(&file).unwrap();
        let field = Field::new("a", data_type.clone(), false);
        assert_eq!(read[0].schema().field(0), &field, "{kind}");
        assert_eq!(read[0].column(0), &array, "{kind}");
        let nulls = new_null_array(&data_type, 1);
        let both = arrow_select::concat::concat(&[&array, &nulls]).unwrap();
        for (at, branches) in [format!(r#"["null",{kind}]"#), format!(r#"[{kind},"null"]"#)]
            .iter()
            .enumerate()
        {
            let at = at as u32;
            let null = Value::Union(at, Value::Null.into());
            let file = by_oracle(
                branches,
                Codec::Null,
                vec![Value::Union(1 - at, value.clone().into()), null],
            );
            let read = open(&file).unwrap();
            assert_eq!(
                read[0].schema().field(0),
                &field.clone().with_nullable(true),
                "{kind}"
            );
            assert_eq!(read[0].column(0), &both, "{branches}");
        }
        let file = by_oracle(
            &format!("[{kind}]"),
            Codec::Null,
            vec![Value::Union(0, value.into())],
        );
        assert_eq!(open(&file).unwrap()[0].column(0), &array, "{kind}");
    }
}

#[test]
fn the_oracle_reads_each_codec_that_we_write() {
    let texts = StringArray::from_iter_values((0..70_000).map(|row| format!("text {row}")));
    let rows = batch(vec![("text", Arc::new(texts))]);
    for (name, _) in codecs() {
        let options = WriteOptions {
            avro_codec: name.parse().unwrap(),
            ..WriteOptions::default()
        };
        let file = written(Format::AVRO, std::slice::from_ref(&rows), &options).unwrap();
        assert_eq!(theirs(&file).len(), rows.num_rows(), "{name}");
        let back = open(&file).unwrap();
        let back: usize = back.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(back, rows.num_rows(), "{name}");
    }
    let unknown = "lzo".parse::<crate::format::AvroCodec>().unwrap_err();
    assert_eq!(unknown.code(), "FS0312");
}

#[test]
fn we_read_each_codec_that_the_oracle_writes() {
    let values = |n: i32| Value::String("x".repeat(n as usize));
    for (name, codec) in codecs() {
        let file = by_oracle("\"string\"", codec, (0..1_000).map(values).collect());
        let read = open(&file).unwrap();
        let lengths = read.iter().flat_map(|batch| {
            let texts = batch.column(0).as_string::<i32>().iter();
            texts.map(|text| text.unwrap().len())
        });
        assert!(lengths.eq(0..1_000), "{name}");
    }
}

#[test]
fn we_read_lists_and_maps_and_names_that_stand_for_types() {
    let kind = r#"{"type":"record","name":"p.x","fields":[
        {"name":"one","type":{"type":"record","name":"point","fields":[{"name":"n","type":"int"}]}},
        {"name":"two","type":"point"},
        {"name":"three","type":["p.point","null"]},
        {"name":"list","type":{"type":"array","items":"p.point"}},
        {"name":"map","type":{"type":"map","values":{"type":"enum","name":"e","symbols":["A"]}}}]}"#;
    let point = |n: i32| Value::Record(vec![("n".into(), Value::Int(n))]);
    let fields = [
        ("one", point(1)),
        ("two", point(2)),
        ("three", Value::Union(1, Value::Null.into())),
        ("list", Value::Array(vec![point(4), point(5)])),
        (
            "map",
            Value::Map([("k".into(), Value::Enum(0, "A".into()))].into()),
        ),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let file = by_oracle(kind, Codec::Null, vec![Value::Record(fields.to_vec())]);
    let read = open(&file).unwrap();
    let row = read[0].column(0).as_struct();
    let n = |array: &ArrayRef, at| {
        array
            .as_struct()
            .column(0)
            .as_primitive::<Int32Type>()
            .value(at)
    };
    assert_eq!([n(row.column(0), 0), n(row.column(1), 0)], [1, 2]);
    assert!(row.column(2).is_null(0));
    let list = row.column(3).as_list::<i32>().value(0);
    assert_eq!([n(&list, 0), n(&list, 1)], [4, 5]);
    let map = row.column(4).as_map().value(0);
    assert_eq!(map.column(0).as_string::<i32>().value(0), "k");
    assert_eq!(map.column(1).as_string::<i32>().value(0), "A");
}

#[test]
fn items_stand_in_blocks_with_and_without_their_length() {
    let item = |n: i64| {
        let mut bytes = Vec::new();
        put_number(n, &mut bytes);
        bytes
    };
    let block = [
        item(2),
        item(1),
        item(2),
        item(-1),
        item(1),
        item(3),
        item(0),
    ]
    .concat();
    let read = column(r#"{"type":"array","items":"int"}"#, 1, &block).unwrap();
    let list = read.as_list::<i32>().value(0);
    assert_eq!(list.as_primitive::<Int32Type>().values(), &[1, 2, 3]);
}

#[test]
fn a_logical_type_that_does_not_fit_is_as_if_it_were_not_there() {
    for (kind, wanted) in [
        (
            r#"{"type":"int","logicalType":"timestamp-millis"}"#,
            DataType::Int32,
        ),
        (r#"{"type":"long","logicalType":"date"}"#, DataType::Int64),
        (
            r#"{"type":"string","logicalType":"nonsense"}"#,
            DataType::Utf8,
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal"}"#,
            DataType::Binary,
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}"#,
            DataType::Binary,
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":2,"scale":-1}"#,
            DataType::Binary,
        ),
        (
            r#"{"type":"fixed","name":"f","size":1,"logicalType":"decimal","precision":3}"#,
            DataType::FixedSizeBinary(1),
        ),
        (
            r#"{"type":"fixed","name":"f","size":1,"logicalType":"decimal","precision":2}"#,
            DataType::Decimal128(2, 0),
        ),
        (
            r#"{"type":"fixed","name":"f","size":11,"logicalType":"duration"}"#,
            DataType::FixedSizeBinary(11),
        ),
    ] {
        let bytes = file(&one(kind), "null", 0, &[]);
        let input = Box::new(std::io::Cursor::new(bytes));
        let reader = Format::AVRO
            .read(input, "test", &ReadOptions::default())
            .unwrap();
        assert_eq!(reader.schema().field(0).data_type(), &wanted, "{kind}");
    }
}
