//! Every operation of the disk fails once; every cut of the journal beside its sled.

use super::*;
use flinkspark_model::Kind;
use flinkspark_model::port::{Change, EventKind};
use std::fs;

/// Changes of every sort. Returns how many were acknowledged and the first error.
async fn scenario(catalogue: &Catalogue) -> (u64, Option<flinkspark_model::Error>) {
    let steps = async {
        let a = catalogue.register(registration("a")).await?;
        catalogue.advance(a.id, 1, 10, None).await?;
        let wide = Registration {
            schema: wide_schema(1000),
            ..registration("wide")
        };
        let wide = catalogue.register(wide).await?;
        catalogue
            .update(wide.id, 1, Change::Rename("wider".parse().unwrap()))
            .await?;
        catalogue.drop_dataset(a.id, 1).await
    };
    let error = steps.await.err();
    (catalogue.sequence(), error)
}

#[test]
fn whichever_operation_fails_for_good_nothing_acknowledged_is_lost_and_nothing_follows_it() {
    let total = {
        let dir = tempfile::tempdir().unwrap();
        let disk = FailingDisk::from_operation(usize::MAX, Duration::ZERO);
        let catalogue = open_on(&in_memory(dir.path()), Arc::new(disk.clone())).unwrap();
        assert_eq!(block_on(scenario(&catalogue)), (5, None));
        disk.operations()
    };
    for fail_from in 0..total {
        let dir = tempfile::tempdir().unwrap();
        let disk = FailingDisk::from_operation(fail_from, Duration::ZERO);
        let acknowledged = match open_on(&in_memory(dir.path()), Arc::new(disk)) {
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.code()),
                    (Kind::Unavailable, "FS0222"),
                    "operation {fail_from}"
                );
                0
            }
            Ok(catalogue) => block_on(async {
                let (acknowledged, error) = scenario(&catalogue).await;
                let error = error.expect("an operation failed");
                assert!(
                    ["FS0505", "FS0222"].contains(&error.code()),
                    "operation {fail_from}: {error}"
                );
                let refused = catalogue.register(registration("later")).await.unwrap_err();
                assert!(
                    matches!(refused.kind(), Kind::Unavailable | Kind::InDoubt),
                    "{refused}"
                );
                acknowledged
            }),
        };
        let catalogue = open(&in_memory(dir.path())).unwrap();
        let kept = catalogue.sequence();
        assert!(
            kept == acknowledged || kept == acknowledged + 1,
            "operation {fail_from}: {kept} of {acknowledged}"
        );
        assert_eq!(block_on(history(&catalogue)).len() as u64, kept);
    }
    println!("{total} operations, each failed once");
}

#[test]
fn every_cut_of_the_journal_beside_its_index_is_a_typed_error() {
    let pristine = tempfile::tempdir().unwrap();
    let catalogue = open(&with_sled(pristine.path())).unwrap();
    block_on(async {
        for name in ["a", "b", "c"] {
            catalogue.register(registration(name)).await.unwrap();
        }
    });
    drop(catalogue);
    let journal = fs::read(pristine.path().join("journal")).unwrap();
    let mut boundaries = vec![64];
    while let Some(length) = journal
        .get(boundaries[boundaries.len() - 1]..)
        .filter(|rest| !rest.is_empty())
    {
        let length = u32::from_le_bytes(length[..4].try_into().unwrap()) as usize;
        boundaries.push(boundaries[boundaries.len() - 1] + 24 + length);
    }
    assert_eq!(
        (boundaries.len(), boundaries.last()),
        (4, Some(&journal.len()))
    );
    boundaries.pop();
    for cut in boundaries
        .iter()
        .flat_map(|at| [at - 1, *at, at + 1, at + 30])
    {
        for with_marks in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            copy_dir(pristine.path(), dir.path());
            let mut bytes = journal[..cut].to_vec();
            if !with_marks && cut >= 64 {
                // The journal's own marks as of its creation: only sled knows of the three changes.
                let identity: [u8; 16] = bytes[20..36].try_into().unwrap();
                bytes[..64].copy_from_slice(&crate::journal::fresh_header(identity));
            }
            fs::write(dir.path().join("journal"), &bytes).unwrap();
            let error = open(&with_sled(dir.path())).err().expect("loss is noticed");
            assert_eq!(error.kind(), Kind::Data, "cut at {cut}: {error}");
            assert_eq!(
                fs::read(dir.path().join("journal")).unwrap(),
                bytes,
                "nothing was cut"
            );
        }
    }
}

