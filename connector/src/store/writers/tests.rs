//! Named writers: engines that keep their own checkpoints.

use super::*;
use crate::store::object::Objects;
use crate::store::tests::fixture::*;
use crate::store::{Key, Nobody, Store};
use arrow_array::RecordBatch;
use flinkspark_model::log::{History, Ordinal, Rewind, SLOT_SEGMENTS_MAX, SourceOffsets};
use flinkspark_model::port::{Isolation, Log, Mode, RETENTION_MS_DEFAULT, Writers as _};
use std::sync::atomic::Ordering;

fn opening(incarnation: &str, after: Generation) -> OpenWriter {
    OpenWriter {
        of: writer(),
        opening: Opening {
            writer: "flink".into(),
            incarnation: incarnation.into(),
            after,
            restored: None,
            history: None,
            rewind: None,
        },
        retention_ms: None,
    }
}

fn writer() -> DatasetWriter {
    DatasetWriter {
        dataset: id(),
        schema: schema(),
        writer: "flink".into(),
        principal: None,
    }
}

fn commit(generation: Generation, n: Ordinal, token: &str, receipts: &[&str]) -> WriterCommit {
    WriterCommit {
        of: writer(),
        generation,
        n,
        token: token.into(),
        receipts: receipts.iter().map(|text| (*text).into()).collect(),
        parts: Vec::new(),
        source_offsets: SourceOffsets::default(),
        watermark_ms: None,
        checkpoint_ref: None,
        lineage: Vec::new(),
        mode: Mode::Append,
        replace_through: None,
        isolation: Isolation::Snapshot,
        run: None,
    }
}

async fn put(writers: &Writers, partition: u32, batch: RecordBatch) -> String {
    let mut segment = writers.stage(writer(), partition, 0).await.unwrap();
    segment.write(&batch).await.unwrap();
    segment.seal().await.unwrap().signature
}

async fn logs() -> (Arc<dyn Store>, Arc<Hand>, Writers) {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let clock = Arc::new(Hand::default());
    let logs = logs_at(Arc::clone(&store), 1, Arc::clone(&clock)).await;
    (store, clock, Writers::new(logs.unwrap()))
}

async fn total_rows(writers: &Writers) -> u64 {
    let log = dataset(&writers.logs).await;
    log.refresh().await.unwrap().totals().0
}

async fn files(store: &dyn Store, below: &str) -> usize {
    let place = format!("datasets/{}/{below}", id());
    store.list(&Key::new(&place).unwrap()).await.unwrap().len()
}

#[tokio::test]
async fn a_set_is_committed_once_from_any_generation_and_across_a_restart() {
    let (store, clock, writers) = logs().await;
    let receipts = [
        put(&writers, 1, rows(10..30)).await,
        put(&writers, 0, rows(0..10)).await,
    ];
    let set = [receipts[0].as_str(), receipts[1].as_str()];
    assert_eq!(total_rows(&writers).await, 0, "a put commits nothing");
    let opened = writers.open(opening("a", 0)).await.unwrap();
    let first = writers.commit(commit(1, 5, "t", &set)).await.unwrap();
    assert_eq!(
        (opened.generation, first.rows, first.replayed),
        (1, 30, false)
    );
    assert_eq!(first.digest, digest_of(&[rows(0..30)]));
    let logs = logs_at(store, 2, clock).await.unwrap();
    let after = Writers::new(logs);
    assert!(after.open(opening("a", 0)).await.unwrap().replayed);
    assert_eq!(after.open(opening("b", 1)).await.unwrap().generation, 2);
    for (writers, generation) in [(&writers, 1), (&after, 2), (&after, 1)] {
        let again = writers
            .commit(commit(generation, 5, "t", &set))
            .await
            .unwrap();
        assert_eq!(
            (again.slot, again.replayed, again.same_rows),
            (first.slot, true, Some(true))
        );
        let other = writers.commit(commit(generation, 5, "u", &set)).await;
        assert_eq!(other.unwrap_err().code(), "FS0227");
    }
    assert_eq!(total_rows(&after).await, 30);
}

