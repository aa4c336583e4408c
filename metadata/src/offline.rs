//! What an operator does with a catalogue that no server holds: verify, export, rebuild.
//!
//! Each takes the folder's lock first. Verify and export change nothing but sled's own files; rebuild
//! changes the journal only when it is told to give up what cannot be read.
//! Invariant: nothing is deleted; what is replaced is kept beside as `<name>.bad-<n>`.

use crate::blobs::Blobs;
use crate::disk::{Disk, LocalDisk};
use crate::documents::Documents;
use crate::error;
use crate::index::{Applied, Index, MemoryIndex, SledIndex, Tree};
use crate::journal::{self, Unread};
use crate::open::{INDEX_NAME, Lock, Options, open};
use crate::record::{Document, Event, Record};
use crate::registry::{self, View};
use crate::set_aside::set_aside;
use flinkspark_model::Result;
use flinkspark_model::port::Entropy;
use serde::Serialize;
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Entries compared at once.
const COMPARED_MAX: usize = 1000;
/// Page cache of an index that is only compared, in bytes.
const CACHE_BYTES: u64 = 32 << 20;

/// What a catalogue holds and whether its parts agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The sequence of the first change in the journal.
    pub first: u64,
    /// The sequence of the last change; one less than `first` in an empty journal.
    pub last: u64,
    /// The journal's own high-water mark.
    pub acknowledged: u64,
    /// Bytes at the journal's end that were never acknowledged; the next open cuts them off.
    pub torn_bytes: u64,
    /// Datasets.
    pub datasets: u64,
    /// Lineage edges.
    pub edges: u64,
    /// Records kept in files of their own.
    pub large_records: u64,
    /// Files in `blobs` that no record names: left by a crash, harmless.
    pub orphans: u64,
    /// How the index compares with the journal.
    pub index: IndexState,
}

/// How an index compares with the journal that it is derived from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexState {
    /// There is none; the next open derives it.
    Absent,
    /// It holds exactly what the journal says, up to this sequence; the next open applies the rest.
    Agrees {
        /// The last sequence that was applied.
        applied: u64,
    },
    /// It cannot be used; the next open sets it aside and derives it again, or `rebuild` does now.
    Unusable {
        /// Why.
        why: String,
    },
}

/// What `rebuild` may give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: a damaged journal is an error.
    Refuse,
    /// Every change from the first one on that cannot be read. The damaged journal is kept beside.
    Accept,
}

/// Reads everything in the catalogue in `dir` and compares its parts.
///
/// A folder without a journal is `Invalid` (`FS0519`), a journal or large record that cannot be
/// trusted is `Data`; a bad index is no error, as nothing is lost with it.
pub fn verify(dir: &Path) -> Result<Verification> {
    let (unread, documents, _lock) = open_read_only(dir)?;
    let index = compared_index(dir, unread.identity());
    let high_water = index.as_ref().map_or(0, |(_, applied)| *applied);
    let expected = MemoryIndex::default();
    let mut state = match &index {
        Ok((index, 0)) => compare(index.as_deref(), &expected, 0),
        _ => None,
    };
    let mut named = HashSet::new();
    let journal = unread.identity();
    let extent = unread.scan(high_water, &mut |place, payload| {
        let record = Record::decode(payload)?;
        if let Event::Put(Document::External(reference)) = &record.event {
            let blob = reference.blob();
            documents.blobs.get(&blob)?;
            named.insert(blob.sha256);
        }
        let mut view = View::new(&expected, &documents);
        registry::apply(&mut view, place, record.event)?;
        expected.apply(
            &view.into_batch(),
            Applied {
                journal,
                sequence: place.sequence,
            },
        )?;
        if let Ok((index, applied)) = &index
            && *applied == place.sequence
        {
            state = compare(index.as_deref(), &expected, *applied);
        }
        Ok(())
    })?;
    Ok(Verification {
        first: unread.first(),
        last: extent.last,
        acknowledged: unread.mark(),
        torn_bytes: extent.torn_bytes,
        datasets: count(&expected, Tree::Datasets)?,
        edges: count(&expected, Tree::EdgeDigests)?,
        large_records: named.len() as u64,
        orphans: orphans(&documents.blobs, &named)?,
        index: match index {
            Ok(_) => state.unwrap_or(IndexState::Absent),
            Err(why) => IndexState::Unusable { why },
        },
    })
}

/// Writes every change as one line of JSON: `{"v":1,"at_ms":..,"event":{..},"sequence":N}`, with large
/// records in place. Where the journal is damaged, what precedes the damage is written before the error.
pub fn export(dir: &Path, out: &mut dyn Write) -> Result<u64> {
    #[derive(Serialize)]
    struct Line {
        #[serde(flatten)]
        record: Record,
        sequence: u64,
    }
    let (unread, documents, _lock) = open_read_only(dir)?;
    let mut lines = 0;
    unread.scan(0, &mut |place, payload| {
        let record = Record::decode(payload)?.inline(&documents.blobs)?;
        let mut line = crate::record::encode(&Line {
            record,
            sequence: place.sequence,
        })?;
        line.push(b'\n');
        lines += 1;
        out.write_all(&line)
            .map_err(|cause| error::file("write its export", dir, cause))
    })?;
    Ok(lines)
}

