//! What each engine can hold.

mod page;

use super::*;
use arrow_schema::{Field, TimeUnit};

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
            (D::FixedSizeBinary(0), D::Binary),
            (D::UInt32, D::Int64),
            (D::UInt64, D::Decimal128(20, 0)),
            (D::Float16, D::Float32),
            (D::Decimal128(5, -2), D::Decimal128(7, 0)),
            (D::Decimal256(30, -8), D::Decimal128(38, 0)),
            (D::Date64, D::Date32),
            (D::Null, D::Null),
            (D::Decimal32(7, 2), D::Decimal128(7, 2)),
            (D::Decimal256(38, 2), D::Decimal128(38, 2)),
            (D::Date32, D::Date32),
            (map(D::LargeUtf8, D::Int32), map(D::Utf8, D::Int32)),
        ] {
            assert_eq!(
                target(from.clone(), profile, Lossy::Refuse),
                Ok(to),
                "{from} for {profile}"
            );
        }
    }
    let to = |profile, from| target(from, profile, Lossy::Refuse).unwrap();
    assert_eq!(
        to(Profile::Flink2, D::FixedSizeBinary(3)),
        D::FixedSizeBinary(3)
    );
    assert_eq!(to(Profile::Spark4, D::FixedSizeBinary(3)), D::Binary);
    assert_eq!(to(Profile::Flink2, large_list), list(D::Utf8));
}

#[test]
fn spark_has_its_own_names_within_lists_and_maps_and_one_zone() {
    use DataType as D;
    let berlin = D::Timestamp(TimeUnit::Millisecond, Some("Europe/Berlin".into()));
    let pair = vec![
        Field::new("k", D::Utf8View, false),
        Field::new("v", list(berlin), true),
    ];
    let pairs = Field::new("pairs", D::Struct(pair.into()), false);
    let given = D::List(Field::new("array", D::Map(pairs.into(), true), false).into());
    let utc = D::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let element = Field::new("element", utc, true);
    let spelt = map(D::Utf8, D::List(element.into()));
    let spelt = D::List(Field::new("element", spelt, false).into());
    assert_eq!(
        target(given.clone(), Profile::Spark4, Lossy::Refuse),
        Ok(spelt)
    );
    let flink = target(given, Profile::Flink2, Lossy::Refuse).unwrap();
    assert!(flink.to_string().contains("Europe/Berlin"), "{flink}");
}

#[test]
fn an_extension_goes_where_its_storage_changes_and_stays_where_it_does_not() {
    use DataType as D;
    let extended = |name: &str, data_type: DataType| {
        let metadata = [
            ("ARROW:extension:name", name),
            ("ARROW:extension:metadata", "{}"),
            ("__CHAR_VARCHAR_TYPE_STRING", "varchar(7)"),
        ];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Field::new("x", data_type, true).with_metadata(metadata.into())
    };
    let kept = |field: Field, profile| {
        let wrapped = Schema::new(vec![
            field.clone(),
            Field::new("deep", D::List(field.into()), true),
        ]);
        let plan = check(&wrapped, profile, Lossy::Refuse).unwrap();
        let D::List(deep) = plan.schema.field(1).data_type() else {
            unreachable!()
        };
        let flat = plan.schema.field(0).metadata();
        assert_eq!(flat, deep.metadata());
        assert_eq!(flat["__CHAR_VARCHAR_TYPE_STRING"], "varchar(7)");
        assert_eq!(
            flat.contains_key("ARROW:extension:name"),
            flat.contains_key("ARROW:extension:metadata")
        );
        flat.contains_key("ARROW:extension:name")
    };
    let variant = |bytes: DataType| {
        let parts = ["metadata", "value"].map(|part| Field::new(part, bytes.clone(), false));
        D::Struct(parts.to_vec().into())
    };
    for (name, data_type, flink, spark) in [
        ("arrow.uuid", D::FixedSizeBinary(16), true, false),
        ("arrow.bool8", D::Int8, true, true),
        ("geoarrow.wkb", D::LargeBinary, true, true),
        ("arrow.json", D::Utf8View, true, true),
        ("mine", D::LargeUtf8, false, false),
        ("mine", list(D::Int8), true, true),
        ("arrow.parquet.variant", variant(D::BinaryView), true, true),
        ("arrow.parquet.variant", variant(D::Binary), true, true),
        ("mine", variant(D::BinaryView), false, false),
    ] {
        let field = extended(name, data_type);
        assert_eq!(kept(field.clone(), Profile::Flink2), flink, "{field}");
        assert_eq!(kept(field.clone(), Profile::Spark4), spark, "{field}");
        assert!(kept(field, Profile::Generic));
    }
}

