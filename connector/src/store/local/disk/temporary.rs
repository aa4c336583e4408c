//! A file on its way to its key: written, synced, linked, and its directory synced.
//!
//! Owns the order of these steps, with their fail points. Invariant: while the second name is not known to be durable
//! the first one stays, and says so to whoever reads the file.

use super::Disk;
use crate::store::Created;
use crate::store::error;
use crate::store::key::Key;
use crate::store::local::fs::NewFile;
use flinkspark_model::Result;
use flinkspark_model::fault::reach;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The steps of a publication that have fail points.
pub(super) struct Points {
    staged: Option<&'static str>,
    synced: &'static str,
    linked: &'static str,
    done: &'static str,
}

/// Of a slot of a log.
pub(super) const SLOT: Points = Points {
    staged: Some("log.create.staged"),
    synced: "log.create.synced",
    linked: "log.create.linked",
    done: "log.create.done",
};

const SEGMENT: Points = Points {
    staged: None,
    synced: "segment.seal.synced",
    linked: "segment.seal.linked",
    done: "segment.seal.done",
};

/// A file that has no key yet; dropped, it is removed.
pub(in crate::store::local) struct Temporary {
    pub(super) disk: Arc<Disk>,
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn NewFile>,
    /// Its second name is not known to be durable: the first one says so.
    pub(super) keep: bool,
}

impl Temporary {
    pub(in crate::store::local) fn append(&mut self, key: &Key, bytes: &[u8]) -> Result<()> {
        reach("segment.write").map_err(|cause| error::stopped(key, cause))?;
        self.write(key, bytes)
    }

    pub(super) fn write(&mut self, key: &Key, bytes: &[u8]) -> Result<()> {
        self.disk.alive()?;
        self.file
            .append(bytes)
            .map_err(|cause| error::failed("write", key, cause))
    }

    pub(in crate::store::local) fn publish_new(self, key: &Key) -> Result<()> {
        match self.publish(key, Some(&SEGMENT))? {
            Created::New => Ok(()),
            Created::Exists(_) => Err(error::taken(key)),
        }
    }

    pub(super) fn publish(mut self, key: &Key, points: Option<&Points>) -> Result<Created> {
        let pass = |point: Option<&'static str>| point.map_or(Ok(()), reach);
        let disk = Arc::clone(&self.disk);
        disk.alive()?;
        pass(points.and_then(|points| points.staged))
            .map_err(|cause| error::stopped(key, cause))?;
        self.file.sync().map_err(|cause| {
            // Where space is reserved late, a full disk shows here: only this file has lost anything.
            if error::is_full(&cause) || error::is_scarce(&cause) {
                error::failed("write", key, cause)
            } else {
                disk.poison(&self.path, &cause)
            }
        })?;
        pass(points.map(|points| points.synced)).map_err(|cause| error::stopped(key, cause))?;
        match disk.fs.link(&self.path, &disk.path(key)) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                return disk.existing(key).map(Created::Exists);
            }
            Err(cause)
                if error::is_full(&cause)
                    || error::is_scarce(&cause)
                    || cause.kind() == io::ErrorKind::NotFound =>
            {
                return Err(error::failed("link", key, cause));
            }
            // The disk did not say whether the name is there.
            Err(cause) => {
                self.keep = true;
                return Err(error::in_doubt(key, cause));
            }
        }
        self.keep = true;
        pass(points.map(|points| points.linked)).map_err(|cause| error::in_doubt(key, cause))?;
        disk.sync_dir(&disk.directory(key))
            .map_err(|cause| error::in_doubt(key, cause))?;
        self.keep = false;
        drop(self);
        pass(points.map(|points| points.done)).map_err(|cause| error::in_doubt(key, cause))?;
        Ok(Created::New)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is swept when the store is opened again.
        if !self.keep
            && let Err(cause) = self.disk.fs.remove(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %cause, "a temporary stays until the next start");
        }
    }
}
