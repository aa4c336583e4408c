//! Tests of the whole catalogue, and the clocks, disks and datasets that they share.

mod conformance;
mod crash;
mod damaged;
mod enumeration;
mod healing;
mod lost_index;
mod offline;
mod property;
mod simulated_disk;

use crate::disk::{Disk, File, LocalDisk};
use crate::{Catalogue, IndexKind, Options};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use flinkspark_model::Result;
use flinkspark_model::handle::Handle;
use flinkspark_model::port::{Catalog, ChangeEvent, Clock, Entropy, Registration};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// A clock that moves one millisecond at each look.
#[derive(Default)]
pub(crate) struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Randomness from a seed (SplitMix64).
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut mixed = self
            .0
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn with_sled(dir: &Path) -> Options {
    Options {
        dir: dir.into(),
        index: IndexKind::Sled {
            cache_bytes: 4 << 20,
        },
    }
}

pub(crate) fn in_memory(dir: &Path) -> Options {
    Options {
        dir: dir.into(),
        index: IndexKind::Memory,
    }
}

/// Opens on the local disk; each opening has randomness of its own, so that ids never repeat.
pub(crate) fn open(options: &Options) -> Result<Catalogue> {
    open_on(options, Arc::new(LocalDisk))
}

pub(crate) fn open_on(options: &Options, disk: Arc<dyn Disk>) -> Result<Catalogue> {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let seed = (u64::from(std::process::id()) << 32) + OPENED.fetch_add(1, Ordering::Relaxed);
    Catalogue::open_on(
        options,
        disk,
        Arc::new(Ticks::default()),
        Arc::new(Seeded::new(seed << 16)),
    )
}

pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("user", DataType::Utf8, false),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), true),
    ]))
}

/// A schema whose record does not fit into the journal.
pub(crate) fn wide_schema(columns: usize) -> SchemaRef {
    let field = |n| {
        Field::new(
            format!("measurement_number_{n:05}"),
            DataType::Float64,
            true,
        )
    };
    Arc::new(Schema::new((0..columns).map(field).collect::<Vec<_>>()))
}

pub(crate) fn registration(name: &str) -> Registration {
    let flat = name.replace('.', "_");
    Registration {
        name: name.parse().unwrap(),
        schema: schema(),
        traits: Default::default(),
        handles: vec![
            Handle::flink_table(&format!("default_catalog.default_database.{flat}")).unwrap(),
            Handle::spark_table(&format!("spark_catalog.default.{flat}")).unwrap(),
        ],
    }
}

/// The whole change feed.
pub(crate) async fn history(catalogue: &Catalogue) -> Vec<ChangeEvent> {
    let mut events: Vec<ChangeEvent> = Vec::new();
    while (events.len() as u64) < catalogue.sequence() {
        events.extend(catalogue.watch(events.len() as u64, 100).await.unwrap());
    }
    events
}

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A local disk whose n-th operation fails, and every one after it.
#[derive(Clone)]
pub(crate) struct FailingDisk(Arc<Plan>);

struct Plan {
    done: AtomicUsize,
    fail_from: AtomicUsize,
    syncs: AtomicUsize,
    sync_delay: Duration,
}

impl FailingDisk {
    pub(crate) fn from_operation(fail_from: usize, sync_delay: Duration) -> Self {
        let (done, syncs) = Default::default();
        Self(Arc::new(Plan {
            done,
            fail_from: AtomicUsize::new(fail_from),
            syncs,
            sync_delay,
        }))
    }

    pub(crate) fn fail_from_now(&self) {
        self.0.fail_from.store(0, Ordering::SeqCst);
    }

    /// So many operations more work.
    pub(crate) fn fail_after(&self, operations: usize) {
        let done = self.0.done.load(Ordering::SeqCst);
        self.0.fail_from.store(done + operations, Ordering::SeqCst);
    }

    pub(crate) fn operations(&self) -> usize {
        self.0.done.load(Ordering::SeqCst)
    }

    pub(crate) fn syncs(&self) -> usize {
        self.0.syncs.load(Ordering::SeqCst)
    }

    fn step(&self) -> io::Result<()> {
        if self.0.done.fetch_add(1, Ordering::SeqCst) < self.0.fail_from.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::StorageFull, "injected"))
    }
}

impl Disk for FailingDisk {
    fn open(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        Ok(LocalDisk
            .open(path)?
            .map(|file| -> Arc<dyn File> { Arc::new(FailingFile(self.clone(), file)) }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.step()?;
        Ok(Arc::new(FailingFile(self.clone(), LocalDisk.create(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        LocalDisk.rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        LocalDisk.sync_dir(path)
    }
}

struct FailingFile(FailingDisk, Arc<dyn File>);

impl File for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.1.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.0.step() {
            // As a full disk does: the first half is there.
            self.1.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.1.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.step()?;
        self.0.0.syncs.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(self.0.0.sync_delay);
        self.1.sync()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.step()?;
        self.1.truncate(len)
    }
}
