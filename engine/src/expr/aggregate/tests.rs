//! What each function answers, and that states can be taken apart and put together.

use super::*;
use arrow_array::{
    Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray, TimestampMillisecondArray,
};
use proptest::prelude::*;
use std::sync::Arc;

fn answer(
    function: Function,
    values: ArrayRef,
    groups: &[GroupId],
    wanted: &[GroupId],
) -> ArrayRef {
    let argument = (function != Function::CountStar).then_some(&values);
    let mut accumulator = function
        .accumulator(argument.map(|values| values.data_type()))
        .unwrap();
    accumulator.grow(8);
    accumulator.update(argument, groups).unwrap();
    accumulator.evaluate(wanted).unwrap()
}

fn ints(values: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from(values))
}

#[test]
fn the_sum_of_ints_is_an_int_and_wraps() {
    let sum = answer(
        Function::Sum,
        ints(vec![Some(i32::MAX), Some(1), None, Some(5)]),
        &[0, 0, 0, 1],
        &[0, 1, 2],
    );
    assert_eq!(
        sum.as_ref(),
        &Int32Array::from(vec![Some(i32::MIN), Some(5), None]) as &dyn Array
    );
}

#[test]
fn the_sum_of_a_negative_zero_is_one() {
    let zeros = || Arc::new(Float64Array::from(vec![-0.0, -0.0, 0.0, -0.0])) as ArrayRef;
    let groups = [0, 1, 1, 2];
    let sum = answer(Function::Sum, zeros(), &groups, &[0, 1, 2]);
    // Bit for bit: 0.0 and -0.0 have different digests.
    assert_eq!(
        sum.as_ref(),
        &Float64Array::from(vec![-0.0, 0.0, -0.0]) as &dyn Array
    );
}

#[test]
fn the_average_of_ints_truncates_toward_zero() {
    let average = answer(
        Function::Avg,
        ints(vec![Some(1), Some(2), Some(-1), Some(-2), None]),
        &[0, 0, 1, 1, 2],
        &[0, 1, 2],
    );
    assert_eq!(
        average.as_ref(),
        &Int32Array::from(vec![Some(1), Some(-1), None]) as &dyn Array
    );
}

#[test]
fn the_average_of_ints_does_not_wrap_at_32_bits() {
    let average = answer(
        Function::Avg,
        ints(vec![Some(i32::MAX), Some(i32::MAX)]),
        &[0, 0],
        &[0],
    );
    assert_eq!(
        average.as_ref(),
        &Int32Array::from(vec![i32::MAX]) as &dyn Array
    );
}

#[test]
fn the_average_of_doubles_is_a_double() {
    let values: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(2.0)]));
    let average = answer(Function::Avg, values, &[0, 0, 0], &[0]);
    assert_eq!(
        average.as_ref(),
        &Float64Array::from(vec![1.5]) as &dyn Array
    );
}

#[test]
fn the_average_of_decimals_rounds_half_up_at_six_decimals() {
    let values: ArrayRef = Arc::new(
        Decimal128Array::from(vec![100, 200, 200])
            .with_precision_and_scale(10, 2)
            .unwrap(),
    );
    let average = answer(Function::Avg, values, &[0, 0, 0], &[0]);
    let expected = Decimal128Array::from(vec![1_666_667])
        .with_precision_and_scale(38, 6)
        .unwrap();
    assert_eq!(average.as_ref(), &expected as &dyn Array);
}

#[test]
fn a_decimal_sum_beyond_38_digits_is_an_error() {
    let values: ArrayRef = Arc::new(
        Decimal128Array::from(vec![10_i128.pow(38) - 1, 1])
            .with_precision_and_scale(38, 0)
            .unwrap(),
    );
    let mut sum = Function::Sum.accumulator(Some(values.data_type())).unwrap();
    sum.grow(1);
    let error = sum.update(Some(&values), &[0, 0]).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0606"));
}

