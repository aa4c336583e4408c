//! What every store does, run on each of them, and what none does when an operation fails.

use super::faulty::{Fault, Faulty};
use super::local::Local;
use super::local::simulated::{Break, Simulated};
use super::object::Objects;
use super::{Created, Key, Listed, Store};
use bytes::Bytes;
use flinkspark_model::Kind;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Opens the same objects again, as a new process would.
type Opener = Box<dyn Fn() -> BoxFuture<'static, Arc<dyn Store>>>;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn memory() -> Opener {
    let objects = Objects::memory();
    Box::new(move || {
        let objects = objects.clone();
        Box::pin(async move { Arc::new(objects) as Arc<dyn Store> })
    })
}

fn simulated(fs: &Simulated) -> Opener {
    let fs = fs.clone();
    Box::new(move || {
        let fs = fs.clone();
        Box::pin(async move {
            Arc::new(Local::on(Arc::new(fs), Path::new("/data")).await.unwrap()) as Arc<dyn Store>
        })
    })
}

fn disk(root: &Path) -> Opener {
    let root = root.to_path_buf();
    Box::new(move || {
        let root = root.clone();
        Box::pin(async move { Arc::new(Local::open(&root).await.unwrap()) as Arc<dyn Store> })
    })
}

fn faultless() -> Opener {
    let inner = memory();
    Box::new(move || {
        let inner = inner();
        Box::pin(async move {
            Arc::new(Faulty::new(inner.await, Box::new(|_| Fault::None))) as Arc<dyn Store>
        })
    })
}

async fn suite(open: Opener) {
    first_create_wins(&open).await;
    racing_creates_have_one_winner(&open).await;
    listings_are_sorted_and_one_level_deep(&open).await;
    staged_objects_appear_when_published(&open).await;
    deleting_is_idempotent(&open).await;
}

async fn first_create_wins(open: &Opener) {
    let (store, k) = (open().await, key("log/00000000000000000001.slot"));
    assert_eq!(store.read(&k).await.unwrap(), None);
    assert_eq!(store.create(&k, bytes("one")).await.unwrap(), Created::New);
    assert_eq!(
        store.create(&k, bytes("one")).await.unwrap(),
        Created::Exists(bytes("one"))
    );
    assert_eq!(
        store.create(&k, bytes("two")).await.unwrap(),
        Created::Exists(bytes("one"))
    );
    assert_eq!(store.read(&k).await.unwrap(), Some(bytes("one")));
    let again = open().await;
    assert_eq!(again.read(&k).await.unwrap(), Some(bytes("one")));
    assert_eq!(
        again.create(&k, bytes("two")).await.unwrap(),
        Created::Exists(bytes("one"))
    );
    let too_large = Bytes::from(vec![0; super::OBJECT_BYTES_MAX + 1]);
    assert_eq!(
        store
            .create(&key("large"), too_large)
            .await
            .unwrap_err()
            .code(),
        "FS1023"
    );
}

async fn racing_creates_have_one_winner(open: &Opener) {
    let store = open().await;
    let k = key("race/slot");
    let attempts = (0..16).map(|index| {
        let (store, k) = (Arc::clone(&store), k.clone());
        tokio::spawn(async move { store.create(&k, bytes(&index.to_string())).await.unwrap() })
    });
    let outcomes = futures::future::join_all(attempts).await;
    let won = outcomes
        .iter()
        .filter(|outcome| *outcome.as_ref().unwrap() == Created::New)
        .count();
    let there = store.read(&k).await.unwrap().unwrap();
    assert_eq!(won, 1);
    for outcome in outcomes {
        let outcome = outcome.unwrap();
        assert!(outcome == Created::New || outcome == Created::Exists(there.clone()));
    }
}

