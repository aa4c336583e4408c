//! Keeps computed partitions in memory and on disk, and believes none of them unseen.
//!
//! Each partition is kept as an Arrow IPC stream with a checksum of its bytes, so that damage is
//! never decoded, and the digest of its rows, which a hit computes anew. Invariant: rows that were
//! damaged while they were kept are never
//! returned; the partition is reported and computed again from its slots, and only it.

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::handle::StorageLevel;
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// The most events that are kept for [`Cache::events`].
const EVENTS_MAX: usize = 10_000;

/// Why a partition was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was not kept.
    Absent,
    /// It was kept, and its rows no longer had their digest.
    Corrupt,
}

/// A task that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The handle's lineage id.
    pub rdd: String,
    /// The partition.
    pub partition: u32,
    /// Why.
    pub why: Why,
}

/// What a look into the cache gave.
pub(super) enum Lookup {
    /// Sound rows.
    Hit(Vec<RecordBatch>),
    /// Nothing that can be used.
    Miss {
        /// Why not.
        why: Why,
        /// Of the rows that were kept and are damaged.
        lost: Option<Digest>,
    },
}

/// Computed partitions under one memory budget.
pub struct Cache {
    dir: PathBuf,
    memory_bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<(Arc<str>, u32), Entry>,
    memory_bytes: usize,
    clock: u64,
    events: Vec<Event>,
}

struct Entry {
    seal: Seal,
    level: StorageLevel,
    used: u64,
    place: Place,
}

/// What the kept bytes and the rows in them must still be.
#[derive(Clone, Copy)]
struct Seal {
    checksum: u128,
    digest: Digest,
}

#[derive(Clone)]
enum Place {
    Memory(Arc<[u8]>),
    Disk(PathBuf),
}

impl Cache {
    /// A cache that spills into `dir`, which it creates, beyond `memory_bytes_max` bytes.
    pub fn new(dir: impl Into<PathBuf>, memory_bytes_max: usize) -> Result<Self> {
        let dir = dir.into();
        std::fs::create_dir_all(&dir).map_err(|cause| disk(&dir, cause))?;
        Ok(Self {
            dir,
            memory_bytes_max,
            state: Mutex::default(),
        })
    }

    /// The tasks that ran to fill the cache, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// The file that keeps a partition, where it is on disk.
    pub fn file(&self, rdd: &str, partition: u32) -> Option<PathBuf> {
        match &self.lock().entries.get(&(rdd.into(), partition))?.place {
            Place::Disk(path) => Some(path.clone()),
            Place::Memory(_) => None,
        }
    }

    pub(super) async fn get(
        &self,
        rdd: &str,
        partition: u32,
        schema: &SchemaRef,
    ) -> Result<Lookup> {
        let found = {
            let mut state = self.lock();
            state.clock += 1;
            let now = state.clock;
            state
                .entries
                .get_mut(&(rdd.into(), partition))
                .map(|entry| {
                    entry.used = now;
                    (entry.place.clone(), entry.seal)
                })
        };
        let Some((place, seal)) = found else {
            return Ok(Lookup::Miss {
                why: Why::Absent,
                lost: None,
            });
        };
        let schema = Arc::clone(schema);
        let sound =
            blocking(move || Ok(load(&place).and_then(|bytes| decode(&bytes, &schema, seal))))
                .await?;
        if let Some(batches) = sound {
            return Ok(Lookup::Hit(batches));
        }
        self.forget(rdd, partition);
        Ok(Lookup::Miss {
            why: Why::Corrupt,
            lost: Some(seal.digest),
        })
    }

    pub(super) async fn put(
        &self,
        rdd: &str,
        partition: u32,
        schema: &SchemaRef,
        batches: &[RecordBatch],
        level: StorageLevel,
        why: Why,
    ) -> Result<()> {
        let (bytes, seal) = encode(schema, batches)?;
        let fits = bytes.len() <= self.memory_bytes_max;
        let place = match level {
            StorageLevel::None => return Ok(()),
            StorageLevel::DiskOnly => self.store(rdd, partition, bytes).await?,
            StorageLevel::MemoryAndDisk if !fits => self.store(rdd, partition, bytes).await?,
            StorageLevel::MemoryOnly if !fits => return Ok(()),
            StorageLevel::MemoryOnly | StorageLevel::MemoryAndDisk => Place::Memory(bytes.into()),
        };
        let evicted = self.insert(
            rdd,
            partition,
            Entry {
                seal,
                level,
                used: 0,
                place,
            },
            why,
        );
        for (key, bytes, seal) in evicted {
            let place = self.store(&key.0, key.1, bytes.to_vec()).await?;
            let entry = Entry {
                seal,
                level: StorageLevel::MemoryAndDisk,
                used: 0,
                place,
            };
            // The partition may have been kept anew meanwhile.
            self.lock().entries.entry(key).or_insert(entry);
        }
        Ok(())
    }

