//! A job that dies at every operation on its logs, and zombies that come back.

use super::super::{Ended, Options};
use super::memory::{Fate, Store};
use super::support::*;
use flinkspark_model::Kind;
use std::sync::Arc;
use std::time::Duration;

const ROWS: usize = 400;

fn often(parallelism: usize) -> Options {
    Options {
        parallelism,
        checkpoint_interval: Duration::from_millis(1),
        rate: Some(20_000),
        ..options()
    }
}

/// Runs an incarnation until it ends or dies; `true` if it ended.
async fn live(store: &Store, input: &Input, options: Options, fate: Fate) -> bool {
    let fate = Arc::new(fate);
    let job = job_with(store, input, options, Arc::clone(&fate));
    tokio::select! {
        ended = job.run(std::future::pending()) => {
            assert_eq!(ended.unwrap(), Ended::Finished);
            true
        }
        () = fate.died.notified() => false,
    }
}

#[tokio::test]
async fn dying_at_any_operation_loses_and_doubles_nothing() {
    let input = Input::generate(3, 2, ROWS);
    let expected = input.expected();
    let mut deaths = 0;
    for operation in 1.. {
        let mut died = false;
        for after in [false, true] {
            let store = Store::default();
            input.load(&store, 3);
            let fate = Fate {
                dies_at: Some((operation, after)),
                seed: operation,
                batch_rows: 40,
                ..Fate::default()
            };
            died |= !live(&store, &input, often(2), fate).await;
            deaths += u32::from(died);
            assert!(live(&store, &input, often(2), Fate::default()).await);
            assert_eq!(
                store.outcome(),
                expected,
                "operation {operation}, after it: {after}"
            );
        }
        if !died {
            break;
        }
    }
    assert!(deaths > 40, "{deaths} deaths");
}

#[tokio::test]
async fn incarnations_that_die_one_after_another_still_make_progress() {
    let input = Input::generate(4, 1, ROWS);
    let store = Store::default();
    input.load(&store, 3);
    let mut incarnations = 1;
    while !live(
        &store,
        &input,
        often(1 + incarnations as usize % 4),
        Fate {
            dies_at: Some((9 + incarnations % 5, incarnations % 2 == 0)),
            seed: incarnations,
            ..Fate::default()
        },
    )
    .await
    {
        incarnations += 1;
        assert!(incarnations < 500, "no progress");
    }
    assert!(incarnations > 3, "{incarnations} incarnations");
    assert_eq!(store.outcome(), input.expected());
}

#[tokio::test]
async fn a_zombie_that_was_held_up_at_any_operation_is_fenced_and_changes_nothing() {
    let input = Input::generate(6, 1, ROWS);
    let expected = input.expected();
    let mut fenced = 0;
    for operation in 1.. {
        let store = Store::default();
        input.load(&store, 3);
        let fate = Arc::new(Fate {
            held_at: Some(operation),
            ..Fate::default()
        });
        let mut zombie = tokio::spawn(
            job_with(&store, &input, often(1), Arc::clone(&fate)).run(std::future::pending()),
        );
        let held = tokio::select! {
            () = fate.held.notified() => true,
            ended = &mut zombie => { ended.unwrap().unwrap(); false }
        };
        if !held {
            break;
        }
        assert!(live(&store, &input, often(1), Fate::default()).await);
        fate.released.notify_one();
        match zombie.await.unwrap() {
            Ok(ended) => assert_eq!(ended, Ended::Finished, "it took the finished job over"),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Fenced, "operation {operation}: {error}");
                fenced += 1;
            }
        }
        assert_eq!(store.outcome(), expected, "operation {operation}");
    }
    assert!(fenced > 10, "{fenced} fenced");
}
