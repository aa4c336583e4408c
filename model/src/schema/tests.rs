//! The schema's JSON, its texts and its compatibility.

use super::*;
use crate::error::Kind;
use arrow_schema::{Field, Schema, TimeUnit};

fn schema(columns: &[(&str, DataType, bool)]) -> Schema {
    Schema::new(
        columns
            .iter()
            .map(|(name, kind, nullable)| Field::new(*name, kind.clone(), *nullable))
            .collect::<Vec<_>>(),
    )
}

fn refusal(old: &Schema, new: &Schema, mode: Compatibility) -> Option<String> {
    let error = compatible(old, new, mode).err()?;
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0116"));
    error.detail().map(Into::into)
}

#[test]
fn a_text_that_is_no_schema_is_a_typed_error() {
    for json in [
        "",
        "{}",
        "[]",
        r#"{"version":1}"#,
        r#"{"version":1,"fields":[{"name":"a","type":"int31","nullable":true}]}"#,
        r#"{"version":1,"fields":[{"name":"a","type":"list","nullable":true}]}"#,
        r#"{"version":1,"fields":[{"name":"a","type":"decimal128(99,2)","nullable":true}]}"#,
        r#"{"version":1,"fields":[{"name":"a","type":"time32[ns]","nullable":true}]}"#,
        r#"{"version":1,"fields":[{"name":"a","type":"int32","nullable":true,"colour":"red"}]}"#,
    ] {
        let error = from_json(json).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Data, "FS0114"),
            "{json}"
        );
    }
}

#[test]
fn a_newer_version_is_refused_by_name_whatever_it_holds() {
    let error = from_json(r#"{"version":2,"columns":7}"#).unwrap_err();
    assert_eq!(error.code(), "FS0115");
    assert!(error.message().contains("version 2"), "{error}");
}

#[test]
fn hostile_nesting_is_refused_not_recursed_into() {
    for depth in [DEPTH_MAX, 60, 100_000] {
        let open = r#"{"name":"a","nullable":true,"type":"list","children":["#.repeat(depth);
        let json = format!(
            r#"{{"version":1,"fields":[{open}{{"name":"a","nullable":true,"type":"int8"}}{}]}}"#,
            "]}".repeat(depth)
        );
        assert!(
            ["FS0111", "FS0114"].contains(&from_json(&json).unwrap_err().code()),
            "{depth}"
        );
    }
}

#[test]
fn nullable_columns_may_be_added_at_the_end() {
    let old = schema(&[("a", DataType::Int32, false)]);
    let added = schema(&[("a", DataType::Int32, false), ("b", DataType::Utf8, true)]);
    let required = schema(&[("a", DataType::Int32, false), ("b", DataType::Utf8, false)]);
    for mode in [
        Compatibility::None,
        Compatibility::Backward,
        Compatibility::Forward,
        Compatibility::Full,
    ] {
        assert_eq!(refusal(&old, &old, mode), None, "{mode}");
        assert_eq!(refusal(&old, &added, mode), None, "{mode}");
    }
    assert_eq!(refusal(&old, &required, Compatibility::Forward), None);
    let why = refusal(&old, &required, Compatibility::Backward).unwrap();
    assert_eq!(why, "column \"b\" was added and is not nullable");
    assert_eq!(
        refusal(&added, &old, Compatibility::Backward).unwrap(),
        "column \"b\" was removed"
    );
    assert_eq!(refusal(&added, &old, Compatibility::Forward), None);
    assert!(refusal(&required, &old, Compatibility::Forward).is_some());
    assert!(refusal(&added, &old, Compatibility::Full).is_some());
}

#[test]
fn a_changed_type_name_or_promise_is_refused() {
    let old = schema(&[("a", DataType::Int32, false), ("b", DataType::Utf8, true)]);
    let renamed = schema(&[("a", DataType::Int32, false), ("c", DataType::Utf8, true)]);
    let retyped = schema(&[("a", DataType::Float64, false), ("b", DataType::Utf8, true)]);
    let loosened = schema(&[("a", DataType::Int32, true), ("b", DataType::Utf8, true)]);
    for mode in [
        Compatibility::Backward,
        Compatibility::Forward,
        Compatibility::Full,
    ] {
        assert!(refusal(&old, &renamed, mode).is_some(), "{mode}");
        let why = refusal(&old, &retyped, mode).unwrap();
        assert!(why.contains("int32") && why.contains("float64"), "{why}");
    }
    assert_eq!(refusal(&old, &loosened, Compatibility::Backward), None);
    assert!(refusal(&loosened, &old, Compatibility::Backward).is_some());
    assert!(refusal(&old, &loosened, Compatibility::Forward).is_some());
    assert!(refusal(&old, &loosened, Compatibility::Full).is_some());
    assert!(refusal(&loosened, &old, Compatibility::Full).is_some());
    assert_eq!(refusal(&old, &retyped, Compatibility::None), None);
}

#[test]
fn what_travels_as_metadata_is_part_of_the_type() {
    let plain = Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true);
    let with = |key: &str| {
        Schema::new(vec![
            plain
                .clone()
                .with_metadata([(key.to_owned(), "3".to_owned())].into()),
        ])
    };
    let old = Schema::new(vec![plain.clone()]);
    assert!(refusal(&old, &with("flinkspark.precision"), Compatibility::Backward).is_some());
    assert_eq!(
        refusal(&old, &with("comment"), Compatibility::Backward),
        None
    );
}

