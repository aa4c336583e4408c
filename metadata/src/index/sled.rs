//! The index in sled 0.34: the only file that knows sled.
//!
//! Each value carries a CRC32C over its tree, its key and itself. sled is never flushed by us: what
//! it loses is applied again from the journal. sled may panic on a damaged file: each call is caught,
//! and after the first panic nothing more is asked of it.
//! Invariant: a value is returned as it was put, or the result is an error.

use super::{Applied, Batch, Entry, Error, Index, Tree};
use ::sled::transaction::{
    ConflictableTransactionError, TransactionError, Transactional, TransactionalTree,
};
use flinkspark_model::checksum;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often sled writes out what it holds, in milliseconds; what a kill loses is replayed.
const FLUSH_EVERY_MS: u64 = 1000;
/// Attempts to take sled's own lock, and the pause between two of them.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// How sled 0.34.7 says that its lock is held; it has no kind of its own for that.
const LOCK_HELD: &str = "could not acquire lock";
const CHECKSUM_BYTES: usize = 4;
const META: &str = "meta";
const APPLIED: &[u8] = b"applied";

/// An index in a folder.
pub(crate) struct SledIndex {
    // Dropped last: it owns the file lock and writes out what is held.
    trees: Vec<::sled::Tree>,
    meta: ::sled::Tree,
    _db: ::sled::Db,
    broken: AtomicBool,
}

impl SledIndex {
    /// Opens or makes the index in `dir`, with `cache_bytes` of page cache.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, Error> {
        let config = ::sled::Config::default()
            .path(dir)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(FLUSH_EVERY_MS));
        caught(|| {
            let db = open_when_free(&config)?;
            let trees = Tree::ALL
                .iter()
                .map(|tree| db.open_tree(tree.name()))
                .collect::<Result<_, _>>()?;
            Ok(Self {
                trees,
                meta: db.open_tree(META)?,
                _db: db,
                broken: AtomicBool::new(false),
            })
        })
    }

    /// Reads everything once, so that a difference shows now and not at a lookup.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.guarded(|| {
            for tree in Tree::ALL {
                for entry in self.tree(tree)?.iter() {
                    let (key, value) = entry?;
                    unseal(tree.name(), &key, &value)?;
                }
            }
            Ok(())
        })
    }

    fn tree(&self, tree: Tree) -> Result<&::sled::Tree, Error> {
        self.trees
            .get(tree as usize)
            .ok_or_else(|| Error::Store(format!("no tree {}", tree.name())))
    }

    fn guarded<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::Panicked("earlier".into()));
        }
        let result = caught(work);
        if matches!(result, Err(Error::Panicked(_))) {
            self.broken.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Index for SledIndex {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.guarded(|| {
            let value = self.tree(tree)?.get(key)?;
            value
                .map(|value| unseal(tree.name(), key, &value).map(<[u8]>::to_vec))
                .transpose()
        })
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.guarded(|| {
            let mut entries = Vec::new();
            for entry in self
                .tree(tree)?
                .range::<&[u8], _>((from, Bound::Unbounded))
                .take(limit)
            {
                let (key, value) = entry?;
                if !key.starts_with(prefix) {
                    break;
                }
                entries.push((key.to_vec(), unseal(tree.name(), &key, &value)?.to_vec()));
            }
            Ok(entries)
        })
    }

    fn apply(&self, batch: &Batch, applied: Applied) -> Result<(), Error> {
        batch.check()?;
        let mut trees: Vec<&::sled::Tree> = self.trees.iter().collect();
        trees.push(&self.meta);
        let write =
            |views: &Vec<TransactionalTree>| -> Result<(), ConflictableTransactionError<Error>> {
                let view = |at: usize| {
                    let missing = || {
                        ConflictableTransactionError::Abort(Error::Store(
                            "a tree is missing".into(),
                        ))
                    };
                    views.get(at).ok_or_else(missing)
                };
                for ((tree, key), value) in &batch.0 {
                    match value {
                        Some(value) => {
                            view(*tree as usize)?.insert(&key[..], seal(tree.name(), key, value))?
                        }
                        None => view(*tree as usize)?.remove(&key[..])?,
                    };
                }
                let mut value = applied.journal.to_vec();
                value.extend_from_slice(&applied.sequence.to_be_bytes());
                view(Tree::ALL.len())?.insert(APPLIED, seal(META, APPLIED, &value))?;
                Ok(())
            };
        self.guarded(|| {
            trees
                .as_slice()
                .transaction(write)
                .map_err(|error| match error {
                    TransactionError::Abort(error) => error,
                    TransactionError::Storage(error) => error.into(),
                })
        })
    }

    fn applied(&self) -> Result<Applied, Error> {
        self.guarded(|| {
            let Some(value) = self.meta.get(APPLIED)? else {
                return Ok(Applied::default());
            };
            let value = unseal(META, APPLIED, &value)?;
            let (journal, sequence) = value.split_at_checked(16).ok_or(Error::Checksum(META))?;
            Ok(Applied {
                journal: journal.try_into().map_err(|_| Error::Checksum(META))?,
                sequence: u64::from_be_bytes(
                    sequence.try_into().map_err(|_| Error::Checksum(META))?,
                ),
            })
        })
    }
}

/// A sled that was dropped a moment ago lets go of its lock on a thread of its own. Whoever opens the
/// index holds the catalogue's lock, so no other process can have this one.
fn open_when_free(config: &::sled::Config) -> ::sled::Result<::sled::Db> {
    for _ in 1..LOCK_TRIES {
        match config.open() {
            Err(::sled::Error::Io(cause)) if cause.to_string().contains(LOCK_HELD) => {
                std::thread::sleep(LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
    config.open()
}

impl From<::sled::Error> for Error {
    fn from(error: ::sled::Error) -> Self {
        Self::Store(error.to_string())
    }
}

fn caught<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        Err(Error::Panicked(text.unwrap_or("without a message").into()))
    })
}

fn checksum(tree: &str, key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let seed = checksum::crc32c_append(checksum::crc32c(tree.as_bytes()), key);
    checksum::crc32c_append(seed, value).to_le_bytes()
}

fn seal(tree: &str, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(CHECKSUM_BYTES + value.len());
    sealed.extend_from_slice(&checksum(tree, key, value));
    sealed.extend_from_slice(value);
    sealed
}

fn unseal<'a>(tree: &'static str, key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Error> {
    match sealed.split_at_checked(CHECKSUM_BYTES) {
        Some((sum, value)) if sum == checksum(tree, key, value) => Ok(value),
        _ => Err(Error::Checksum(tree)),
    }
}
