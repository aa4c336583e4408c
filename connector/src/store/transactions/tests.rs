//! Transactions and garbage.

use super::*;
use crate::store::object::Objects;
use crate::store::tests::fixture::*;
use crate::store::{Buried, Holders, Nobody, Store};
use arrow_array::RecordBatch;
use flinkspark_model::digest::Digest;
use flinkspark_model::log::Manifest;
use flinkspark_model::port::{
    Dataset, Datasets, IdempotencyKey, KeyScope, Log, ReadOptions, SegmentSpec, Transactions as _,
};
use flinkspark_model::position::Position;
use futures::TryStreamExt;
use std::sync::atomic::Ordering;

fn begin(key: Option<&str>) -> Begin {
    Begin {
        dataset: id(),
        schema: schema(),
        key: key.map(|key| IdempotencyKey::new(KeyScope::Begin, key).unwrap()),
        mode: Mode::Append,
        peer: None,
        principal: None,
    }
}

/// Where a committed transaction stands.
fn slot_of(transaction: &Transaction) -> SlotNo {
    match transaction.state {
        State::Committed { slot, .. } => slot,
        _ => panic!("{transaction:?}"),
    }
}

async fn put(
    txns: &Transactions,
    txn: TxnId,
    partition: u32,
    attempt: u32,
    batch: RecordBatch,
) -> Result<Receipt> {
    let mut writer = txns.stage(txn, partition, attempt).await?;
    writer.write(&batch).await?;
    writer.seal().await
}

fn with(receipts: &[Receipt]) -> TxnCommit {
    TxnCommit {
        receipts: receipts.to_vec(),
        ..TxnCommit::default()
    }
}

async fn files(store: &dyn Store, below: &str) -> usize {
    store
        .list(&Key::new(&format!("datasets/{}/{below}", id())).unwrap())
        .await
        .unwrap()
        .len()
}

async fn total_rows(logs: &Logs) -> u64 {
    dataset(logs).await.refresh().await.unwrap().totals().0
}

#[tokio::test]
async fn a_transaction_commits_once_across_a_restart() {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let txns = Transactions::new(logs_on(Arc::clone(&store), 1).await.unwrap());
    let txn = txns.begin(begin(None)).await.unwrap().txn;
    let receipts = [
        put(&txns, txn, 1, 0, rows(10..30)).await.unwrap(),
        put(&txns, txn, 0, 0, rows(0..10)).await.unwrap(),
    ];
    assert_eq!(
        total_rows(&txns.logs).await,
        0,
        "the end of a stream commits nothing"
    );
    let after = Transactions::new(logs_on(Arc::clone(&store), 2).await.unwrap());
    let text = txn.to_string();
    let txn: TxnId = text.parse().unwrap();
    assert!(matches!(
        after.status(txn).await.unwrap().state,
        State::Open { .. }
    ));
    let first = after.commit(txn, with(&receipts)).await.unwrap();
    for txns in [&txns, &after] {
        let again = txns.commit(txn, with(&receipts)).await.unwrap();
        assert_eq!(
            (slot_of(&again), again.replayed, again.same_rows),
            (slot_of(&first), true, Some(true))
        );
        let State::Committed {
            slot, rows, digest, ..
        } = txns.status(txn).await.unwrap().state
        else {
            panic!()
        };
        assert_eq!((slot, rows), (slot_of(&first), 30));
        assert_eq!(
            digest,
            digest_of(&[super::super::tests::fixture::rows(0..30)])
        );
        assert_eq!(txns.abort(txn).await.unwrap_err().code(), "FS0215");
        assert_eq!(
            put(txns, txn, 0, 0, super::super::tests::fixture::rows(0..1))
                .await
                .unwrap_err()
                .code(),
            "FS1014"
        );
    }
    assert_eq!(
        files(&*store, "txn").await,
        0,
        "nothing is kept of a transaction that has ended"
    );
    assert_eq!(total_rows(&after.logs).await, 30);
}

#[tokio::test]
async fn a_retried_put_does_not_double() {
    let txns = Transactions::new(memory().await);
    let txn = txns.begin(begin(None)).await.unwrap().txn;
    let (lost, kept) = (
        put(&txns, txn, 0, 0, rows(0..10)).await.unwrap(),
        put(&txns, txn, 0, 0, rows(0..10)).await.unwrap(),
    );
    let error = txns
        .commit(txn, with(&[lost.clone(), kept.clone()]))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS1015"));
    txns.commit(txn, with(&[kept.clone(), kept])).await.unwrap();
    assert_eq!(total_rows(&txns.logs).await, 10);
    let collected = txns.logs.collect(id(), &Nobody).await.unwrap();
    assert_eq!(
        (collected.kept, collected.deleted, collected.bytes),
        (1, 1, lost.segment.bytes)
    );
    assert_eq!(
        digest_of(&read_all(&dataset(&txns.logs).await).await.unwrap()),
        digest_of(&[rows(0..10)])
    );
}

