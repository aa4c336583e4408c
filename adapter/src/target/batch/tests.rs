//! Whole statements on the batch target.

use super::{Providers, collect};
use crate::front::flink::{self, TableInfo, Tables};
use crate::plan::{Home, Job};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::SchemaRef;
use datafusion::datasource::MemTable;
use flinkspark_engine::expr::bounded::RESULT_BYTES_MAX;
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::name::DatasetName;
use flinkspark_model::{Kind, Result};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::sync::Arc;

/// One dataset named `flights` with the time attribute `event_time`.
struct Flights(SchemaRef);

impl Tables for Flights {
    fn table(&self, name: &DatasetName) -> Result<Option<TableInfo>> {
        let info = TableInfo {
            schema: Arc::clone(&self.0),
            time_attribute: Some("event_time".into()),
            time_precision: TimePrecision::Exact,
            watermark_delay_ms: Some(0),
            bounded: true,
        };
        Ok((name.as_str() == "flights").then_some(info))
    }
}

async fn run(sql: &str, batches: Vec<RecordBatch>) -> Result<(Job, Vec<RecordBatch>)> {
    run_at(Home::FlinkBatch, sql, batches).await
}

async fn run_at(
    home: Home,
    sql: &str,
    batches: Vec<RecordBatch>,
) -> Result<(Job, Vec<RecordBatch>)> {
    let schema = batches[0].schema();
    let mut job = flink::bind(&flink::parse(sql)?, &Flights(Arc::clone(&schema)))?;
    job.home = home;
    let mut providers = Providers::default();
    let table = MemTable::try_new(schema, vec![batches]).unwrap();
    providers.insert(DatasetName::new("flights")?, Arc::new(table));
    let rows = collect(&job, &providers).await?;
    Ok((job, rows))
}

/// Events in microseconds with delays.
fn events(times: Vec<Option<i64>>) -> RecordBatch {
    let rows = times.len();
    let delays: Vec<Option<f64>> = (0..rows)
        .map(|row| (row % 2 == 0).then_some(row as f64))
        .collect();
    RecordBatch::try_from_iter_with_nullable(vec![
        (
            "event_time",
            Arc::new(TimestampMicrosecondArray::from(times)) as ArrayRef,
            true,
        ),
        (
            "origin",
            Arc::new(StringArray::from(vec!["JFK"; rows])),
            false,
        ),
        ("dep_delay", Arc::new(Float64Array::from(delays)), true),
        (
            "distance",
            Arc::new(Int32Array::from(vec![i32::MAX; rows])),
            false,
        ),
    ])
    .unwrap()
}

fn total<T: arrow_array::types::ArrowPrimitiveType>(batches: &[RecordBatch], column: &str) -> i64
where
    T::Native: Into<i64>,
{
    let sum = |batch: &RecordBatch| {
        let array = batch.column_by_name(column).unwrap().as_primitive::<T>();
        array.iter().flatten().map(Into::into).sum::<i64>()
    };
    batches.iter().map(sum).sum()
}

const HOURLY: &str = include_str!("../../../../integration-tests/jobs/hourly_departures.sql");

#[tokio::test]
async fn hourly_departures_are_what_flink_computes() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../integration-tests/data/flights.parquet"
    );
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = reader
        .build()
        .unwrap()
        .map(|batch| batch.unwrap())
        .collect();
    let (job, rows) = run(HOURLY, batches).await.unwrap();
    let types: Vec<String> = job
        .columns
        .iter()
        .map(|column| column.ty.text_without_nullability())
        .collect();
    let expected = [
        "TIMESTAMP(3)",
        "TIMESTAMP(3)",
        "STRING",
        "BIGINT",
        "BIGINT",
        "DOUBLE",
        "DOUBLE",
        "INT",
        "INT",
    ];
    assert_eq!(types, expected);
    assert_eq!(
        rows.iter().map(RecordBatch::num_rows).sum::<usize>(),
        19_468
    );
    assert_eq!(total::<Int64Type>(&rows, "departures"), 336_776);
    assert_eq!(total::<Int64Type>(&rows, "with_delay"), 328_521);
    assert_eq!(total::<Int32Type>(&rows, "total_distance"), 350_217_607);
    assert_eq!(total::<Int32Type>(&rows, "avg_distance"), 20_236_328);
}

#[tokio::test]
async fn a_window_drops_rows_without_time_and_keeps_flinks_integer_types() {
    let sql = "SELECT window_start, COUNT(*) AS c, SUM(distance) AS s, AVG(distance) AS a, AVG(dep_delay) AS d \
               FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) \
               GROUP BY window_start, window_end ORDER BY window_start";
    let times = vec![Some(-1_000), Some(0), None, Some(59_999_000)];
    let (_, rows) = run(sql, vec![events(times)]).await.unwrap();
    let row = &rows[0];
    assert_eq!(row.num_rows(), 2);
    let starts = row
        .column(0)
        .as_primitive::<arrow_array::types::TimestampMillisecondType>();
    assert_eq!(starts.values().to_vec(), vec![-60_000, 0]);
    assert_eq!(
        row.column(1).as_primitive::<Int64Type>().values().to_vec(),
        vec![1, 2]
    );
    // Two times the largest INT wraps, its mean does not.
    assert_eq!(
        row.column(2).as_primitive::<Int32Type>().values().to_vec(),
        vec![i32::MAX, -2]
    );
    assert_eq!(
        row.column(3).as_primitive::<Int32Type>().values().to_vec(),
        vec![i32::MAX, i32::MAX]
    );
    assert_eq!(
        row.column(4)
            .as_primitive::<Float64Type>()
            .iter()
            .collect::<Vec<_>>(),
        vec![Some(0.0), None]
    );
}

