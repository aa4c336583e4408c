//! What is left of a journal that is damaged.
//!
//! Never writes, and promises nothing of what cannot be read. Invariant: what is made of it takes no
//! change, and gives a record only if its checksum is right.

use super::current::Current;
use super::frame;
use super::header::{HEADER_BYTES, Header};
use super::scan::{Frames, greatest};
use super::{FILE_NAME, Feed, Journal, Stall};
use crate::disk::{Disk, File};
use crate::error;
use flinkspark_model::{Error, Result};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A journal's file as it is, or nothing where there is none.
pub(crate) struct Rest {
    file: Arc<dyn File>,
    path: PathBuf,
    header: Option<Header>,
}

impl Rest {
    /// Takes what is there.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let unreadable = |cause| error::file("open its journal", &path, cause);
        let file = disk.open(&path).map_err(unreadable)?;
        let file = file.unwrap_or_else(|| Arc::new(Nothing));
        let mut bytes = vec![0; HEADER_BYTES as usize];
        let count = file.read_at(0, &mut bytes).map_err(unreadable)?;
        let header = Header::decode(&bytes[..count]).ok();
        Ok(Self { file, path, header })
    }

    /// The journal's identity, where its header can be read.
    pub(crate) fn identity(&self) -> Option<[u8; 16]> {
        self.header.map(|header| header.identity)
    }

    /// The greatest change that the header or any whole record knows of.
    pub(crate) fn last_known(&self) -> Result<u64> {
        let marked = self.header.map_or(0, |header| header.mark);
        Ok(marked.max(greatest(&*self.file)?))
    }

    /// A journal that gives the records in front of the damage and takes nothing, because of `damage`.
    pub(crate) fn journal(self, damage: Error) -> Result<Journal> {
        let header = self
            .header
            .unwrap_or_else(|| Header::new(1, Default::default()));
        let file = Arc::new(Current::new(self.file));
        let feed = Feed::new(Arc::clone(&file) as Arc<dyn File>, header.first);
        let unreadable = |cause| error::file("read its journal", &self.path, cause);
        let mut frames = Frames::open(&*file).map_err(unreadable)?;
        let (mut at, mut next) = (HEADER_BYTES, header.first);
        while at < frames.len {
            let frame = frame::decode(frames.at(at).map_err(unreadable)?);
            let Some(frame) = frame.ok().filter(|frame| frame.sequence == next) else {
                break;
            };
            feed.note(next, at);
            at = super::Place::of(next, at, frame.payload).end();
            next += 1;
        }
        feed.publish(next - 1);
        Ok(Journal {
            file: Arc::clone(&file),
            path: self.path,
            header,
            feed: Arc::new(feed),
            last: next - 1,
            end: at,
            stall: Some(Stall::Damaged(damage)),
        })
    }
}

/// The file of a journal that is not there.
struct Nothing;

impl File for Nothing {
    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }
}
