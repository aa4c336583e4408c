//! Waiting for slots and listing them.

use super::splits::overwrite;
use super::*;
use crate::flight::body::{EpochsRequest, HeadRequest};
use flinkspark_model::log::SlotKind;
use std::time::{Duration, Instant};

fn head(after: u64, wait_ms: u64) -> HeadRequest {
    HeadRequest {
        dataset: "a".into(),
        after,
        wait_ms,
    }
}

#[tokio::test]
async fn a_waiter_is_woken_by_the_next_slot_and_not_before() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 3)]).await;
    let now = bridge.client.head(&head(0, 60_000)).await.unwrap();
    assert!(now.head > 0 && now.data_head == now.head);
    let waiting = {
        let client = bridge.client.clone();
        let request = head(now.head, 60_000);
        tokio::spawn(async move { client.head(&request).await.unwrap() })
    };
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(!waiting.is_finished());
    let since = Instant::now();
    bridge.commit("a", &[rows(3, 3)]).await;
    let woken = waiting.await.unwrap();
    assert!(woken.head > now.head && since.elapsed() < Duration::from_secs(20));
    let since = Instant::now();
    let later = bridge
        .client
        .head(&head(woken.head + 99, 200))
        .await
        .unwrap();
    assert!(later.head >= woken.head && later.head < woken.head + 99);
    assert!(
        since.elapsed() >= Duration::from_millis(150),
        "it waited its time"
    );
}

#[tokio::test]
async fn every_slot_is_listed_with_its_kind_page_by_page() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 3), rows(3, 4)]).await;
    overwrite(&bridge, "a", rows(100, 3)).await;
    let begun = bridge.begin("a").await;
    bridge.client.abort(&begun).await.unwrap();
    let (mut after, mut all) = (0, Vec::new());
    loop {
        let request = EpochsRequest {
            dataset: "a".into(),
            after,
            limit: Some(2),
            ..EpochsRequest::default()
        };
        let page = bridge.client.epochs(&request).await.unwrap();
        assert!(page.epochs.len() <= 2);
        let Some(last) = page.epochs.last() else {
            assert_eq!(after, page.head);
            break;
        };
        after = last.slot;
        all.extend(page.epochs);
    }
    assert!(all.iter().map(|epoch| epoch.slot).eq(1..=after));
    let of = |kind| all.iter().filter(move |epoch| epoch.kind == kind);
    let epoch = of(SlotKind::Epoch).next().unwrap();
    assert_eq!((epoch.rows, epoch.segments), (7, 2));
    assert_eq!(epoch.partitions, [0, 1]);
    let overwrite = of(SlotKind::Overwrite).next().unwrap();
    assert_eq!((overwrite.rows, overwrite.first), (3, Some(1)));
    assert!(overwrite.last.is_some_and(|last| last >= epoch.slot));
    let now = bridge.client.head(&head(0, 0)).await.unwrap();
    assert_eq!(now.head, after);
    assert_eq!(now.data_head, overwrite.slot, "an abort is no news");
}
