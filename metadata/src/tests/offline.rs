//! Verify, export and rebuild, as an operator uses them.

use super::*;
use crate::offline::{IndexState, Loss, export, rebuild, verify};
use flinkspark_model::Kind;
use flinkspark_model::lineage::{Edge, SlotRange};
use std::fs;

fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = open(&with_sled(dir.path())).unwrap();
    block_on(async {
        let a = catalogue.register(registration("a")).await.unwrap();
        let wide = Registration {
            schema: wide_schema(1000),
            ..registration("wide")
        };
        let wide = catalogue.register(wide).await.unwrap();
        let range = |dataset| SlotRange {
            dataset,
            first: 1,
            last: 2,
        };
        catalogue
            .add_edge(Edge {
                from: range(a.id),
                to: range(wide.id),
                run: "r".into(),
            })
            .await
            .unwrap();
        catalogue.advance(a.id, 1, 1, None).await.unwrap();
    });
    dir
}

fn damage(dir: &Path, text: &str) {
    let mut journal = fs::read(dir.join("journal")).unwrap();
    let at = journal
        .windows(text.len())
        .position(|window| window == text.as_bytes())
        .unwrap();
    journal[at] ^= 0xff;
    fs::write(dir.join("journal"), journal).unwrap();
}

#[test]
fn a_sound_catalogue_verifies() {
    let dir = filled();
    fs::write(dir.path().join("blobs/left-by-a-crash"), "x").unwrap();
    let found = verify(dir.path()).unwrap();
    assert_eq!(
        (
            found.first,
            found.last,
            found.acknowledged,
            found.torn_bytes
        ),
        (1, 4, 4, 0)
    );
    assert_eq!(
        (
            found.datasets,
            found.edges,
            found.large_records,
            found.orphans
        ),
        (2, 1, 1, 1)
    );
    assert_eq!(found.index, IndexState::Agrees { applied: 4 });
}

#[test]
fn an_empty_catalogue_verifies_and_a_missing_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for missing in [dir.path(), &dir.path().join("nowhere")] {
        let error = verify(missing).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0519"));
    }
    drop(open(&with_sled(dir.path())).unwrap());
    let found = verify(dir.path()).unwrap();
    assert_eq!((found.first, found.last, found.datasets), (1, 0, 0));
    assert_eq!(found.index, IndexState::Agrees { applied: 0 });
}

#[test]
fn an_index_that_says_something_else_is_reported_and_rebuilt() {
    let dir = filled();
    let index = crate::index::SledIndex::open(&dir.path().join("index"), 1 << 20).unwrap();
    use crate::index::{Batch, Index, Tree};
    let applied = index.applied().unwrap();
    let mut batch = Batch::default();
    batch
        .0
        .insert((Tree::Names, b"phantom".to_vec()), Some(vec![0; 16]));
    index.apply(&batch, applied).unwrap();
    drop(index);
    let found = verify(dir.path()).unwrap();
    assert!(
        matches!(&found.index, IndexState::Unusable { why } if why.contains("names")),
        "{:?}",
        found.index
    );
    let rebuilt = rebuild(dir.path(), Loss::Refuse, &Seeded::new(1)).unwrap();
    assert_eq!(rebuilt.index, IndexState::Agrees { applied: 4 });
    assert!(dir.path().join("index.bad-1").is_dir());
}

#[test]
fn an_export_has_one_line_for_each_change_with_large_records_in_place() {
    let dir = filled();
    let mut out = Vec::new();
    assert_eq!(export(dir.path(), &mut out).unwrap(), 4);
    let lines: Vec<serde_json::Value> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines
            .iter()
            .map(|line| line["sequence"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(lines[0]["event"]["put"]["inline"]["name"], "a");
    assert_eq!(
        lines[1]["event"]["put"]["inline"]["schema"]["fields"]
            .as_array()
            .unwrap()
            .len(),
        1000
    );
    assert_eq!(lines[3]["event"]["advanced"]["head"], 1);
}

#[test]
fn a_damaged_journal_gives_what_precedes_the_damage_and_is_cut_only_on_request() {
    let dir = filled();
    damage(dir.path(), "\"run\":\"r\"");
    assert_eq!(verify(dir.path()).unwrap_err().code(), "FS0503");
    let mut out = Vec::new();
    assert_eq!(export(dir.path(), &mut out).unwrap_err().code(), "FS0503");
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 2);
    assert_eq!(
        rebuild(dir.path(), Loss::Refuse, &Seeded::new(1))
            .unwrap_err()
            .code(),
        "FS0503"
    );
    let found = rebuild(dir.path(), Loss::Accept, &Seeded::new(1)).unwrap();
    assert_eq!((found.last, found.datasets, found.edges), (2, 2, 0));
    assert_eq!(found.index, IndexState::Agrees { applied: 2 });
    assert!(dir.path().join("journal.bad-1").is_file());
    let catalogue = open(&with_sled(dir.path())).unwrap();
    block_on(catalogue.register(registration("next"))).unwrap();
    assert_eq!(catalogue.sequence(), 3);
}

#[test]
fn a_rebuild_does_not_forget_that_the_index_knew_more_than_the_journal() {
    let dir = filled();
    let journal = fs::read(dir.path().join("journal")).unwrap();
    let catalogue = open(&with_sled(dir.path())).unwrap();
    block_on(catalogue.register(registration("late"))).unwrap();
    drop(catalogue);
    fs::write(dir.path().join("journal"), journal).unwrap();
    assert_eq!(
        rebuild(dir.path(), Loss::Refuse, &Seeded::new(1))
            .unwrap_err()
            .code(),
        "FS0504"
    );
    assert_eq!(
        rebuild(dir.path(), Loss::Accept, &Seeded::new(1))
            .unwrap()
            .last,
        4
    );
}

#[test]
fn a_catalogue_that_a_server_holds_is_left_alone() {
    let dir = filled();
    let held = open(&with_sled(dir.path())).unwrap();
    assert_eq!(verify(dir.path()).unwrap_err().code(), "FS0501");
    assert_eq!(
        export(dir.path(), &mut Vec::new()).unwrap_err().code(),
        "FS0501"
    );
    assert_eq!(
        rebuild(dir.path(), Loss::Accept, &Seeded::new(1))
            .unwrap_err()
            .code(),
        "FS0501"
    );
    assert_eq!(held.sequence(), 4);
}
