//! The log's driver.

use super::fixture::*;
use crate::store::faulty::{Fault, Faulty};
use crate::store::local::Local;
use crate::store::object::Objects;
use crate::store::{DOUBT_ATTEMPTS_MAX, Key, Store};
use bytes::Bytes;
use flinkspark_model::Kind;
use flinkspark_model::log::{Intent, LogId, SlotRecord};
use flinkspark_model::port::{Datasets, Log};
use std::sync::Arc;
use uuid::Uuid;

fn slot_key(slot: u64) -> Key {
    Key::new(&format!("datasets/{}/log/{slot:020}.slot", id())).unwrap()
}

#[tokio::test]
async fn a_new_log_is_empty() {
    let dataset = dataset(&memory().await).await;
    assert_eq!(dataset.refresh().await.unwrap().head(), 0);
    assert_eq!(dataset.slot(0).await.unwrap_err().code(), "FS1011");
    assert_eq!(dataset.slot(1).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn commits_survive_a_restart() {
    let root = tempfile::tempdir().unwrap();
    {
        let dataset = dataset(&local(root.path(), 1).await).await;
        dataset.append(fence(1, 0)).await.unwrap();
        for n in 1..=40 {
            assert_eq!(put(&dataset, n, rows(0..10)).await.unwrap().slot, n + 1);
        }
    }
    let dataset = dataset(&local(root.path(), 2).await).await;
    let view = dataset.refresh().await.unwrap();
    assert_eq!((view.head(), view.totals().0), (41, 400));
    assert_eq!(dataset.slot(41).await.unwrap().slot, 41);
}

#[tokio::test]
async fn a_repeated_commit_is_a_replay_and_other_offsets_are_a_conflict() {
    let dataset = dataset(&memory().await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    let receipt = seal(&dataset, 0, &[rows(0..10)]).await.unwrap();
    let mut wanted = commit(1, 1, &[receipt]);
    let first = dataset
        .append(Intent::Commit(wanted.clone()))
        .await
        .unwrap();
    assert!(!first.replayed);
    let again = dataset
        .append(Intent::Commit(wanted.clone()))
        .await
        .unwrap();
    assert_eq!(
        (again.slot, again.replayed, again.same_rows),
        (first.slot, true, true)
    );
    wanted.source_offsets = flinkspark_model::log::SourceOffsets::of("in", "elsewhere");
    assert_eq!(
        dataset
            .append(Intent::Commit(wanted))
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
    assert_eq!(dataset.refresh().await.unwrap().head(), 2);
}

#[tokio::test]
async fn two_processes_share_one_history() {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let (a, b) = (
        logs_on(Arc::clone(&store), 1).await.unwrap(),
        logs_on(store, 2).await.unwrap(),
    );
    let (a, b) = (dataset(&a).await, dataset(&b).await);
    a.append(fence(1, 0)).await.unwrap();
    put(&a, 1, rows(0..10)).await.unwrap();
    b.append(fence(2, 1)).await.unwrap();
    assert_eq!(
        put(&a, 2, rows(10..20)).await.unwrap_err().kind(),
        Kind::Fenced
    );
    let receipt = seal(&b, 0, &[rows(10..20)]).await.unwrap();
    b.append(Intent::Commit(commit(2, 2, &[receipt])))
        .await
        .unwrap();
    assert_eq!(
        digest_of(&read_all(&a).await.unwrap()),
        digest_of(&[rows(0..20)])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_race_all_commit_once() {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let mut tasks = Vec::new();
    for writer in 0..4_u64 {
        let logs = logs_on(Arc::clone(&store), writer).await.unwrap();
        tasks.push(tokio::spawn(async move {
            let dataset = dataset(&logs).await;
            let name = format!("writer {writer}");
            for n in 0..=10 {
                let intent = match n {
                    0 => Intent::Fence {
                        writer: name.as_str().into(),
                        generation: 1,
                        restored: 0,
                        rewind: false,
                        drops: false,
                        incarnation: name.clone(),
                    },
                    n => {
                        let mut wanted =
                            commit(1, n, &[seal(&dataset, 0, &[rows(0..1)]).await.unwrap()]);
                        wanted.writer = name.as_str().into();
                        Intent::Commit(wanted)
                    }
                };
                dataset.append(intent).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let view = dataset(&logs_on(store, 9).await.unwrap())
        .await
        .refresh()
        .await
        .unwrap();
    assert_eq!((view.head(), view.totals().0), (44, 40));
}

#[tokio::test]
async fn a_lost_response_ends_well_and_doubles_nothing() {
    for fault in [Fault::Lost, Fault::ResponseLost, Fault::Late] {
        for at in 0..13 {
            let inner: Arc<dyn Store> = Arc::new(Objects::memory());
            logs_on(Arc::clone(&inner), 1).await.unwrap();
            let faulty = Faulty::new(
                Arc::clone(&inner),
                Box::new(move |index| if index == at { fault } else { Fault::None }),
            );
            let logs = logs_on(Arc::new(faulty), 1).await;
            if let Ok(logs) = logs
                && let Ok(dataset) = logs.open_dataset(id(), schema()).await
            {
                // A fence that failed before it was sent may be asked for again.
                if dataset.append(fence(1, 0)).await.is_err() {
                    dataset.append(fence(1, 0)).await.unwrap();
                }
                if put(&dataset, 1, rows(0..10)).await.is_err() {
                    put(&dataset, 1, rows(0..10)).await.unwrap();
                }
            }
            let fresh = dataset(&logs_on(inner, 2).await.unwrap()).await;
            let view = fresh.refresh().await.unwrap();
            assert!(
                view.head() == 2 && view.totals().0 == 10 || at < 4,
                "{fault:?} at {at}: head {}",
                view.head()
            );
        }
    }
}

#[tokio::test]
async fn a_store_that_stays_silent_leaves_the_commit_in_doubt() {
    let inner: Arc<dyn Store> = Arc::new(Objects::memory());
    let dataset_before = dataset(&logs_on(Arc::clone(&inner), 1).await.unwrap()).await;
    dataset_before.append(fence(1, 0)).await.unwrap();
    let receipt = seal(&dataset_before, 0, &[rows(0..10)]).await.unwrap();
    let silent = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = Arc::clone(&silent);
    let faulty = Faulty::new(
        inner,
        Box::new(move |_| {
            if switch.load(std::sync::atomic::Ordering::Relaxed) {
                Fault::Lost
            } else {
                Fault::None
            }
        }),
    );
    let dataset = dataset(&logs_on(Arc::new(faulty.clone()), 1).await.unwrap()).await;
    dataset.refresh().await.unwrap();
    let before = faulty.operations();
    // Reads go on, creates get no answer.
    let intent = Intent::Commit(commit(1, 1, &[receipt]));
    let silence = async {
        tokio::task::yield_now().await;
        silent.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let (outcome, ()) = tokio::join!(dataset.append(intent.clone()), silence);
    match outcome {
        // The probe of the tail failed: nothing was attempted.
        Err(error) if error.kind() == Kind::Unavailable => assert!(faulty.operations() > before),
        Err(error) => {
            assert_eq!((error.kind(), error.code()), (Kind::InDoubt, "FS1003"));
            assert!(faulty.operations() - before >= u64::from(DOUBT_ATTEMPTS_MAX));
        }
        Ok(appended) => assert_eq!(appended.slot, 2),
    }
    silent.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(
        dataset.append(intent).await.unwrap().slot,
        2,
        "the same again finds out"
    );
}

#[tokio::test]
async fn a_gap_in_the_log_is_refused() {
    let root = tempfile::tempdir().unwrap();
    {
        let dataset = dataset(&local(root.path(), 1).await).await;
        dataset.append(fence(1, 0)).await.unwrap();
        put(&dataset, 1, rows(0..1)).await.unwrap();
        put(&dataset, 2, rows(1..2)).await.unwrap();
    }
    std::fs::remove_file(root.path().join(slot_key(2).as_str())).unwrap();
    let error = local(root.path(), 2)
        .await
        .open_dataset(id(), schema())
        .await
        .err()
        .unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS1017"));
    assert!(error.message().contains("slot 2"), "{error}");
}

#[tokio::test]
async fn a_torn_slot_and_a_slot_of_another_log_are_refused() {
    let store: Arc<dyn Store> = Arc::new(Objects::memory());
    let record = {
        let dataset = dataset(&logs_on(Arc::clone(&store), 1).await.unwrap()).await;
        dataset.append(fence(1, 0)).await.unwrap();
        dataset.slot(1).await.unwrap()
    };
    for (bytes, code) in [
        (record.encode().unwrap()[..40].to_vec(), "FS0203"),
        (
            SlotRecord {
                log: LogId(Uuid::from_u128(7)),
                slot: 2,
                ..record.clone()
            }
            .encode()
            .unwrap(),
            "FS1016",
        ),
        (
            SlotRecord {
                slot: 3,
                ..record.clone()
            }
            .encode()
            .unwrap(),
            "FS1016",
        ),
    ] {
        store.delete(&slot_key(2)).await.unwrap();
        store
            .create(&slot_key(2), Bytes::from(bytes))
            .await
            .unwrap();
        let error = logs_on(Arc::clone(&store), 2)
            .await
            .unwrap()
            .open_dataset(id(), schema())
            .await
            .err()
            .unwrap();
        assert_eq!((error.kind(), error.code()), (Kind::Data, code));
        assert!(error.detail().unwrap().contains("slot 2"), "{error}");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_the_commit_and_loses_nothing() {
    use crate::store::local::simulated::{Break, Simulated};
    let fs = Simulated::new();
    let store = Local::on(Arc::new(fs.clone()), std::path::Path::new("/data"))
        .await
        .unwrap();
    let dataset = dataset(&logs_on(Arc::new(store), 1).await.unwrap()).await;
    dataset.append(fence(1, 0)).await.unwrap();
    put(&dataset, 1, rows(0..10)).await.unwrap();
    let receipt = seal(&dataset, 0, &[rows(10..20)]).await.unwrap();
    fs.plan(|_, name, _| match name {
        "append" => Break::Fails(std::io::ErrorKind::StorageFull),
        _ => Break::Nothing,
    });
    let intent = Intent::Commit(commit(1, 2, &[receipt]));
    let error = dataset.append(intent.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS1001"));
    assert_eq!(
        seal(&dataset, 0, &[rows(0..1)]).await.unwrap_err().code(),
        "FS1001"
    );
    assert_eq!(
        digest_of(&read_all(&dataset).await.unwrap()),
        digest_of(&[rows(0..10)])
    );
    fs.plan(|_, _, _| Break::Nothing);
    dataset.append(intent).await.unwrap();
    assert_eq!(
        digest_of(&read_all(&dataset).await.unwrap()),
        digest_of(&[rows(0..20)])
    );
}

#[tokio::test]
async fn a_job_has_a_log_and_state_of_its_own() {
    let logs = memory().await;
    let id = LogId(Uuid::from_u128(5));
    let job = logs.job(id).await.unwrap();
    job.append(fence(1, 0)).await.unwrap();
    let receipt = job
        .stage_bytes(3, Bytes::from_static(b"state"))
        .await
        .unwrap();
    logs.signer().verify_receipt(id, &receipt).unwrap();
    assert_eq!(
        (
            receipt.segment.rows,
            receipt.segment.bytes,
            receipt.segment.partition
        ),
        (1, 5, 3)
    );
    let again = logs.job(id).await.unwrap();
    assert_eq!(again.refresh().await.unwrap().head(), 1);
    assert_eq!(
        again.read_bytes(&receipt.segment).await.unwrap(),
        Bytes::from_static(b"state")
    );
    let mut other = receipt.segment.clone();
    other.digest.sum ^= 1;
    assert_eq!(
        again.read_bytes(&other).await.unwrap_err().kind(),
        Kind::Data
    );
    other.name = "s-00000000000000000000000000000000".into();
    assert_eq!(again.read_bytes(&other).await.unwrap_err().code(), "FS1005");
}

#[tokio::test]
async fn the_key_is_made_once_and_a_damaged_one_gives_and_takes_no_receipt() {
    let root = tempfile::tempdir().unwrap();
    let signature = local(root.path(), 1).await.signer().sign("test", b"x");
    let again = local(root.path(), 2).await;
    assert!(again.signer().verify("test", b"x", &signature));
    assert!(!again.signer().verify("other", b"x", &signature));
    assert!(!again.signer().verify("test", b"y", &signature));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(root.path().join("key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let receipt = {
        let dataset = dataset(&again).await;
        dataset.append(fence(1, 0)).await.unwrap();
        put(&dataset, 1, rows(0..10)).await.unwrap();
        seal(&dataset, 0, &[rows(0..10)]).await.unwrap()
    };
    let (key, check) = (root.path().join("key"), root.path().join("key-check"));
    let (key_bytes, check_bytes) = (std::fs::read(&key).unwrap(), std::fs::read(&check).unwrap());
    let mut flipped = key_bytes.clone();
    flipped[7] ^= 1;
    // Each start has entropy of its own, so that no two of them stage under one name.
    let damages = [
        ("short", Some(&b"short"[..])),
        ("flipped", Some(&flipped)),
        ("empty", Some(b"")),
        ("gone", None),
    ];
    for (seed, (what, damage)) in (3..).zip(damages) {
        match damage {
            Some(bytes) => std::fs::write(&key, bytes).unwrap(),
            None => std::fs::remove_file(&key).unwrap(),
        }
        let logs = local(root.path(), seed).await;
        assert_eq!(logs.signer().damage().unwrap().code(), "FS1012", "{what}");
        let dataset = dataset(&logs).await;
        assert_eq!(read_all(&dataset).await.unwrap().len(), 1, "{what}");
        let refused = seal(&dataset, 0, &[rows(0..10)]).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.code()),
            (Kind::Data, "FS1012"),
            "{what}"
        );
        let refused = logs
            .signer()
            .verify_receipt(LogId(id().0), &receipt)
            .unwrap_err();
        assert_eq!(refused.code(), "FS1012", "{what}");
    }
    std::fs::write(&key, &key_bytes).unwrap();
    // What shows that the key is whole is made anew where it is damaged itself, or was never there.
    for bytes in [Some(&check_bytes[1..]), Some(b""), None] {
        match bytes {
            Some(bytes) => std::fs::write(&check, bytes).unwrap(),
            None => std::fs::remove_file(&check).unwrap(),
        }
        let logs = local(root.path(), 4).await;
        assert_eq!(logs.signer().damage(), None);
        logs.signer()
            .verify_receipt(LogId(id().0), &receipt)
            .unwrap();
        assert_eq!(std::fs::read(&check).unwrap(), check_bytes);
    }
}
