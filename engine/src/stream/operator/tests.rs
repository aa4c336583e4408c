//! Single operators, row by row against whole batches.

use super::super::message::{END_WATERMARK, NO_WATERMARK, Watermarks};
use super::super::program::{Aggregate, Keyed, NamedExpr, Node, Operator as Description, Tumble};
use super::*;
use crate::expr::aggregate::Function;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Int64Array, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::physical_expr::expressions::Column;
use flinkspark_model::dataset::TimePrecision;
use std::sync::Arc;

fn input() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(
            "time",
            DataType::Timestamp(TimeUnit::Millisecond, None),
            false,
        ),
        Field::new("value", DataType::Int64, true),
    ]))
}

fn calls() -> Vec<Aggregate> {
    vec![Aggregate {
        function: Function::Sum,
        argument: Some(Arc::new(Column::new("value", 1))),
        name: "total".into(),
    }]
}

fn node(operator: Description, output: Vec<Field>) -> Node {
    Node {
        uid: "operator".into(),
        operator,
        input: input(),
        output: Arc::new(Schema::new(output)),
    }
}

fn windows(size_ms: i64, offset_ms: i64) -> Box<dyn Operator> {
    let bound = |name| {
        Field::new(
            name,
            DataType::Timestamp(TimeUnit::Millisecond, None),
            false,
        )
    };
    let tumble = Tumble {
        time: 0,
        precision: TimePrecision::Exact,
        size_ms,
        offset_ms,
        keys: vec![],
        aggregates: calls(),
        late_to: None,
    };
    let output = vec![
        bound("window_start"),
        bound("window_end"),
        Field::new("total", DataType::Int64, true),
    ];
    build(&node(Description::Tumble(tumble), output)).unwrap()
}

fn rows(rows: &[(i64, i64, Watermark)]) -> Batch {
    let mut watermarks = Watermarks::default();
    rows.iter().for_each(|row| watermarks.push(1, row.2));
    let times: TimestampMillisecondArray = rows.iter().map(|row| Some(row.0)).collect();
    let values: Int64Array = rows.iter().map(|row| Some(row.1)).collect();
    let rows = RecordBatch::try_new(input(), vec![Arc::new(times), Arc::new(values)]).unwrap();
    Batch { rows, watermarks }
}

/// `(start, end, total)` of everything emitted.
fn results(out: &Output) -> Vec<(i64, i64, i64)> {
    let mut all = Vec::new();
    for event in &out.events {
        if let Event::Batch(batch) = event {
            let bound = |column: usize| {
                batch
                    .rows
                    .column(column)
                    .as_primitive::<TimestampMillisecondType>()
            };
            let totals = batch.rows.column(2).as_primitive::<Int64Type>();
            all.extend(
                (0..batch.rows.num_rows())
                    .map(|row| (bound(0).value(row), bound(1).value(row), totals.value(row))),
            );
        }
    }
    all
}

#[test]
fn a_window_fires_one_millisecond_before_its_end() {
    let (mut operator, mut out) = (windows(10, 0), Output::default());
    operator
        .on_batch(
            rows(&[
                (3, 1, NO_WATERMARK),
                (9, 2, NO_WATERMARK),
                (10, 4, NO_WATERMARK),
            ]),
            &mut out,
        )
        .unwrap();
    operator.on_watermark(8, &mut out).unwrap();
    assert_eq!(results(&out), []);
    operator.on_watermark(9, &mut out).unwrap();
    assert_eq!(results(&out), [(0, 10, 3)]);
    operator.on_watermark(END_WATERMARK, &mut out).unwrap();
    assert_eq!(results(&out), [(0, 10, 3), (10, 20, 4)]);
}