#[tokio::test]
async fn a_predecessor_that_comes_late_is_told_who_won() {
    let (_, _, writers) = logs().await;
    writers.open(opening("old", 0)).await.unwrap();
    writers.open(opening("new", 1)).await.unwrap();
    let late = writers.commit(commit(1, 1, "t", &[])).await.unwrap_err();
    assert_eq!((late.code(), late.kind()), ("FS0210", Kind::Fenced));
    for after in [0, 1] {
        let late = writers
            .open(opening("never seen", after))
            .await
            .unwrap_err();
        assert_eq!((late.code(), late.kind()), ("FS0229", Kind::Fenced));
        assert!(late.to_string().contains("\"new\""), "{late}");
    }
}

#[tokio::test]
async fn an_epoch_without_rows_is_committed_and_carries_its_watermark() {
    let (_, _, writers) = logs().await;
    writers.open(opening("a", 0)).await.unwrap();
    let empty = WriterCommit {
        watermark_ms: Some(7),
        ..commit(1, 3, "t", &[])
    };
    writers.commit(empty).await.unwrap();
    let view = dataset(&writers.logs).await.refresh().await.unwrap();
    assert_eq!(view.watermark_ms(), Some(7));
}

#[tokio::test]
async fn what_was_released_is_never_committed_and_what_was_committed_is_never_released() {
    let (store, _, writers) = logs().await;
    writers.open(opening("a", 0)).await.unwrap();
    let kept = put(&writers, 0, rows(0..10)).await;
    let gone = put(&writers, 0, rows(10..20)).await;
    writers.commit(commit(1, 1, "t", &[&kept])).await.unwrap();
    let released = writers
        .release(writer(), vec![kept.clone(), gone.clone()])
        .await;
    assert_eq!(
        released.unwrap(),
        Released {
            released: 1,
            kept: 1
        }
    );
    let refused = writers
        .commit(commit(1, 2, "u", &[&gone]))
        .await
        .unwrap_err();
    assert_eq!((refused.code(), refused.kind()), ("FS1037", Kind::Conflict));
    // The number stays free: the same epoch runs again with new receipts.
    let again = put(&writers, 0, rows(10..20)).await;
    writers.commit(commit(1, 2, "u", &[&again])).await.unwrap();
    assert_eq!(total_rows(&writers).await, 20);
    assert_eq!(files(&*store, "segments").await, 2);
}

#[tokio::test]
async fn receipts_of_another_writer_or_dataset_are_refused() {
    let (_, _, writers) = logs().await;
    writers.open(opening("a", 0)).await.unwrap();
    let other = DatasetWriter {
        writer: "other".into(),
        ..writer()
    };
    let mut segment = writers.stage(other, 0, 0).await.unwrap();
    segment.write(&rows(0..1)).await.unwrap();
    let foreign = segment.seal().await.unwrap().signature;
    for text in [foreign.as_str(), "", "x", "\u{e9}"] {
        let refused = writers
            .commit(commit(1, 1, "t", &[text]))
            .await
            .unwrap_err();
        assert_eq!((refused.code(), refused.kind()), ("FS1008", Kind::Invalid));
    }
}

#[tokio::test]
async fn a_segment_is_data_once() {
    let (_, _, writers) = logs().await;
    writers.open(opening("a", 0)).await.unwrap();
    let receipt = put(&writers, 0, rows(0..10)).await;
    for set in [vec![receipt.as_str(); 2], vec![receipt.as_str()]] {
        let twice = set.len() == 2;
        let done = writers.commit(commit(1, 1, "t", &set)).await;
        assert_eq!(done.is_err(), twice, "{done:?}");
    }
    let again = writers.commit(commit(1, 2, "u", &[&receipt])).await;
    assert_eq!(again.unwrap_err().code(), "FS0218");
    assert_eq!(total_rows(&writers).await, 10);
}