#[test]
fn names_of_types_are_readable_and_tell_types_apart() {
    let item = Field::new("item", DataType::Int32, false);
    let fields = vec![
        Field::new("a", DataType::Utf8, true),
        Field::new("b, c", DataType::Date32, false),
    ];
    assert_eq!(
        type_name(&DataType::List(item.into())),
        "list<int32 not null>"
    );
    assert_eq!(
        type_name(&DataType::Struct(fields.into())),
        "struct<a: utf8, \"b, c\": date32 not null>"
    );
    assert_eq!(
        type_name(&DataType::Timestamp(
            TimeUnit::Microsecond,
            Some("UTC".into())
        )),
        "timestamp[us, UTC]"
    );
}

mod property {
    use super::*;
    use arrow_schema::IntervalUnit;
    use proptest::collection::{hash_map, vec};
    use proptest::prelude::*;

    fn flat() -> impl Strategy<Value = DataType> + Clone {
        use DataType as D;
        let unit = prop_oneof![
            Just(TimeUnit::Second),
            Just(TimeUnit::Millisecond),
            Just(TimeUnit::Microsecond),
            Just(TimeUnit::Nanosecond)
        ];
        prop_oneof![
            prop::sample::select(vec![
                D::Null,
                D::Boolean,
                D::Int8,
                D::Int64,
                D::UInt16,
                D::Float16,
                D::Float64,
                D::Date32,
                D::Date64,
                D::Binary,
                D::LargeBinary,
                D::BinaryView,
                D::Utf8,
                D::LargeUtf8,
                D::Utf8View,
                D::Interval(IntervalUnit::YearMonth),
                D::Interval(IntervalUnit::MonthDayNano),
                D::Time32(TimeUnit::Second),
                D::Time64(TimeUnit::Nanosecond),
            ]),
            (unit.clone(), prop::option::of(".{0,8}"))
                .prop_map(|(u, zone)| D::Timestamp(u, zone.map(Into::into))),
            unit.prop_map(D::Duration),
            (1u8..=38, -5i8..=38).prop_map(|(p, s)| D::Decimal128(p, s.min(p as i8))),
            (1u8..=76, -5i8..=76).prop_map(|(p, s)| D::Decimal256(p, s.min(p as i8))),
            (0i32..100).prop_map(D::FixedSizeBinary),
        ]
    }

    fn field(
        data_type: impl Strategy<Value = DataType> + Clone,
    ) -> impl Strategy<Value = Field> + Clone {
        (
            ".{0,6}",
            data_type,
            any::<bool>(),
            hash_map(".{0,4}", ".{0,4}", 0..3),
            any::<bool>(),
        )
            .prop_map(|(name, data_type, nullable, metadata, ordered)| {
                Field::new(name, data_type, nullable)
                    .with_metadata(metadata)
                    .with_dict_is_ordered(ordered)
            })
    }

