//! The flights of 2013: the hourly job gives what Flink 2.3 gives.

use super::super::program::{Aggregate, EventTime, NamedExpr, Program, Source, Tumble};
use super::super::{Ended, Options};
use super::memory::{Fate, Store};
use super::support::*;
use crate::expr::aggregate::Function;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use flinkspark_model::dataset::TimePrecision;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::time::Duration;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../integration-tests/data/flights.parquet"
);
const HOUR_MS: u64 = 3_600_000;

fn flights() -> Vec<RecordBatch> {
    let file = std::fs::File::open(FILE).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .with_batch_size(65_536)
        .build()
        .unwrap();
    reader.map(Result::unwrap).collect()
}

fn hourly(input: &RecordBatch, delay_hours: u64) -> Program {
    let schema = input.schema();
    let index = |name: &str| schema.index_of(name).unwrap();
    let named = |name: &str| column(name, index(name));
    let call = |function, argument: Option<&str>, name: &str| Aggregate {
        function,
        argument: argument.map(named),
        name: name.into(),
    };
    let time = index("event_time");
    let source = Source {
        uid: "source".into(),
        dataset: INPUT,
        name: "flights".into(),
        schema: schema.clone(),
        columns: None,
        time: Some(EventTime {
            column: time,
            watermark_delay_ms: delay_hours * HOUR_MS,
            precision: TimePrecision::Exact,
        }),
        through: None,
    };
    let tumble = Tumble {
        time,
        precision: TimePrecision::Exact,
        size_ms: HOUR_MS as i64,
        offset_ms: 0,
        keys: vec![NamedExpr {
            expr: named("origin"),
            name: "origin".into(),
        }],
        aggregates: vec![
            call(Function::CountStar, None, "departures"),
            call(Function::Count, Some("dep_delay"), "with_delay"),
            call(Function::Avg, Some("dep_delay"), "avg_delay"),
            call(Function::Max, Some("dep_delay"), "max_delay"),
            call(Function::Sum, Some("distance"), "total_distance"),
            call(Function::Avg, Some("distance"), "avg_distance"),
        ],
        late_to: None,
    };
    let stream = Program::from(source)
        .unwrap()
        .tumble("hourly", tumble)
        .unwrap();
    let output = stream.schema().clone();
    stream.sink(sink("sink", OUTPUT, output)).unwrap()
}

#[derive(Debug, PartialEq, Eq)]
struct Sums {
    windows: usize,
    late: u64,
    departures: i64,
    with_delay: i64,
    total_distance: i64,
    avg_distance: i64,
}

async fn run(flights: &[RecordBatch], delay_hours: u64, parallelism: usize) -> Sums {
    let store = Store::default();
    for (index, batch) in flights.iter().enumerate() {
        store.put(
            INPUT,
            index as u64 + 1,
            vec![(0, batch.clone())],
            batch.schema(),
        );
    }
    let options = Options {
        parallelism,
        checkpoint_interval: Duration::from_millis(100),
        ..options()
    };
    let job = build(
        hourly(&flights[0], delay_hours),
        options,
        store.incarnation(Fate::default().into()),
    );
    let handle = job.handle();
    assert_eq!(
        job.run(std::future::pending()).await.unwrap(),
        Ended::Finished
    );
    let output = store.batches(OUTPUT.into());
    let long = |column: usize| {
        output
            .iter()
            .map(|b| {
                b.column(column)
                    .as_primitive::<Int64Type>()
                    .values()
                    .iter()
                    .sum::<i64>()
            })
            .sum()
    };
    let int = |column: usize| {
        output
            .iter()
            .flat_map(|b| b.column(column).as_primitive::<Int32Type>().values())
            .map(|v| i64::from(*v))
            .sum()
    };
    let totals = handle.status().totals;
    assert_eq!(totals.rows_read, 336_776);
    assert_eq!(totals.windows_fired as usize, store.rows(OUTPUT));
    Sums {
        windows: store.rows(OUTPUT),
        late: totals.rows_late,
        departures: long(3),
        with_delay: long(4),
        total_distance: int(7),
        avg_distance: int(8),
    }
}

#[tokio::test]
async fn with_a_delay_of_a_day_nothing_is_late_at_any_parallelism() {
    let flights = flights();
    for parallelism in [1, 2, 4] {
        let expected = Sums {
            windows: 19_468,
            late: 0,
            departures: 336_776,
            with_delay: 328_521,
            total_distance: 350_217_607,
            avg_distance: 20_236_328,
        };
        assert_eq!(
            run(&flights, 24, parallelism).await,
            expected,
            "parallelism {parallelism}"
        );
    }
}

#[tokio::test]
async fn with_a_delay_of_two_hours_the_late_rows_are_those_of_flink() {
    let flights = flights();
    for parallelism in [1, 2, 4] {
        let sums = run(&flights, 2, parallelism).await;
        assert_eq!(
            (sums.windows, sums.late),
            (19_111, 19_072),
            "parallelism {parallelism}"
        );
        assert_eq!(sums.departures, 336_776 - 19_072);
    }
}
