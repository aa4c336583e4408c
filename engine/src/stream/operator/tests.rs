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
    Batch {
        rows,
        watermarks,
        partition: 0,
    }
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

mod older {
    use super::*;
    use arrow_array::types::{Decimal128Type, Float64Type};
    use arrow_array::{ArrayRef, Decimal128Array, Float64Array, StringArray};

    const DECIMAL: DataType = DataType::Decimal128(38, 2);

    fn input() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("key", DataType::Utf8, true),
            Field::new("float", DataType::Float64, true),
            Field::new("decimal", DECIMAL, true),
        ]))
    }

    fn operator() -> Box<dyn Operator> {
        let call = |function, column: &str, at| Aggregate {
            function,
            argument: Some(Arc::new(Column::new(column, at))),
            name: format!("{function} {column}"),
        };
        let keyed = Keyed {
            keys: vec![NamedExpr {
                expr: Arc::new(Column::new("key", 0)),
                name: "key".into(),
            }],
            aggregates: vec![
                call(Function::Sum, "float", 1),
                call(Function::Avg, "float", 1),
                call(Function::Sum, "decimal", 2),
                call(Function::Avg, "decimal", 2),
            ],
        };
        let field = |name: &str, ty| Field::new(name, ty, true);
        let output = vec![
            field("key", DataType::Utf8),
            field("a", DataType::Float64),
            field("b", DataType::Float64),
            field("c", DECIMAL),
            field("d", DataType::Decimal128(38, 6)),
        ];
        build(&Node {
            uid: "operator".into(),
            operator: Description::Keyed(keyed),
            input: input(),
            output: Arc::new(Schema::new(output)),
        })
        .unwrap()
    }

    fn decimals(values: Vec<i128>) -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_data_type(DECIMAL))
    }

    /// What a body of version 1 names for this operator: one sum for all partitions, in 38 digits.
    fn state() -> RecordBatch {
        let floats = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let counts = || Arc::new(Int64Array::from(vec![2])) as ArrayRef;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("bucket", Arc::new(Int64Array::from(vec![0]))),
            ("key0", Arc::new(StringArray::from(vec!["a"]))),
            ("call0.0", floats(0.1 + 0.2)),
            ("call1.0", floats(0.1 + 0.2)),
            ("call1.1", counts()),
            ("call2.0", decimals(vec![300])),
            ("call3.0", decimals(vec![300])),
            ("call3.1", counts()),
        ];
        RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, name != "bucket")),
        )
        .unwrap()
    }

    #[test]
    fn the_state_of_a_build_before_is_opened_and_means_what_it_meant() {
        let mut operator = operator();
        operator.restore(&state(), &(0..=127)).unwrap();
        let more: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["a"])),
            Arc::new(Float64Array::from(vec![0.3])),
            decimals(vec![101]),
        ];
        let batch = Batch {
            rows: RecordBatch::try_new(input(), more).unwrap(),
            watermarks: Watermarks::constant(1, NO_WATERMARK),
            partition: 0,
        };
        let mut out = Output::default();
        operator.on_batch(batch, &mut out).unwrap();
        // What it freezes now is restored as well.
        let frozen = operator.snapshot().unwrap().unwrap();
        let mut operator = self::operator();
        operator.restore(&frozen, &(0..=127)).unwrap();
        operator.finish(&mut out).unwrap();
        let [Event::Batch(batch)] = out.events.as_slice() else {
            panic!("one batch of results");
        };
        let float = |at: usize| batch.rows.column(at).as_primitive::<Float64Type>().value(0);
        let decimal = |at: usize| {
            batch
                .rows
                .column(at)
                .as_primitive::<Decimal128Type>()
                .value(0)
        };
        assert_eq!(float(1).to_bits(), (0.1 + 0.2 + 0.3_f64).to_bits());
        assert_eq!(float(2).to_bits(), ((0.1 + 0.2 + 0.3_f64) / 3.0).to_bits());
        assert_eq!((decimal(3), decimal(4)), (401, 1_336_667));
    }

    #[test]
    fn a_state_of_other_columns_is_refused() {
        let error = operator()
            .restore(&state().project(&[0, 1, 2, 3]).unwrap(), &(0..=127))
            .unwrap_err();
        assert_eq!(error.code(), "FS0611");
    }
}