#[tokio::test]
async fn a_set_that_is_too_large_for_a_message_comes_in_parts_and_in_lists() {
    let (store, _, writers) = logs().await;
    writers.open(opening("a", 0)).await.unwrap();
    let count = SLOT_SEGMENTS_MAX as i64 + 44;
    let mut receipts = Vec::new();
    for n in 0..count {
        receipts.push(put(&writers, n as u32 % 7, rows(n..n + 1)).await);
    }
    let part = |key: &str, receipts: &[String]| WriterPart {
        of: writer(),
        key: key.into(),
        receipts: receipts.to_vec(),
    };
    let (first, second) = receipts.split_at(200);
    assert!(!writers.part(part("1", first)).await.unwrap().replayed);
    assert!(writers.part(part("1", first)).await.unwrap().replayed);
    let other = writers.part(part("1", second)).await.unwrap_err();
    assert_eq!((other.code(), other.kind()), ("FS1036", Kind::Conflict));
    let whole = |parts: &[&str]| WriterCommit {
        parts: parts.iter().map(|key| (*key).into()).collect(),
        receipts: second[1..].to_vec(),
        ..commit(1, 1, "t", &[])
    };
    let missing = writers.commit(whole(&["1", "2"])).await.unwrap_err();
    assert_eq!(missing.code(), "FS1038");
    writers.part(part("2", &second[..1])).await.unwrap();
    let done = writers.commit(whole(&["1", "2"])).await.unwrap();
    assert_eq!(done.rows, count as u64);
    assert_eq!(files(&*store, "lists").await, 1);
    // The log is read again from its objects, in the order of the partitions.
    let after = Writers::new(logs_on(Arc::clone(&store), 2).await.unwrap());
    assert_eq!(total_rows(&after).await, count as u64);
    assert_eq!(
        after.commit(whole(&["1", "2"])).await.unwrap().same_rows,
        Some(true)
    );
    let view = dataset(&after.logs).await.refresh().await.unwrap();
    let partitions = view.live().flat_map(|epoch| &epoch.segments);
    assert!(partitions.map(|segment| segment.partition).is_sorted());
    // Parts go with the next collection; the repetition is known without them.
    after.logs.collect(id(), &Nobody).await.unwrap();
    assert_eq!(files(&*store, "parts").await, 0);
    assert_eq!(
        after.commit(whole(&["1", "2"])).await.unwrap().same_rows,
        None
    );
}

#[tokio::test]
async fn an_overwrite_takes_everything_and_of_nothing_is_a_commit() {
    let (_, _, writers) = logs().await;
    let replace = |n, token: &str, receipts: &[&str]| WriterCommit {
        mode: Mode::Replace,
        ..commit(1, n, token, receipts)
    };
    writers.open(opening("a", 0)).await.unwrap();
    for n in 1..4_u64 {
        let rows = rows(0..10 * n as i64);
        let receipt = put(&writers, 0, rows).await;
        writers
            .commit(replace(n, &format!("t{n}"), &[&receipt]))
            .await
            .unwrap();
        assert_eq!(total_rows(&writers).await, 10 * n);
    }
    writers.commit(replace(9, "none", &[])).await.unwrap();
    assert_eq!(total_rows(&writers).await, 0);
}

