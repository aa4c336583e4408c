//! Accumulators in groups, whole and merged, against the fold of one row after the other.

use super::*;
use crate::semantics::types::{FlinkType, Root};
use arrow_array::types::Float64Type;
use arrow_array::{Float64Array, Int32Array, Int64Array};
use proptest::prelude::*;
use std::sync::Arc;

/// A row: its group, whether a filter keeps it, and an argument.
type Row = (usize, Option<bool>, Option<i8>);

/// What the argument becomes in a type: small integers, their extremes, and odd floats.
fn column(root: &Root, rows: &[Row]) -> ArrayRef {
    let values = rows.iter().map(|(_, _, value)| *value);
    match root {
        Root::Int => {
            let int = |value: i8| if value > 100 { i32::MAX } else { value.into() };
            Arc::new(values.map(|value| value.map(int)).collect::<Int32Array>())
        }
        Root::BigInt => {
            let int = |value: i8| if value > 100 { i64::MAX } else { value.into() };
            Arc::new(values.map(|value| value.map(int)).collect::<Int64Array>())
        }
        _ => {
            let float = |value: i8| match value {
                100.. => f64::NAN,
                90..100 => -0.0,
                80..90 => f64::INFINITY,
                value => f64::from(value) / 3.0,
            };
            Arc::new(
                values
                    .map(|value| value.map(float))
                    .collect::<Float64Array>(),
            )
        }
    }
}

/// The results of groups: each batch is summed on its own, its first groups are given out first,
/// and the states are merged in order.
fn answer(
    make: impl Fn() -> Groups,
    root: &Root,
    batches: &[Vec<Row>],
    first: usize,
    filtered: bool,
) -> ArrayRef {
    const GROUPS: usize = 4;
    let mut whole = make();
    for rows in batches {
        let groups: Vec<usize> = rows.iter().map(|(group, ..)| *group).collect();
        let kept: BooleanArray = rows.iter().map(|(_, kept, _)| *kept).collect();
        let mut part = make();
        let kept = filtered.then_some(&kept);
        part.update_batch(&[column(root, rows)], &groups, kept, GROUPS)
            .unwrap();
        let head = part.state(EmitTo::First(first)).unwrap();
        let tail = part.state(EmitTo::All).unwrap();
        let ids: Vec<usize> = (0..GROUPS).collect();
        whole.merge_batch(&head, &ids[..first], GROUPS).unwrap();
        whole.merge_batch(&tail, &ids[first..], GROUPS).unwrap();
        let each = make()
            .convert_to_state(&[column(root, rows)], kept)
            .unwrap();
        whole.merge_batch(&each, &groups, GROUPS).unwrap();
    }
    whole.evaluate(EmitTo::All).unwrap()
}

proptest! {
    #[test]
    fn columns_and_folds_give_the_same_values(
        batches in prop::collection::vec(
            prop::collection::vec((0..4_usize, any::<Option<bool>>(), any::<Option<i8>>()), 1..20), 1..4),
        first in 0..=4_usize,
        filtered in any::<bool>(),
    ) {
        for root in [Root::Int, Root::BigInt, Root::Double] {
            for function in [Aggregate::Sum, Aggregate::Avg, Aggregate::Min, Aggregate::Max] {
                let argument = FlinkType::nullable(root.clone());
                let result = function.result_type(&argument, true).unwrap();
                let call = Call { function, distinct: false, argument, result };
                let columns = || Groups::made(&call, |call| Ok(columns(call).unwrap())).unwrap();
                let folds = || Groups::made(&call, |call| Ok(Box::new(Folds::of(call)))).unwrap();
                prop_assert_eq!(
                    &answer(columns, &root, &batches, first, filtered),
                    &answer(folds, &root, &batches, first, filtered),
                    "{:?} of {:?}", function, root
                );
            }
        }
    }

    #[test]
    fn folds_are_the_same_whole_and_merged_from_parts(
        batches in prop::collection::vec(
            prop::collection::vec((0..4_usize, any::<Option<bool>>(), any::<Option<i8>>()), 1..20), 1..4),
        first in 0..=4_usize,
        filtered in any::<bool>(),
    ) {
        for (function, distinct) in [
            (Aggregate::Count, true),
            (Aggregate::Sum, true),
            (Aggregate::ArrayAgg, false),
            (Aggregate::Max, false),
        ] {
            let argument = FlinkType::nullable(Root::BigInt);
            let result = function.result_type(&argument, true).unwrap();
            let call = Call { function, distinct, argument, result };
            let folds = || Groups::made(&call, |call| Ok(Box::new(Folds::of(call)))).unwrap();
            // What `answer` makes of parts holds every row twice: as a part, and by itself.
            let mut whole = folds();
            for rows in &batches {
                let groups: Vec<usize> = rows.iter().map(|(group, ..)| *group).collect();
                let kept: BooleanArray = rows.iter().map(|(_, kept, _)| *kept).collect();
                for _ in 0..2 {
                    let values = [column(&Root::BigInt, rows)];
                    whole.update_batch(&values, &groups, filtered.then_some(&kept), 4).unwrap();
                }
            }
            prop_assert_eq!(
                &answer(folds, &Root::BigInt, &batches, first, filtered),
                &whole.evaluate(EmitTo::All).unwrap(),
                "{:?}, distinct: {}", function, distinct
            );
        }
    }
}

#[test]
fn an_average_of_negative_zeros_is_zero_in_columns_and_in_folds() {
    let argument = FlinkType::nullable(Root::Double);
    let result = Aggregate::Avg.result_type(&argument, true).unwrap();
    let call = Call {
        function: Aggregate::Avg,
        distinct: false,
        argument,
        result,
    };
    let makes: [Make; 2] = [
        |call| Ok(columns(call).unwrap()),
        |call| Ok(Box::new(Folds::of(call))),
    ];
    for make in makes {
        let mut groups = Groups::made(&call, make).unwrap();
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![-0.0]));
        groups.update_batch(&[zeros], &[0], None, 1).unwrap();
        let average = groups.evaluate(EmitTo::All).unwrap();
        let average = average.as_primitive::<Float64Type>().value(0);
        assert_eq!(average.to_bits(), 0.0_f64.to_bits());
    }
}

#[test]
fn texts_and_sets_keep_their_folds() {
    let call = |function, root: Root, distinct| {
        let argument = FlinkType::nullable(root);
        let result = Aggregate::result_type(function, &argument, true).unwrap();
        columns(&Call {
            function,
            distinct,
            argument,
            result,
        })
        .is_some()
    };
    assert!(call(Aggregate::Sum, Root::Int, false));
    assert!(!call(Aggregate::Sum, Root::Int, true));
    assert!(call(Aggregate::Sum, Root::Decimal(10, 2), false));
    assert!(!call(Aggregate::Max, Root::Varchar(5), false));
    assert!(!call(Aggregate::First, Root::Int, false));
}