#[tokio::test]
async fn an_event_time_finer_than_a_millisecond_is_refused_as_data() {
    let sql = "SELECT event_time FROM flights";
    let error = run(sql, vec![events(vec![Some(1_500)])]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (flinkspark_model::Kind::Data, "FS0605")
    );
}

#[tokio::test]
async fn a_window_over_what_is_no_time_attribute_is_refused() {
    let sql = "SELECT * FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(origin), INTERVAL '1' HOUR))";
    let error = run(sql, vec![events(vec![Some(0)])]).await.unwrap_err();
    assert_eq!(error.code(), "FS0802");
    let sql = "SELECT * FROM TABLE(HOP(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' HOUR, INTERVAL '2' HOUR))";
    let error = run(sql, vec![events(vec![Some(0)])]).await.unwrap_err();
    assert_eq!(error.code(), "FS0803");
}

#[tokio::test]
async fn arguments_of_a_window_have_names_in_any_order_or_places() {
    let of = |arguments: &str| {
        let sql = format!(
            "SELECT window_start, COUNT(*) AS c FROM TABLE(TUMBLE({arguments})) GROUP BY window_start, window_end ORDER BY window_start"
        );
        async move { run(&sql, vec![events(vec![Some(0), Some(60_000_000)])]).await }
    };
    let by_place =
        of("TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' MINUTE, INTERVAL '5' SECOND");
    let (_, expected) = by_place.await.unwrap();
    let by_name = of(
        "size => INTERVAL '1' MINUTE, OFFSET => INTERVAL '5' SECOND, \
         TIMECOL => DESCRIPTOR(event_time), DATA => TABLE flights",
    );
    assert_eq!(by_name.await.unwrap().1, expected);
    for wrong in [
        "DATA => TABLE flights, DESCRIPTOR(event_time), SIZE => INTERVAL '1' MINUTE",
        "DATA => TABLE flights, TIMECOL => DESCRIPTOR(event_time)",
        "DATA => TABLE flights, TIMECOL => DESCRIPTOR(event_time), SLIDE => INTERVAL '1' MINUTE",
        "DATA => TABLE flights, DATA => TABLE flights, TIMECOL => DESCRIPTOR(event_time)",
    ] {
        assert_eq!(of(wrong).await.unwrap_err().code(), "FS0802", "{wrong}");
    }
}

#[tokio::test]
async fn over_no_rows_the_streams_answer_has_no_row_and_the_batchs_has_one() {
    let sql = "SELECT COUNT(*) AS c, SUM(distance) AS s FROM flights WHERE distance < 0";
    for (home, expected) in [(Home::FlinkStreaming, 0), (Home::FlinkBatch, 1)] {
        let batches = || vec![events(vec![Some(0), Some(1_000)])];
        let (_, rows) = run_at(home, sql, batches()).await.unwrap();
        let rows: usize = rows.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, expected, "{home:?}");
        let all = "SELECT COUNT(*) AS c FROM flights";
        let (_, rows) = run_at(home, all, batches()).await.unwrap();
        let counts = rows[0].column(0).as_primitive::<Int64Type>();
        assert_eq!(counts.values().to_vec(), vec![2], "{home:?}");
    }
}

#[tokio::test]
async fn a_row_without_time_fails_where_flinks_stream_does() {
    let sql = "SELECT COUNT(*) AS c \
               FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) \
               GROUP BY window_start, window_end";
    let batches = vec![events(vec![Some(0), None])];
    let error = run_at(Home::FlinkStreaming, sql, batches)
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0604"));
    // A job that does not use the time is no exception.
    let all = "SELECT COUNT(*) AS c FROM flights";
    let batches = || vec![events(vec![Some(0), None])];
    let error = run_at(Home::FlinkStreaming, all, batches()).await;
    assert_eq!(error.unwrap_err().code(), "FS0604");
    let (_, rows) = run_at(Home::FlinkBatch, all, batches()).await.unwrap();
    let counts = rows[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(counts.values().to_vec(), vec![2]);
}

#[tokio::test]
async fn long_texts_are_computed_in_batches_of_bounded_size() {
    let sql = "SELECT REPEAT(origin, 1000000) AS long FROM flights";
    let (_, batches) = run(sql, vec![events(vec![Some(0); 20])]).await.unwrap();
    assert!(batches.len() >= 4, "{} batches", batches.len());
    let mut rows = 0;
    for batch in &batches {
        let long = batch.column(0).as_string::<i32>();
        assert!(long.iter().all(|text| text.unwrap().len() == 3_000_000));
        assert!(long.values().len() <= RESULT_BYTES_MAX);
        rows += batch.num_rows();
    }
    assert_eq!(rows, 20);
}

#[tokio::test]
async fn a_value_that_no_dataset_holds_is_refused_by_name() {
    let long = "REPEAT(origin, 5000000)";
    let sql = format!("SELECT {long} || {long} || {long} AS long FROM flights");
    let error = run(&sql, vec![events(vec![Some(0)])]).await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("FS0032", Kind::Invalid));
}
