//! Disks that fill up, lose a sync or run out of descriptors, and come back: nobody restarts anything.

use super::*;
use flinkspark_model::Kind;
use std::sync::Mutex;

/// Which operation fails, and with what.
type Sick = Option<(&'static str, io::ErrorKind)>;

/// A local disk on which one sort of operation fails until it is well again.
#[derive(Clone, Default)]
struct SickDisk(Arc<Mutex<Sick>>);

impl SickDisk {
    fn fails(&self, operation: &'static str, kind: io::ErrorKind) {
        *self.0.lock().unwrap() = Some((operation, kind));
    }

    fn is_well(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn step(&self, operation: &str) -> io::Result<()> {
        match *self.0.lock().unwrap() {
            Some((sick, kind)) if sick == operation || sick == "all" => {
                Err(io::Error::new(kind, "injected"))
            }
            _ => Ok(()),
        }
    }
}

impl Disk for SickDisk {
    fn open(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        self.step("open")?;
        let file = LocalDisk.open(path)?;
        Ok(file.map(|file| -> Arc<dyn File> { Arc::new(SickFile(self.clone(), file)) }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.step("create")?;
        Ok(Arc::new(SickFile(self.clone(), LocalDisk.create(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename")?;
        LocalDisk.rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step("sync_dir")?;
        LocalDisk.sync_dir(path)
    }
}

struct SickFile(SickDisk, Arc<dyn File>);

impl File for SickFile {
    fn len(&self) -> io::Result<u64> {
        self.1.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(cause) = self.0.step("write") {
            // As a full disk does: the first half is there.
            self.1.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(cause);
        }
        self.1.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.step("sync")?;
        self.1.sync()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.step("truncate")?;
        self.1.truncate(len)
    }
}

fn wide(name: &str) -> Registration {
    Registration {
        schema: wide_schema(1000),
        ..registration(name)
    }
}

/// What was acknowledged before, during and after is there, in the same process and in the next one.
fn goes_on(operation: &'static str, kind: io::ErrorKind) {
    let dir = tempfile::tempdir().unwrap();
    let disk = SickDisk::default();
    let what = format!("{operation} fails with {kind:?}");
    let catalogue = open_on(&with_sled(dir.path()), Arc::new(disk.clone())).unwrap();
    let mut kept = vec!["before"];
    block_on(async {
        catalogue.register(registration("before")).await.unwrap();
        disk.fails(operation, kind);
        for (name, wanted) in [
            ("small", registration("small")),
            ("wide", wide("wide")),
            ("more", registration("more")),
        ] {
            match catalogue.register(wanted).await {
                Ok(_) => kept.push(name),
                Err(error) => assert!(
                    matches!(error.kind(), Kind::Unavailable | Kind::InDoubt),
                    "{what}: {error}"
                ),
            }
            catalogue.lookup(&"before".parse().unwrap()).await.unwrap();
        }
        disk.is_well();
        catalogue
            .reopen()
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(catalogue.stalled(), None, "{what}");
        for name in ["after", "afterwards"] {
            catalogue
                .register(wide(name))
                .await
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            kept.push(name);
        }
        is_there(&catalogue, &kept, &what).await;
        assert_eq!(history(&catalogue).await.len(), kept.len(), "{what}");
    });
    drop(catalogue);
    let again = open(&with_sled(dir.path())).unwrap_or_else(|error| panic!("{what}: {error}"));
    block_on(is_there(&again, &kept, &what));
}

async fn is_there(catalogue: &Catalogue, kept: &[&str], what: &str) {
    for name in kept {
        let found = catalogue.lookup(&name.parse().unwrap()).await;
        assert!(found.is_ok(), "{what}: {name} was acknowledged and is gone");
    }
    let page = catalogue.list("", None, 100).await.unwrap();
    assert_eq!(page.datasets.len(), kept.len(), "{what}");
}

#[test]
fn a_disk_that_fills_up_or_fails_and_comes_back_is_gone_on_with() {
    for kind in [
        io::ErrorKind::StorageFull,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::Other,
    ] {
        for operation in [
            "write", "sync", "truncate", "create", "rename", "sync_dir", "all",
        ] {
            goes_on(operation, kind);
        }
    }
}

#[test]
fn a_full_disk_changes_nothing_and_needs_no_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SickDisk::default();
    let catalogue = open_on(&with_sled(dir.path()), Arc::new(disk.clone())).unwrap();
    block_on(async {
        disk.fails("write", io::ErrorKind::StorageFull);
        let refused = catalogue.register(registration("a")).await.unwrap_err();
        assert_eq!((refused.kind(), refused.code()), (Kind::InDoubt, "FS0505"));
        disk.is_well();
        catalogue.register(registration("a")).await.unwrap();
        assert_eq!(catalogue.sequence(), 1);
        disk.fails("create", io::ErrorKind::StorageFull);
        let refused = catalogue.register(wide("wide")).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.code()),
            (Kind::Unavailable, "FS0222")
        );
        catalogue.register(registration("b")).await.unwrap();
    });
}

#[test]
fn a_failed_sync_is_never_repeated_on_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SickDisk::default();
    let catalogue = open_on(&in_memory(dir.path()), Arc::new(disk.clone())).unwrap();
    let inode = || {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(dir.path().join("journal")).unwrap().ino()
    };
    block_on(async {
        catalogue.register(registration("a")).await.unwrap();
        let before = inode();
        disk.fails("sync", io::ErrorKind::Other);
        assert_eq!(
            catalogue
                .register(registration("b"))
                .await
                .unwrap_err()
                .kind(),
            Kind::InDoubt
        );
        assert!(catalogue.stalled().is_some());
        assert_eq!(
            catalogue
                .register(registration("c"))
                .await
                .unwrap_err()
                .code(),
            "FS0506"
        );
        assert!(catalogue.reopen().await.is_err());
        disk.is_well();
        catalogue.reopen().await.unwrap();
        assert_ne!(inode(), before);
        catalogue.register(registration("b")).await.unwrap();
        assert_eq!(history(&catalogue).await.len(), 2);
    });
}

#[test]
fn a_journal_that_was_cut_is_not_taken_for_one_that_lost_changes() {
    // The process ends between any two steps of going on: the next one opens what was acknowledged.
    for steps in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let disk = FailingDisk::from_operation(usize::MAX, Duration::ZERO);
        let mut journal = crate::journal::Unread::create(&disk, dir.path(), [5; 16])
            .unwrap()
            .recover(0)
            .unwrap();
        journal
            .append(&[b"kept".to_vec(), b"kept too".to_vec()])
            .unwrap();
        disk.fail_from_now();
        journal.append(&[b"lost".to_vec()]).unwrap_err();
        disk.fail_after(steps);
        let went_on = journal.reopen(&disk);
        assert_eq!(went_on.is_ok(), steps >= 3, "{steps} steps");
        let again = crate::journal::Unread::open(&LocalDisk, dir.path())
            .unwrap()
            .unwrap();
        assert_eq!(again.recover(0).unwrap().last(), 2, "{steps} steps");
    }
}
