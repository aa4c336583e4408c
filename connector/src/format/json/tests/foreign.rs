//! Files as other programs write them.

use super::*;

fn types(text: &str) -> Vec<(String, DataType)> {
    let schema = open(text.as_bytes(), None).unwrap().schema();
    let fields = schema.fields().iter();
    let fields = fields.map(|field| (field.name().clone(), field.data_type().clone()));
    fields.collect()
}

fn named(columns: &[(&str, DataType)]) -> Vec<(String, DataType)> {
    let columns = columns.iter();
    let columns = columns.map(|(name, data_type)| ((*name).to_owned(), data_type.clone()));
    columns.collect()
}

/// `to_json(orient="records", lines=True, date_format="iso")`, and without `lines`.
#[test]
fn pandas() {
    let rows = "{\"id\":1,\"price\":1.5,\"n\":1.0,\"name\":\"a\\/b\",\"at\":\"2024-01-31T10:00:00.000\",\"ok\":true}\n\
                {\"id\":2,\"price\":null,\"n\":null,\"name\":null,\"at\":null,\"ok\":false}\n";
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let expected = named(&[
        ("id", DataType::Int64),
        ("price", DataType::Float64),
        ("n", DataType::Float64),
        ("name", DataType::Utf8),
        ("at", micros),
        ("ok", DataType::Boolean),
    ]);
    assert_eq!(types(rows), expected);
    let array = format!("[{}]", rows.trim_end().replace('\n', ","));
    assert_eq!(types(&array), expected);
    // A column of integers with nulls is one of floats to pandas: the dataset knows better.
    let schema = nullable(&[
        ("id", DataType::Int32),
        ("price", DataType::Decimal128(10, 2)),
        ("n", DataType::Int64),
        ("name", DataType::Utf8),
        ("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("ok", DataType::Boolean),
    ]);
    let rows = read(&array, Some(schema)).unwrap();
    assert_eq!(
        write(&rows.slice(0, 1)),
        "{\"id\":1,\"price\":1.50,\"n\":1,\"name\":\"a/b\",\"at\":\"2024-01-31T10:00:00\",\"ok\":true}\n"
    );
}

/// `write_ndjson`.
#[test]
fn polars() {
    let rows = "{\"id\":1,\"tags\":[\"a\",null],\"s\":{\"x\":1.0},\"day\":\"2024-01-31\",\"at\":\"2024-01-31 10:00:00.000001\"}\n\
                {\"id\":null,\"tags\":[],\"s\":{\"x\":null},\"day\":null,\"at\":null}\n";
    let s = DataType::Struct(vec![Field::new("x", DataType::Float64, true)].into());
    let expected = [
        ("id", DataType::Int64),
        ("tags", DataType::new_list(DataType::Utf8, true)),
        ("s", s),
        ("day", DataType::Date32),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ];
    assert_eq!(types(rows), named(&expected));
}

/// `COPY .. TO 'x.json' (ARRAY true)`: rows behind tabs, and a map whose keys are texts.
#[test]
fn duckdb() {
    let rows = "[\n\t{\"id\":1,\"m\":{\"k\":1},\"big\":170141183460469231731687303715884105727,\"at\":\"2024-01-31 10:00:00\"},\n\
                \t{\"id\":2,\"m\":{\"l\":2},\"big\":1,\"at\":\"2024-01-31 10:00:00.5\"}\n]\n";
    let schema = open(rows.as_bytes(), None).unwrap().schema();
    // 39 digits are beyond a decimal.
    assert_eq!(schema.field(2).data_type(), &DataType::Utf8);
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int32, true),
    ]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    let schema = nullable(&[
        ("id", DataType::Int64),
        ("m", DataType::Map(entries.into(), false)),
        ("big", DataType::Decimal256(39, 0)),
        ("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
    ]);
    let rows = read(rows, Some(schema)).unwrap();
    assert_eq!(
        write(&rows.slice(1, 1)),
        "{\"id\":2,\"m\":{\"l\":2},\"big\":1,\"at\":\"2024-01-31T10:00:00.500\"}\n"
    );
}

/// `df.write.json`: keys of nulls are left out, instants have an offset, binary is base 64.
#[test]
fn spark() {
    let rows = "{\"id\":1,\"at\":\"2024-01-31T10:00:00.000+01:00\",\"bytes\":\"AP8=\",\"d\":1.10}\n\
                {\"id\":2,\"d\":0.00}\n{\"id\":3,\"at\":\"2024-01-31T10:00:00.000Z\",\"x\":\"NaN\"}\n";
    let schema = nullable(&[
        ("id", DataType::Int64),
        (
            "at",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
        ("bytes", DataType::Binary),
        ("d", DataType::Decimal128(10, 2)),
        ("x", DataType::Float64),
    ]);
    let rows = read(rows, Some(schema)).unwrap();
    assert_eq!(
        write(&rows),
        "{\"id\":1,\"at\":\"2024-01-31T09:00:00Z\",\"bytes\":\"AP8=\",\"d\":1.10,\"x\":null}\n\
         {\"id\":2,\"at\":null,\"bytes\":null,\"d\":0.00,\"x\":null}\n\
         {\"id\":3,\"at\":\"2024-01-31T10:00:00Z\",\"bytes\":null,\"d\":null,\"x\":\"NaN\"}\n"
    );
}
