//! A sled that is damaged, missing, foreign or behind: nothing is lost with it.

use super::*;
use crate::index::{self, Applied, Batch, Entry, Index, Lost, Tree};
use flinkspark_model::Kind;
use flinkspark_model::port::Reference;
use std::fs;

const DATASETS: usize = 40;

async fn fill(catalogue: &Catalogue) {
    for n in 0..DATASETS {
        catalogue
            .register(registration(&format!("d{n:02}")))
            .await
            .unwrap();
    }
}

async fn is_whole(catalogue: &Catalogue) {
    let page = catalogue.list("", None, 100).await.unwrap();
    assert_eq!(page.datasets.len(), DATASETS);
    for dataset in page.datasets {
        let handle = Reference::Handle(dataset.handles[0].key());
        assert_eq!(catalogue.lookup(&handle).await.unwrap(), dataset);
    }
}

/// A closed catalogue with an index.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    block_on(fill(&open(&with_sled(dir.path())).unwrap()));
    dir
}

fn set_aside_count(dir: &Path) -> usize {
    let names = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with("index.bad-"))
        .count()
}

#[test]
fn a_deleted_index_is_derived_again() {
    let dir = filled();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    block_on(is_whole(&open(&with_sled(dir.path())).unwrap()));
}

#[test]
fn an_index_from_an_earlier_day_catches_up() {
    let dir = tempfile::tempdir().unwrap();
    let backup = tempfile::tempdir().unwrap();
    let catalogue = open(&with_sled(dir.path())).unwrap();
    block_on(catalogue.register(registration("early"))).unwrap();
    drop(catalogue);
    copy_dir(&dir.path().join("index"), backup.path());
    let catalogue = open(&with_sled(dir.path())).unwrap();
    block_on(async {
        let early = catalogue.lookup(&"early".parse().unwrap()).await.unwrap();
        catalogue.drop_dataset(early.id, 1).await.unwrap();
        fill(&catalogue).await;
    });
    drop(catalogue);
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    copy_dir(backup.path(), &dir.path().join("index"));
    block_on(is_whole(&open(&with_sled(dir.path())).unwrap()));
    assert_eq!(set_aside_count(dir.path()), 0);
}

#[test]
fn an_index_of_another_catalogue_is_set_aside() {
    let (dir, other) = (filled(), tempfile::tempdir().unwrap());
    drop(
        open(&with_sled(other.path()))
            .map(|catalogue| block_on(catalogue.register(registration("other")))),
    );
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    copy_dir(&other.path().join("index"), &dir.path().join("index"));
    block_on(is_whole(&open(&with_sled(dir.path())).unwrap()));
    assert_eq!(set_aside_count(dir.path()), 1);
}

#[test]
fn a_journal_that_is_missing_beside_its_index_is_loss_and_not_a_new_catalogue() {
    let dir = filled();
    fs::remove_file(dir.path().join("journal")).unwrap();
    let error = open(&with_sled(dir.path())).err().unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0504"));
    assert!(!dir.path().join("journal").exists());
}

#[test]
fn an_older_journal_beside_a_newer_index_is_loss() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = open(&with_sled(dir.path())).unwrap();
    block_on(catalogue.register(registration("early"))).unwrap();
    drop(catalogue);
    let journal = fs::read(dir.path().join("journal")).unwrap();
    let catalogue = open(&with_sled(dir.path())).unwrap();
    block_on(catalogue.register(registration("late"))).unwrap();
    drop(catalogue);
    fs::write(dir.path().join("journal"), journal).unwrap();
    let error = open(&with_sled(dir.path())).err().unwrap();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0504"));
}

/// An index that answers, and takes nothing more.
struct Worn(Box<dyn Index>);

impl Index for Worn {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, index::Error> {
        self.0.get(tree, key)
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, index::Error> {
        self.0.scan(tree, prefix, after, limit)
    }

    fn apply(&self, _: &Batch, _: Applied) -> Result<(), index::Error> {
        Err(index::Error::Store("worn".into()))
    }

    fn applied(&self) -> Result<Applied, index::Error> {
        self.0.applied()
    }
}

#[test]
fn an_index_that_fails_while_it_is_used_is_derived_again_and_nothing_is_in_doubt() {
    for answers in [true, false] {
        let dir = filled();
        let catalogue = open(&with_sled(dir.path())).unwrap();
        {
            let mut index = catalogue.shared.index.write().unwrap();
            let whole = std::mem::replace(&mut *index, Box::new(Lost));
            if answers {
                *index = Box::new(Worn(whole));
            }
        }
        block_on(async {
            if !answers {
                // What it cannot be asked is not decided, and what comes next is.
                let refused = catalogue.register(registration("late")).await.unwrap_err();
                assert_eq!(refused.kind(), Kind::Unavailable, "{refused}");
            }
            let late = catalogue.register(registration("late")).await.unwrap();
            assert_eq!(
                catalogue.lookup(&"late".parse().unwrap()).await.unwrap(),
                late
            );
            catalogue.drop_dataset(late.id, late.version).await.unwrap();
            is_whole(&catalogue).await;
        });
        drop(catalogue);
        block_on(is_whole(&open(&with_sled(dir.path())).unwrap()));
    }
}

mod enumeration {
    use super::*;

    /// Damages one of sled's files and opens the catalogue over it.
    fn damaged(pristine: &Path, file: &Path, damage: impl Fn(&mut Vec<u8>)) -> usize {
        let dir = tempfile::tempdir().unwrap();
        copy_dir(pristine, dir.path());
        let path = dir.path().join("index").join(file);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        block_on(is_whole(&open(&with_sled(dir.path())).unwrap()));
        set_aside_count(dir.path())
    }

    #[test]
    fn whatever_happens_to_sleds_files_every_dataset_is_found() {
        let pristine = filled();
        let (mut cases, mut set_aside) = (0, 0);
        for file in ["conf", "db"] {
            let length = fs::metadata(pristine.path().join("index").join(file))
                .unwrap()
                .len() as usize;
            for at in (0..length).step_by((length / 24).max(1)) {
                set_aside += damaged(pristine.path(), Path::new(file), |bytes| bytes[at] ^= 0xff);
                set_aside += damaged(pristine.path(), Path::new(file), |bytes| bytes.truncate(at));
                set_aside += damaged(pristine.path(), Path::new(file), |bytes| {
                    bytes[at..]
                        .iter_mut()
                        .take(4096)
                        .for_each(|byte| *byte = 0x5a);
                });
                cases += 3;
            }
        }
        println!("{cases} damaged indexes, {set_aside} set aside");
        assert!(set_aside > 0, "no damage was noticed");
    }
}