#[tokio::test]
async fn a_row_level_change_gives_way_to_rows_that_it_did_not_see() {
    let (_, _, writers) = logs().await;
    writers.open(opening("a", 0)).await.unwrap();
    let receipt = put(&writers, 0, rows(0..5)).await;
    let read = writers.commit(commit(1, 1, "t1", &[&receipt])).await;
    let read = read.unwrap().slot;
    let receipt = put(&writers, 0, rows(5..7)).await;
    let come = writers.commit(commit(1, 2, "t2", &[&receipt])).await;
    let change = |n, through, isolation, receipt: &str| WriterCommit {
        mode: Mode::Replace,
        replace_through: through,
        isolation,
        ..commit(1, n, &format!("change {n}"), &[receipt])
    };
    let receipt = put(&writers, 0, rows(0..3)).await;
    let serializable = Isolation::Serializable;
    for (through, code) in [
        (Some(read), "FS0224"),
        (Some(0), "FS0225"),
        (None, "FS0225"),
    ] {
        let refused = writers.commit(change(3, through, serializable, &receipt));
        assert_eq!(refused.await.unwrap_err().code(), code, "{through:?}");
    }
    assert_eq!(total_rows(&writers).await, 7, "nothing was written");
    // Whoever takes a writer over brings no rows.
    let seen = come.unwrap().slot;
    let mut other = opening("b", 1);
    other.opening.writer = "flink".into();
    assert_eq!(writers.open(other).await.unwrap().generation, 2);
    let last = change(3, Some(seen), serializable, &receipt);
    let last = WriterCommit {
        generation: 2,
        ..last
    };
    let done = writers.commit(last.clone()).await.unwrap();
    assert_eq!(total_rows(&writers).await, 3);
    // Its own rows are there now, and the same again is still success.
    let again = writers.commit(last).await.unwrap();
    assert!(again.replayed && again.slot == done.slot);
    // Rows that came later stay beside a change that asks for no more.
    let receipt = put(&writers, 0, rows(0..1)).await;
    let beside = change(4, Some(seen), Isolation::Snapshot, &receipt);
    let beside = WriterCommit {
        generation: 2,
        ..beside
    };
    let refused = writers.commit(beside).await;
    assert_eq!(
        refused.unwrap_err().code(),
        "FS0219",
        "its range was rewritten"
    );
}

#[tokio::test]
async fn a_rewind_that_drops_is_seen_and_its_numbers_are_free() {
    let (_, _, writers) = logs().await;
    writers.open(opening("a", 0)).await.unwrap();
    for n in 1..4 {
        let receipt = put(&writers, 0, rows(0..n as i64)).await;
        writers
            .commit(commit(1, n, &format!("t{n}"), &[&receipt]))
            .await
            .unwrap();
    }
    let mut back = opening("b", 1);
    back.opening.restored = Some(1);
    assert_eq!(
        writers.open(back.clone()).await.unwrap_err().code(),
        "FS0213"
    );
    back.opening.rewind = Some(Rewind::Drop);
    let opened = writers.open(back).await.unwrap();
    assert_eq!(
        (opened.generation, opened.restored_n, opened.last_n),
        (2, 1, 1)
    );
    assert_eq!(total_rows(&writers).await, 1);
    let receipt = put(&writers, 0, rows(0..5)).await;
    writers
        .commit(commit(2, 2, "other", &[&receipt]))
        .await
        .unwrap();
    assert_eq!(total_rows(&writers).await, 6);
}

#[tokio::test]
async fn a_history_that_lies_below_what_is_committed_is_refused_at_once() {
    let (_, _, writers) = logs().await;
    writers.open(opening("a", 0)).await.unwrap();
    for n in 1..4 {
        writers
            .commit(commit(1, n, &format!("t{n}"), &[]))
            .await
            .unwrap();
    }
    let mut back = opening("b", 1);
    back.opening.history = Some(History {
        before: Some((1, "t1".into())),
        pending: vec![(2, "t2".into())],
    });
    let refused = writers.open(back.clone()).await.unwrap_err();
    assert_eq!((refused.code(), refused.kind()), ("FS0213", Kind::Conflict));
    back.opening.rewind = Some(Rewind::Drop);
    assert_eq!(writers.open(back).await.unwrap().restored_n, 2);
    // What stood before is another history's now: nothing lets this one go on.
    let mut gone = opening("c", 2);
    gone.opening.history = Some(History {
        before: Some((3, "t3".into())),
        pending: vec![(4, "t4".into())],
    });
    gone.opening.rewind = Some(Rewind::Drop);
    assert_eq!(writers.open(gone).await.unwrap_err().code(), "FS0227");
}

