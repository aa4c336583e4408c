//! Kernels against one row at a time, over every type.

use super::*;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
    Decimal256Array, DictionaryArray, DurationSecondArray, FixedSizeBinaryArray, Float64Array,
    Int8Array, Int64Array, LargeStringArray, RecordBatch, RunArray, StringArray, StringViewArray,
    Time32SecondArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_buffer::i256;
use flinkspark_model::filter::{ColumnStatistics, Filter, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A column whose values ascend, the literals that say them, and null at the end.
fn columns() -> Vec<(ArrayRef, Vec<Json>)> {
    let array = |array: ArrayRef, literals: &[Json]| (array, literals.to_vec());
    let text = [
        json!(""),
        json!("Z"),
        json!("a"),
        json!("é"),
        json!("\u{ffff}"),
        json!("😀"),
    ];
    let texts = || text.iter().map(|text| text.as_str()).chain([None]);
    let bytes = [
        json!(""),
        json!("AA=="),
        json!("AAE="),
        json!("fw=="),
        json!("/w=="),
    ];
    let raw = [
        Some(&b""[..]),
        Some(&[0]),
        Some(&[0, 1]),
        Some(&[127]),
        Some(&[255]),
        None,
    ];
    let fixed = [Some(&[0, 1][..]), Some(&[0, 255]), Some(&[128, 0]), None];
    let decimal = Decimal128Array::from(vec![Some(-99999), Some(-1), Some(0), Some(1250), None]);
    let wide = [
        i256::MINUS_ONE,
        i256::ZERO,
        i256::from_i128(i128::MAX) + i256::ONE,
    ];
    let wide = Decimal256Array::from(wide.into_iter().map(Some).chain([None]).collect::<Vec<_>>());
    let wider = json!("170141183460469231731687303715884105728");
    let dictionary: DictionaryArray<Int8Type> = texts().collect();
    let runs: RunArray<Int32Type> = texts().collect();
    let instants = TimestampMicrosecondArray::from(vec![Some(i64::MIN), Some(-1), Some(0), None]);
    let instant = [
        json!(i64::MIN),
        json!("1970-01-01T00:59:59.999999+01:00"),
        json!("1970-01-01T00:00:00Z"),
    ];
    vec![
        array(
            Arc::new(BooleanArray::from(vec![Some(false), Some(true), None])),
            &[json!(false), json!(true)],
        ),
        array(
            Arc::new(Int8Array::from(vec![Some(-128), Some(0), Some(127), None])),
            &[json!(-128), json!(0), json!("127")],
        ),
        array(
            Arc::new(Int64Array::from(vec![
                Some(i64::MIN),
                Some(-1),
                Some(i64::MAX),
                None,
            ])),
            &[json!(i64::MIN), json!(-1), json!(i64::MAX)],
        ),
        array(
            Arc::new(UInt64Array::from(vec![
                Some(0),
                Some(1 << 63),
                Some(u64::MAX),
                None,
            ])),
            &[json!(0), json!(1_u64 << 63), json!(u64::MAX)],
        ),
        array(
            Arc::new(decimal.with_precision_and_scale(5, 2).unwrap()),
            &[json!("-999.99"), json!("-0.01"), json!(0), json!("12.5")],
        ),
        array(
            Arc::new(wide.with_precision_and_scale(76, 0).unwrap()),
            &[json!(-1), json!("0"), wider],
        ),
        array(Arc::new(texts().collect::<StringArray>()), &text),
        array(Arc::new(texts().collect::<LargeStringArray>()), &text),
        array(Arc::new(texts().collect::<StringViewArray>()), &text),
        array(Arc::new(dictionary), &text),
        array(Arc::new(runs), &text),
        array(Arc::new(BinaryArray::from(raw.to_vec())), &bytes),
        array(
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed.into_iter(), 2).unwrap(),
            ),
            &[json!("AAE="), json!("AP8="), json!("gAA=")],
        ),
        array(
            Arc::new(Date32Array::from(vec![
                Some(i32::MIN),
                Some(-1),
                Some(0),
                None,
            ])),
            &[json!(i32::MIN), json!("1969-12-31"), json!("1970-01-01")],
        ),
        array(
            Arc::new(Date64Array::from(vec![Some(-86_400_000), Some(1), None])),
            &[json!("1969-12-31"), json!(1)],
        ),
        array(
            Arc::new(Time32SecondArray::from(vec![Some(0), Some(86_399), None])),
            &[json!("00:00"), json!("23:59:59")],
        ),
        array(Arc::new(instants.with_timezone("+01:00")), &instant),
        array(
            Arc::new(DurationSecondArray::from(vec![
                Some(-5),
                Some(0),
                Some(7),
                None,
            ])),
            &[json!(-5), json!(0), json!(7)],
        ),
    ]
}

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap()
}

