//! What is read, and what is refused, term by term.

use crate::filter::*;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use serde_json::{Value as Json, json};
use std::sync::Arc;

fn schema() -> Schema {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int32, true)));
    let types = [
        ("flag", DataType::Boolean),
        ("i8", DataType::Int8),
        ("u64", DataType::UInt64),
        ("price", DataType::Decimal128(5, 2)),
        ("hundreds", DataType::Decimal128(5, -2)),
        ("huge", DataType::Decimal256(76, 0)),
        ("name", dictionary),
        ("raw", DataType::Binary),
        ("key", DataType::FixedSizeBinary(2)),
        ("day", DataType::Date32),
        ("day_ms", DataType::Date64),
        ("clock", DataType::Time32(TimeUnit::Millisecond)),
        ("local", DataType::Timestamp(TimeUnit::Microsecond, None)),
        (
            "at",
            DataType::Timestamp(TimeUnit::Second, Some("+02:00".into())),
        ),
        ("score", DataType::Float64),
        ("tags", list),
        ("a \"b\"", DataType::Int32),
    ];
    Schema::new(
        types
            .map(|(name, data_type)| Field::new(name, data_type, true))
            .to_vec(),
    )
}

fn bind(json: Json) -> crate::Result<Bound> {
    let filter: Filter = serde_json::from_value(json).unwrap();
    filter.bind(&schema())
}