#[tokio::test]
async fn a_key_commits_once_and_may_be_tried_again_after_an_abort() {
    let txns = Transactions::new(memory().await);
    let first = txns.begin(begin(Some("k"))).await.unwrap();
    let same = txns.begin(begin(Some("k"))).await.unwrap();
    assert_eq!(
        (first.replayed, same.replayed, first.txn),
        (false, true, same.txn)
    );
    let other_mode = Begin {
        mode: Mode::Replace,
        ..begin(Some("k"))
    };
    assert_eq!(txns.begin(other_mode).await.unwrap_err().code(), "FS1028");
    let void = put(&txns, first.txn, 0, 0, rows(0..10)).await.unwrap();
    txns.abort(first.txn).await.unwrap();
    txns.abort(first.txn).await.unwrap();
    assert_eq!(
        txns.commit(first.txn, with(std::slice::from_ref(&void)))
            .await
            .unwrap_err()
            .code(),
        "FS0214"
    );

    let second = txns.begin(begin(Some("k"))).await.unwrap();
    assert_ne!(second.txn, first.txn);
    assert_eq!(
        txns.commit(second.txn, with(&[void]))
            .await
            .unwrap_err()
            .code(),
        "FS1008"
    );
    let receipt = put(&txns, second.txn, 0, 1, rows(0..10)).await.unwrap();
    txns.commit(second.txn, with(&[receipt])).await.unwrap();
    let third = txns.begin(begin(Some("k"))).await.unwrap();
    assert!(
        matches!(third.state, State::Committed { rows: 10, .. }),
        "{third:?}"
    );
    assert_eq!(third.txn, second.txn);
    assert_ne!(txns.begin(begin(Some("l"))).await.unwrap().txn, second.txn);
    assert_eq!(total_rows(&txns.logs).await, 10);
}

#[tokio::test]
async fn receipts_of_another_transaction_are_refused() {
    let txns = Transactions::new(memory().await);
    let (a, b) = (
        txns.begin(begin(None)).await.unwrap().txn,
        txns.begin(begin(None)).await.unwrap().txn,
    );
    let receipt = put(&txns, a, 0, 0, rows(0..10)).await.unwrap();
    assert_eq!(
        txns.commit(b, with(std::slice::from_ref(&receipt)))
            .await
            .unwrap_err()
            .code(),
        "FS1008"
    );
    let mut forged = receipt;
    forged.segment.rows = 11;
    assert_eq!(
        txns.commit(a, with(&[forged])).await.unwrap_err().code(),
        "FS1008"
    );
    assert_eq!(total_rows(&txns.logs).await, 0);
}

#[tokio::test]
async fn a_replacing_transaction_replaces_what_was_there_when_it_began() {
    let txns = Transactions::new(memory().await);
    for range in [0..10, 10..20] {
        let txn = txns.begin(begin(None)).await.unwrap().txn;
        let receipt = put(&txns, txn, 0, 0, rows(range)).await.unwrap();
        txns.commit(txn, with(&[receipt])).await.unwrap();
    }
    let replacing = txns
        .begin(Begin {
            mode: Mode::Replace,
            ..begin(Some("r"))
        })
        .await
        .unwrap()
        .txn;
    let later = txns.begin(begin(None)).await.unwrap().txn;
    let receipt = put(&txns, later, 0, 0, rows(100..110)).await.unwrap();
    txns.commit(later, with(&[receipt])).await.unwrap();
    let receipt = put(&txns, replacing, 0, 0, rows(50..60)).await.unwrap();
    let first = txns
        .commit(replacing, with(std::slice::from_ref(&receipt)))
        .await
        .unwrap();
    let again = txns.commit(replacing, with(&[receipt])).await.unwrap();
    assert_eq!((slot_of(&again), again.replayed), (slot_of(&first), true));
    let read = read_all(&dataset(&txns.logs).await).await.unwrap();
    assert_eq!(digest_of(&read), digest_of(&[rows(100..110), rows(50..60)]));
    let collected = txns.logs.collect(id(), &Nobody).await.unwrap();
    assert_eq!(
        (collected.kept, collected.deleted, collected.waiting),
        (4, 0, 2),
        "replaced segments go after a grace"
    );
}