fn kept(filter: Json, batch: &RecordBatch) -> Vec<u32> {
    let filter: Filter = serde_json::from_value(filter).unwrap();
    let bound = filter.bind(batch.schema_ref()).unwrap();
    let kept = keep(&bound, batch, None).unwrap();
    assert_eq!(kept.batch.num_rows(), kept.ends.len());
    kept.ends.iter().map(|end| end - 1).collect()
}

fn term(name: &str, value: &Json) -> Json {
    json!({name: {"column": "c", "value": value}})
}

#[test]
fn every_type_is_compared_by_its_order_and_null_by_none() {
    for (column, literals) in columns() {
        let data_type = column.data_type().clone();
        let batch = batch(column);
        for (at, literal) in (0_u32..).zip(&literals) {
            let rows = 0..literals.len() as u32;
            let expect = |test: fn(&u32, &u32) -> bool| {
                rows.clone()
                    .filter(|row| test(row, &at))
                    .collect::<Vec<_>>()
            };
            for (name, opposite, expected) in [
                ("eq", "ne", expect(|row, at| row == at)),
                ("lt", "ge", expect(|row, at| row < at)),
                ("le", "gt", expect(|row, at| row <= at)),
            ] {
                let others: Vec<u32> = rows.clone().filter(|row| !expected.contains(row)).collect();
                let (this, that) = (term(name, literal), term(opposite, literal));
                assert_eq!(kept(this.clone(), &batch), expected, "{data_type}: {this}");
                assert_eq!(kept(that.clone(), &batch), others, "{data_type}: {that}");
                assert_eq!(
                    kept(json!({"not": this}), &batch),
                    others,
                    "{data_type}: not {this}"
                );
            }
            let list = |values: Json| json!({"in": {"column": "c", "values": values}});
            let rest: Vec<u32> = rows.clone().filter(|row| *row != at).collect();
            assert_eq!(kept(list(json!([literal])), &batch), [at], "{data_type}");
            assert_eq!(
                kept(list(json!([null, literal])), &batch),
                [at],
                "{data_type}"
            );
            assert_eq!(
                kept(json!({"not": list(json!([literal]))}), &batch),
                rest,
                "{data_type}"
            );
            assert!(
                kept(json!({"not": list(json!([literal, null]))}), &batch).is_empty(),
                "{data_type}"
            );
        }
        let is_null = json!({"is_null": {"column": "c"}});
        let last = literals.len() as u32;
        assert_eq!(kept(is_null.clone(), &batch), [last], "{data_type}");
        assert_eq!(
            kept(json!({"not": is_null}), &batch),
            (0..last).collect::<Vec<_>>(),
            "{data_type}"
        );
        for name in ["eq", "ne", "lt", "le", "gt", "ge"] {
            assert!(kept(term(name, &Json::Null), &batch).is_empty());
            assert!(kept(json!({"not": term(name, &Json::Null)}), &batch).is_empty());
        }
    }
}

