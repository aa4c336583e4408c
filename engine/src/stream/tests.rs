//! Whole jobs over logs in memory.

mod crash;
mod flights;
mod memory;
mod property;
pub(super) mod support;

use super::*;
use flinkspark_model::Kind;
use flinkspark_model::budget::Budget;
use memory::Store;
use std::time::Duration;
use support::*;

#[tokio::test]
async fn closed_windows_are_committed_while_the_job_still_runs() {
    let store = Store::default();
    let input = Input::generate(5, 1, 2000);
    input.load(&store, 4);
    let job = job(
        &store,
        &input,
        Options {
            checkpoint_interval: Duration::from_millis(5),
            rate: Some(20_000),
            ..options()
        },
    );
    let handle = job.handle();
    let running = tokio::spawn(job.run(std::future::pending()));
    while store.rows(OUTPUT) == 0 {
        assert!(!running.is_finished());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(handle.status().phase, Phase::Running);
    assert!(handle.status().watermark_ms.is_some());
    assert_eq!(running.await.unwrap().unwrap(), Ended::Finished);
    let watermarks = store.watermarks(OUTPUT);
    assert!(
        watermarks.is_sorted() && watermarks.len() > 2,
        "{watermarks:?}"
    );
    assert_eq!(watermarks.last(), Some(&Some(i64::MAX)));
}

#[tokio::test]
async fn a_state_that_does_not_fit_its_memory_ends_the_job_by_name() {
    let input = Input::generate(5, 1, 2000);
    for (bytes, fits) in [(1 << 10, false), (64 << 20, true)] {
        let store = Store::default();
        input.load(&store, 1);
        let budget = Budget::new(bytes);
        let memory = budget.share("stream", bytes);
        let job = job(
            &store,
            &input,
            Options {
                memory,
                ..options()
            },
        );
        match job.run(std::future::pending()).await {
            Ok(ended) => assert!(fits && ended == Ended::Finished, "{bytes}"),
            Err(error) => {
                assert_eq!((error.code(), error.kind()), ("FS0034", Kind::Invalid));
                assert!(!fits, "{error}");
            }
        }
        assert_eq!(budget.used(), 0, "what a job held it gives back");
    }
}

#[tokio::test]
async fn a_suspended_job_fires_nothing_and_goes_on_at_the_next_start() {
    let (expected, input) = (reference(5, 1, 2000).await, Input::generate(5, 1, 2000));
    let store = Store::default();
    input.load(&store, 4);
    let first = job(
        &store,
        &input,
        Options {
            rate: Some(20_000),
            ..options()
        },
    );
    let handle = first.handle();
    let stop = {
        let handle = handle.clone();
        async move {
            while handle.status().totals.rows_read < 500 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    assert_eq!(first.run(stop).await.unwrap(), Ended::Suspended);
    let read = handle.status().totals.rows_read;
    assert!((500..2000).contains(&read), "{read}");
    assert!(!store.watermarks(OUTPUT).contains(&Some(i64::MAX)));
    let second = job(&store, &input, options());
    let handle = second.handle();
    assert_eq!(
        second.run(std::future::pending()).await.unwrap(),
        Ended::Finished
    );
    assert_eq!(store.outcome(), expected);
    assert_eq!(handle.status().totals.rows_read, 2000);
    assert_eq!(handle.status().generation, 2);
}

#[tokio::test]
async fn a_drained_job_fires_what_is_open_and_is_finished_for_good() {
    let mut input = Input::generate(5, 1, 2000);
    for row in &mut input.rows[0] {
        row.value = row.value.or(Some(1));
    }
    let store = Store::default();
    input.load(&store, 4);
    let first = job(
        &store,
        &input,
        Options {
            rate: Some(20_000),
            ..options()
        },
    );
    let handle = first.handle();
    let watched = handle.clone();
    let drain = tokio::spawn(async move {
        while watched.status().totals.rows_read < 500 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        watched.drain();
    });
    assert_eq!(
        first.run(std::future::pending()).await.unwrap(),
        Ended::Finished
    );
    drain.await.unwrap();
    let totals = handle.status().totals;
    assert!((500..2000).contains(&totals.rows_read));
    assert_eq!(
        store.counted(OUTPUT) + totals.rows_late,
        totals.rows_read,
        "every row read is in a window or late"
    );
    let head = store.head(OUTPUT);
    assert_eq!(
        job(&store, &input, options())
            .run(std::future::pending())
            .await
            .unwrap(),
        Ended::Finished
    );
    assert_eq!(store.head(OUTPUT), head + 1, "only the fence is new");
}

#[tokio::test]
async fn another_parallelism_takes_the_state_over() {
    let expected = reference(9, 1, 3000).await;
    for (before, after) in [(1, 4), (4, 2), (2, 3)] {
        let input = Input::generate(9, 1, 3000);
        let store = Store::default();
        input.load(&store, 4);
        let first = job(
            &store,
            &input,
            Options {
                parallelism: before,
                rate: Some(30_000),
                ..options()
            },
        );
        let handle = first.handle();
        let stop = async move {
            while handle.status().totals.rows_read < 1000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert_eq!(first.run(stop).await.unwrap(), Ended::Suspended);
        let second = job(
            &store,
            &input,
            Options {
                parallelism: after,
                ..options()
            },
        );
        assert_eq!(
            second.run(std::future::pending()).await.unwrap(),
            Ended::Finished
        );
        assert_eq!(store.outcome(), expected, "{before} to {after}");
    }
}

#[tokio::test]
async fn a_run_id_does_not_change_its_program() {
    let input = Input::generate(1, 1, 100);
    let store = Store::default();
    input.load(&store, 1);
    job(&store, &input, options())
        .run(std::future::pending())
        .await
        .unwrap();
    let other = Input {
        delay_ms: input.delay_ms + 1,
        ..input
    };
    let error = job(&store, &other, options())
        .run(std::future::pending())
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0614"));
}

#[tokio::test]
async fn a_row_without_a_time_stops_the_job() {
    let mut input = Input::generate(1, 1, 100);
    input.rows[0][50].time = None;
    let store = Store::default();
    input.load(&store, 1);
    let error = job(&store, &input, options())
        .run(std::future::pending())
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0604"));
}

#[tokio::test]
async fn an_empty_dataset_gives_an_empty_epoch_with_the_last_watermark() {
    let input = Input::generate(1, 1, 0);
    let store = Store::default();
    input.load(&store, 1);
    assert_eq!(
        job(&store, &input, options())
            .run(std::future::pending())
            .await
            .unwrap(),
        Ended::Finished
    );
    assert_eq!(store.rows(OUTPUT), 0);
    assert_eq!(store.watermarks(OUTPUT), [Some(i64::MAX)]);
}

#[test]
fn the_graphs_say_where_rows_are_exchanged() {
    let program = program(&Input::generate(1, 2, 0), true);
    let graph = JobGraph::new(&program, 2, 1).unwrap();
    let text = format!("{program}\n\n{graph}\n\n{}", graph.execution());
    assert_eq!(
        text,
        "source: read input watermark delay 50 ms\n\
         kept: filter value@2 IS NOT NULL\n\
         windows: tumble time size 100 ms by [key@1 AS key] aggregate [COUNT(*) AS rows, SUM(value@2) AS total] late rows to late\n\
         sink: write output\n\n\
         chain 1 (parallelism 1):\n  \
           source: read input watermark delay 50 ms\n  \
           kept: filter value@2 IS NOT NULL\n\
         chain 2 (parallelism 2):\n  \
           exchange by key group of [key@1]\n  \
           windows: tumble time size 100 ms by [key@1 AS key] aggregate [COUNT(*) AS rows, SUM(value@2) AS total] late rows to late\n  \
           sink: write output\n\n\
         subtask 1.1: partitions 0, 1, ..\n\
         subtask 2.1: key groups 0 to 63\n\
         subtask 2.2: key groups 64 to 127"
    );
}

/// Fail points are the process's own: this test only listens, so others may run beside it.
#[cfg(feature = "faults")]
#[tokio::test]
async fn every_fail_point_of_a_job_is_reached() {
    use flinkspark_model::fault;
    use std::sync::{Arc, Mutex};
    let reached = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let listener = Arc::clone(&reached);
    fault::install(Some(Box::new(move |point| {
        listener.lock().unwrap().insert(point);
        Ok(())
    })));
    let input = Input::generate(5, 1, 500);
    let store = Store::default();
    input.load(&store, 1);
    let first = job(&store, &input, options());
    first.handle().suspend();
    assert_eq!(
        first.run(std::future::pending()).await.unwrap(),
        Ended::Suspended
    );
    let second = job(&store, &input, options());
    assert_eq!(
        second.run(std::future::pending()).await.unwrap(),
        Ended::Finished
    );
    fault::install(None);
    for point in [
        "checkpoint.barrier",
        "checkpoint.state.written",
        "checkpoint.manifest.before",
        "checkpoint.manifest.done",
        "checkpoint.commit.before",
        "checkpoint.commit.done",
        "recover.job.fenced",
        "recover.output.fenced",
        "recover.pending.committed",
    ] {
        assert!(reached.lock().unwrap().contains(point), "{point}");
    }
}
