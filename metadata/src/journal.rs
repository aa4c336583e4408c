//! The journal: the catalogue's truth and its change feed, one append-only file.
//!
//! Owns the file `journal` and the numbering of records. It never interprets a payload and never
//! repeats a failed sync: the first failure stalls it, and it takes nothing more until what was not
//! acknowledged is undone ([`reopen`]). Invariant: what [`Journal::append`] acknowledged is read by every later open, or
//! that open fails with an error that says so.

mod bytes;
mod current;
mod feed;
mod frame;
mod header;
mod place;
mod reopen;
mod rest;
mod scan;
#[cfg(test)]
mod tests;

pub(crate) use bytes::read;
pub(crate) use feed::Feed;
pub(crate) use frame::RECORD_BYTES_MAX;
pub(crate) use place::{Place, Records};
pub(crate) use reopen::Stall;
pub(crate) use rest::Rest;
pub(crate) use scan::Extent;

use crate::disk::{Disk, File};
use crate::error;
use current::Current;
use flinkspark_model::{Error, Result, fault};
use frame::Frame;
use header::{HEADER_BYTES, Header};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most records that one sync covers.
pub(crate) const GROUP_RECORDS_MAX: usize = 256;

/// Takes a record's place and payload.
pub(crate) type Visit<'a> = dyn FnMut(Place, &[u8]) -> Result<()> + 'a;

const FILE_NAME: &str = "journal";
const NEW_FILE_NAME: &str = "journal.new";

/// A journal whose header was read and whose records were not: nothing can be appended yet.
pub(crate) struct Unread {
    file: Arc<Current>,
    path: PathBuf,
    header: Header,
}

impl Unread {
    /// Opens the journal in `dir`; `None` where there is none.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE_NAME);
        let unreadable = |cause| error::file("open its journal", &path, cause);
        let Some(file) = disk.open(&path).map_err(unreadable)? else {
            return Ok(None);
        };
        // A crash may have come between the rename that made the file and the sync of its name.
        disk.sync_dir(dir).map_err(unreadable)?;
        let mut bytes = vec![0; HEADER_BYTES as usize];
        let count = file.read_at(0, &mut bytes).map_err(unreadable)?;
        let header = Header::decode(&bytes[..count])?;
        let file = Arc::new(Current::new(file));
        Ok(Some(Self { file, path, header }))
    }

    /// Makes an empty journal in `dir`; a crash leaves either none or a whole one.
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, identity: [u8; 16]) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let header = Header::new(1, identity);
        let create = || -> io::Result<Arc<dyn File>> {
            let temporary = dir.join(NEW_FILE_NAME);
            let file = disk.create(&temporary)?;
            file.write_at(0, &header.encode())?;
            file.sync()?;
            disk.rename(&temporary, &path)?;
            disk.sync_dir(dir)?;
            Ok(file)
        };
        let file = create().map_err(|cause| error::file("create its journal", &path, cause))?;
        let file = Arc::new(Current::new(file));
        Ok(Self { file, path, header })
    }

    /// The journal's random identity.
    pub(crate) fn identity(&self) -> [u8; 16] {
        self.header.identity
    }

    /// The sequence of the first record in this file.
    pub(crate) fn first(&self) -> u64 {
        self.header.first
    }

    /// The journal's own high-water mark.
    pub(crate) fn mark(&self) -> u64 {
        self.header.mark
    }

    /// Reads single records of the file.
    pub(crate) fn records(&self) -> Records {
        Records(Arc::clone(&self.file) as Arc<dyn File>)
    }

    /// Visits every record in order without changing anything. `high_water` is the greatest
    /// sequence known from elsewhere to have been acknowledged.
    pub(crate) fn scan(&self, high_water: u64, visit: &mut Visit<'_>) -> Result<Extent> {
        scan::scan(
            &*self.file,
            &self.header,
            high_water.max(self.header.mark),
            visit,
        )
    }

    /// Checks every record, cuts a torn tail and syncs: only then may anything that was read be served.
    pub(crate) fn recover(&self, high_water: u64) -> Result<Journal> {
        let feed = Feed::new(Arc::clone(&self.file) as Arc<dyn File>, self.header.first);
        let extent = self.scan(high_water, &mut |place, _| {
            feed.note(place.sequence, place.offset);
            Ok(())
        })?;
        let mut journal = Journal {
            file: Arc::clone(&self.file),
            path: self.path.clone(),
            header: self.header,
            feed: Arc::new(feed),
            last: extent.last,
            end: extent.end,
            stall: None,
        };
        journal
            .settle(extent)
            .map_err(|cause| error::file("settle its journal", &self.path, cause))?;
        Ok(journal)
    }
}

/// An open journal: the only writer of its file.
pub(crate) struct Journal {
    file: Arc<Current>,
    path: PathBuf,
    header: Header,
    feed: Arc<Feed>,
    last: u64,
    end: u64,
    stall: Option<Stall>,
}

impl Journal {
    /// The sequence of the last record.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Reads what was acknowledged, from any thread.
    pub(crate) fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// The place of the first record of the next group.
    pub(crate) fn next_place(&self, payload: &[u8]) -> Place {
        Place::of(self.last + 1, self.end, payload)
    }

