//! A journal or a large record that is damaged: the catalogue is opened, and what depends on it is an error.

use super::*;
use flinkspark_model::Kind;
use flinkspark_model::port::{Heads, Reference};
use std::fs;

fn open_anyway(dir: &Path) -> Result<Catalogue> {
    static OPENED: AtomicU64 = AtomicU64::new(1 << 40);
    let seed = OPENED.fetch_add(1, Ordering::Relaxed);
    Catalogue::open_even_damaged(
        &with_sled(dir),
        Arc::new(Ticks::default()),
        Arc::new(Seeded::new(seed << 16)),
    )
}

/// Three datasets, the second one wide, each with a log of some length.
fn filled(dir: &Path) -> Vec<Arc<flinkspark_model::dataset::Dataset>> {
    let catalogue = open(&with_sled(dir)).unwrap();
    block_on(async {
        let mut made = Vec::new();
        for (head, name) in (1..).zip(["a", "wide", "z"]) {
            let mut wanted = registration(name);
            if name == "wide" {
                wanted.schema = wide_schema(1000);
            }
            let dataset = catalogue.register(wanted).await.unwrap();
            catalogue
                .advance(dataset.id, head, head * 10, None)
                .await
                .unwrap();
            made.push(dataset);
        }
        made
    })
}

fn by(text: &str) -> Reference {
    text.parse().unwrap()
}

fn journal(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("journal")).unwrap()
}

/// Every dataset is as it was, or its lookup is `Data`; nothing else is answered. Returns how many answer.
fn right_or_refused(
    dir: &Path,
    made: &[Arc<flinkspark_model::dataset::Dataset>],
    what: &str,
) -> usize {
    let catalogue = open_anyway(dir).unwrap_or_else(|error| panic!("{what}: {error}"));
    block_on(async {
        let mut answered = 0;
        for dataset in made {
            for reference in [by(dataset.name.as_str()), by(&dataset.id.to_string())] {
                match catalogue.lookup(&reference).await {
                    Ok(found) => {
                        assert_eq!(found, *dataset, "{what}");
                        answered += 1;
                    }
                    Err(error) => assert_eq!(error.kind(), Kind::Data, "{what}: {error}"),
                }
            }
            if let Ok(known) = catalogue.known_head(dataset.id) {
                assert!(known.is_some(), "{what}: a head was forgotten");
            }
        }
        match catalogue.list("", None, 10).await {
            Ok(page) => assert_eq!(
                page.datasets.len() + page.damaged.len(),
                made.len(),
                "{what}"
            ),
            Err(error) => assert_eq!(error.kind(), Kind::Data, "{what}: {error}"),
        }
        if catalogue.damage().is_some() {
            let refused = catalogue.register(registration("next")).await.unwrap_err();
            assert_eq!(
                (refused.kind(), refused.code()),
                (Kind::Data, "FS0506"),
                "{what}"
            );
            assert!(catalogue.reopen().await.is_err(), "{what}");
            let seen = catalogue.watch(catalogue.sequence(), 1).await.unwrap_err();
            assert_eq!(seen.code(), "FS0221", "{what}");
        }
        answered / 2
    })
}

#[test]
fn whatever_happens_to_the_journal_the_catalogue_is_open_and_never_wrong() {
    let pristine = tempfile::tempdir().unwrap();
    let made = filled(pristine.path());
    let bytes = journal(pristine.path());
    let (mut cases, mut whole) = (0, 0);
    let mut try_it = |damage: &dyn Fn(&Path), what: String| {
        let dir = tempfile::tempdir().unwrap();
        copy_dir(pristine.path(), dir.path());
        damage(dir.path());
        cases += 1;
        whole += usize::from(right_or_refused(dir.path(), &made, &what) == made.len());
    };
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        for mask in [0x01, 0x80] {
            let flipped = |dir: &Path| {
                let mut bytes = bytes.clone();
                bytes[at] ^= mask;
                fs::write(dir.join("journal"), bytes).unwrap();
            };
            try_it(&flipped, format!("byte {at} flipped by {mask:#x}"));
        }
        let cut = |dir: &Path| fs::write(dir.join("journal"), &bytes[..at]).unwrap();
        try_it(&cut, format!("cut at {at}"));
    }
    try_it(
        &|dir| fs::remove_file(dir.join("journal")).unwrap(),
        "deleted".into(),
    );
    println!("{cases} damaged journals; {whole} answered every lookup from what is left");
    assert!(whole > 0 && whole < cases);
}

#[test]
fn one_damaged_record_is_one_dataset_where_the_index_knows_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let made = filled(dir.path());
    let mut bytes = journal(dir.path());
    let at = bytes
        .windows(10)
        .position(|some| some == b"\"name\":\"a\"")
        .unwrap();
    bytes[at] ^= 0xff;
    fs::write(dir.path().join("journal"), bytes).unwrap();
    assert_eq!(open(&with_sled(dir.path())).err().unwrap().code(), "FS0503");
    assert_eq!(right_or_refused(dir.path(), &made, "the record of a"), 2);
    // Without the index nobody knows what the lost record said: nothing is answered.
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    assert_eq!(right_or_refused(dir.path(), &made, "and no index"), 0);
}

#[test]
fn a_damaged_large_record_is_one_dataset_whatever_became_of_the_index() {
    for forget_index in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let made = filled(dir.path());
        for entry in fs::read_dir(dir.path().join("blobs")).unwrap() {
            fs::write(entry.unwrap().path(), "rotten").unwrap();
        }
        if forget_index {
            fs::remove_dir_all(dir.path().join("index")).unwrap();
        }
        assert_eq!(right_or_refused(dir.path(), &made, "the record of wide"), 2);
    }
}

#[test]
fn a_large_record_of_the_first_version_is_read_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let made = filled(dir.path());
    // As version 1 wrote it: no label.
    let unread = crate::journal::Unread::open(&LocalDisk, dir.path())
        .unwrap()
        .unwrap();
    let mut payloads = Vec::new();
    unread
        .scan(0, &mut |_, payload| {
            let mut json: serde_json::Value = serde_json::from_slice(payload).unwrap();
            if let Some(external) = json.pointer_mut("/event/put/external") {
                assert!(external.as_object_mut().unwrap().remove("label").is_some());
                json["v"] = 1.into();
            }
            payloads.push(serde_json::to_vec(&json).unwrap());
            Ok(())
        })
        .unwrap();
    fs::remove_file(dir.path().join("journal")).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let old = crate::journal::Unread::create(&LocalDisk, dir.path(), [4; 16]).unwrap();
    old.recover(0).unwrap().append(&payloads).unwrap();
    assert_eq!(right_or_refused(dir.path(), &made, "version 1"), 3);
}
