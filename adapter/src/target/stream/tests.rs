//! What SQL becomes on the stream, and what is refused by name.

use super::*;
use crate::front::flink::{self, TableInfo, Tables};
use arrow_array::{Array, Int32Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use flinkspark_model::dataset::{DatasetId, TimeAttribute, TimePrecision, Traits};

const HOURLY: &str = include_str!("../../../../integration-tests/jobs/hourly_departures.sql");

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(
            "event_time",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            true,
        ),
        Field::new("origin", DataType::Utf8, false),
        Field::new("dep_delay", DataType::Float64, true),
        Field::new("distance", DataType::Int32, false),
    ]))
}

struct Flights;

impl Tables for Flights {
    fn table(&self, _: &DatasetName) -> Result<Option<TableInfo>> {
        Ok(Some(TableInfo {
            schema: schema(),
            time_attribute: Some("event_time".into()),
            time_precision: TimePrecision::Exact,
            watermark_delay_ms: Some(7_200_000),
            bounded: true,
        }))
    }
}

fn dataset(name: &str, schema: SchemaRef) -> Dataset {
    let time = TimeAttribute {
        column: "event_time".into(),
        watermark_delay_ms: 0,
        precision: TimePrecision::Exact,
    };
    Dataset {
        id: DatasetId::from_parts(0, [name.len() as u8; 10]),
        name: DatasetName::new(name).unwrap(),
        version: 1,
        schema_version: 1,
        traits: Traits {
            time: schema.index_of("event_time").is_ok().then_some(time),
            ..Traits::default()
        },
        schema,
        handles: vec![],
        created_at_ms: 0,
    }
}

fn lowered(sql: &str, home: Home, keep_late: bool) -> Result<Program> {
    let mut job = flink::bind(&flink::parse(sql)?, &Flights)?;
    job.home = home;
    let columns = job
        .columns
        .iter()
        .map(|column| column.ty.field(&column.name));
    let sink = dataset("result", Arc::new(Schema::new(columns.collect::<Vec<_>>())));
    let late = dataset("late", schema());
    lower(
        &job,
        &Binding {
            dataset: &|name| Ok(dataset(name.as_str(), schema())),
            sink: &sink,
            late: keep_late.then_some(&late),
            through: None,
        },
    )
}

fn text(sql: &str) -> String {
    lowered(sql, Home::FlinkStreaming, false)
        .unwrap()
        .to_string()
}

fn code(sql: &str) -> String {
    let error = lowered(sql, Home::FlinkStreaming, false).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    error.code().to_owned()
}

#[test]
fn the_hourly_job_is_one_window_over_the_dataset() {
    assert_eq!(
        text(HOURLY),
        "source: read flights (event_time, origin, dep_delay, distance) watermark delay 7200000 ms\n\
         aggregate-3: tumble event_time size 3600000 ms by [origin@1 AS key0] aggregate [COUNT(*) AS call0, \
         COUNT(dep_delay@2) AS call1, AVG(dep_delay@2) AS call2, MAX(dep_delay@2) AS call3, \
         SUM(distance@3) AS call4, AVG(distance@3) AS call5]\n\
         sink: write result"
    );
}

#[test]
fn only_the_columns_that_the_plan_needs_are_read() {
    assert!(
        text("SELECT origin FROM flights WHERE distance > 1")
            .starts_with("source: read flights (event_time, origin, distance) ")
    );
    let late = lowered(HOURLY, Home::FlinkStreaming, true)
        .unwrap()
        .to_string();
    assert!(
        late.starts_with("source: read flights watermark"),
        "late rows have all columns: {late}"
    );
    let rows = lowered(
        "SELECT COUNT(*) AS n FROM flights GROUP BY origin",
        Home::FlinkBatch,
        false,
    )
    .unwrap();
    assert!(
        rows.to_string()
            .starts_with("source: read flights (origin)\n"),
        "{rows}"
    );
}

#[test]
fn late_rows_are_kept_with_all_columns_of_the_dataset() {
    let program = lowered(HOURLY, Home::FlinkStreaming, true)
        .unwrap()
        .to_string();
    assert!(program.contains("late rows to late"), "{program}");
    let error = lowered("SELECT origin FROM flights", Home::FlinkStreaming, true).unwrap_err();
    assert_eq!(error.code(), "FS0617");
}

#[test]
fn in_batch_mode_nothing_is_late_and_rows_without_a_time_are_dropped() {
    let program = lowered(HOURLY, Home::FlinkBatch, false)
        .unwrap()
        .to_string();
    assert!(!program.contains("watermark delay"), "{program}");
    assert!(
        program.contains("with-time: filter rowtime(event_time@0) IS NOT NULL"),
        "{program}"
    );
}

#[test]
fn filters_and_computed_keys_come_before_the_window() {
    let program = text(
        "SELECT UPPER(origin) AS o, window_end, COUNT(*) AS n, window_start
         FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' DAY))
         WHERE distance > 100 GROUP BY window_start, window_end, UPPER(origin)",
    );
    let order: Vec<usize> = ["filter", "tumble", "project"]
        .map(|word| program.find(word).unwrap())
        .into();
    assert!(order.is_sorted(), "{program}");
    assert!(
        program.contains("by [UPPER(#0) over (origin@1) AS key0]"),
        "{program}"
    );
}