async fn listings_are_sorted_and_one_level_deep(open: &Opener) {
    let store = open().await;
    assert_eq!(store.list(&key("nothing/here")).await.unwrap(), []);
    for name in ["list/b", "list/a", "list/below/c", "listing"] {
        store.create(&key(name), bytes(name)).await.unwrap();
    }
    let names = |listed: Vec<Listed>| {
        listed
            .into_iter()
            .map(|one| (one.name, one.bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(store.list(&key("list")).await.unwrap()),
        [("a".into(), 6), ("b".into(), 6)]
    );
    assert_eq!(
        names(open().await.list(&key("list")).await.unwrap()),
        [("a".into(), 6), ("b".into(), 6)]
    );
}

async fn staged_objects_appear_when_published(open: &Opener) {
    let (store, k) = (open().await, key("segments/one.arrow"));
    let mut staging = store.stage(&k).await.unwrap();
    staging.append(bytes("hello ")).await.unwrap();
    staging.append(bytes("world")).await.unwrap();
    assert!(store.open(&k).await.unwrap().is_none());
    assert_eq!(store.list(&key("segments")).await.unwrap(), []);
    staging.publish().await.unwrap();
    let mut opened = open().await.open(&k).await.unwrap().unwrap();
    assert_eq!(opened.bytes, 11);
    let mut text = String::new();
    opened.content.seek(SeekFrom::Start(6)).unwrap();
    opened.content.read_to_string(&mut text).unwrap();
    assert_eq!(text, "world");

    let mut second = store.stage(&k).await.unwrap();
    second.append(bytes("over")).await.unwrap();
    assert_eq!(second.publish().await.unwrap_err().kind(), Kind::Internal);
    assert_eq!(store.read(&k).await.unwrap(), Some(bytes("hello world")));

    let mut dropped = store.stage(&key("segments/two.arrow")).await.unwrap();
    dropped.append(bytes("gone")).await.unwrap();
    drop(dropped);
    assert_eq!(store.list(&key("segments")).await.unwrap().len(), 1);
}

async fn deleting_is_idempotent(open: &Opener) {
    let (store, k) = (open().await, key("gone/object"));
    store.delete(&k).await.unwrap();
    store.create(&k, bytes("x")).await.unwrap();
    store.delete(&k).await.unwrap();
    store.delete(&k).await.unwrap();
    assert_eq!(store.read(&k).await.unwrap(), None);
    assert_eq!(store.list(&key("gone")).await.unwrap(), []);
}

#[tokio::test]
async fn memory_conforms() {
    suite(memory()).await;
}

#[tokio::test]
async fn a_local_disk_conforms() {
    let root = tempfile::tempdir().unwrap();
    suite(disk(&root.path().join("new/data"))).await;
    assert_eq!(
        std::fs::read_dir(root.path().join("new/data/.tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn a_simulated_disk_conforms() {
    suite(simulated(&Simulated::new())).await;
}

#[tokio::test]
async fn a_store_behind_faults_conforms_without_them() {
    suite(faultless()).await;
}

/// Creates and seals, remembering what was acknowledged and what may have happened.
async fn workload(store: &dyn Store) -> (BTreeMap<Key, Bytes>, BTreeMap<Key, Bytes>) {
    let (mut acknowledged, mut possible) = (BTreeMap::new(), BTreeMap::new());
    for index in 1..=3 {
        let (k, content) = (
            key(&format!("d/log/{index:020}.slot")),
            bytes(&format!("slot {index}")),
        );
        possible.insert(k.clone(), content.clone());
        if store.create(&k, content.clone()).await.is_ok() {
            acknowledged.insert(k, content);
        }
        let (k, content) = (
            key(&format!("d/segments/{index}.arrow")),
            bytes(&format!("segment {index}")),
        );
        possible.insert(k.clone(), content.clone());
        let sealed = async {
            let mut staging = store.stage(&k).await?;
            staging.append(content.clone()).await?;
            staging.publish().await
        };
        if sealed.await.is_ok() {
            acknowledged.insert(k, content);
        }
    }
    (acknowledged, possible)
}

/// Everything acknowledged is there; everything there is whole and was asked for.
async fn nothing_lost_nothing_torn(
    store: &dyn Store,
    parts: &(BTreeMap<Key, Bytes>, BTreeMap<Key, Bytes>),
) {
    for (k, content) in &parts.1 {
        let found = store.read(k).await.unwrap();
        assert!(
            found.is_none() || found.as_ref() == Some(content),
            "{k} is torn: {found:?}"
        );
        assert!(
            found.is_some() || !parts.0.contains_key(k),
            "{k} was acknowledged and is lost"
        );
    }
}

async fn every_operation(breaks: &[Break]) {
    let fs = Simulated::new();
    simulated(&fs)().await;
    workload(&*simulated(&fs)().await).await;
    let operations = fs.operations();
    for at in 0..operations {
        for fault in breaks {
            for seed in 0..3 {
                let fs = Simulated::new();
                let store = simulated(&fs)().await;
                let fault = *fault;
                fs.plan(move |index, _, _| if index == at { fault } else { Break::Nothing });
                let parts = workload(&*store).await;
                // What the process that goes on serves, it must still serve after power is lost.
                let mut served = BTreeMap::new();
                if !fs.is_dead() {
                    for k in parts.1.keys() {
                        if let Ok(Some(found)) = store.read(k).await {
                            served.insert(k.clone(), found);
                        }
                    }
                }
                drop(store);
                fs.restart(seed * 0x9e37_79b9 + at);
                let again = simulated(&fs)().await;
                nothing_lost_nothing_torn(&*again, &parts).await;
                nothing_lost_nothing_torn(&*again, &(served, parts.1.clone())).await;
                assert_eq!(fs.files_below("/data/.tmp"), 0, "temporaries are swept");
            }
        }
    }
    assert!(operations > 30, "the workload has {operations} operations");
}

#[tokio::test]
async fn power_may_go_before_or_after_every_operation() {
    every_operation(&[Break::PowerBefore, Break::PowerAfter]).await;
}

#[tokio::test]
async fn every_operation_may_fail() {
    every_operation(&[
        Break::Fails(ErrorKind::Other),
        Break::Fails(ErrorKind::StorageFull),
    ])
    .await;
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_nothing() {
    let fs = Simulated::new();
    let store = simulated(&fs)().await;
    store.create(&key("d/kept"), bytes("kept")).await.unwrap();
    fs.plan(|_, name, _| {
        if name == "append" {
            Break::Fails(ErrorKind::StorageFull)
        } else {
            Break::Nothing
        }
    });
    let error = store
        .create(&key("d/lost"), bytes("lost"))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS1001"));
    let mut staging = store.stage(&key("d/segment")).await.unwrap();
    assert_eq!(
        staging.append(bytes("x")).await.unwrap_err().code(),
        "FS1001"
    );
    assert_eq!(
        staging.publish().await.unwrap_err().kind(),
        Kind::Unavailable
    );
    assert_eq!(fs.files_below("/data/.tmp"), 0);
    fs.plan(|_, _, _| Break::Nothing);
    assert_eq!(store.read(&key("d/lost")).await.unwrap(), None);
    assert_eq!(
        store.create(&key("d/lost"), bytes("now")).await.unwrap(),
        Created::New
    );
    assert_eq!(
        store.read(&key("d/kept")).await.unwrap(),
        Some(bytes("kept"))
    );
}

#[tokio::test]
async fn a_directory_that_cannot_be_synced_poisons_the_store() {
    let fs = Simulated::new();
    let store = simulated(&fs)().await;
    store
        .create(&key("d/durable"), bytes("durable"))
        .await
        .unwrap();
    let sick = |_, name, path: &Path| {
        if name == "sync_dir" && path == Path::new("/data/d") {
            Break::Fails(ErrorKind::Other)
        } else {
            Break::Nothing
        }
    };
    fs.plan(sick);
    assert_eq!(
        store
            .create(&key("d/doubtful"), bytes("x"))
            .await
            .unwrap_err()
            .kind(),
        Kind::InDoubt
    );
    fs.plan(|_, _, _| Break::Nothing);
    // The name is there but not durable, and a sync that succeeds now proves nothing.
    assert!(fs.has_name("/data/d/doubtful"));
    assert_eq!(store.read(&key("d/doubtful")).await.unwrap(), None);
    let names: Vec<String> = store
        .list(&key("d"))
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names, ["durable"]);
    for error in [
        store.create(&key("d/next"), bytes("x")).await.unwrap_err(),
        store.create(&key("e/next"), bytes("x")).await.unwrap_err(),
        store.stage(&key("d/segment")).await.err().unwrap(),
        store.delete(&key("d/durable")).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS1002"));
    }
    assert_eq!(
        store.read(&key("d/durable")).await.unwrap(),
        Some(bytes("durable"))
    );
    let again = simulated(&fs)().await;
    assert_eq!(
        again.create(&key("d/doubtful"), bytes("x")).await.unwrap(),
        Created::Exists(bytes("x"))
    );
}

/// Rows of what must hold while one sort of operation fails, and after it works again.
async fn goes_on_after(operation: &'static str, fault: Break) {
    let what = format!("{operation}: {fault:?}");
    let fs = Simulated::new();
    let store = Local::on(Arc::new(fs.clone()), Path::new("/data"))
        .await
        .unwrap();
    store.create(&key("d/kept"), bytes("kept")).await.unwrap();
    fs.plan(move |_, name, _| {
        if name == operation {
            fault
        } else {
            Break::Nothing
        }
    });
    let mut doubtful = Vec::new();
    for name in ["d/one", "new/two"] {
        let failed = store.create(&key(name), bytes(name)).await.map(drop);
        doubtful.push((name, failed));
    }
    let failed = async {
        let mut staging = store.stage(&key("d/segment")).await?;
        staging.append(bytes("x")).await?;
        staging.publish().await
    };
    let sealed = failed.await;
    let scarce = fault != Break::Fails(ErrorKind::Other);
    assert!(
        !scarce || store.poisoned().is_none(),
        "{what}: poisoned by what may pass"
    );
    fs.plan(|_, _, _| Break::Nothing);
    store
        .reopen()
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(store.poisoned().is_none(), "{what}");
    for (name, outcome) in doubtful {
        let again = store.create(&key(name), bytes(name)).await;
        let again = again.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(
            outcome.is_err() || again != Created::New,
            "{what}: {name} is lost"
        );
    }
    if sealed.is_ok() {
        assert_eq!(
            store.read(&key("d/segment")).await.unwrap(),
            Some(bytes("x")),
            "{what}"
        );
    }
    assert_eq!(
        store.read(&key("d/kept")).await.unwrap(),
        Some(bytes("kept")),
        "{what}"
    );
    // All that is acknowledged by now outlives a loss of power.
    drop(store);
    for seed in 0..8 {
        fs.restart(seed);
        let again = simulated(&fs)().await;
        for (name, content) in [
            ("d/one", "d/one"),
            ("new/two", "new/two"),
            ("d/kept", "kept"),
        ] {
            assert_eq!(
                again.read(&key(name)).await.unwrap(),
                Some(bytes(content)),
                "{what}"
            );
        }
        let names = again.list(&key("d")).await.unwrap();
        assert!(names.iter().all(|one| !one.name.starts_with('.')), "{what}");
    }
}

#[tokio::test]
async fn a_disk_that_runs_out_and_comes_back_is_gone_on_with() {
    let mut faults: Vec<Break> = [
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::Other,
    ]
    .map(Break::Fails)
    .into();
    // EMFILE, ENFILE, ENOMEM
    faults.extend([24, 23, 12].map(Break::Errno));
    for fault in faults {
        for operation in [
            "create",
            "append",
            "sync",
            "link",
            "sync_dir",
            "sync_file",
            "make_dir",
            "open",
            "list",
            "remove",
        ] {
            goes_on_after(operation, fault).await;
        }
    }
}

#[tokio::test]
async fn running_out_of_descriptors_is_named_and_poisons_nothing() {
    let fs = Simulated::new();
    let store = Local::on(Arc::new(fs.clone()), Path::new("/data"))
        .await
        .unwrap();
    fs.plan(|_, name, _| {
        if name == "create" {
            Break::Errno(24)
        } else {
            Break::Nothing
        }
    });
    let error = store.create(&key("d/x"), bytes("x")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS1051"));
    fs.plan(|_, name, _| {
        if name == "sync_dir" {
            Break::Errno(24)
        } else {
            Break::Nothing
        }
    });
    // The name is there already: whether it lasts is found out by the same create.
    let doubtful = store.create(&key("d/y"), bytes("y")).await.unwrap_err();
    assert_eq!(
        (doubtful.kind(), doubtful.code()),
        (Kind::InDoubt, "FS1003")
    );
    let refused = store.create(&key("e/y"), bytes("y")).await.unwrap_err();
    assert_eq!(refused.code(), "FS1051");
    assert!(store.poisoned().is_none());
    fs.plan(|_, _, _| Break::Nothing);
    assert_eq!(
        store.create(&key("d/y"), bytes("y")).await.unwrap(),
        Created::Exists(bytes("y"))
    );
    assert_eq!(
        store.create(&key("e/y"), bytes("y")).await.unwrap(),
        Created::New
    );
}

#[tokio::test]
async fn a_poisoned_store_goes_on_when_new_names_can_be_synced_and_not_before() {
    let fs = Simulated::new();
    let store = Local::on(Arc::new(fs.clone()), Path::new("/data"))
        .await
        .unwrap();
    store.create(&key("d/kept"), bytes("kept")).await.unwrap();
    let sick = |_, name, path: &Path| {
        if name == "sync_dir" && path == Path::new("/data/d") {
            Break::Fails(ErrorKind::Other)
        } else {
            Break::Nothing
        }
    };
    fs.plan(sick);
    let doubtful = store.create(&key("d/doubtful"), bytes("x")).await;
    assert_eq!(doubtful.unwrap_err().kind(), Kind::InDoubt);
    assert_eq!(store.poisoned().unwrap().code(), "FS1002");
    assert!(store.reopen().await.is_err(), "the disk is still sick");
    assert_eq!(
        store
            .create(&key("e/x"), bytes("x"))
            .await
            .unwrap_err()
            .code(),
        "FS1002"
    );
    fs.plan(|_, _, _| Break::Nothing);
    store.reopen().await.unwrap();
    assert_eq!(
        store.create(&key("d/doubtful"), bytes("x")).await.unwrap(),
        Created::Exists(bytes("x"))
    );
    store.create(&key("d/next"), bytes("next")).await.unwrap();
    for seed in 0..8 {
        fs.restart(seed);
        for name in ["kept", "doubtful", "next"] {
            assert!(fs.has_name(&format!("/data/d/{name}")));
        }
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_synced_on_open_is_not_served() {
    let fs = Simulated::new();
    simulated(&fs)()
        .await
        .create(&key("d/one"), bytes("one"))
        .await
        .unwrap();
    let store = simulated(&fs)().await;
    fs.plan(|_, name, path| {
        if name == "sync_dir" && path == Path::new("/data/d") {
            Break::Fails(ErrorKind::Other)
        } else {
            Break::Nothing
        }
    });
    assert_eq!(
        store.read(&key("d/one")).await.unwrap_err().code(),
        "FS1002"
    );
    assert_eq!(store.list(&key("d")).await.unwrap_err().code(), "FS1002");
}

#[tokio::test]
async fn equal_content_is_synced_before_it_is_acknowledged() {
    let fs = Simulated::new();
    let store = simulated(&fs)().await;
    fs.plan(|_, name, _| {
        if name == "sync_dir" {
            Break::Fails(ErrorKind::Other)
        } else {
            Break::Nothing
        }
    });
    assert!(store.create(&key("one"), bytes("one")).await.is_err());
    fs.plan(|_, _, _| Break::Nothing);
    let again = simulated(&fs)().await;
    assert_eq!(
        again.create(&key("one"), bytes("one")).await.unwrap(),
        Created::Exists(bytes("one"))
    );
    fs.restart(0);
    fs.restart(u64::MAX);
    assert_eq!(
        simulated(&fs)().await.read(&key("one")).await.unwrap(),
        Some(bytes("one"))
    );
}

#[tokio::test]
async fn a_name_that_another_incarnation_has_not_synced_is_synced_before_it_is_served() {
    let fs = Simulated::new();
    let reader = simulated(&fs)().await;
    let writer = simulated(&fs)().await;
    reader
        .create(&key("d/first"), bytes("first"))
        .await
        .unwrap();
    writer
        .create(&key("d/second"), bytes("second"))
        .await
        .unwrap();
    // Its temporary is still there when the response is lost between the link and the sync.
    fs.plan(|_, name, _| {
        if name == "sync_dir" {
            Break::Fails(ErrorKind::Other)
        } else {
            Break::Nothing
        }
    });
    assert_eq!(
        writer
            .create(&key("d/third"), bytes("third"))
            .await
            .unwrap_err()
            .kind(),
        Kind::InDoubt
    );
    fs.plan(|_, _, _| Break::Nothing);
    assert_eq!(
        reader.read(&key("d/third")).await.unwrap(),
        Some(bytes("third"))
    );
    for seed in 0..8 {
        fs.restart(seed);
        assert!(fs.has_name("/data/d/third"));
    }
}

#[tokio::test]
async fn faults_are_reported_as_what_they_are() {
    for (fault, kind, there) in [
        (Fault::Refused, Kind::Unavailable, false),
        (Fault::Lost, Kind::InDoubt, false),
        (Fault::ResponseLost, Kind::InDoubt, true),
        (Fault::Late, Kind::InDoubt, false),
    ] {
        let inner = memory()().await;
        let store = Faulty::new(
            Arc::clone(&inner),
            Box::new(move |index| if index == 0 { fault } else { Fault::None }),
        );
        assert_eq!(
            store
                .create(&key("k"), bytes("v"))
                .await
                .unwrap_err()
                .kind(),
            kind,
            "{fault:?}"
        );
        assert_eq!(
            inner.read(&key("k")).await.unwrap().is_some(),
            there,
            "{fault:?}"
        );
        if fault == Fault::Late {
            store.read(&key("other")).await.unwrap();
            assert_eq!(
                store.read(&key("k")).await.unwrap(),
                Some(bytes("v")),
                "it lands later"
            );
        }
    }
}
