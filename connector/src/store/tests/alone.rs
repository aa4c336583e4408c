//! A process that writes alone reads no slot to find out whether its log has grown, and misses none.

use super::fixture::*;
use crate::store::faulty::{Fault, Faulty};
use crate::store::local::Local;
use crate::store::object::Objects;
use crate::store::{Logs, Settings, Store};
use flinkspark_model::Result;
use flinkspark_model::log::Intent;
use flinkspark_model::port::Log;
use std::sync::Arc;
use std::time::Duration;

async fn logs(store: Arc<dyn Store>, alone: bool) -> Logs {
    open(store, alone).await.unwrap()
}

async fn open(store: Arc<dyn Store>, alone: bool) -> Result<Logs> {
    let settings = Settings {
        backoff_min: Duration::ZERO,
        backoff_max: Duration::ZERO,
        alone,
        ..Settings::default()
    };
    let (clock, entropy) = (Arc::new(Hand::default()), Arc::new(Seeded::new(1)));
    Logs::open(store, clock, entropy, settings).await
}

#[tokio::test]
async fn only_who_is_not_alone_looks_for_slots() {
    for alone in [true, false] {
        let store: Arc<dyn Store> = Arc::new(Objects::memory());
        let counted = Faulty::new(Arc::clone(&store), Box::new(|_| Fault::None));
        let other = dataset(&logs(store, false).await).await;
        other.append(fence(1, 0)).await.unwrap();
        let dataset = dataset(&logs(Arc::new(counted.clone()), alone).await).await;
        for n in 1..=3 {
            let appended = put(&dataset, n, rows(0..10)).await.unwrap();
            let before = counted.operations();
            for _ in 0..5 {
                assert_eq!(dataset.refresh().await.unwrap().head(), appended.slot);
            }
            let looked = counted.operations() - before;
            assert_eq!(looked, if alone { 0 } else { 5 }, "alone: {alone}");
        }
    }
}

#[tokio::test]
async fn whoever_is_alone_finds_out_what_became_of_a_create_in_doubt() {
    for fault in [Fault::Lost, Fault::ResponseLost, Fault::Late] {
        for at in 0..13 {
            let inner: Arc<dyn Store> = Arc::new(Objects::memory());
            logs(Arc::clone(&inner), true).await;
            let faulty = Faulty::new(
                Arc::clone(&inner),
                Box::new(move |index| if index == at { fault } else { Fault::None }),
            );
            let Ok(faulty) = open(Arc::new(faulty), true).await else {
                continue;
            };
            let Ok(ours) = faulty.open_dataset(id(), schema()).await else {
                continue;
            };
            for n in 0..4 {
                // What failed before it was sent may be asked for again.
                for _ in 0..2 {
                    let done = match n {
                        0 => ours.append(fence(1, 0)).await,
                        n => put(&ours, n, rows(0..10)).await,
                    };
                    if done.is_ok() {
                        break;
                    }
                }
                let fresh = dataset(&logs(Arc::clone(&inner), false).await).await;
                let (ours, fresh) = (
                    ours.refresh().await.unwrap(),
                    fresh.refresh().await.unwrap(),
                );
                assert_eq!(
                    (ours.head(), ours.totals()),
                    (fresh.head(), fresh.totals()),
                    "{fault:?} at {at}, commit {n}"
                );
                assert_eq!(ours.head(), n + 1, "{fault:?} at {at}");
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_caller_has_left_is_found_by_whoever_is_alone() {
    let mut landed = 0;
    for polls in 0..12 {
        let root = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Local::open(root.path()).await.unwrap());
        let ours = dataset(&logs(Arc::clone(&store), true).await).await;
        ours.append(fence(1, 0)).await.unwrap();
        let receipt = seal(&ours, 0, &[rows(0..10)]).await.unwrap();
        let intent = Intent::Commit(commit(1, 1, &[receipt]));
        {
            let mut leaving = Box::pin(ours.append(intent.clone()));
            for _ in 0..polls {
                if futures::poll!(leaving.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // What was begun runs to its end.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let fresh = dataset(&logs(store, false).await).await;
        let head = fresh.refresh().await.unwrap().head();
        assert_eq!(ours.refresh().await.unwrap().head(), head, "{polls} polls");
        landed += u64::from(head == 2);
        assert_eq!(ours.append(intent).await.unwrap().slot, 2);
        assert_eq!(
            digest_of(&read_all(&ours).await.unwrap()),
            digest_of(&[rows(0..10)])
        );
    }
    assert!(landed > 0, "nobody left while a create was under way");
}
