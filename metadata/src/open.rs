//! Opens what is on disk: lock, journal, index, in this order.
//!
//! Owns the decision what to do with an index that cannot be used: it is set aside and derived again.
//! Invariant: a journal is created only where there is no trace of an earlier one, and the index
//! holds every record of the journal when this returns.

use crate::blobs::Blobs;
use crate::disk::Disk;
use crate::documents::Documents;
use crate::error;
use crate::index::{Applied, Index, Lost, MemoryIndex, SledIndex};
use crate::journal::{self, Feed, Journal, Unread};
use crate::record::Record;
use crate::registry::{self, View};
use crate::set_aside::set_aside;
use flinkspark_model::port::Entropy;
use flinkspark_model::{Error, Result, fault};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where the index lies within the catalogue's folder.
pub(crate) const INDEX_NAME: &str = "index";
/// Records that one transaction of the index holds while it is derived.
const REPLAY_RECORDS_MAX: u64 = 1024;
/// Attempts to take the folder's lock, and the pause after each.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How to open a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder that holds it; made where it is missing.
    pub dir: PathBuf,
    /// Where questions are answered from.
    pub index: IndexKind,
}

/// Where a catalogue's questions are answered from; its truth is the journal either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    /// sled, in the folder `index`, with a page cache of this many bytes.
    Sled {
        /// Bytes of page cache.
        cache_bytes: u64,
    },
    /// Memory: derived from the journal at each open.
    Memory,
}

impl Options {
    /// A catalogue in `dir` with sled as its index and 32 MiB of page cache.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            index: IndexKind::Sled {
                cache_bytes: 32 << 20,
            },
        }
    }
}

/// The parts of an open catalogue.
pub(crate) struct Parts {
    pub(crate) journal: Journal,
    pub(crate) identity: [u8; 16],
    pub(crate) index: Box<dyn Index>,
    pub(crate) documents: Documents,
    /// What is damaged, where the journal is.
    pub(crate) damage: Option<Error>,
    pub(crate) lock: Lock,
}

/// Held as long as the catalogue is open; the system releases it when the process ends.
pub(crate) struct Lock(#[expect(dead_code, reason = "dropping the file releases the lock")] File);

impl Lock {
    /// Takes the lock of an existing folder, or says that another process has it.
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("lock");
        let failed = |cause| error::file("lock its folder", &path, cause);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                // A process that is just ending, or a child between fork and exec, has it a moment longer.
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
        }
        Err(error::held(dir))
    }
}

/// Opens the catalogue in `options.dir`.
pub(crate) fn open(options: &Options, disk: Arc<dyn Disk>, entropy: &dyn Entropy) -> Result<Parts> {
    fault::reach("catalog.open.start").map_err(error::injected)?;
    let dir = &options.dir;
    let blobs = Blobs::new(Arc::clone(&disk), dir);
    fs::create_dir_all(blobs.dir()).map_err(|cause| error::file("make its folder", dir, cause))?;
    let lock = Lock::take(dir)?;
    let unread = match Unread::open(&*disk, dir)? {
        Some(unread) => unread,
        None if holds_traces(dir, &blobs) => return Err(error::journal_missing(dir)),
        None => create(&*disk, dir, entropy)?,
    };
    let identity = unread.identity();
    let (mut index, applied) = usable_index(options, identity)?;
    let journal = unread.recover(applied)?;
    let documents = Documents {
        records: journal.feed().records(),
        blobs,
    };
    if let Err(cause) = derive(&*index, identity, applied, &journal.feed(), &documents) {
        if !error::is_index(&cause) {
            return Err(cause);
        }
        drop(index);
        discard(dir, &cause)?;
        index = fresh_index(options);
        let derived = derive(&*index, identity, 0, &journal.feed(), &documents);
        if derived.as_ref().is_err_and(error::is_index) {
            index = Box::new(MemoryIndex::default());
            derive(&*index, identity, 0, &journal.feed(), &documents)?;
        } else {
            derived?;
        }
    }
    fault::reach("catalog.open.replayed").map_err(error::injected)?;
    Ok(Parts {
        journal,
        identity,
        index,
        documents,
        damage: None,
        lock,
    })
}

