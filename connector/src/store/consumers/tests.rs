//! What is recorded of consumers, and what is not.

use super::*;
use crate::store::Store;
use crate::store::object::Objects;
use crate::store::tests::fixture::*;
use flinkspark_model::port::{Consumers as _, Log as _, WRITER_TEXT_BYTES_MAX};
use std::sync::atomic::Ordering;

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<Hand>,
    consumers: Consumers,
}

/// A dataset with so many slots.
async fn bench(slots: u64) -> Bench {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let clock = Arc::new(Hand::default());
    let logs = logs_at(Arc::clone(&store), 1, Arc::clone(&clock)).await;
    let logs = logs.unwrap();
    let dataset = dataset(&logs).await;
    if slots > 0 {
        dataset.append(fence(1, 0)).await.unwrap();
    }
    for n in 1..slots {
        put(&dataset, n, rows(0..2)).await.unwrap();
    }
    let consumers = Consumers::new(logs);
    Bench {
        store,
        clock,
        consumers,
    }
}

fn by(consumer: &str, slot: u64, principal: Option<&str>) -> Consume {
    Consume {
        dataset: id(),
        consumer: consumer.into(),
        slot,
        principal: principal.map(|name| Principal::new(name).unwrap()),
        admin: false,
    }
}

impl Bench {
    async fn done(&self, consumer: &str, slot: u64) -> Result<(u64, bool)> {
        let consumed = self.consumers.consume(by(consumer, slot, None)).await?;
        Ok((consumed.slot, consumed.replayed))
    }

    async fn files(&self) -> usize {
        let place = Key::new(&format!("datasets/{}/consumers", id())).unwrap();
        self.store.list(&place).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_consumer_goes_forward_and_never_back_and_has_one_object() {
    let bench = bench(6).await;
    for (slot, recorded, replayed) in [
        (2, 2, false),
        (2, 2, true),
        (5, 5, false),
        (3, 5, true),
        (1, 5, true),
        (6, 6, false),
    ] {
        assert_eq!(bench.done("c", slot).await.unwrap(), (recorded, replayed));
        assert_eq!(bench.files().await, 1);
    }
    let logs = logs_at(Arc::clone(&bench.store), 2, Arc::clone(&bench.clock)).await;
    let after = Consumers::new(logs.unwrap());
    let listed = after.consumers(id()).await.unwrap();
    assert_eq!((listed.len(), listed[0].slot), (1, 6), "after a restart");
}

#[tokio::test]
async fn an_object_that_comes_back_takes_nobody_back() {
    let bench = bench(4).await;
    bench.done("c", 2).await.unwrap();
    let root = Key::new(&format!("datasets/{}/consumers", id())).unwrap();
    let [old] = bench.store.list(&root).await.unwrap().try_into().unwrap();
    let key = root.join(&old.name).unwrap();
    let bytes = bench.store.read(&key).await.unwrap().unwrap();
    bench.done("c", 4).await.unwrap();
    bench.store.create(&key, bytes).await.unwrap();
    assert_eq!(bench.done("c", 3).await.unwrap(), (4, true));
    assert_eq!(bench.consumers.consumers(id()).await.unwrap()[0].slot, 4);
}

#[tokio::test]
async fn a_slot_that_is_not_there_is_not_done() {
    let bench = bench(3).await;
    for slot in [0, 4, u64::MAX] {
        let error = bench.done("c", slot).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::NotFound, "FS1011"));
    }
    assert_eq!(bench.files().await, 0);
}

#[tokio::test]
async fn names_are_told_apart_by_their_bytes_and_hostile_ones_are_refused() {
    let bench = bench(2).await;
    let long = "x".repeat(WRITER_TEXT_BYTES_MAX);
    let names = ["a", "A", "../a", "a/b", "caf\u{e9}", "cafe\u{301}", &long];
    for name in names {
        bench.done(name, 1).await.unwrap();
    }
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_unstable();
    let listed = bench.consumers.consumers(id()).await.unwrap();
    let listed: Vec<&str> = listed.iter().map(|each| &*each.consumer).collect();
    assert_eq!(listed, sorted);
    let longer = format!("{long}x");
    for name in ["", " \u{200b}", "a\nb", &longer] {
        let error = bench.done(name, 1).await.unwrap_err();
        assert_eq!(error.code(), "FS1035", "{name:?}");
    }
}

#[tokio::test]
async fn a_consumer_is_whose_it_was_first() {
    let bench = bench(3).await;
    let consumers = &bench.consumers;
    consumers.consume(by("c", 1, None)).await.unwrap();
    let adopted = consumers.consume(by("c", 2, Some("ann"))).await.unwrap();
    assert_eq!(adopted.principal, Some(Principal::new("ann").unwrap()));
    for other in [Some("bob"), None] {
        let error = consumers.consume(by("c", 3, other)).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Forbidden, "FS1105"));
    }
    let admin = Consume {
        admin: true,
        ..by("c", 3, Some("bob"))
    };
    let said = consumers.consume(admin).await.unwrap();
    assert_eq!(said.principal, Some(Principal::new("ann").unwrap()));
}

#[tokio::test]
async fn the_longest_silent_makes_way_and_nobody_who_was_heard() {
    let bench = bench(3).await;
    for n in 0..CONSUMERS_MAX {
        bench.clock.0.store(n as u64, Ordering::Relaxed);
        bench.done(&format!("c{n}"), 1).await.unwrap();
    }
    let error = bench.done("new", 1).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS1018"));
    bench.done("c7", 2).await.unwrap();
    bench.clock.0.store(CONSUMER_SILENT_MS, Ordering::Relaxed);
    bench.done("new", 1).await.unwrap();
    let listed = bench.consumers.consumers(id()).await.unwrap();
    let gone = listed.iter().all(|each| each.consumer != "c0");
    assert!(gone && listed.len() == CONSUMERS_MAX);
    assert_eq!(bench.done("newer", 1).await.unwrap_err().code(), "FS1018");
}

#[tokio::test]
async fn who_says_the_same_again_is_heard() {
    let bench = bench(3).await;
    bench.done("c", 2).await.unwrap();
    bench.clock.0.store(RENEWED_AFTER_MS, Ordering::Relaxed);
    assert_eq!(bench.done("c", 1).await.unwrap(), (2, true));
    let listed = bench.consumers.consumers(id()).await.unwrap();
    assert_eq!((listed[0].slot, listed[0].at_ms), (2, RENEWED_AFTER_MS));
    assert_eq!(bench.files().await, 1);
}

#[tokio::test]
async fn a_damaged_consumer_is_one_error() {
    let bench = bench(3).await;
    bench.done("good", 2).await.unwrap();
    let root = Key::new(&format!("datasets/{}/consumers", id())).unwrap();
    let place = Place {
        id: id_of("bad"),
        slot: 1,
        at_ms: 0,
    };
    let key = place.key(&root).unwrap();
    bench.store.create(&key, "torn".into()).await.unwrap();
    assert_eq!(bench.done("bad", 2).await.unwrap_err().code(), "FS1021");
    let listed = bench.consumers.consumers(id()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(bench.done("good", 3).await.unwrap(), (3, false));
}
