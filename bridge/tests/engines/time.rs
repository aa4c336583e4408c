//! Event time at its ends, and rows that come too late: the same on both engines.

use super::fixture::{Answer, Fixture, How};
use arrow_array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use flinkspark_adapter::plan::Home;
use flinkspark_model::dataset::{TimeAttribute, TimePrecision};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

const HOURLY: &str = "SELECT window_start, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(et), \
                      INTERVAL '1' HOUR)) GROUP BY window_start, window_end";

const HOUR: i64 = 3_600_000;

fn column(unit: TimeUnit, times: &[i64]) -> ArrayRef {
    let times = times.to_vec();
    match unit {
        TimeUnit::Second => Arc::new(TimestampSecondArray::from(times)),
        TimeUnit::Millisecond => Arc::new(TimestampMillisecondArray::from(times)),
        TimeUnit::Microsecond => Arc::new(TimestampMicrosecondArray::from(times)),
        TimeUnit::Nanosecond => Arc::new(TimestampNanosecondArray::from(times)),
    }
}

/// Partitions of `(et, v, k)`, where v counts the rows and k has few values.
async fn fixture(unit: TimeUnit, delay_ms: u64, partitions: &[Vec<i64>]) -> Fixture {
    let schema = Arc::new(Schema::new(vec![
        Field::new("et", DataType::Timestamp(unit, None), false),
        Field::new("v", DataType::Int64, false),
        Field::new("k", DataType::Utf8, false),
    ]));
    let time = TimeAttribute {
        column: "et".into(),
        watermark_delay_ms: delay_ms,
        precision: TimePrecision::Floor,
    };
    let batch = |times: &Vec<i64>| {
        let values: Int64Array = (0..times.len() as i64).map(Some).collect();
        let keys: StringArray = times
            .iter()
            .map(|time| Some(["a", "b"][(time & 1) as usize]))
            .collect();
        let columns: Vec<ArrayRef> = vec![column(unit, times), Arc::new(values), Arc::new(keys)];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    let epoch = (0..).zip(partitions).filter(|(_, times)| !times.is_empty());
    let epoch = epoch
        .map(|(partition, times)| (partition, vec![batch(times)]))
        .collect();
    Fixture::new(Arc::clone(&schema), Some(time), &[epoch]).await
}

/// What both engines say, which must be the same.
async fn both(fixture: &Fixture, sql: &str, how: How) -> Result<Answer> {
    let stream = fixture.stream(sql, how).await;
    let batch = fixture.batch(sql, how).await;
    let seen = |answer: &Result<Answer>| match answer {
        Ok(answer) => Ok((answer.digest, answer.rows_late)),
        Err(error) => Err((error.code().to_owned(), error.detail().map(str::to_owned))),
    };
    assert_eq!(seen(&stream), seen(&batch), "stream and batch: {sql}");
    batch
}

fn names(error: &Error, time_ms: i64) {
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Data, "FS0622"),
        "{error}"
    );
    let detail = error.detail().unwrap_or_default();
    assert!(
        detail.contains("\"et\"") && detail.contains(&time_ms.to_string()),
        "{detail}"
    );
}