#[test]
fn a_flipped_byte_of_the_journal_beside_its_index_is_harmless_or_a_typed_error() {
    let pristine = tempfile::tempdir().unwrap();
    let catalogue = open(&with_sled(pristine.path())).unwrap();
    block_on(catalogue.register(registration("a"))).unwrap();
    block_on(catalogue.register(registration("b"))).unwrap();
    drop(catalogue);
    let journal = fs::read(pristine.path().join("journal")).unwrap();
    for at in (0..64).chain((64..journal.len()).step_by(37)) {
        let mut bytes = journal.clone();
        bytes[at] ^= 0xff;
        fs::write(pristine.path().join("journal"), &bytes).unwrap();
        match open(&with_sled(pristine.path())) {
            Err(error) => assert!(
                ["FS0502", "FS0503"].contains(&error.code()),
                "byte {at}: {error}"
            ),
            Ok(catalogue) => assert_eq!(block_on(history(&catalogue)).len(), 2, "byte {at}"),
        }
    }
}

#[test]
fn a_record_of_a_newer_version_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let journal = crate::journal::Unread::create(&LocalDisk, dir.path(), [1; 16]).unwrap();
    fs::create_dir(dir.path().join("blobs")).unwrap();
    let payload = br#"{"v":9,"at_ms":1,"event":{"merged":{}}}"#.to_vec();
    journal.recover(0).unwrap().append(&[payload]).unwrap();
    let error = open(&in_memory(dir.path())).err().unwrap();
    assert_eq!(error.code(), "FS0502");
    assert!(error.detail().unwrap().contains("version 9"), "{error}");
}

#[test]
fn a_large_record_that_is_gone_is_a_typed_error() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = open(&in_memory(dir.path())).unwrap();
    let wide = Registration {
        schema: wide_schema(1000),
        ..registration("wide")
    };
    let made = block_on(catalogue.register(wide)).unwrap();
    assert!(
        matches!(&block_on(history(&catalogue))[0].kind, EventKind::Put(dataset) if *dataset == made)
    );
    drop(catalogue);
    for entry in fs::read_dir(dir.path().join("blobs")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    // One damaged object is one dataset: the rest of the catalogue is open, and it can be given up.
    let catalogue = open(&in_memory(dir.path())).unwrap();
    block_on(async {
        let small = catalogue.register(registration("small")).await.unwrap();
        for reference in ["wide".to_owned(), made.id.to_string()] {
            let error = catalogue
                .lookup(&reference.parse().unwrap())
                .await
                .unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0508"));
        }
        let page = catalogue.list("", None, 10).await.unwrap();
        assert_eq!((page.datasets.len(), page.damaged.len()), (1, 1));
        assert_eq!(page.damaged[0].name.as_str(), "wide");
        let taken = catalogue.register(registration("wide")).await.unwrap_err();
        assert_eq!(taken.code(), "FS0510");
        let behind = catalogue.watch(0, 10).await.unwrap_err();
        assert!(behind.detail().unwrap().contains("change 1"), "{behind}");
        assert_eq!(catalogue.watch(1, 10).await.unwrap().len(), 1);
        catalogue.advance(made.id, 3, 9, None).await.unwrap();
        catalogue.drop_dataset(made.id, 77).await.unwrap();
        catalogue.register(registration("wide")).await.unwrap();
        let handle = small.handles[0].key();
        assert_eq!(
            catalogue
                .lookup(&handle.to_string().parse().unwrap())
                .await
                .unwrap(),
            small
        );
    });
}