#[tokio::test]
async fn a_reader_keeps_to_its_slots_through_an_overwrite() {
    let txns = Transactions::new(memory().await);
    let ours = dataset(&txns.logs).await;
    // A job of two generations: what the first staged would be garbage had it not been data.
    let job = flinkspark_model::log::LogId::of_job("j");
    let log = txns.logs.job(job).await.unwrap();
    log.append(fence(1, 0)).await.unwrap();
    ours.append(fence(1, 0)).await.unwrap();
    let mut receipts = Vec::new();
    for partition in [0, 1] {
        let spec = SegmentSpec {
            job: Some((job, 1)),
            ..spec(partition)
        };
        let mut writer = ours.stage(spec).await.unwrap();
        writer.write(&rows(0..10)).await.unwrap();
        receipts.push(writer.seal().await.unwrap());
    }
    let epoch = ours
        .append(Intent::Commit(commit(1, 1, &receipts)))
        .await
        .unwrap();
    log.append(fence(2, 0)).await.unwrap();
    let through = epoch.slot;
    let options = ReadOptions {
        batch_rows_max: 4,
        ..ReadOptions::default()
    };
    let mut first = ours
        .read(0, Position::START, through, options.clone())
        .await
        .unwrap();
    let stood_at = first.try_next().await.unwrap().unwrap().next;

    let replacing = Begin {
        mode: Mode::Replace,
        ..begin(None)
    };
    let txn = txns.begin(replacing).await.unwrap().txn;
    let receipt = put(&txns, txn, 0, 0, rows(50..60)).await.unwrap();
    txns.commit(txn, with(&[receipt])).await.unwrap();
    assert_eq!(txns.logs.collect(id(), &Nobody).await.unwrap().deleted, 0);

    let mut left = Vec::new();
    for (partition, from) in [(0, stood_at), (1, Position::START)] {
        let stream = ours.read(partition, from, through, options.clone()).await;
        let batches: Vec<_> = stream.unwrap().try_collect().await.unwrap();
        left.extend(batches.into_iter().map(|positioned| positioned.batch));
    }
    assert_eq!(digest_of(&left), digest_of(&[rows(4..10), rows(0..10)]));
    assert_eq!(
        digest_of(&read_all(&ours).await.unwrap()),
        digest_of(&[rows(50..60)])
    );
}

#[tokio::test]
async fn a_commit_that_is_repeated_while_the_first_closes_is_a_replay() {
    let txns = Transactions::new(memory().await);
    let txn = txns.begin(begin(None)).await.unwrap().txn;
    let receipt = put(&txns, txn, 0, 0, rows(0..10)).await.unwrap();
    let tries = (0..8).map(|_| txns.commit(txn, with(std::slice::from_ref(&receipt))));
    let done = futures::future::try_join_all(tries).await.unwrap();
    assert_eq!(done.iter().filter(|appended| !appended.replayed).count(), 1);
    assert_eq!(total_rows(&txns.logs).await, 10);
}

#[tokio::test]
async fn a_jobs_state_is_kept_for_its_latest_checkpoint_alone() {
    let logs = memory().await;
    let id = flinkspark_model::log::LogId::of_job("j");
    let job = logs.job(id).await.unwrap();
    job.append(fence(1, 0)).await.unwrap();
    let mut states = Vec::new();
    for n in [1, 2] {
        let state = job.stage_bytes(0, format!("{n}").into()).await.unwrap();
        let checkpoint = commit(1, n, std::slice::from_ref(&state));
        job.append(Intent::Commit(checkpoint)).await.unwrap();
        states.push(state.segment);
    }
    let on_its_way = job.stage_bytes(0, "3".into()).await.unwrap().segment;
    let collected = logs.collect_job(id).await.unwrap();
    assert_eq!((collected.kept, collected.deleted), (2, 1));
    assert_eq!(job.read_bytes(&states[1]).await.unwrap().as_ref(), b"2");
    assert_eq!(job.read_bytes(&on_its_way).await.unwrap().as_ref(), b"3");
    assert_eq!(
        job.read_bytes(&states[0]).await.unwrap_err().code(),
        "FS1005"
    );
}

#[tokio::test]
async fn an_abort_publishes_nothing_and_removes_what_was_staged() {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let txns = Transactions::new(logs_on(Arc::clone(&store), 1).await.unwrap());
    let txn = txns.begin(begin(None)).await.unwrap().txn;
    put(&txns, txn, 0, 0, rows(0..10)).await.unwrap();
    let mut open = txns.stage(txn, 1, 0).await.unwrap();
    open.write(&rows(0..10)).await.unwrap();
    txns.abort(txn).await.unwrap();
    assert_eq!(
        (
            files(&*store, "segments").await,
            files(&*store, "txn").await
        ),
        (0, 0)
    );
    // A put that was under way ends after the abort: its receipt is worth nothing.
    let late = open.seal().await.unwrap();
    assert_eq!(
        txns.commit(txn, with(&[late])).await.unwrap_err().kind(),
        Kind::Conflict
    );
    assert_eq!(txns.logs.collect(id(), &Nobody).await.unwrap().deleted, 1);
    assert_eq!(total_rows(&txns.logs).await, 0);
    assert!(matches!(
        txns.status(txn).await.unwrap().state,
        State::Aborted
    ));
}