#[test]
fn a_filtered_aggregate_counts_other_rows_as_nulls() {
    let program = text(
        "SELECT window_start, window_end, COUNT(*) FILTER (WHERE distance > 100) AS n
         FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' DAY))
         GROUP BY window_start, window_end",
    );
    assert!(program.contains("FILTER"), "{program}");
}

#[test]
fn grouping_without_a_window_answers_at_the_end() {
    assert!(
        text("SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin").contains("at the end")
    );
    assert!(text("SELECT DISTINCT origin FROM flights").contains("at the end"));
}

#[test]
fn what_the_stream_does_not_run_is_refused_by_name() {
    for sql in [
        "SELECT origin FROM flights ORDER BY origin",
        "SELECT a.origin FROM flights a JOIN flights b ON a.origin = b.origin",
        "SELECT origin FROM flights UNION ALL SELECT origin FROM flights",
        "SELECT COUNT(DISTINCT origin) AS n FROM flights",
        "SELECT 1 AS number1",
        "INSERT OVERWRITE somewhere SELECT origin FROM flights",
    ] {
        assert_eq!(code(sql), "FS0617", "{sql}");
    }
    let batch = lowered("SELECT COUNT(*) AS n FROM flights", Home::FlinkBatch, false).unwrap_err();
    assert_eq!(batch.code(), "FS0617");
}

fn events(micros: Vec<Option<i64>>, distances: Vec<i32>) -> RecordBatch {
    let columns: [(&str, Arc<dyn Array>); 2] = [
        (
            "event_time",
            Arc::new(TimestampMicrosecondArray::from(micros)),
        ),
        ("distance", Arc::new(Int32Array::from(distances))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn a_rowtime_has_milliseconds_and_a_finer_one_is_an_error_unless_it_is_floored() {
    let batch = events(vec![Some(1_001), Some(-1), None], vec![1, 2, 3]);
    let column = || Arc::new(Physical::new("event_time", 0)) as Arc<dyn PhysicalExpr>;
    let floored = scalar::event_time(column(), "t.event_time", TimePrecision::Floor);
    let floored = flinkspark_engine::expr::evaluate(floored.as_ref(), &batch).unwrap();
    let expected = arrow_array::TimestampMillisecondArray::from(vec![Some(1), Some(-1), None]);
    assert_eq!(floored.as_ref(), &expected as &dyn Array);
    let exact = scalar::event_time(column(), "t.event_time", TimePrecision::Exact);
    let error = flinkspark_engine::expr::evaluate(exact.as_ref(), &batch).unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Data, "FS0605"),
        "our own errors pass through"
    );
}

#[test]
fn a_value_under_a_filter_is_null_where_the_filter_is_not_true() {
    let batch = events(vec![Some(0), None, Some(0)], vec![1, 2, 3]);
    let time = Arc::new(Physical::new("event_time", 0)) as Arc<dyn PhysicalExpr>;
    let distance = Arc::new(Physical::new("distance", 1)) as Arc<dyn PhysicalExpr>;
    let value = scalar::null_unless(Arc::new(IsNotNullExpr::new(time)), distance);
    assert_eq!(value.data_type(&batch.schema()).unwrap(), DataType::Int32);
    let values = flinkspark_engine::expr::evaluate(value.as_ref(), &batch).unwrap();
    assert_eq!(
        values.as_ref(),
        &Int32Array::from(vec![Some(1), None, Some(3)]) as &dyn Array
    );
}

#[test]
fn a_plan_is_known_by_what_it_computes_and_not_by_names() {
    let known = |sql: &str| {
        let job = flink::bind(&flink::parse(sql).unwrap(), &Flights).unwrap();
        identity::encode(&job)
    };
    let plan = "SELECT origin AS a, distance + 1 AS b FROM flights WHERE distance > 1";
    for same in [
        "SELECT origin AS x, distance + 1 AS y FROM flights WHERE distance > 1",
        "SELECT f.origin, f.distance + 1 FROM flights AS f WHERE f.distance > 1",
        "INSERT INTO somewhere SELECT origin, distance + 1 FROM flights WHERE distance > 1",
    ] {
        assert_eq!(known(same), known(plan), "{same}");
    }
    for other in [
        "SELECT origin, distance + 2 FROM flights WHERE distance > 1",
        "SELECT origin, distance - 1 FROM flights WHERE distance > 1",
        "SELECT origin, distance + 1 FROM flights WHERE distance >= 1",
        "SELECT distance + 1, origin FROM flights WHERE distance > 1",
        "SELECT origin, distance + 1 FROM flights",
        "SELECT origin, CAST(distance + 1 AS BIGINT) FROM flights WHERE distance > 1",
    ] {
        assert_ne!(known(other), known(plan), "{other}");
    }
}
