//! Which column feeds which, and what is in the way.

use super::*;
use DataType as D;

fn schema(fields: &[(&str, DataType, bool)]) -> Schema {
    let fields = fields
        .iter()
        .map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable));
    Schema::new(fields.collect::<Vec<_>>())
}

fn structure(fields: &[(&str, DataType, bool)]) -> DataType {
    D::Struct(schema(fields).fields().clone())
}

fn list(item: DataType) -> DataType {
    D::List(Field::new("item", item, true).into())
}

/// The code and the detail of a refusal.
fn refusal(wanted: &Schema, given: &Schema, profile: Profile) -> (String, String) {
    let error = by_name(wanted, given, profile).unwrap_err();
    let detail = error.detail().unwrap_or_default().to_owned();
    (error.code().to_owned(), detail)
}

#[test]
fn columns_are_found_wherever_they_stand() {
    let wanted = schema(&[
        ("n", D::Int64, false),
        (
            "at",
            D::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            true,
        ),
        ("new", D::Utf8, true),
        ("t", D::Utf8, true),
    ]);
    let berlin = D::Timestamp(TimeUnit::Millisecond, Some("Europe/Berlin".into()));
    let given = schema(&[
        ("t", D::LargeUtf8, true),
        ("at", berlin, true),
        ("n", D::Int16, true),
    ]);
    let origins = by_name(&wanted, &given, Profile::Generic).unwrap();
    assert_eq!(
        origins,
        [
            Origin::Column(2, Way::Widened),
            Origin::Column(1, Way::Widened),
            Origin::Null,
            Origin::Column(0, Way::Same),
        ]
    );
}

#[test]
fn case_is_ignored_where_the_engine_ignores_it() {
    let wanted = schema(&[
        ("Id", D::Int32, true),
        ("s", structure(&[("A", D::Int8, true)]), true),
    ]);
    let given = schema(&[
        ("S", structure(&[("a", D::Int8, true)]), true),
        ("ID", D::Int32, true),
    ]);
    let origins = by_name(&wanted, &given, Profile::Spark4).unwrap();
    let inner = Way::Struct(vec![Origin::Column(0, Way::Same)]);
    assert_eq!(
        origins,
        [Origin::Column(1, Way::Same), Origin::Column(0, inner)]
    );
    for profile in [Profile::Flink2, Profile::Generic] {
        let (code, detail) = refusal(&wanted, &given, profile);
        assert_eq!(code, "FS0408");
        assert!(
            detail.contains("column \"S\" is not in the dataset"),
            "{detail}"
        );
    }
}

#[test]
fn names_that_are_one_to_the_engine_feed_nothing() {
    let one = schema(&[("a", D::Int32, true)]);
    let two = schema(&[("a", D::Int32, true), ("A", D::Int32, true)]);
    for (wanted, given) in [(&one, &two), (&two, &one), (&two, &two)] {
        assert_eq!(refusal(wanted, given, Profile::Spark4).0, "FS0122");
    }
    assert!(by_name(&two, &two, Profile::Flink2).is_ok());
    assert_eq!(refusal(&one, &two, Profile::Flink2).0, "FS0408");
}

#[test]
fn everything_in_the_way_is_told_at_once() {
    let wanted = schema(&[
        ("needed", D::Utf8, false),
        ("n", D::Int32, true),
        (
            "l",
            list(structure(&[("a", D::Int8, true), ("b", D::Int8, true)])),
            true,
        ),
    ]);
    let given = schema(&[
        ("n", D::Int64, true),
        ("more", D::Utf8, true),
        ("l", list(structure(&[("b", D::Int8, true)])), true),
    ]);
    let (code, detail) = refusal(&wanted, &given, Profile::Generic);
    assert_eq!(code, "FS0408");
    for why in [
        "column \"needed\" is missing and may not be null",
        "column \"n\" is int32, and int64 came",
        "column \"l.item.a\" is missing within a list or a map",
        "column \"more\" is not in the dataset",
    ] {
        assert!(detail.contains(why), "{why}: {detail}");
    }
}