#[tokio::test]
async fn times_at_the_ends_of_64_bits_have_one_answer_or_an_error_that_names_the_row() {
    let inputs: [&[i64]; 6] = [
        &[i64::MIN],
        &[i64::MIN + 1],
        &[i64::MAX],
        &[i64::MAX, 0],
        &[-9_223_372_036_854_775_000],
        &[i64::MIN, i64::MAX, 0, -1],
    ];
    for unit in [
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        for times in inputs {
            for home in [Home::FlinkStreaming, Home::FlinkBatch] {
                for parallelism in [1, 2] {
                    let fixture = fixture(unit, HOUR as u64, &[times.to_vec()]).await;
                    let how = How {
                        home,
                        ..How::at(parallelism)
                    };
                    let answer = both(&fixture, HOURLY, how).await;
                    match unit {
                        TimeUnit::Millisecond => names(&answer.unwrap_err(), times[0]),
                        _ => assert!(answer.unwrap().digest.rows > 0),
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_time_in_seconds_that_milliseconds_cannot_hold_is_an_error() {
    let fixture = fixture(TimeUnit::Second, 0, &[vec![0, i64::MAX / 1000 + 1]]).await;
    for answer in [
        fixture.stream(HOURLY, How::at(1)).await,
        fixture.batch(HOURLY, How::at(1)).await,
    ] {
        let error = answer.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Data, "FS0623"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn rows_without_a_window_can_be_filtered_before_it() {
    let fixture = fixture(TimeUnit::Millisecond, 0, &[vec![i64::MIN, 5, HOUR]]).await;
    let filtered = HOURLY.replace(
        "GROUP BY",
        "WHERE et > TIMESTAMP '1970-01-01 00:00:00' GROUP BY",
    );
    assert_eq!(
        both(&fixture, &filtered, How::at(1))
            .await
            .unwrap()
            .digest
            .rows,
        2
    );
}

#[tokio::test]
async fn the_batch_engine_drops_and_counts_the_rows_that_the_stream_drops() {
    let rows = |seed: i64| -> Vec<i64> {
        (0..2_000)
            .map(|row: i64| HOUR + row * 60_000 - (row * row * seed * 104_729) % (5 * HOUR))
            .collect()
    };
    let grouped = "SELECT window_start, window_end, k, COUNT(*) AS n, SUM(v) AS s FROM TABLE(TUMBLE(TABLE t, \
                   DESCRIPTOR(et), INTERVAL '1' HOUR)) WHERE v > 100 GROUP BY window_start, window_end, k";
    let projected = "SELECT e, COUNT(*) AS n FROM (SELECT window_end AS e, window_start AS s, v FROM TABLE(TUMBLE(TABLE \
                     t, DESCRIPTOR(et), INTERVAL '30' MINUTE))) AS w GROUP BY s, e";
    for partitions in [
        vec![rows(3)],
        vec![rows(3), rows(5)],
        vec![rows(1), vec![], rows(2)],
    ] {
        let fixture = fixture(TimeUnit::Millisecond, HOUR as u64, &partitions).await;
        for sql in [HOURLY, grouped, projected] {
            let first = both(&fixture, sql, How::at(1)).await.unwrap();
            assert!(
                first.rows_late > 10,
                "{} late rows of {sql}",
                first.rows_late
            );
            for parallelism in [2, 3] {
                let again = both(&fixture, sql, How::at(parallelism)).await.unwrap();
                assert_eq!(
                    (again.digest, again.rows_late),
                    (first.digest, first.rows_late)
                );
            }
            let batch_home = How {
                home: Home::FlinkBatch,
                ..How::at(2)
            };
            let kept = both(&fixture, sql, batch_home).await.unwrap();
            assert_eq!(kept.rows_late, 0, "Flink's batch mode drops nothing");
        }
    }
}

#[tokio::test]
async fn what_is_not_known_to_be_late_is_refused_by_name() {
    let fixture = fixture(TimeUnit::Millisecond, 0, &[vec![1, 2]]).await;
    let window = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(et), INTERVAL '1' HOUR))";
    let joined = format!(
        "SELECT a.window_start, a.window_end, COUNT(*) AS n FROM {window} AS a JOIN {window} AS b ON a.k = b.k \
         GROUP BY a.window_start, a.window_end"
    );
    let error = fixture.batch(&joined, How::at(1)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Invalid, "FS0721"),
        "{error}"
    );
    let batch_home = How {
        home: Home::FlinkBatch,
        ..How::at(1)
    };
    assert_eq!(
        fixture
            .batch(&joined, batch_home)
            .await
            .unwrap()
            .digest
            .rows,
        1
    );
}