    fn any_type() -> impl Strategy<Value = DataType> + Clone {
        use DataType as D;
        flat().prop_recursive(4, 24, 4, |inner| {
            let item = field(inner.clone());
            let key = prop::sample::select(vec![D::Int8, D::UInt32, D::Int64]);
            prop_oneof![
                item.clone().prop_map(|item| D::List(item.into())),
                item.clone().prop_map(|item| D::LargeListView(item.into())),
                (item.clone(), 0i32..9)
                    .prop_map(|(item, length)| D::FixedSizeList(item.into(), length)),
                vec(item.clone(), 0..4).prop_map(|fields| D::Struct(fields.into())),
                (item.clone(), item.clone(), any::<bool>()).prop_map(|(key, value, sorted)| {
                    D::Map(
                        Field::new("entries", D::Struct(vec![key, value].into()), false).into(),
                        sorted,
                    )
                }),
                (key, inner).prop_map(|(key, value)| D::Dictionary(key.into(), value.into())),
                item.prop_map(|item| {
                    D::RunEndEncoded(Field::new("run_ends", D::Int32, false).into(), item.into())
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn every_schema_survives_its_json(
            fields in vec(field(any_type()), 0..5), metadata in hash_map(".{0,4}", ".{0,4}", 0..3),
        ) {
            let schema = Schema::new_with_metadata(fields, metadata);
            let json = to_json(&schema).unwrap();
            let back = from_json(&json).unwrap();
            prop_assert_eq!(&back, &schema);
            prop_assert_eq!(to_json(&back).unwrap(), json);
            prop_assert!(compatible(&schema, &back, Compatibility::Full).is_ok());
        }

        #[test]
        fn a_damaged_text_is_a_schema_or_a_typed_error(
            fields in vec(field(any_type()), 1..3), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut json = to_json(&Schema::new(fields)).unwrap().into_bytes();
            let at = at.index(json.len());
            json[at] = byte;
            if let Ok(json) = std::str::from_utf8(&json)
                && let Err(error) = from_json(json)
            {
                prop_assert!(["FS0111", "FS0114", "FS0115"].contains(&error.code()));
            }
        }
    }
}

#[test]
fn a_type_widens_only_where_every_value_stays() {
    use DataType::*;
    let yes = [
        (Int8, Int16),
        (Int8, Int64),
        (Int32, Int64),
        (UInt8, UInt64),
        (UInt32, Int64),
        (Float16, Float32),
        (Float32, Float64),
        (Decimal128(10, 2), Decimal128(38, 2)),
        (Decimal32(5, 1), Decimal256(76, 1)),
    ];
    let no = [
        (Int64, Int32),
        (Int64, Int64),
        (UInt64, Int64),
        (Int8, UInt16),
        (Int32, Float64),
        (Float64, Float32),
        (Decimal128(10, 2), Decimal128(12, 3)),
        (Decimal128(10, 2), Decimal128(9, 2)),
        (Date32, Date64),
        (Utf8, Binary),
        (
            Timestamp(TimeUnit::Second, None),
            Timestamp(TimeUnit::Millisecond, None),
        ),
    ];
    for ((from, to), widens_to) in yes
        .into_iter()
        .map(|pair| (pair, true))
        .chain(no.into_iter().map(|pair| (pair, false)))
    {
        assert_eq!(widens(&from, &to), widens_to, "{from} to {to}");
        let (old, new) = (schema(&[("a", from, true)]), schema(&[("a", to, true)]));
        if old != new {
            let refused = refusal(&old, &new, Compatibility::Backward).is_some();
            assert_eq!(refused, !widens_to);
            assert!(refusal(&old, &new, Compatibility::Full).is_some());
            assert_eq!(readable(&old, &new).is_ok(), widens_to);
        }
    }
}

#[test]
fn what_is_committed_is_found_by_name() {
    use DataType::*;
    let stored = schema(&[("a", Int32, false), ("b", Utf8, true), ("c", Utf8, false)]);
    let good = [
        schema(&[("c", Utf8, false), ("a", Int64, true)]),
        schema(&[("new", Date32, true)]),
        schema(&[]),
        schema(&[("c", LargeUtf8, false), ("b", Utf8View, true)]),
        schema(&[("b", Dictionary(Box::new(Int8), Box::new(Utf8)), true)]),
    ];
    for new in good {
        assert!(readable(&stored, &new).is_ok(), "{new}");
    }
    let bad = [
        (schema(&[("A", Int32, false)]), "\"A\" is not in them"),
        (schema(&[("a", Utf8, false)]), "\"a\" is int32 in them"),
        (schema(&[("b", Utf8, false)]), "\"b\" may be null"),
        (schema(&[("a", Int16, false)]), "\"a\" is int32 in them"),
    ];
    for (new, says) in bad {
        let error = readable(&stored, &new).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0521"));
        assert!(
            error.detail().is_some_and(|why| why.contains(says)),
            "{error}"
        );
    }
}