#[tokio::test]
async fn a_lease_that_ends_aborts_first_and_one_in_use_does_not_end() {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let clock = Arc::new(Hand::default());
    let txns = Transactions::new(
        logs_at(Arc::clone(&store), 1, Arc::clone(&clock))
            .await
            .unwrap(),
    );
    let lease = super::super::Settings::default().lease_ms;
    let (idle, used) = (
        txns.begin(begin(None)).await.unwrap().txn,
        txns.begin(begin(None)).await.unwrap().txn,
    );
    put(&txns, idle, 0, 0, rows(0..10)).await.unwrap();
    let mut writer = txns.stage(used, 0, 0).await.unwrap();
    clock.0.store(lease - 1, Ordering::Relaxed);
    writer.write(&rows(0..10)).await.unwrap();
    assert_eq!(txns.expire(id()).await.unwrap(), []);
    clock.0.store(lease, Ordering::Relaxed);
    assert_eq!(txns.expire(id()).await.unwrap(), [idle]);
    assert_eq!(files(&*store, "segments").await, 0);
    let receipt = writer.seal().await.unwrap();
    txns.commit(used, with(&[receipt])).await.unwrap();
    assert_eq!(txns.open(id()).await.unwrap(), []);

    let left = txns.begin(begin(None)).await.unwrap().txn;
    let filled = txns.begin(begin(None)).await.unwrap().txn;
    put(&txns, filled, 0, 0, rows(0..10)).await.unwrap();
    clock.0.store(lease * 5, Ordering::Relaxed);
    let after = Transactions::new(logs_at(store, 2, Arc::clone(&clock)).await.unwrap());
    let unused = super::super::Settings::default().unused_lease_ms;
    let ends = after.open(id()).await.unwrap().into_iter();
    let ends: BTreeMap<TxnId, u64> = ends.map(|open| (open.txn, open.expires_at_ms)).collect();
    assert_eq!(
        ends,
        BTreeMap::from([(left, lease * 5 + unused), (filled, lease * 6)]),
        "a restart gives everybody a lease"
    );
}

#[tokio::test]
async fn a_transaction_that_never_was_is_invalid() {
    let txns = Transactions::new(memory().await);
    let known = txns.begin(begin(None)).await.unwrap().txn;
    let unknown: TxnId = known
        .to_string()
        .replace(&known.id.simple().to_string(), &"0".repeat(32))
        .parse()
        .unwrap();
    for error in [
        txns.status(unknown).await.unwrap_err(),
        txns.abort(unknown).await.unwrap_err(),
        txns.commit(unknown, with(&[])).await.unwrap_err(),
        txns.stage(unknown, 0, 0).await.err().unwrap(),
        "nonsense".parse::<TxnId>().unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.code()), (Kind::NotFound, "FS1013"));
    }
}

#[tokio::test]
async fn a_schema_change_during_a_transaction_is_a_conflict() {
    let txns = Transactions::new(memory().await);
    let txn = txns.begin(begin(None)).await.unwrap().txn;
    let text = schema::to_json(&super::super::tests::fixture::schema()).unwrap();
    dataset(&txns.logs)
        .await
        .append(Intent::Schema {
            version: 2,
            schema: text,
        })
        .await
        .unwrap();
    assert_eq!(txns.stage(txn, 0, 0).await.err().unwrap().code(), "FS1022");
}

#[tokio::test]
async fn garbage_keeps_what_a_pending_epoch_or_a_receipt_reaches() {
    let logs = memory().await;
    let job_id = flinkspark_model::log::LogId::of_job("j");
    let job = logs.job(job_id).await.unwrap();
    job.append(fence(1, 0)).await.unwrap();
    let ours = dataset(&logs).await;
    let staged = async || {
        let spec = SegmentSpec {
            job: Some((job_id, 1)),
            ..spec(0)
        };
        let mut writer = ours.stage(spec).await.unwrap();
        writer.write(&rows(0..10)).await.unwrap();
        writer.seal().await.unwrap()
    };
    let (pending, forgotten) = (staged().await, staged().await);
    let receipted = seal(&ours, 0, &[rows(0..10)]).await.unwrap();
    let manifest = Manifest {
        pending: vec![flinkspark_model::log::Pending {
            log: ours.id(),
            commit: commit(1, 1, std::slice::from_ref(&pending)),
        }],
        body: "{}".into(),
    };
    let checkpoint = Commit {
        manifest: Some(manifest),
        ..commit(1, 1, &[])
    };
    job.append(Intent::Commit(checkpoint)).await.unwrap();
    assert_eq!(
        logs.collect(id(), &Nobody).await.unwrap().deleted,
        0,
        "the generation that staged it may still commit it"
    );
    job.append(fence(2, 1)).await.unwrap();
    let collected = logs.collect(id(), &Nobody).await.unwrap();
    assert_eq!((collected.kept, collected.deleted), (2, 1));
    for kept in [&pending, &receipted] {
        logs.verify_segment(id(), &kept.segment).await.unwrap();
    }
    assert_eq!(
        logs.verify_segment(id(), &forgotten.segment)
            .await
            .unwrap_err()
            .code(),
        "FS1005"
    );
}

