//! Transactions and garbage.

use super::*;
use crate::store::Store;
use crate::store::object::Objects;
use crate::store::tests::fixture::*;
use arrow_array::RecordBatch;
use flinkspark_model::log::Manifest;
use flinkspark_model::port::{Dataset, Datasets, Log, ReadOptions, SegmentSpec};
use flinkspark_model::position::Position;
use futures::TryStreamExt;
use std::sync::atomic::Ordering;

fn begin(key: Option<&str>) -> Begin {
    Begin {
        dataset: id(),
        schema: schema(),
        key: key.map(Into::into),
        mode: Mode::Append,
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
        after.status(txn).await.unwrap(),
        Status::Open { .. }
    ));
    let first = after.commit(txn, with(&receipts)).await.unwrap();
    for txns in [&txns, &after] {
        let again = txns.commit(txn, with(&receipts)).await.unwrap();
        assert_eq!((again.slot, again.replayed), (first.slot, true));
        let Status::Committed {
            slot, rows, digest, ..
        } = txns.status(txn).await.unwrap()
        else {
            panic!()
        };
        assert_eq!((slot, rows), (first.slot, 30));
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
    let collected = txns.logs.collect(id()).await.unwrap();
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
        matches!(third.status, Status::Committed { rows: 10, .. }),
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
    assert_eq!((again.slot, again.replayed), (first.slot, true));
    let read = read_all(&dataset(&txns.logs).await).await.unwrap();
    assert_eq!(digest_of(&read), digest_of(&[rows(100..110), rows(50..60)]));
    let collected = txns.logs.collect(id()).await.unwrap();
    assert_eq!(
        (collected.kept, collected.deleted),
        (4, 0),
        "replaced segments go by retention"
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
    assert_eq!(txns.logs.collect(id()).await.unwrap().deleted, 0);

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
    assert_eq!(txns.logs.collect(id()).await.unwrap().deleted, 1);
    assert_eq!(total_rows(&txns.logs).await, 0);
    assert!(matches!(
        txns.status(txn).await.unwrap(),
        Status::Aborted { .. }
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
    assert_eq!(txns.live(id()).await.unwrap(), []);

    let left = txns.begin(begin(None)).await.unwrap().txn;
    clock.0.store(lease * 5, Ordering::Relaxed);
    let after = Transactions::new(logs_at(store, 2, Arc::clone(&clock)).await.unwrap());
    assert_eq!(
        after.live(id()).await.unwrap(),
        [(left, lease * 6)],
        "a restart gives everybody a lease"
    );
}

#[tokio::test]
async fn a_transaction_that_never_was_is_invalid() {
    let txns = Transactions::new(memory().await);
    let known = txns.begin(begin(None)).await.unwrap().txn;
    let unknown: TxnId = known
        .to_string()
        .replace(&known.txn.id.simple().to_string(), &"0".repeat(32))
        .parse()
        .unwrap();
    for error in [
        txns.status(unknown).await.unwrap_err(),
        txns.abort(unknown).await.unwrap_err(),
        txns.commit(unknown, with(&[])).await.unwrap_err(),
        txns.stage(unknown, 0, 0).await.err().unwrap(),
        "nonsense".parse::<TxnId>().unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS1013"));
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
async fn open_transactions_have_a_limit() {
    let txns = Transactions::new(memory().await);
    for _ in 0..TRANSACTIONS_OPEN_MAX {
        txns.begin(begin(None)).await.unwrap();
    }
    let error = txns.begin(begin(None)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS1018"));
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
        logs.collect(id()).await.unwrap().deleted,
        0,
        "the generation that staged it may still commit it"
    );
    job.append(fence(2, 1)).await.unwrap();
    let collected = logs.collect(id()).await.unwrap();
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
async fn the_service_passes_on_the_id_that_came_back() {
    use crate::flight::{self, State};
    let txns: Arc<dyn flight::Transactions> = Arc::new(Transactions::new(memory().await));
    let dataset = Arc::new(flinkspark_model::dataset::Dataset {
        id: id(),
        name: "d".parse().unwrap(),
        version: 1,
        schema_version: 1,
        schema: super::super::tests::fixture::schema(),
        traits: Default::default(),
        handles: Vec::new(),
        created_at_ms: 0,
    });
    let wanted = flight::Begin {
        dataset,
        id: Some("mine".into()),
        mode: flight::Mode::Replace,
    };
    let begun = txns.begin(wanted.clone()).await.unwrap();
    assert!(matches!(begun.state, State::Open { .. }) && !begun.replayed);
    let mut writer = txns.stage(&begun.txn, 0, 0).await.unwrap();
    writer.write(&rows(0..10)).await.unwrap();
    let receipt = writer.seal().await.unwrap();
    let done = txns
        .commit(&begun.txn, vec![receipt.clone()])
        .await
        .unwrap();
    assert!(matches!(done.state, State::Committed { rows: 10, .. }) && !done.replayed);
    let again = txns.commit(&begun.txn, vec![receipt]).await.unwrap();
    assert_eq!(
        (again.state, again.replayed, again.mode),
        (done.state, true, Some(flight::Mode::Replace))
    );
    assert_eq!(
        txns.begin(wanted).await.unwrap(),
        flight::Transaction {
            replayed: true,
            ..done
        }
    );
    assert_eq!(txns.status("x").await.unwrap_err().code(), "FS1013");
}