fn only_literal(column: &str, value: Json) -> Result<Option<Value>, crate::Error> {
    let bound = bind(json!({"eq": {"column": column, "value": value}}))?;
    match bound.conditions().next() {
        Some(Node::Term(Term {
            test: Test::Compare(Operator::Eq, value),
            ..
        })) => Ok(value.clone()),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_literal_is_the_value_that_its_column_would_store() {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    for (column, literal, value) in [
        ("flag", json!(true), Value::number(1)),
        ("i8", json!(-128), Value::number(-128)),
        ("i8", json!("127"), Value::number(127)),
        ("u64", json!(u64::MAX), Value::number(u64::MAX.into())),
        ("price", json!("-123.45"), Value::number(-12345)),
        ("price", json!(7), Value::number(700)),
        ("price", json!("0.500"), Value::number(50)),
        ("hundreds", json!("1200"), Value::number(12)),
        ("hundreds", json!("-0"), Value::number(0)),
        ("name", json!("é"), bytes("é".as_bytes())),
        ("name", json!(""), bytes(b"")),
        ("raw", json!("AP8="), bytes(&[0, 255])),
        ("key", json!("AP8="), bytes(&[0, 255])),
        ("day", json!("1969-12-31"), Value::number(-1)),
        ("day", json!(i32::MIN), Value::number(i32::MIN.into())),
        ("day_ms", json!("1970-01-02"), Value::number(86_400_000)),
        ("clock", json!("00:00:01.5"), Value::number(1_500)),
        (
            "local",
            json!("1969-12-31T23:59:59.999999"),
            Value::number(-1),
        ),
        ("at", json!("1970-01-01T01:00:00+01:00"), Value::number(0)),
        ("at", json!(i64::MIN), Value::number(i64::MIN.into())),
    ] {
        let read = only_literal(column, literal.clone()).unwrap();
        assert_eq!(read, Some(value), "{column} = {literal}");
        assert_eq!(only_literal(column, Json::Null).unwrap(), None);
    }
    let huge = only_literal("huge", json!("9".repeat(76))).unwrap();
    assert!(huge > only_literal("huge", json!("9".repeat(75))).unwrap());
}

#[test]
fn a_literal_that_its_column_cannot_hold_is_refused_and_its_term_named() {
    for (column, literal, says) in [
        ("flag", json!(1), "true or false"),
        ("i8", json!(128), "-128 and 127"),
        ("i8", json!(1.0), "an integer"),
        ("u64", json!(-1), "between 0 and"),
        ("price", json!("1.005"), "scale 2"),
        ("price", json!("1000"), "5 digits"),
        ("price", json!(1.5), "as text"),
        ("price", json!("1e2"), "as text"),
        ("price", json!("."), "as text"),
        ("hundreds", json!("1250"), "scale -2"),
        ("name", json!(5), "a text"),
        ("raw", json!("é"), "base64"),
        ("key", json!("AA=="), "1 bytes"),
        ("day", json!("2023-02-29"), "a date"),
        ("day", json!(1_i64 << 31), "between"),
        ("clock", json!("00:00:00.0001"), "finer"),
        ("local", json!("2026-11-28T00:00:00Z"), "local"),
        ("at", json!("2026-11-28T00:00:00"), "offset"),
        ("at", json!("2026-11-28T00:00:00.5Z"), "finer"),
        ("score", json!("one"), "a number"),
    ] {
        let error = only_literal(column, literal.clone()).unwrap_err();
        let detail = error.detail().unwrap_or_default().to_string();
        assert_eq!(error.code(), "FS0462", "{column} = {literal}");
        assert!(
            detail.contains(says) && detail.contains("filter.eq"),
            "{column} = {literal}: {detail}"
        );
    }
}

#[test]
fn what_cannot_be_asked_is_refused_by_the_place_of_its_term() {
    let term = |column: &str| json!({"is_null": {"column": column}});
    let deep = |levels: usize| (1..levels).fold(term("i8"), |inner, _| json!({"not": inner}));
    let many = |terms: usize| json!({"or": vec![term("i8"); terms]});
    let list = |values: usize| json!({"in": {"column": "i8", "values": vec![json!(1); values]}});
    for (filter, code, says) in [
        (
            json!({"and": [term("i8"), {"not": term("I8")}]}),
            "FS0461",
            "filter.and[1].not.is_null",
        ),
        (
            json!({"or": [{"lt": {"column": "tags", "value": [1]}}]}),
            "FS0463",
            "filter.or[0].lt",
        ),
        (
            json!({"prefix": {"column": "i8", "value": "1"}}),
            "FS0462",
            "only text and binary",
        ),
        (json!({"and": []}), "FS0464", "filter has nothing"),
        (
            json!({"not": {"or": []}}),
            "FS0464",
            "filter.not has nothing",
        ),
        (list(0), "FS0464", "filter.in"),
        (deep(FILTER_DEPTH_MAX + 1), "FS0460", "32 levels"),
        (many(FILTER_TERMS_MAX + 1), "FS0460", "1000 terms"),
        (list(FILTER_LITERALS_MAX + 1), "FS0460", "4096 literals"),
        (
            json!({"eq": {"column": "name", "value": "x".repeat(FILTER_BYTES_MAX)}}),
            "FS0460",
            "65536",
        ),
    ] {
        let error = bind(filter).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
    for filter in [
        deep(FILTER_DEPTH_MAX),
        many(FILTER_TERMS_MAX),
        list(FILTER_LITERALS_MAX),
        term("tags"),
        term("a \"b\""),
    ] {
        bind(filter).unwrap();
    }
}

#[test]
fn a_word_that_is_not_known_is_refused() {
    for json in [
        r#"{"like": {"column": "a", "value": "b"}}"#,
        r#"{"eq": {"column": "a", "value": 1, "unit": "s"}}"#,
        r#"{"eq": {"column": "a"}}"#,
        r#"{"eq": {"column": "a", "value": 1}, "ne": {"column": "a", "value": 1}}"#,
        r#"{}"#,
    ] {
        assert!(serde_json::from_str::<Filter>(json).is_err(), "{json}");
    }
}

#[test]
fn only_whole_conditions_at_the_top_are_handed_back() {
    let exact = json!({"eq": {"column": "i8", "value": 1}});
    let float = json!({"gt": {"column": "score", "value": 0.5}});
    let nothing = json!({"is_null": {"column": "score"}});
    let mixed = json!({"or": [exact, float]});
    let denied = json!({"not": {"and": [exact, float]}});
    for (filter, answered, residual) in [
        (exact.clone(), Some(exact.clone()), None),
        (float.clone(), None, Some(float.clone())),
        (mixed.clone(), None, Some(mixed.clone())),
        (
            json!({"and": [mixed, {"and": [nothing, denied]}, exact]}),
            Some(json!({"and": [nothing, exact]})),
            Some(json!({"and": [mixed, denied]})),
        ),
    ] {
        let split = bind(filter).unwrap().split();
        let read =
            |json: Option<Json>| json.map(|json| serde_json::from_value::<Filter>(json).unwrap());
        assert_eq!(split.answered, read(answered));
        assert_eq!(split.residual, read(residual));
    }
}

#[test]
fn statistics_tell_what_cannot_match() {
    let known = ColumnStatistics::new(10, 2, Some((Value::number(-5), Value::number(5))));
    let one = ColumnStatistics::new(10, 0, Some((Value::number(3), Value::number(3))));
    let null = ColumnStatistics::all_null(10);
    let names = |min: &str, max: &str| {
        ColumnStatistics::new(
            1,
            0,
            Some((Value::Bytes(min.into()), Value::Bytes(max.into()))),
        )
    };
    let op = |op: &str, value: Json| json!({op: {"column": "i8", "value": value}});
    let not = |filter: Json| json!({"not": filter});
    let starts = |value: &str| json!({"prefix": {"column": "name", "value": value}});
    for (column, statistics, filter, may) in [
        (1, &known, op("eq", json!(6)), false),
        (1, &known, op("eq", json!(5)), true),
        (1, &known, op("lt", json!(-5)), false),
        (1, &known, op("le", json!(-5)), true),
        (1, &known, op("gt", json!(5)), false),
        (1, &known, op("ge", json!(5)), true),
        (1, &known, not(op("ge", json!(-5))), false),
        (1, &known, op("eq", Json::Null), false),
        (1, &known, not(op("eq", Json::Null)), false),
        (1, &one, op("ne", json!(3)), false),
        (
            1,
            &one,
            json!({"in": {"column": "i8", "values": [1, 2, 4]}}),
            false,
        ),
        (
            1,
            &one,
            not(json!({"in": {"column": "i8", "values": [1, 3]}})),
            false,
        ),
        (
            1,
            &one,
            not(json!({"in": {"column": "i8", "values": [1, null]}})),
            false,
        ),
        (1, &one, json!({"is_null": {"column": "i8"}}), false),
        (1, &null, not(json!({"is_null": {"column": "i8"}})), false),
        (1, &null, op("ne", json!(3)), false),
        (1, &null, json!({"is_null": {"column": "i8"}}), true),
        (6, &names("b", "d"), starts("a"), false),
        (6, &names("b", "d"), starts("e"), false),
        (6, &names("b", "d"), starts("d"), true),
        (6, &names("ca", "cz"), not(starts("c")), false),
        (6, &names("ca", "d"), not(starts("c")), true),
    ] {
        let bound = bind(filter.clone()).unwrap();
        let statistics = [(column, statistics.clone())].into();
        assert_eq!(bound.may_match(&statistics), may, "{filter}");
        assert!(
            bound.may_match(&[].into()) || filter.to_string().contains("null"),
            "{filter}"
        );
    }
}