#[test]
fn an_error_stays_short_whatever_comes() {
    let none = schema(&[]);
    let names: Vec<String> = (0..10_000).map(|index| format!("column {index}")).collect();
    let many: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), D::Int8, true))
        .collect();
    let (_, detail) = refusal(&none, &schema(&many), Profile::Generic);
    assert!(
        detail.len() < 2 * DETAIL_BYTES_MAX && detail.ends_with(" more"),
        "{detail}"
    );
    let long = "\u{1f5ff}".repeat(100_000);
    let one = schema(&[(long.as_str(), D::Int8, true), ("b", D::Int8, true)]);
    let (_, detail) = refusal(&none, &one, Profile::Generic);
    assert!(detail.len() < 5 * REASON_CHARS_MAX, "{}", detail.len());
}

#[test]
fn a_type_comes_as_another_only_where_every_value_stays() {
    use TimeUnit::{Microsecond as Us, Millisecond as Ms, Nanosecond as Ns, Second as S};
    let zoned = |unit, zone: &str| D::Timestamp(unit, Some(zone.into()));
    for (from, to, comes) in [
        (D::Int16, D::Int32, true),
        (D::Int32, D::Int16, false),
        (D::UInt8, D::Int16, true),
        (D::Int8, D::UInt16, false),
        (D::Float32, D::Float64, true),
        (D::Int32, D::Float64, false),
        (D::Decimal128(10, 2), D::Decimal128(12, 2), true),
        (D::Decimal128(10, 2), D::Decimal256(10, 2), true),
        (D::Decimal128(10, 2), D::Decimal128(12, 3), false),
        (D::Timestamp(Ms, None), D::Timestamp(Us, None), true),
        (D::Timestamp(Ns, None), D::Timestamp(Us, None), false),
        (D::Timestamp(Us, None), zoned(Us, "UTC"), false),
        (zoned(Us, "UTC"), D::Timestamp(Us, None), false),
        (zoned(S, "+00:00"), zoned(Us, "UTC"), true),
        (zoned(Us, "Z"), zoned(Us, "Europe/Berlin"), true),
        (D::Time32(S), D::Time64(Ns), true),
        (D::Time64(Ns), D::Time32(Ms), false),
        (D::Duration(Ms), D::Duration(Us), true),
        (D::Date32, D::Date64, true),
        (D::Date64, D::Date32, false),
        (D::FixedSizeBinary(4), D::Binary, true),
        (D::Binary, D::FixedSizeBinary(4), false),
        (D::Utf8View, D::LargeUtf8, true),
        (D::Utf8, D::Binary, false),
        (D::Null, D::Utf8, true),
        (list(D::Null), list(D::Utf8), false),
        (
            D::LargeListView(Field::new("x", D::Int8, true).into()),
            list(D::Int64),
            true,
        ),
        (list(D::Int64), list(D::Int8), false),
    ] {
        let (wanted, given) = (schema(&[("a", to, true)]), schema(&[("a", from, true)]));
        let matched = by_name(&wanted, &given, Profile::Generic);
        assert_eq!(matched.is_ok(), comes, "{given} to {wanted}");
    }
    let wanted = schema(&[("a", D::Utf8, false)]);
    let nulls = schema(&[("a", D::Null, true)]);
    assert_eq!(refusal(&wanted, &nulls, Profile::Generic).0, "FS0408");
}

#[test]
fn what_becomes_wider_within_lists_is_known() {
    let item = |data_type: DataType| schema(&[("a", list(data_type), true)]);
    for (from, to, wider) in [
        (D::Int8, D::Int64, true),
        (D::Int8, D::Int8, false),
        (
            structure(&[("x", D::Int8, true)]),
            structure(&[("x", D::Int16, true)]),
            true,
        ),
    ] {
        let [Origin::Column(0, way)] =
            &by_name(&item(to), &item(from), Profile::Generic).unwrap()[..]
        else {
            unreachable!()
        };
        assert_eq!(way.widens_items(), wider);
    }
}