#[tokio::test]
async fn a_repeated_commit_with_other_receipts_is_a_conflict_that_names_both_digests() {
    let txns = Transactions::new(memory().await);
    for mode in [Mode::Append, Mode::Replace] {
        let begin = Begin {
            mode,
            ..begin(None)
        };
        let txn = txns.begin(begin).await.unwrap().txn;
        let first = put(&txns, txn, 0, 0, rows(0..10)).await.unwrap();
        let same = put(&txns, txn, 0, 1, rows(0..10)).await.unwrap();
        let other = put(&txns, txn, 0, 2, rows(1..11)).await.unwrap();
        let more = put(&txns, txn, 1, 0, rows(0..1)).await.unwrap();
        let done = txns
            .commit(txn, with(std::slice::from_ref(&first)))
            .await
            .unwrap();
        assert_eq!((done.replayed, done.same_rows), (false, None));
        // The same rows under another name are the same rows.
        let again = txns.commit(txn, with(&[same])).await.unwrap();
        assert_eq!((again.replayed, again.same_rows), (true, Some(true)));
        for receipts in [vec![other], vec![first, more], vec![]] {
            let ours: Digest = receipts.iter().map(|receipt| receipt.segment.digest).sum();
            let error = txns.commit(txn, with(&receipts)).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0440"));
            for digest in [digest_of(&[rows(0..10)]), ours] {
                assert!(error.to_string().contains(&digest.to_string()), "{error}");
            }
        }
        assert_eq!(total_rows(&txns.logs).await, 10);
    }
}

#[tokio::test]
async fn keys_that_look_alike_are_transactions_of_their_own_and_stay_in_their_folder() {
    let txns = Transactions::new(memory().await);
    let keys: [&[u8]; 12] = [
        b"k",
        b"K",
        b"k ",
        b"..",
        b"../../key",
        b"/",
        b"a/b",
        b"put.k",
        "\u{e9}".as_bytes(),
        "e\u{301}".as_bytes(),
        b"k\xff",
        b"k\xfe",
    ];
    let mut seen = std::collections::BTreeSet::new();
    for scope in [KeyScope::Begin, KeyScope::Put] {
        for key in keys {
            let key = IdempotencyKey::new(scope, key).unwrap();
            let wanted = Begin {
                key: Some(key),
                ..begin(None)
            };
            let begun = txns.begin(wanted.clone()).await.unwrap();
            assert!(!begun.replayed && seen.insert(begun.txn));
            assert!(txns.begin(wanted).await.unwrap().replayed);
        }
    }
    let names: Vec<_> = txns.open(id()).await.unwrap();
    assert_eq!(names.len(), seen.len());
    let elsewhere = Transactions::new(logs_on(Arc::new(Objects::memory()), 2).await.unwrap());
    let there = elsewhere.begin(begin(Some("k"))).await.unwrap().txn;
    assert!(
        !seen.contains(&there),
        "another data directory's secret names it otherwise"
    );
}