#[test]
fn a_row_is_late_from_the_millisecond_at_which_its_window_fires() {
    let (mut operator, mut out) = (windows(10, 0), Output::default());
    operator
        .on_batch(rows(&[(3, 1, 8), (3, 2, 9), (15, 4, 9)]), &mut out)
        .unwrap();
    operator.on_watermark(END_WATERMARK, &mut out).unwrap();
    assert_eq!(results(&out), [(0, 10, 1), (10, 20, 4)]);
    assert_eq!(out.counts, Counts { late: 1, fired: 2 });
}

#[test]
fn windows_before_the_epoch_and_with_an_offset_start_at_the_floor() {
    let (mut operator, mut out) = (windows(10, 3), Output::default());
    operator
        .on_batch(
            rows(&[
                (-1, 1, NO_WATERMARK),
                (2, 2, NO_WATERMARK),
                (3, 4, NO_WATERMARK),
                (-8, 8, NO_WATERMARK),
            ]),
            &mut out,
        )
        .unwrap();
    operator.on_watermark(END_WATERMARK, &mut out).unwrap();
    assert_eq!(results(&out), [(-17, -7, 8), (-7, 3, 3), (3, 13, 4)]);
}

#[test]
fn results_come_before_the_watermark_that_fired_them_and_are_not_late_for_the_next_window() {
    let (mut operator, mut out) = (windows(10, 0), Output::default());
    operator
        .on_batch(rows(&[(3, 1, NO_WATERMARK)]), &mut out)
        .unwrap();
    operator.on_watermark(5, &mut out).unwrap();
    operator.on_watermark(50, &mut out).unwrap();
    let [
        Event::Watermark(5),
        Event::Batch(batch),
        Event::Watermark(50),
    ] = out.events.as_slice()
    else {
        panic!("{:?}", out.events)
    };
    assert_eq!(batch.watermarks.by_row().collect::<Vec<_>>(), [5]);
}

#[test]
fn state_moves_by_key_group_and_nothing_is_lost() {
    let mut before = windows(10, 0);
    before
        .on_batch(
            rows(&[(3, 1, NO_WATERMARK), (13, 2, NO_WATERMARK)]),
            &mut Output::default(),
        )
        .unwrap();
    let state = before.snapshot().unwrap().unwrap();
    before
        .on_batch(rows(&[(3, 100, NO_WATERMARK)]), &mut Output::default())
        .unwrap();
    let mut all = Vec::new();
    for groups in [0..=63, 64..=127] {
        let (mut after, mut out) = (windows(10, 0), Output::default());
        after.restore(&state, &groups).unwrap();
        after.on_watermark(END_WATERMARK, &mut out).unwrap();
        all.extend(results(&out));
    }
    assert_eq!(all, [(0, 10, 1), (10, 20, 2)], "a snapshot is frozen");
}

#[test]
fn aggregation_over_everything_answers_at_the_end_and_only_if_there_was_input() {
    let keyed = || {
        let keyed = Keyed {
            keys: vec![NamedExpr {
                expr: Arc::new(Column::new("value", 1)),
                name: "value".into(),
            }],
            aggregates: calls(),
        };
        let output = vec![
            Field::new("value", DataType::Int64, true),
            Field::new("total", DataType::Int64, true),
        ];
        build(&node(Description::Keyed(keyed), output)).unwrap()
    };
    let (mut operator, mut out) = (keyed(), Output::default());
    operator
        .on_batch(rows(&[(1, 5, 1), (2, 7, 1), (3, 5, 1)]), &mut out)
        .unwrap();
    operator.on_watermark(END_WATERMARK, &mut out).unwrap();
    assert!(matches!(out.events.as_slice(), [Event::Watermark(_)]));
    operator.finish(&mut out).unwrap();
    let Some(Event::Batch(batch)) = out.events.last() else {
        panic!()
    };
    assert_eq!(
        batch.rows.column(1).as_primitive::<Int64Type>().values(),
        &[10, 7]
    );
    let mut empty = Output::default();
    keyed().finish(&mut empty).unwrap();
    assert!(empty.events.is_empty());
}