#[test]
fn counting_ignores_nulls_and_counting_rows_does_not() {
    let values = ints(vec![Some(1), None, None]);
    let count = answer(Function::Count, values.clone(), &[0, 0, 1], &[0, 1]);
    assert_eq!(count.as_ref(), &Int64Array::from(vec![1, 0]) as &dyn Array);
    let rows = answer(Function::CountStar, values, &[0, 0, 1], &[0, 1]);
    assert_eq!(rows.as_ref(), &Int64Array::from(vec![2, 1]) as &dyn Array);
}

#[test]
fn extremes_of_text_and_time_keep_their_type() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![
        Some("b"),
        Some("a"),
        None,
        Some("ä"),
    ]));
    let max = answer(Function::Max, text.clone(), &[0, 0, 0, 0], &[0]);
    assert_eq!(max.as_ref(), &StringArray::from(vec!["ä"]) as &dyn Array);
    let min = answer(Function::Min, text, &[0, 0, 0, 0], &[0, 1]);
    assert_eq!(
        min.as_ref(),
        &StringArray::from(vec![Some("a"), None]) as &dyn Array
    );
    let time: ArrayRef =
        Arc::new(TimestampMillisecondArray::from(vec![5, -7]).with_timezone("UTC"));
    let min = answer(Function::Min, time.clone(), &[0, 0], &[0]);
    assert_eq!(min.data_type(), time.data_type());
}

#[test]
fn a_nan_that_comes_first_stays_and_a_later_one_is_passed_over() {
    let first: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, 1.0]));
    let later: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN]));
    let value = |values| {
        let max = answer(Function::Max, values, &[0, 0], &[0]);
        arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Float64Type>(&max).value(0)
    };
    assert!(value(first).is_nan());
    assert_eq!(value(later), 1.0);
}

#[test]
fn a_released_group_starts_empty() {
    for function in [
        Function::Sum,
        Function::Avg,
        Function::Min,
        Function::Max,
        Function::Count,
    ] {
        let values = ints(vec![Some(7)]);
        let mut accumulator = function.accumulator(Some(&DataType::Int32)).unwrap();
        accumulator.grow(1);
        let empty = accumulator.evaluate(&[0]).unwrap();
        accumulator.update(Some(&values), &[0]).unwrap();
        accumulator.release(&[0]);
        assert_eq!(&accumulator.evaluate(&[0]).unwrap(), &empty, "{function}");
    }
}

#[test]
fn a_type_without_an_answer_is_refused_by_name() {
    let error = Function::Sum
        .accumulator(Some(&DataType::Utf8))
        .err()
        .unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0602"));
    assert!(
        Function::CountStar
            .accumulator(Some(&DataType::Utf8))
            .is_err()
    );
}

mod property {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

        #[test]
        fn merging_parts_equals_updating_with_all_rows(
            rows in prop::collection::vec((prop::option::of(any::<i32>()), 0u32..4), 0..60),
            cut in 0usize..60,
        ) {
            let cut = cut.min(rows.len());
            let column = |rows: &[(Option<i32>, u32)]| ints(rows.iter().map(|row| row.0).collect());
            let groups = |rows: &[(Option<i32>, u32)]| rows.iter().map(|row| row.1).collect::<Vec<_>>();
            let all = [0, 1, 2, 3];
            for function in [Function::Count, Function::Sum, Function::Avg, Function::Min, Function::Max] {
                let make = |rows: &[(Option<i32>, u32)]| {
                    let mut accumulator = function.accumulator(Some(&DataType::Int32)).unwrap();
                    accumulator.grow(4);
                    accumulator.update(Some(&column(rows)), &groups(rows)).unwrap();
                    accumulator
                };
                let mut merged = make(&rows[..cut]);
                let state = make(&rows[cut..]).state(&all).unwrap();
                let types = function.state_types(Some(&DataType::Int32)).unwrap();
                prop_assert_eq!(state.iter().map(|c| c.data_type().clone()).collect::<Vec<_>>(), types);
                merged.merge(&state, &all).unwrap();
                prop_assert_eq!(
                    &merged.evaluate(&all).unwrap(),
                    &make(&rows).evaluate(&all).unwrap(),
                    "{}", function
                );
            }
        }
    }
}