#[tokio::test]
async fn a_key_of_an_older_build_does_not_commit_again() {
    let txns = Transactions::new(memory().await);
    // As builds before keys had a secret named them: xxh3 of the dataset and `put.` with the key.
    let named = [id().0.as_bytes().as_slice(), b"put.k"].concat();
    let hash = xxhash_rust::xxh3::xxh3_128(&named).to_be_bytes();
    let old = uuid::Builder::from_custom_bytes(hash).into_uuid();
    let ours = dataset(&txns.logs).await;
    let writer = Txn { id: old, n: 1 }.writer();
    let fenced = Intent::Fence {
        writer: writer.clone(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: writer.to_string(),
    };
    ours.append(fenced).await.unwrap();
    let receipt = seal(&ours, 0, &[rows(0..10)]).await.unwrap();
    let there = Commit {
        writer,
        ..commit(1, 1, &[receipt])
    };
    ours.append(Intent::Commit(there)).await.unwrap();
    let key = IdempotencyKey::new(KeyScope::Put, "k").unwrap();
    let found = txns
        .begin(Begin {
            key: Some(key),
            ..begin(None)
        })
        .await
        .unwrap();
    assert!(found.replayed && matches!(found.state, State::Committed { rows: 10, .. }));
    assert!(
        !txns.begin(begin(Some("k"))).await.unwrap().replayed,
        "a begin's key is another one"
    );
}

#[tokio::test]
async fn a_refused_begin_writes_nothing() {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let txns = Transactions::new(logs_on(Arc::clone(&store), 1).await.unwrap());
    for n in 0..TRANSACTIONS_OPEN_MAX as u32 {
        let wanted = Begin {
            peer: Some(format!("peer {}", n % 4)),
            ..begin(None)
        };
        let txn = txns.begin(wanted).await.unwrap().txn;
        put(&txns, txn, 0, 0, rows(0..1)).await.unwrap();
    }
    txns.begin(begin(Some("one too many"))).await.unwrap_err();
    let open = txns.open(id()).await.unwrap()[0].txn;
    txns.abort(open).await.unwrap();
    let kept = txns.begin(begin(Some("k"))).await.unwrap().txn;
    put(&txns, kept, 0, 0, rows(0..1)).await.unwrap();
    let head = dataset(&txns.logs).await.refresh().await.unwrap().head();
    let there = (files(&*store, "txn").await, files(&*store, "log").await);
    let replacing = Begin {
        mode: Mode::Replace,
        ..begin(Some("k"))
    };
    assert_eq!(txns.begin(replacing).await.unwrap_err().code(), "FS1028");
    let error = txns.begin(begin(None)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS1018"));
    assert_eq!(
        dataset(&txns.logs).await.refresh().await.unwrap().head(),
        head
    );
    assert_eq!(
        (files(&*store, "txn").await, files(&*store, "log").await),
        there
    );
}

#[tokio::test]
async fn idle_begins_make_room_for_newcomers_and_used_ones_do_not() {
    let clock = Arc::new(Hand::default());
    let txns = at(&clock).await;
    let used = txns.begin(begin(None)).await.unwrap().txn;
    let receipt = put(&txns, used, 0, 0, rows(0..10)).await.unwrap();
    let putting = txns.begin(begin(None)).await.unwrap().txn;
    let mut writer = txns.stage(putting, 0, 0).await.unwrap();
    let mut idle = Vec::new();
    for n in 0..TRANSACTIONS_OPEN_MAX {
        clock.0.fetch_add(1, Ordering::Relaxed);
        let wanted = Begin {
            peer: Some(format!("loud {}", n % 3)),
            ..begin(None)
        };
        idle.push(txns.begin(wanted).await.unwrap().txn);
    }
    let newcomer = txns.begin(begin(None)).await.unwrap().txn;
    assert_eq!(txns.open(id()).await.unwrap().len(), TRANSACTIONS_OPEN_MAX);
    let state = txns.status(idle[0]).await.unwrap().state;
    assert_eq!(
        state,
        State::Aborted,
        "the oldest idle one of those who hold the most"
    );
    writer.write(&rows(10..20)).await.unwrap();
    let other = writer.seal().await.unwrap();
    txns.commit(used, with(&[receipt])).await.unwrap();
    txns.commit(putting, with(&[other])).await.unwrap();
    let receipt = put(&txns, newcomer, 0, 0, rows(20..30)).await.unwrap();
    txns.commit(newcomer, with(&[receipt])).await.unwrap();
    assert_eq!(total_rows(&txns.logs).await, 30);
}

#[tokio::test]
async fn a_begin_that_nobody_uses_has_a_short_lease_and_a_put_gives_the_whole_one() {
    let clock = Arc::new(Hand::default());
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let txns = Transactions::new(logs_at(store, 1, Arc::clone(&clock)).await.unwrap());
    let settings = super::super::Settings::default();
    let (idle, used) = (
        txns.begin(begin(None)).await.unwrap(),
        txns.begin(begin(None)).await.unwrap().txn,
    );
    assert_eq!(
        idle.state,
        State::Open {
            expires_at_ms: settings.unused_lease_ms
        }
    );
    put(&txns, used, 0, 0, rows(0..7)).await.unwrap();
    clock.0.store(settings.unused_lease_ms, Ordering::Relaxed);
    let open = txns.open(id()).await.unwrap();
    let of = |txn| open.iter().find(|open| open.txn == txn).unwrap();
    assert_eq!(
        (of(used).rows, of(used).segments, of(used).putting),
        (Some(7), 1, 0)
    );
    assert_eq!((of(idle.txn).rows, of(idle.txn).segments), (Some(0), 0));
    assert_eq!(of(idle.txn).age_ms, settings.unused_lease_ms);
    assert_eq!(of(used).expires_at_ms, settings.lease_ms);
    assert_eq!(txns.expire(id()).await.unwrap(), [idle.txn]);
}

#[tokio::test]
async fn what_an_overwrite_took_out_cannot_be_committed_again() {
    let txns = Transactions::new(memory().await);
    let ours = dataset(&txns.logs).await;
    ours.append(fence(1, 0)).await.unwrap();
    let receipt = seal(&ours, 0, &[rows(0..10)]).await.unwrap();
    ours.append(Intent::Commit(commit(1, 1, std::slice::from_ref(&receipt))))
        .await
        .unwrap();
    let replacing = txns
        .begin(Begin {
            mode: Mode::Replace,
            ..begin(None)
        })
        .await
        .unwrap()
        .txn;
    txns.commit(replacing, with(&[])).await.unwrap();
    let error = ours
        .append(Intent::Commit(commit(1, 2, &[receipt])))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0218"));
    assert_eq!(total_rows(&txns.logs).await, 0);
}

/// A job that is pinned to a slot, and one that has ended.
#[derive(Default)]
struct Jobs {
    pins: Vec<SlotNo>,
    ended: Vec<flinkspark_model::log::LogId>,
}

#[async_trait]
impl Holders for Jobs {
    async fn pins(&self, _: DatasetId) -> Result<Vec<SlotNo>> {
        Ok(self.pins.clone())
    }

    async fn has_ended(&self, job: flinkspark_model::log::LogId) -> Result<bool> {
        Ok(self.ended.contains(&job))
    }
}

const GRACE_MS: u64 = 24 * 60 * 60 * 1000;

async fn at(clock: &Arc<Hand>) -> Transactions {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    Transactions::new(logs_at(store, 1, Arc::clone(clock)).await.unwrap())
}

#[tokio::test]
async fn what_an_overwrite_took_out_goes_after_its_grace_and_past_the_pins() {
    let clock = Arc::new(Hand::default());
    let txns = at(&clock).await;
    let ours = dataset(&txns.logs).await;
    ours.append(fence(1, 0)).await.unwrap();
    let pinned = super::super::tests::fixture::put(&ours, 1, rows(0..10))
        .await
        .unwrap()
        .slot;
    clock.0.store(5000, Ordering::Relaxed);
    let replacing = txns
        .begin(Begin {
            mode: Mode::Replace,
            ..begin(None)
        })
        .await
        .unwrap()
        .txn;
    let receipt = put(&txns, replacing, 0, 0, rows(50..60)).await.unwrap();
    txns.commit(replacing, with(&[receipt])).await.unwrap();

    clock.0.store(5000 + GRACE_MS - 1, Ordering::Relaxed);
    let waiting = txns.logs.collect(id(), &Nobody).await.unwrap();
    assert_eq!((waiting.deleted, waiting.waiting, waiting.kept), (0, 1, 2));
    assert!(waiting.waiting_bytes > 0);
    clock.0.store(5000 + GRACE_MS, Ordering::Relaxed);
    let held = Jobs {
        pins: vec![pinned],
        ..Jobs::default()
    };
    assert_eq!(txns.logs.collect(id(), &held).await.unwrap().deleted, 0);
    let kept = read(&ours, 0, Position::START, pinned, ReadOptions::default())
        .await
        .unwrap();
    assert_eq!(kept.len(), 1);
    let gone = txns.logs.collect(id(), &Nobody).await.unwrap();
    assert_eq!((gone.deleted, gone.waiting, gone.kept), (1, 0, 1));
    assert_eq!(
        digest_of(&read_all(&ours).await.unwrap()),
        digest_of(&[rows(50..60)])
    );
    let late = read(&ours, 0, Position::START, pinned, ReadOptions::default()).await;
    let error = late.err().unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0443"));
}

#[tokio::test]
async fn what_killed_attempts_of_a_batch_run_left_is_deleted_and_nothing_that_may_commit() {
    let clock = Arc::new(Hand::default());
    let txns = at(&clock).await;
    let logs = &txns.logs;
    let ours = dataset(logs).await;
    // The fixture's writer is "w": a batch run of that id, which has no log of its own.
    let run = flinkspark_model::log::LogId::of_job("w");
    let staged = async |generation| {
        let spec = SegmentSpec {
            job: Some((run, generation)),
            ..spec(0)
        };
        let mut writer = ours.stage(spec).await.unwrap();
        writer.write(&rows(0..10)).await.unwrap();
        writer.seal().await.unwrap()
    };
    ours.append(fence(1, 0)).await.unwrap();
    staged(1).await;
    assert_eq!(logs.collect(id(), &Nobody).await.unwrap().deleted, 0);
    ours.append(fence(2, 0)).await.unwrap();
    let (kept, _lost) = (staged(2).await, staged(2).await);
    assert_eq!(
        logs.collect(id(), &Nobody).await.unwrap().deleted,
        1,
        "the first attempt's"
    );
    ours.append(Intent::Commit(commit(2, 1, &[kept])))
        .await
        .unwrap();
    assert_eq!(
        logs.collect(id(), &Nobody).await.unwrap().deleted,
        1,
        "a lost task's"
    );
    assert_eq!(
        digest_of(&read_all(&ours).await.unwrap()),
        digest_of(&[rows(0..10)])
    );
}

#[tokio::test]
async fn what_a_job_that_has_ended_left_goes_after_the_grace() {
    let clock = Arc::new(Hand::default());
    clock.0.store(1_000_000, Ordering::Relaxed);
    let txns = at(&clock).await;
    let logs = &txns.logs;
    let ours = dataset(logs).await;
    let (run, job) = (
        flinkspark_model::log::LogId::of_job("w"),
        flinkspark_model::log::LogId::of_job("stream"),
    );
    ours.append(fence(1, 0)).await.unwrap();
    logs.job(job)
        .await
        .unwrap()
        .append(fence(1, 0))
        .await
        .unwrap();
    for owner in [run, job] {
        let spec = SegmentSpec {
            job: Some((owner, 1)),
            ..spec(0)
        };
        let mut writer = ours.stage(spec).await.unwrap();
        writer.write(&rows(0..10)).await.unwrap();
        writer.seal().await.unwrap();
    }
    let ended = Jobs {
        ended: vec![run, job],
        ..Jobs::default()
    };
    clock.0.fetch_add(GRACE_MS - 1, Ordering::Relaxed);
    assert_eq!(logs.collect(id(), &ended).await.unwrap().deleted, 0);
    clock.0.fetch_add(1, Ordering::Relaxed);
    assert_eq!(
        logs.collect(id(), &Nobody).await.unwrap().deleted,
        0,
        "they may go on"
    );
    assert_eq!(logs.collect(id(), &ended).await.unwrap().deleted, 2);
}

#[tokio::test]
async fn state_of_a_checkpoint_that_never_came_about_is_deleted_once_another_incarnation_owns_the_job()
 {
    let logs = memory().await;
    let id = flinkspark_model::log::LogId::of_job("j");
    let dead = logs.job(id).await.unwrap();
    dead.append(fence(1, 0)).await.unwrap();
    let listed = dead.stage_bytes(0, "listed".into()).await.unwrap();
    dead.append(Intent::Commit(commit(1, 1, std::slice::from_ref(&listed))))
        .await
        .unwrap();
    dead.stage_bytes(0, "lost".into()).await.unwrap();
    assert_eq!(logs.collect_job(id).await.unwrap().deleted, 0);
    let next = logs.job(id).await.unwrap();
    next.append(fence(2, 1)).await.unwrap();
    let fresh = next.stage_bytes(0, "fresh".into()).await.unwrap().segment;
    let collected = logs.collect_job(id).await.unwrap();
    assert_eq!((collected.kept, collected.deleted), (2, 1));
    assert_eq!(next.read_bytes(&fresh).await.unwrap().as_ref(), b"fresh");
    assert_eq!(
        next.read_bytes(&listed.segment).await.unwrap().as_ref(),
        b"listed"
    );
}

#[tokio::test]
async fn a_dropped_datasets_files_go_after_the_grace_and_a_living_ones_never() {
    let clock = Arc::new(Hand::default());
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let logs = logs_at(Arc::clone(&store), 1, Arc::clone(&clock))
        .await
        .unwrap();
    let ours = dataset(&logs).await;
    ours.append(fence(1, 0)).await.unwrap();
    super::super::tests::fixture::put(&ours, 1, rows(0..10))
        .await
        .unwrap();
    let record = |version| flinkspark_model::dataset::Dataset {
        id: id(),
        name: "d".parse().unwrap(),
        version,
        schema_version: 1,
        schema: super::super::tests::fixture::schema(),
        traits: Default::default(),
        handles: Vec::new(),
        created_at_ms: 0,
    };
    let leaving = logs.leave(&record(3)).await.unwrap();
    assert_eq!(leaving.until_ms, GRACE_MS);
    assert!(leaving.bytes > 0);
    let grave = logs.graves().await.unwrap().remove(0);
    assert_eq!((grave.version, grave.name.as_str()), (3, "d"));
    // A record that moved on was not dropped.
    assert_eq!(
        logs.collect_dropped(&grave, Some(4), false).await.unwrap(),
        Buried::Lives
    );
    assert!(logs.graves().await.unwrap().is_empty());
    clock.0.store(7, Ordering::Relaxed);
    logs.leave(&record(4)).await.unwrap();
    let grave = logs.graves().await.unwrap().remove(0);
    let waits = Buried::Waits {
        until_ms: GRACE_MS + 7,
    };
    assert_eq!(
        logs.collect_dropped(&grave, None, false).await.unwrap(),
        waits
    );
    clock.0.store(GRACE_MS + 7, Ordering::Relaxed);
    assert_eq!(
        logs.collect_dropped(&grave, None, true).await.unwrap(),
        waits,
        "a job reads it"
    );
    let gone = logs.collect_dropped(&grave, None, false).await.unwrap();
    assert!(matches!(gone, Buried::Gone { files: 3, .. }), "{gone:?}");
    assert_eq!(
        (
            files(&*store, "segments").await,
            files(&*store, "log").await
        ),
        (0, 0)
    );
    assert!(logs.graves().await.unwrap().is_empty());
}
