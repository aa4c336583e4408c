//! What each engine can hold.

use super::*;
use arrow_schema::TimeUnit;

fn one(data_type: DataType) -> Schema {
    Schema::new(vec![Field::new("x", data_type, true)])
}

fn target(
    data_type: DataType,
    profile: Profile,
    lossy: Lossy,
) -> std::result::Result<DataType, String> {
    match check(&one(data_type), profile, lossy) {
        Ok(plan) => Ok(plan.columns[0].to.clone()),
        Err(error) => Err(error.code().to_owned()),
    }
}

fn list(item: DataType) -> DataType {
    DataType::List(Field::new("item", item, true).into())
}

fn map(key: DataType, value: DataType) -> DataType {
    let entries = vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ];
    DataType::Map(
        Field::new("entries", DataType::Struct(entries.into()), false).into(),
        false,
    )
}

#[test]
fn common_types_are_kept_or_cast_without_loss() {
    use DataType as D;
    let dictionary = D::Dictionary(D::Int8.into(), D::LargeUtf8.into());
    let large_list = D::LargeList(Field::new("item", D::Utf8View, true).into());
    for profile in [Profile::Flink2, Profile::Spark4] {
        for (from, to) in [
            (D::Boolean, D::Boolean),
            (D::Int8, D::Int8),
            (D::Int64, D::Int64),
            (D::Float32, D::Float32),
            (D::Utf8View, D::Utf8),
            (dictionary.clone(), D::Utf8),
            (D::FixedSizeBinary(3), D::Binary),
            (D::Decimal32(7, 2), D::Decimal128(7, 2)),
            (D::Decimal256(38, 2), D::Decimal128(38, 2)),
            (D::Date32, D::Date32),
            (large_list.clone(), list(D::Utf8)),
            (map(D::LargeUtf8, D::Int32), map(D::Utf8, D::Int32)),
        ] {
            assert_eq!(
                target(from.clone(), profile, Lossy::Refuse),
                Ok(to),
                "{from} for {profile}"
            );
        }
    }
}

#[test]
fn spark_gets_microseconds_and_flink_every_unit() {
    let ts = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    use TimeUnit as U;
    for unit in [U::Second, U::Millisecond, U::Microsecond, U::Nanosecond] {
        assert_eq!(
            target(ts(unit), Profile::Flink2, Lossy::Refuse),
            Ok(ts(unit))
        );
    }
    assert_eq!(
        target(ts(U::Millisecond), Profile::Spark4, Lossy::Refuse),
        Ok(ts(U::Microsecond))
    );
    assert_eq!(
        target(ts(U::Nanosecond), Profile::Spark4, Lossy::Refuse),
        Err("FS0121".into())
    );
    assert_eq!(
        target(ts(U::Nanosecond), Profile::Spark4, Lossy::Truncate),
        Ok(ts(U::Microsecond))
    );
    assert_eq!(
        target(ts(U::Nanosecond), Profile::Spark4, Lossy::String),
        Ok(DataType::Utf8)
    );
    let plan = check(
        &one(list(ts(U::Nanosecond))),
        Profile::Spark4,
        Lossy::Truncate,
    )
    .unwrap();
    assert_eq!(
        plan.columns[0].loss.as_deref(),
        Some("\"x.item\" is cut to microseconds")
    );
}

#[test]
fn every_other_type_is_refused_by_name() {
    use DataType as D;
    for data_type in [
        D::Null,
        D::UInt32,
        D::Float16,
        D::Date64,
        D::Time64(TimeUnit::Microsecond),
        D::Duration(TimeUnit::Second),
        D::Interval(arrow_schema::IntervalUnit::DayTime),
        D::Decimal256(39, 2),
        D::Decimal128(5, -2),
        D::Struct(Vec::<Field>::new().into()),
    ] {
        for profile in [Profile::Flink2, Profile::Spark4] {
            for from in [
                data_type.clone(),
                list(data_type.clone()),
                map(D::Utf8, data_type.clone()),
            ] {
                assert_eq!(
                    target(from.clone(), profile, Lossy::Refuse),
                    Err("FS0120".into()),
                    "{from}"
                );
                assert_eq!(
                    target(from.clone(), profile, Lossy::Truncate),
                    Err("FS0120".into()),
                    "{from}"
                );
            }
        }
        assert_eq!(
            target(data_type.clone(), Profile::Generic, Lossy::Refuse),
            Ok(data_type)
        );
    }
    assert_eq!(
        target(D::UInt64, Profile::Spark4, Lossy::String),
        Ok(D::Utf8)
    );
    assert_eq!(
        target(D::Null, Profile::Spark4, Lossy::String),
        Err("FS0120".into())
    );
}

#[test]
fn a_refusal_names_the_column_the_type_and_the_other_columns() {
    let schema = Schema::new(vec![
        Field::new("ok", DataType::Int32, true),
        Field::new("tags", list(DataType::UInt8), true),
        Field::new("n", DataType::Null, true),
    ]);
    let error = check(&schema, Profile::Flink2, Lossy::Refuse).unwrap_err();
    assert_eq!(
        error.message(),
        "column \"tags.item\" has no Flink equivalent"
    );
    assert_eq!(
        error.detail().unwrap(),
        "its type is uint8; refused as well: \"n\""
    );
    assert!(error.hint().unwrap().contains("--lossy string"));
    let columns = check_columns(&schema, Profile::Flink2, Lossy::Refuse);
    assert_eq!(
        columns.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, false]
    );
}

#[test]
fn names_that_differ_in_case_are_one_to_spark() {
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int32, true),
        Field::new("ID", DataType::Int32, true),
    ]);
    assert_eq!(
        check(&schema, Profile::Spark4, Lossy::Refuse)
            .unwrap_err()
            .code(),
        "FS0122"
    );
    assert!(check(&schema, Profile::Flink2, Lossy::Refuse).is_ok());
    let inner = one(DataType::Struct(schema.fields().clone()));
    let error = check(&inner, Profile::Spark4, Lossy::Refuse).unwrap_err();
    assert!(error.message().contains("\"x.id\" and \"x.ID\""), "{error}");
    let twice = Schema::new(vec![Field::new("a", DataType::Int32, true); 2]);
    assert_eq!(
        check(&twice, Profile::Flink2, Lossy::Refuse)
            .unwrap_err()
            .code(),
        "FS0122"
    );
    assert!(
        check(&twice, Profile::Generic, Lossy::Refuse)
            .unwrap()
            .is_identity()
    );
}

#[test]
fn a_cast_keeps_names_nullability_and_metadata() {
    let metadata = [("flinkspark.precision".to_owned(), "3".to_owned())];
    let field = Field::new(
        "ts",
        DataType::Timestamp(TimeUnit::Millisecond, None),
        false,
    )
    .with_metadata(metadata.into());
    let plan = check(
        &Schema::new(vec![field.clone()]),
        Profile::Spark4,
        Lossy::Refuse,
    )
    .unwrap();
    assert!(!plan.is_identity());
    let to = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(plan.schema.field(0), &field.with_data_type(to));
}

#[test]
fn names_of_profiles_survive() {
    for profile in [Profile::Flink2, Profile::Spark4, Profile::Generic] {
        assert_eq!(profile.to_string().parse::<Profile>().unwrap(), profile);
    }
    for lossy in [Lossy::Refuse, Lossy::Truncate, Lossy::String] {
        assert_eq!(lossy.to_string().parse::<Lossy>().unwrap(), lossy);
    }
    assert_eq!("spark3".parse::<Profile>().unwrap_err().code(), "FS0123");
}
