//! How a journal goes on after a write or a sync that failed.
//!
//! Owns the steps; when to take them is the caller's. A failed sync is never repeated on the same file:
//! what was acknowledged moves into a new one. Invariant: every acknowledged record is in the
//! file before and after each step, and nothing else is once the journal takes changes again.

use super::frame;
use super::header::{HEADER_BYTES, Header};
use super::scan::Frames;
use super::{FILE_NAME, Journal, NEW_FILE_NAME};
use crate::disk::{Disk, File};
use crate::error;
use flinkspark_model::{Error, Result};
use std::io;
use std::sync::Arc;

/// Why a journal takes nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stall {
    /// A write failed. Behind the last acknowledged byte may be anything; what lies before it is synced.
    Torn(Error),
    /// A sync failed. A later one of the same file proves nothing.
    Unsynced(Error),
    /// What was read when it was opened cannot be trusted: it takes nothing until it is restored.
    Damaged(Error),
}

impl Stall {
    /// Why.
    pub(crate) fn why(&self) -> &Error {
        let (Self::Torn(why) | Self::Unsynced(why) | Self::Damaged(why)) = self;
        why
    }
}

impl Journal {
    /// Why it takes nothing; `None` where it does.
    pub(crate) fn stall(&self) -> Option<&Stall> {
        self.stall.as_ref()
    }

    /// Undoes what was not acknowledged, so that changes are taken again. Each call is one attempt.
    pub(crate) fn reopen(&mut self, disk: &dyn Disk) -> Result<()> {
        let went_on = match &self.stall {
            None => return Ok(()),
            Some(Stall::Damaged(why)) => return Err(why.clone()),
            Some(Stall::Torn(_)) => self.cut(),
            Some(Stall::Unsynced(_)) => self.move_to_a_new_file(disk),
        };
        went_on.map_err(|cause| error::file("take its journal up again", &self.path, cause))?;
        self.stall = None;
        tracing::info!(
            after = self.last,
            "the catalogue's journal takes changes again"
        );
        Ok(())
    }

    /// Cuts the file behind the last acknowledged byte. The marks go first: a mark beyond
    /// the end would be taken for loss.
    pub(super) fn cut(&mut self) -> io::Result<()> {
        let marks = Header::acknowledged(&self.header, self.last);
        self.file.write_at(0, &marks.encode())?;
        self.header = marks;
        self.file.truncate(self.end)?;
        self.file.sync().inspect_err(|cause| {
            self.stall = Some(Stall::Unsynced(error::stalled(
                "syncing the journal",
                cause,
            )));
        })
    }

    /// Copies what was acknowledged into a new file, record by record, and takes that instead.
    fn move_to_a_new_file(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(&self.path);
        let temporary = directory.join(NEW_FILE_NAME);
        let header = Header::acknowledged(&self.header, self.last);
        let copy = disk.create(&temporary)?;
        copy.write_at(0, &header.encode())?;
        copy_records(&*self.file, &*copy, header.first, self.end)?;
        copy.sync()?;
        disk.rename(&temporary, &directory.join(FILE_NAME))?;
        // From here on the old file has no name: whatever comes next, only the new one may be written.
        self.file.exchange(Arc::clone(&copy));
        self.header = header;
        disk.sync_dir(directory)
    }
}

/// Copies whole records up to `end`; one that is not what was acknowledged is an error.
fn copy_records(from: &dyn File, to: &dyn File, first: u64, end: u64) -> io::Result<()> {
    let mut frames = Frames::open(from)?;
    let (mut at, mut next) = (HEADER_BYTES, first);
    while at < end {
        let frame = frame::decode(frames.at(at)?)
            .ok()
            .filter(|frame| frame.sequence == next);
        let frame = frame.ok_or_else(|| {
            let why = format!("record {next} cannot be read back");
            io::Error::new(io::ErrorKind::InvalidData, why)
        })?;
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        to.write_at(at, &bytes)?;
        at += bytes.len() as u64;
        next += 1;
    }
    Ok(())
}