#[tokio::test]
async fn what_was_put_stays_for_its_retention_after_its_writer_was_heard() {
    let (store, clock, writers) = logs().await;
    let collect = async |at_ms: u64| {
        clock.0.store(at_ms, Ordering::Relaxed);
        writers.logs.collect(id(), &Nobody).await.unwrap().deleted
    };
    writers.open(opening("a", 0)).await.unwrap();
    put(&writers, 0, rows(0..1)).await;
    assert_eq!(collect(RETENTION_MS_DEFAULT - 1).await, 0);
    // It is heard again, so what it put long ago stays: its engine may sleep in a savepoint.
    put(&writers, 0, rows(0..2)).await;
    let over = 2 * RETENTION_MS_DEFAULT - 1 + heard::renewed_after_ms(RETENTION_MS_DEFAULT);
    assert_eq!(collect(over - 1).await, 0);
    assert_eq!(collect(over).await, 2);
    assert_eq!(files(&*store, "segments").await, 0);
    assert_eq!(files(&*store, "writers").await, 1);
}

#[tokio::test]
async fn what_a_dead_incarnation_left_goes_once_its_successor_has_a_history() {
    let (_, clock, writers) = logs().await;
    let at = |at_ms: u64| clock.0.store(at_ms, Ordering::Relaxed);
    let collect = async || writers.logs.collect(id(), &Nobody).await.unwrap().deleted;
    let declared = OpenWriter {
        retention_ms: Some(1000),
        ..opening("a", 0)
    };
    writers.open(declared).await.unwrap();
    put(&writers, 0, rows(0..1)).await;
    at(5000);
    writers.open(opening("b", 1)).await.unwrap();
    // A generation alone is no reason: the successor may commit what its predecessor's checkpoint holds.
    assert_eq!(collect().await, 0);
    let own = put(&writers, 0, rows(0..2)).await;
    let waiting = put(&writers, 0, rows(0..3)).await;
    writers.commit(commit(2, 1, "t", &[&own])).await.unwrap();
    assert_eq!(collect().await, 1);
    writers
        .commit(commit(2, 2, "u", &[&waiting]))
        .await
        .unwrap();
    assert_eq!(total_rows(&writers).await, 5);
}

#[tokio::test]
async fn a_status_says_where_to_go_on() {
    let (_, _, writers) = logs().await;
    let fresh = writers.status(writer()).await.unwrap();
    assert_eq!((fresh.generation, fresh.last_n, fresh.staged), (0, 0, 0));
    writers.open(opening("a", 0)).await.unwrap();
    let receipt = put(&writers, 0, rows(0..1)).await;
    put(&writers, 0, rows(0..1)).await;
    writers
        .commit(commit(1, 4, "t", &[&receipt]))
        .await
        .unwrap();
    let status = writers.status(writer()).await.unwrap();
    assert_eq!((status.generation, status.incarnation.as_str()), (1, "a"));
    assert_eq!((status.last_n, status.last_token), (4, Some("t".into())));
    assert_eq!((status.staged, status.last_slot), (1, Some(2)));
}

#[tokio::test]
async fn names_that_cannot_be_seen_are_refused() {
    let (_, _, writers) = logs().await;
    for name in ["", " ", "\u{200b}", "a\nb", &"x".repeat(513)] {
        let mut open = opening("a", 0);
        open.opening.writer = name.into();
        assert_eq!(
            writers.open(open).await.unwrap_err().code(),
            "FS1035",
            "{name:?}"
        );
        let mut commit = commit(1, 1, "t", &[]);
        commit.token = name.into();
        assert_eq!(
            writers.commit(commit).await.unwrap_err().code(),
            "FS1035",
            "{name:?}"
        );
    }
}