    /// Adds an entry and takes out the least recently used until memory is within its budget;
    /// returns those that move to disk.
    fn insert(&self, rdd: &str, partition: u32, mut entry: Entry, why: Why) -> Vec<Evicted> {
        let state = &mut *self.lock();
        state.clock += 1;
        entry.used = state.clock;
        state.memory_bytes += entry.memory_bytes();
        let old = state.entries.insert((rdd.into(), partition), entry);
        state.memory_bytes -= old.map_or(0, |old| old.memory_bytes());
        if state.events.len() < EVENTS_MAX {
            state.events.push(Event {
                rdd: rdd.into(),
                partition,
                why,
            });
        }
        let mut moved = Vec::new();
        while state.memory_bytes > self.memory_bytes_max {
            let in_memory = state
                .entries
                .iter()
                .filter(|(_, entry)| entry.memory_bytes() > 0);
            let Some(key) = in_memory
                .min_by_key(|(_, entry)| entry.used)
                .map(|(key, _)| key.clone())
            else {
                break;
            };
            if let Some(entry) = state.entries.remove(&key) {
                state.memory_bytes -= entry.memory_bytes();
                if let (StorageLevel::MemoryAndDisk, Place::Memory(bytes)) =
                    (entry.level, entry.place)
                {
                    moved.push((key, bytes, entry.seal));
                }
            }
        }
        moved
    }

    fn forget(&self, rdd: &str, partition: u32) {
        let state = &mut *self.lock();
        if let Some(entry) = state.entries.remove(&(rdd.into(), partition)) {
            state.memory_bytes -= entry.memory_bytes();
        }
    }

    async fn store(&self, rdd: &str, partition: u32, bytes: Vec<u8>) -> Result<Place> {
        let name: String = rdd
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let path = self.dir.join(format!("{name}.{partition}.arrows"));
        let place = Place::Disk(path.clone());
        blocking(move || std::fs::write(&path, bytes).map_err(|cause| disk(&path, cause))).await?;
        Ok(place)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Evicted = ((Arc<str>, u32), Arc<[u8]>, Seal);

impl Entry {
    fn memory_bytes(&self) -> usize {
        match &self.place {
            Place::Memory(bytes) => bytes.len(),
            Place::Disk(_) => 0,
        }
    }
}

/// The kept bytes; `None` where the file is gone or cannot be read, which is a loss like any other.
fn load(place: &Place) -> Option<Vec<u8>> {
    match place {
        Place::Memory(bytes) => Some(bytes.to_vec()),
        Place::Disk(path) => std::fs::read(path).ok(),
    }
}

fn encode(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(Vec<u8>, Seal)> {
    let encode = || -> Result<Vec<u8>, ArrowError> {
        let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
        for batch in batches {
            writer.write(batch)?;
        }
        writer.into_inner()
    };
    let bytes = encode().map_err(|cause| {
        Error::new(
            Kind::Internal,
            "FS0705",
            "a partition could not be encoded for the cache",
        )
        .with_source(cause)
    })?;
    let seal = Seal {
        checksum: xxh3_128(&bytes),
        digest: digest(schema, batches)?,
    };
    Ok((bytes, seal))
}

/// Of a partition's rows.
pub(super) fn digest(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Digest> {
    let mut digester = Digester::new(schema)?;
    batches
        .iter()
        .try_for_each(|batch| digester.update(batch))?;
    Ok(digester.finish())
}

/// The rows, if their bytes are those that were kept and they have their digest.
fn decode(bytes: &[u8], schema: &SchemaRef, seal: Seal) -> Option<Vec<RecordBatch>> {
    if xxh3_128(bytes) != seal.checksum {
        return None;
    }
    let reader = StreamReader::try_new(bytes, None).ok()?;
    if reader.schema() != *schema {
        return None;
    }
    let mut digester = Digester::new(schema).ok()?;
    let mut batches = Vec::new();
    for batch in reader {
        let batch = batch.ok()?;
        digester.update(&batch).ok()?;
        batches.push(batch);
    }
    (digester.finish() == seal.digest).then_some(batches)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|cause| {
        Error::new(
            Kind::Internal,
            "FS0706",
            "a task of the batch engine ended without an answer",
        )
        .with_source(cause)
    })?
}

fn disk(path: &Path, cause: std::io::Error) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0707",
        format!("the cache cannot write {}", path.display()),
    )
    .with_source(cause)
    .with_hint("free space on that disk, or persist with a level that stays in memory")
}