#[test]
fn a_prefix_is_one_of_bytes() {
    for (column, literals) in columns() {
        let batch = batch(column);
        let starts = |value: &Json| kept(term("prefix", value), &batch);
        match literals[0].as_str() {
            Some("") if literals[1] == "Z" => {
                assert_eq!(starts(&json!("")), [0, 1, 2, 3, 4, 5]);
                assert_eq!(starts(&json!("é")), [3]);
                assert_eq!(
                    kept(json!({"not": term("prefix", &json!("é"))}), &batch),
                    [0, 1, 2, 4, 5]
                );
            }
            Some("") => assert_eq!(starts(&json!("AA==")), [1, 2]),
            Some("AAE=") => assert_eq!(starts(&json!("AA==")), [0, 1]),
            _ => {}
        }
    }
}

#[test]
fn unknown_is_neither_true_nor_false_in_and_and_or() {
    let flags = [Some(true), Some(false), None];
    let nine = || {
        flags
            .iter()
            .flat_map(|a| flags.iter().map(move |b| (*a, *b)))
    };
    let a: BooleanArray = nine().map(|(a, _)| a).collect();
    let b: BooleanArray = nine().map(|(_, b)| b).collect();
    let batch =
        RecordBatch::try_from_iter([("a", Arc::new(a) as ArrayRef), ("b", Arc::new(b))]).unwrap();
    let is = |name: &str| json!({"eq": {"column": name, "value": true}});
    let both = json!({"or": [{"and": [is("a"), is("b")]}]});
    let any = json!({"or": [is("a"), is("b")]});
    assert_eq!(kept(both.clone(), &batch), [0]);
    assert_eq!(kept(json!({"not": both}), &batch), [1, 3, 4, 5, 7]);
    assert_eq!(kept(any.clone(), &batch), [0, 1, 2, 3, 6]);
    assert_eq!(kept(json!({"not": any}), &batch), [4]);
}

#[test]
fn what_is_known_of_a_column_bounds_it_and_counts_its_nulls() {
    for (column, literals) in columns() {
        let plain = crate::fit::plain(column.data_type());
        let field = arrow_schema::Field::new("c", plain, true);
        let column = crate::fit::column(&column, &field).unwrap();
        let schema = arrow_schema::Schema::new(vec![field]);
        let known = statistics(&column);
        assert_eq!((known.rows, known.nulls), (column.len() as u64, 1));
        let read = ColumnStatistics::from_text(&known.to_text(), known.rows, column.data_type());
        assert_eq!(read.as_ref(), Some(&known), "{}", column.data_type());
        let statistics = [(0, known)].into();
        let may = |name: &str, literal: &Json| {
            let filter: Filter = serde_json::from_value(term(name, literal)).unwrap();
            filter.bind(&schema).unwrap().may_match(&statistics)
        };
        let (first, last) = (&literals[0], &literals[literals.len() - 1]);
        assert!(may("le", first) && may("ge", last) && may("eq", first));
        assert!(
            !may("lt", first) && !may("gt", last),
            "{}",
            column.data_type()
        );
    }
    let floats = statistics(&Float64Array::from(vec![Some(f64::NAN), None]));
    assert_eq!((floats.nulls, floats.min, floats.max), (1, None, None));
    let empty = statistics(&StringArray::from(Vec::<&str>::new()));
    assert_eq!(empty, ColumnStatistics::default());
}

proptest! {
    #[test]
    fn bounds_of_long_texts_lie_outside_of_them(texts in prop::collection::vec("(é|\u{10ffff}|a){0,40}", 1..5)) {
        let known = statistics(&StringArray::from(texts.clone()));
        for text in texts {
            let text = Value::Bytes(text.into_bytes());
            prop_assert!(known.min.as_ref().is_some_and(|min| *min <= text));
            prop_assert!(known.max.as_ref().is_none_or(|max| *max >= text));
        }
    }
}