/// Opens what is left of a catalogue whose journal is damaged, `cause` says how: nothing is changed.
pub(crate) fn open_damaged(options: &Options, disk: Arc<dyn Disk>, cause: &Error) -> Result<Parts> {
    let dir = &options.dir;
    let lock = Lock::take(dir)?;
    let damage = error::damaged_read_only(cause);
    tracing::error!(%damage, "the catalogue is served as far as it can be read");
    let rest = journal::Rest::open(&*disk, dir)?;
    let known = complete_index(options, &rest);
    let identity = rest.identity().unwrap_or_default();
    let journal = rest.journal(damage.clone())?;
    let documents = Documents {
        records: journal.feed().records(),
        blobs: Blobs::new(disk, dir),
    };
    let index = match known {
        Ok(index) => index,
        Err(why) => {
            tracing::error!(%why, "the index does not know what the journal has lost either");
            Box::new(Lost)
        }
    };
    Ok(Parts {
        journal,
        identity,
        index,
        documents,
        damage: Some(damage),
        lock,
    })
}

/// The index, if it knows every change that was acknowledged.
fn complete_index(options: &Options, rest: &journal::Rest) -> Result<Box<dyn Index>> {
    if !options.dir.join(INDEX_NAME).exists() {
        return Err(error::index("there is none"));
    }
    let index = open_index(options)?;
    let applied = index.applied()?;
    if rest
        .identity()
        .is_some_and(|identity| identity != applied.journal)
    {
        return Err(error::index("it was derived from another journal"));
    }
    let last = rest.last_known()?;
    if applied.sequence == 0 || applied.sequence < last {
        return Err(error::index(format!(
            "it knows changes up to {}, and {last} was made",
            applied.sequence
        )));
    }
    Ok(index)
}

/// Whether there was a catalogue here: the journal is made first, so nothing else precedes it.
fn holds_traces(dir: &Path, blobs: &Blobs) -> bool {
    let has_blobs = fs::read_dir(blobs.dir()).is_ok_and(|mut entries| entries.next().is_some());
    has_blobs || dir.join(INDEX_NAME).exists()
}

fn create(disk: &dyn Disk, dir: &Path, entropy: &dyn Entropy) -> Result<Unread> {
    let mut identity = [0; 16];
    entropy.fill(&mut identity);
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        disk.sync_dir(parent)
            .map_err(|cause| error::file("sync its folder's name", parent, cause))?;
    }
    Unread::create(disk, dir, identity)
}

/// The present index and how far it is, or an empty one where the present one cannot be used.
fn usable_index(options: &Options, identity: [u8; 16]) -> Result<(Box<dyn Index>, u64)> {
    let cause = match open_index(options).and_then(|index| Ok((index.applied()?, index))) {
        Ok((applied, index)) if applied == Applied::default() || applied.journal == identity => {
            return Ok((index, applied.sequence));
        }
        Ok(_) => error::index("it was derived from another journal"),
        Err(cause) => cause,
    };
    discard(&options.dir, &cause)?;
    Ok((fresh_index(options), 0))
}

/// A new index on disk; where the disk cannot have one, as when it is full, one in memory.
fn fresh_index(options: &Options) -> Box<dyn Index> {
    open_index(options).unwrap_or_else(|cause| {
        tracing::warn!(%cause, "the catalogue's index is kept in memory until the next start");
        Box::new(MemoryIndex::default())
    })
}

/// Opens and checks the index as it is.
pub(crate) fn open_index(options: &Options) -> Result<Box<dyn Index>> {
    match options.index {
        IndexKind::Memory => Ok(Box::new(MemoryIndex::default())),
        IndexKind::Sled { cache_bytes } => {
            let index = SledIndex::open(&options.dir.join(INDEX_NAME), cache_bytes)?;
            index.check()?;
            Ok(Box::new(index))
        }
    }
}

fn discard(dir: &Path, why: &Error) -> Result<()> {
    let failed = |cause| error::file("set its index aside", dir, cause);
    let target = set_aside(dir, INDEX_NAME).map_err(failed)?;
    tracing::warn!(
        why = why.detail().unwrap_or(why.message()),
        kept = %target.display(),
        "the catalogue's index could not be used; it is derived again from the journal"
    );
    Ok(())
}

/// Applies every record after `applied` to the index.
pub(crate) fn derive(
    index: &dyn Index,
    journal: [u8; 16],
    applied: u64,
    feed: &Feed,
    documents: &Documents,
) -> Result<()> {
    let from = applied.max(feed.first() - 1);
    for start in (from..feed.last()).step_by(REPLAY_RECORDS_MAX as usize) {
        let mut view = View::new(index, documents);
        feed.read(start, REPLAY_RECORDS_MAX as usize, &mut |place, payload| {
            registry::apply(&mut view, place, Record::decode(payload)?.event)
        })?;
        let sequence = feed.last().min(start + REPLAY_RECORDS_MAX);
        index.apply(&view.into_batch(), Applied { journal, sequence })?;
    }
    Ok(())
}
