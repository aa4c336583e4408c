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
fn a_decimal_sum_is_of_all_rows_and_null_beyond_38_digits() {
    let most = 10_i128.pow(38) - 1;
    let values: ArrayRef = Arc::new(
        Decimal128Array::from(vec![most, 1, -1, most, 1])
            .with_precision_and_scale(38, 0)
            .unwrap(),
    );
    let groups = [0, 0, 0, 1, 1];
    for function in [Function::Sum, Function::Avg] {
        let answer = answer(function, values.clone(), &groups, &[0, 1, 2]);
        assert!(answer.is_null(1), "{function}");
        assert!(answer.is_null(2), "{function}");
    }
    let sum = answer(Function::Sum, values, &groups, &[0]);
    let sum = arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Decimal128Type>(&sum);
    assert_eq!(sum.value(0), most, "it passed 38 digits on the way");
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
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Float64Type};
    use arrow_buffer::i256;

    /// A value, its group, its partition.
    type Row = (f64, u32, u32);

    fn float() -> impl Strategy<Value = f64> {
        (any::<bool>(), -8i32..9, 1.0f64..10.0, 0u8..20).prop_map(
            |(negative, power, digits, odd)| {
                let value = match odd {
                    0 => f64::NAN,
                    1 => 0.0,
                    _ => digits * 10f64.powi(power),
                };
                if negative { -value } else { value }
            },
        )
    }

    fn ordered(function: Function) -> Ordered {
        Ordered::new(Box::new(move || {
            function.accumulator(Some(&DataType::Float64))
        }))
        .unwrap()
    }

    fn feed(accumulator: &mut Ordered, rows: &[Row]) {
        for row in rows {
            let value: ArrayRef = Arc::new(Float64Array::from(vec![row.0]));
            accumulator.at_partition(row.2);
            accumulator.update(Some(&value), &[row.1]).unwrap();
        }
    }

    /// Each partition folded by itself in row order, merged in partition order.
    fn expected(function: Function, rows: &[Row]) -> Vec<Option<u64>> {
        let all: Vec<u32> = (0..4).collect();
        let fresh = || {
            let mut fresh = function.accumulator(Some(&DataType::Float64)).unwrap();
            fresh.grow(4);
            fresh
        };
        let mut whole = fresh();
        for partition in 0..5 {
            let mut part = fresh();
            for row in rows.iter().filter(|row| row.2 == partition) {
                let value: ArrayRef = Arc::new(Float64Array::from(vec![row.0]));
                part.update(Some(&value), &[row.1]).unwrap();
            }
            whole.merge(&part.state(&all).unwrap(), &all).unwrap();
        }
        bits(&whole.evaluate(&all).unwrap())
    }

    fn bits(values: &ArrayRef) -> Vec<Option<u64>> {
        values
            .as_primitive::<Float64Type>()
            .iter()
            .map(|v| v.map(f64::to_bits))
            .collect()
    }

    /// Rows of a partition keep their order; partitions come interleaved as the seed says.
    fn interleaved(rows: &[Row], seed: u64) -> Vec<Row> {
        let mut queues: Vec<std::collections::VecDeque<Row>> = vec![Default::default(); 5];
        rows.iter()
            .for_each(|row| queues[row.2 as usize].push_back(*row));
        let mut out = Vec::new();
        let mut random = seed | 1;
        while out.len() < rows.len() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            out.extend(queues[(random >> 40) as usize % 5].pop_front());
        }
        out
    }

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

        #[test]
        fn floats_have_the_same_bits_however_partitions_are_interleaved_and_put_together(
            rows in prop::collection::vec((float(), 0u32..4, 0u32..5), 0..80),
            seed in any::<u64>(),
            cut in 0usize..80,
            reuse in any::<bool>(),
        ) {
            let all = [0, 1, 2, 3];
            let arrived = interleaved(&rows, seed);
            let cut = cut.min(arrived.len());
            for function in [Function::Sum, Function::Avg, Function::Min, Function::Max] {
                let mut accumulator = ordered(function);
                accumulator.grow(4);
                if reuse {
                    feed(&mut accumulator, &arrived);
                    accumulator.release(&all);
                }
                feed(&mut accumulator, &arrived[..cut]);
                // A checkpoint, a kill, and another incarnation that goes on.
                let state = accumulator.state(&all).unwrap();
                let types = function.state_types(Some(&DataType::Float64)).unwrap();
                let types = Ordered::state_types(&types);
                prop_assert_eq!(state.iter().map(|c| c.data_type().clone()).collect::<Vec<_>>(), types);
                let mut restored = ordered(function);
                restored.grow(4);
                restored.merge(&state, &all).unwrap();
                feed(&mut restored, &arrived[cut..]);
                prop_assert_eq!(
                    bits(&restored.evaluate(&all).unwrap()),
                    expected(function, &rows),
                    "{}", function
                );
            }
        }

        #[test]
        fn decimal_sums_are_those_of_256_bits_in_any_order_and_any_parts(
            rows in prop::collection::vec((any::<i128>(), 0u32..3), 0..40),
            cut in 0usize..40,
        ) {
            let limit = 10_i128.pow(38);
            let rows: Vec<(i128, u32)> = rows.into_iter().map(|(v, g)| (v % limit, g)).collect();
            let cut = cut.min(rows.len());
            let ty = DataType::Decimal128(38, 3);
            let all = [0, 1, 2];
            let make = |function: Function, rows: &[(i128, u32)]| {
                let mut accumulator = function.accumulator(Some(&ty)).unwrap();
                accumulator.grow(3);
                let values: ArrayRef = Arc::new(
                    rows.iter().map(|row| Some(row.0)).collect::<Decimal128Array>().with_data_type(ty.clone()));
                let groups: Vec<u32> = rows.iter().map(|row| row.1).collect();
                accumulator.update(Some(&values), &groups).unwrap();
                accumulator
            };
            let reversed: Vec<(i128, u32)> = rows.iter().rev().copied().collect();
            for function in [Function::Sum, Function::Avg] {
                let mut merged = make(function, &rows[cut..]);
                let state = make(function, &rows[..cut]).state(&all).unwrap();
                let types = function.state_types(Some(&ty)).unwrap();
                prop_assert_eq!(state.iter().map(|c| c.data_type().clone()).collect::<Vec<_>>(), types);
                merged.merge(&state, &all).unwrap();
                let merged = merged.evaluate(&all).unwrap();
                prop_assert_eq!(&merged, &make(function, &reversed).evaluate(&all).unwrap());
                let merged = merged.as_primitive::<Decimal128Type>();
                for group in all {
                    let own: Vec<i128> = rows.iter().filter(|row| row.1 == group).map(|row| row.0).collect();
                    let sum = own.iter().fold(i256::ZERO, |sum, v| sum.wrapping_add(i256::from_i128(*v)));
                    let fits = !own.is_empty() && sum.wrapping_abs() < i256::from_i128(limit);
                    let value = merged.is_valid(group as usize).then(|| merged.value(group as usize));
                    if !fits {
                        prop_assert_eq!(value, None);
                    } else if function == Function::Sum {
                        prop_assert_eq!(value.map(i256::from_i128), Some(sum));
                    } else if let Some(value) = value {
                        // Within half a unit, and one in the 38th digit, of the exact quotient.
                        let exact = sum.wrapping_mul(i256::from_i128(1000));
                        let back = i256::from_i128(value).wrapping_mul(i256::from_i128(own.len() as i128));
                        let off = exact.wrapping_sub(back).wrapping_abs();
                        prop_assert!(off.wrapping_add(off) <= i256::from_i128(own.len() as i128 + 1));
                    }
                }
            }
        }
    }
}