#[test]
fn sparks_variants_and_geometries_stay_what_they_are() {
    let marked = |name: &str, mark: &str| {
        Field::new(name, DataType::Binary, false)
            .with_metadata([(mark.to_owned(), "true".to_owned())].into())
    };
    let variant = vec![
        Field::new("value", DataType::Binary, false),
        marked("metadata", "variant"),
    ];
    let geometry = vec![
        Field::new("srid", DataType::Int32, false),
        marked("wkb", "geometry"),
    ];
    let schema = Schema::new(vec![
        Field::new("v", DataType::Struct(variant.into()), true),
        Field::new("g", DataType::Struct(geometry.into()), true),
    ]);
    let plan = check(&schema, Profile::Spark4, Lossy::Refuse).unwrap();
    assert!(plan.is_identity());
    assert_eq!(*plan.schema, schema);
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
    use arrow_schema::IntervalUnit as I;
    use {Profile::Flink2, Profile::Spark4};
    for (data_type, profile, text) in [
        (D::Interval(I::DayTime), Flink2, true),
        (D::Interval(I::MonthDayNano), Flink2, true),
        (D::Struct(Vec::<Field>::new().into()), Flink2, false),
        (D::Decimal256(39, 2), Flink2, true),
        (D::Decimal256(39, 2), Spark4, true),
        (D::Decimal128(37, -2), Flink2, true),
        (D::Decimal128(37, -2), Spark4, true),
    ] {
        for from in [
            data_type.clone(),
            list(data_type.clone()),
            map(D::Utf8, data_type.clone()),
        ] {
            for lossy in [Lossy::Refuse, Lossy::Truncate] {
                let refused = target(from.clone(), profile, lossy);
                assert_eq!(refused, Err("FS0120".into()), "{from}");
            }
            let string = target(from.clone(), profile, Lossy::String);
            assert_eq!(string.is_ok(), text, "{from}");
        }
        let generic = target(data_type.clone(), Profile::Generic, Lossy::Refuse);
        assert_eq!(generic, Ok(data_type));
    }
}

#[test]
fn a_value_may_be_finer_than_the_engines_where_its_type_is() {
    use {DataType as D, TimeUnit as U};
    let nanos = D::Time64(U::Nanosecond);
    for (profile, finest) in [
        (Profile::Flink2, Some(U::Millisecond)),
        (Profile::Spark4, Some(U::Microsecond)),
        (Profile::Generic, None),
    ] {
        assert_eq!(profile.finest(&nanos), finest);
        let plan = check(&one(list(nanos.clone())), profile, Lossy::Truncate).unwrap();
        assert_eq!(plan.columns[0].loss.is_some(), finest.is_some());
        let plan = check(&one(nanos.clone()), profile, Lossy::Refuse).unwrap();
        assert!(plan.is_identity() && plan.columns[0].loss.is_none());
    }
}

#[test]
fn a_refusal_names_the_column_the_type_and_the_other_columns() {
    let schema = Schema::new(vec![
        Field::new("ok", DataType::Int32, true),
        Field::new("tags", list(DataType::Decimal256(76, 0)), true),
        Field::new("n", DataType::Decimal256(39, 0), true),
    ]);
    let error = check(&schema, Profile::Flink2, Lossy::Refuse).unwrap_err();
    assert_eq!(
        error.message(),
        "column \"tags.item\" has no Flink equivalent"
    );
    assert_eq!(
        error.detail().unwrap(),
        "its type is decimal256(76,0); its decimals have at most 38 digits; refused as well: \"n\""
    );
    assert!(error.hint().unwrap().contains("\"lossy\": \"string\""));
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