    /// Makes up to [`GROUP_RECORDS_MAX`] records durable with one write and one sync, numbered from
    /// `last() + 1`. `Unavailable` means that nothing happened; `InDoubt` leaves the journal stalled.
    pub(crate) fn append(&mut self, payloads: &[Vec<u8>]) -> Result<()> {
        if let Some(stall) = &self.stall {
            return Err(error::read_only(stall.why()));
        }
        if payloads.is_empty() {
            return Ok(());
        }
        let (bytes, offsets) = self.encode_group(payloads)?;
        if let Err(cause) = self.file.write_at(self.end, &bytes) {
            return Err(self.undo("writing the journal", cause));
        }
        fault::reach("catalog.append.written")
            .map_err(|cause| self.unsynced("writing the journal", cause))?;
        let synced = self.file.sync();
        synced.map_err(|cause| self.unsynced("syncing the journal", cause))?;
        fault::reach("catalog.append.synced")
            .map_err(|cause| self.unsynced("syncing the journal", cause))?;
        let mut header = self.header;
        let (at, mark) = header.raise(self.last + payloads.len() as u64);
        if let Err(cause) = self.file.write_at(at, &mark) {
            return Err(self.undo("marking the journal", cause));
        }
        self.header = header;
        for offset in offsets {
            self.last += 1;
            self.feed.note(self.last, offset);
        }
        self.end += bytes.len() as u64;
        self.feed.publish(self.last);
        Ok(())
    }

    /// A sync failed: nobody knows what the disk holds behind the last acknowledged byte.
    fn unsynced(&mut self, step: &str, cause: impl std::fmt::Display) -> Error {
        let why = error::stalled(step, &cause);
        tracing::error!(%why, "the catalogue takes no changes");
        self.stall = Some(Stall::Unsynced(why));
        error::in_doubt(step, cause)
    }

    /// A write failed, as on a full disk: takes back what it left, and where that is done nothing happened.
    fn undo(&mut self, step: &str, cause: io::Error) -> Error {
        self.stall = Some(Stall::Torn(error::stalled(step, &cause)));
        match self.cut() {
            Ok(()) => {
                self.stall = None;
                error::not_written(step, &self.path, cause)
            }
            Err(again) => {
                tracing::error!(%cause, %again, "the catalogue takes no changes");
                error::in_doubt(step, cause)
            }
        }
    }

    fn encode_group(&self, payloads: &[Vec<u8>]) -> Result<(Vec<u8>, Vec<u64>)> {
        if payloads.len() > GROUP_RECORDS_MAX {
            return Err(error::bug(format!("a group of {} records", payloads.len())));
        }
        let group = self.last + 1;
        let mut bytes = Vec::new();
        let mut offsets = Vec::with_capacity(payloads.len());
        for (sequence, payload) in (group..).zip(payloads) {
            if payload.is_empty() || payload.len() > RECORD_BYTES_MAX {
                return Err(error::bug(format!("a record of {} bytes", payload.len())));
            }
            offsets.push(self.end + bytes.len() as u64);
            Frame {
                sequence,
                group,
                payload,
            }
            .encode(&mut bytes);
        }
        Ok((bytes, offsets))
    }

    fn settle(&mut self, extent: Extent) -> io::Result<()> {
        if extent.torn_bytes > 0 {
            tracing::warn!(
                bytes = extent.torn_bytes,
                after = extent.last,
                "cut a change that was never acknowledged off the catalogue's journal"
            );
            self.file.truncate(extent.end)?;
        }
        self.file.sync()?;
        self.publish()
    }

    /// Raises the mark and lets readers see what is durable.
    fn publish(&mut self) -> io::Result<()> {
        if self.last != self.header.mark {
            let (offset, bytes) = self.header.raise(self.last);
            self.file.write_at(offset, &bytes)?;
        }
        self.feed.publish(self.last);
        Ok(())
    }
}

/// The header of an empty journal with this identity.
#[cfg(test)]
pub(crate) fn fresh_header(identity: [u8; 16]) -> Vec<u8> {
    Header::new(1, identity).encode()
}

/// Writes the whole records in front of the damage into a journal of their own, which takes the
/// place of the damaged one; that is kept as `journal.bad-<n>`. Changes behind the damage are lost:
/// only for the operator who asked for it. Returns the last sequence that was kept.
pub(crate) fn salvage(disk: &dyn Disk, dir: &Path, identity: [u8; 16]) -> Result<u64> {
    let path = dir.join(FILE_NAME);
    let failed = |cause| error::file("salvage its journal", &path, cause);
    let temporary = dir.join(NEW_FILE_NAME);
    let copy = disk.create(&temporary).map_err(failed)?;
    // The header is believed where it can be read; a damaged one leaves 1, where every journal begins.
    let old = disk.open(&path).map_err(failed)?;
    let first = Unread::open(disk, dir)
        .ok()
        .flatten()
        .map_or(1, |unread| unread.first());
    let mut header = Header::new(first, identity);
    let (mut at, mut next) = (HEADER_BYTES, first);
    if let Some(old) = &old {
        let mut frames = scan::Frames::open(&**old).map_err(failed)?;
        while let Ok(frame) = frame::decode(frames.at(at).map_err(failed)?) {
            if frame.sequence != next {
                break;
            }
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            copy.write_at(at, &bytes).map_err(failed)?;
            at += bytes.len() as u64;
            next += 1;
        }
    }
    header.mark = next - 1;
    let finish = || -> io::Result<()> {
        copy.write_at(0, &header.encode())?;
        copy.sync()?;
        if old.is_some() {
            crate::set_aside::set_aside(dir, FILE_NAME)?;
        }
        disk.rename(&temporary, &path)?;
        disk.sync_dir(dir)
    };
    finish().map_err(failed)?;
    Ok(next - 1)
}