/// Sets the index aside and derives it again, then verifies everything.
///
/// With [`Loss::Accept`] a journal that cannot be read to its end is cut in front of the damage first.
pub fn rebuild(dir: &Path, loss: Loss, entropy: &dyn Entropy) -> Result<Verification> {
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    if !dir.is_dir() {
        return Err(error::absent(dir));
    }
    let lock = Lock::take(dir)?;
    let readable = Unread::open(&*disk, dir).and_then(|unread| {
        let unread = unread.ok_or_else(|| error::absent(dir))?;
        // An index that is ahead of the journal knows of changes that the journal has lost.
        let high_water = compared_index(dir, unread.identity()).map_or(0, |(_, applied)| applied);
        unread.scan(high_water, &mut |_, _| Ok(())).map(drop)
    });
    match (readable, loss) {
        (Err(cause), Loss::Accept) if cause.kind() == flinkspark_model::Kind::Data => {
            let mut identity = [0; 16];
            entropy.fill(&mut identity);
            let kept = journal::salvage(&*disk, dir, identity)?;
            tracing::warn!(
                kept,
                "gave up every later change of the catalogue's journal, as was asked"
            );
        }
        (readable, _) => readable?,
    }
    if dir.join(INDEX_NAME).exists() {
        set_aside(dir, INDEX_NAME)
            .map_err(|cause| error::file("set its index aside", dir, cause))?;
    }
    drop(lock);
    drop(open(&Options::new(dir), disk, entropy)?);
    verify(dir)
}

fn open_read_only(dir: &Path) -> Result<(Unread, Documents, Lock)> {
    if !dir.is_dir() {
        return Err(error::absent(dir));
    }
    let lock = Lock::take(dir)?;
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let unread = Unread::open(&*disk, dir)?.ok_or_else(|| error::absent(dir))?;
    let documents = Documents {
        records: unread.records(),
        blobs: Blobs::new(disk, dir),
    };
    Ok((unread, documents, lock))
}

/// The index that is there and how far it is, or why it cannot be used.
fn compared_index(dir: &Path, journal: [u8; 16]) -> Result<(Option<Box<dyn Index>>, u64), String> {
    let path = dir.join(INDEX_NAME);
    if !path.exists() {
        return Ok((None, 0));
    }
    let index = SledIndex::open(&path, CACHE_BYTES).map_err(|cause| cause.to_string())?;
    index.check().map_err(|cause| cause.to_string())?;
    let applied = index.applied().map_err(|cause| cause.to_string())?;
    if applied != Applied::default() && applied.journal != journal {
        return Err("it was derived from another journal".into());
    }
    Ok((Some(Box::new(index)), applied.sequence))
}

fn compare(index: Option<&dyn Index>, expected: &MemoryIndex, applied: u64) -> Option<IndexState> {
    let index = index?;
    let different = Tree::ALL
        .into_iter()
        .find_map(|tree| match same(index, expected, tree) {
            Ok(true) => None,
            Ok(false) => Some(format!("tree {} differs from the journal", tree.name())),
            Err(cause) => Some(cause.to_string()),
        });
    Some(
        different.map_or(IndexState::Agrees { applied }, |why| IndexState::Unusable {
            why,
        }),
    )
}

fn same(index: &dyn Index, expected: &dyn Index, tree: Tree) -> Result<bool, crate::index::Error> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let ours = expected.scan(tree, &[], after.as_deref(), COMPARED_MAX)?;
        if ours != index.scan(tree, &[], after.as_deref(), COMPARED_MAX)? {
            return Ok(false);
        }
        match ours.last() {
            Some((key, _)) => after = Some(key.clone()),
            None => return Ok(true),
        }
    }
}

fn count(index: &dyn Index, tree: Tree) -> Result<u64> {
    Ok(index.scan(tree, &[], None, usize::MAX)?.len() as u64)
}

fn orphans(blobs: &Blobs, named: &HashSet<String>) -> Result<u64> {
    let failed = |cause| error::file("list its large records", blobs.dir(), cause);
    let mut orphans = 0;
    match fs::read_dir(blobs.dir()) {
        Ok(entries) => {
            for entry in entries {
                let name = entry.map_err(failed)?.file_name();
                orphans += u64::from(!name.to_str().is_some_and(|name| named.contains(name)));
            }
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(cause) => return Err(failed(cause)),
    }
    Ok(orphans)
}
