//! The local store's steps, on threads that may block.
//!
//! Running out of space or of descriptors is not a failed sync: what was to be done did not happen, and
//! nothing else is in doubt. Invariant: `poisoned` is set by the first sync that fails, and cleared
//! only by [`Disk::reopen`], after new files and new names were synced.

mod temporary;

pub(super) use temporary::Temporary;

use super::fs::{Entry, Fs};
use crate::store::error;
use crate::store::key::Key;
use crate::store::{Created, Listed, OBJECT_BYTES_MAX, Opened, ReadSeek};
use bytes::Bytes;
use flinkspark_model::{Error, Result};
use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use temporary::SLOT;

/// Where unpublished files lie; no key has a part that begins with a dot.
const TEMPORARIES: &str = ".tmp";

/// Bytes of a file that is written to find out whether the disk can be written.
const PROBE_BYTES: usize = 4096;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Disk {
    fs: Arc<dyn Fs>,
    root: PathBuf,
    temporaries: PathBuf,
    /// Directories whose names, on the whole path and within, have been synced since the store was opened.
    ready: Mutex<HashSet<PathBuf>>,
    poisoned: Mutex<Option<String>>,
    /// Directories of which a sync has failed: before the next one counts, they are changed anew.
    doubtful: Mutex<HashSet<PathBuf>>,
    next_temporary: AtomicU64,
}

impl Disk {
    pub(super) fn open(fs: Arc<dyn Fs>, root: PathBuf) -> Result<Self> {
        let temporaries = root.join(TEMPORARIES);
        let disk = Self {
            fs,
            temporaries,
            root,
            ready: Mutex::default(),
            poisoned: Mutex::default(),
            doubtful: Mutex::default(),
            next_temporary: AtomicU64::new(0),
        };
        let here = Key::new("data-directory")?;
        disk.make_root()
            .map_err(|cause| error::failed("open the data directory", &here, cause))?;
        disk.sweep()
            .map_err(|cause| error::failed("sweep the data directory", &here, cause))?;
        Ok(disk)
    }

    fn make_root(&self) -> io::Result<()> {
        let missing: Vec<&Path> = self
            .root
            .ancestors()
            .take_while(|path| self.fs.list(path).is_err())
            .collect();
        for path in missing
            .into_iter()
            .rev()
            .chain([self.temporaries.as_path()])
        {
            self.make_dir(path)?;
            if let Some(parent) = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
            {
                self.fs.sync_dir(parent)?;
            }
        }
        self.fs.sync_dir(&self.root)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        match self.fs.make_dir(path) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
            _ => Ok(()),
        }
    }

    fn sweep(&self) -> io::Result<()> {
        for entry in self.fs.list(&self.temporaries)? {
            match self.fs.remove(&self.temporaries.join(entry.name)) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Why nothing is written; `None` where it is.
    pub(super) fn poisoned(&self) -> Option<Error> {
        locked(&self.poisoned)
            .as_ref()
            .map(|why| error::poisoned(why))
    }

    fn alive(&self) -> Result<()> {
        self.poisoned().map_or(Ok(()), Err)
    }

    /// One attempt to write again: a new file is written and synced, then a new name in each
    /// directory that is in doubt. Nothing is acknowledged by it: what was in doubt is found out when it
    /// is read or repeated, and every directory is synced anew before it is used.
    pub(super) fn reopen(&self) -> Result<()> {
        if self.poisoned().is_none() {
            return Ok(());
        }
        let mut directories: Vec<PathBuf> = locked(&self.doubtful).iter().cloned().collect();
        directories.push(self.temporaries.clone());
        let here = Key::new("data-directory")?;
        for directory in directories {
            self.freshen(&directory)
                .and_then(|()| self.fs.sync_dir(&directory))
                .map_err(|cause| error::failed("be written again", &here, cause))?;
        }
        locked(&self.doubtful).clear();
        locked(&self.ready).clear();
        *locked(&self.poisoned) = None;
        tracing::info!("the disk takes syncs again: so does the store take writes");
        Ok(())
    }

    /// Changes a directory, so that a sync that follows has something to write: a new file, synced, gets a
    /// name in it and loses it again.
    fn freshen(&self, directory: &Path) -> io::Result<()> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.temporaries.join(format!("fresh-{number:020}"));
        let mut file = self.fs.create(&path)?;
        let name = directory.join(format!(".fresh-{number:020}"));
        let changed = file
            .append(&[0; PROBE_BYTES])
            .and_then(|()| file.sync())
            .and_then(|()| self.fs.link(&path, &name));
        let removed = match changed {
            Ok(()) => self.fs.remove(&name),
            Err(cause) => Err(cause),
        };
        self.fs.remove(&path).and(removed)
    }

    /// Ends all writing: after a failed sync nobody knows what the disk holds, and a second sync
    /// that succeeds would not say so.
    fn poison(&self, path: &Path, cause: &io::Error) -> Error {
        let why = format!("syncing {} failed: {cause}", path.display());
        tracing::error!(path = %path.display(), %cause, "a sync failed: the store takes no writes");
        error::poisoned(locked(&self.poisoned).get_or_insert(why))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.alive()?;
        let failed = |cause: io::Error| {
            let scarce = error::is_scarce(&cause);
            if !scarce {
                locked(&self.doubtful).insert(path.to_path_buf());
            }
            if scarce || error::is_full(&cause) {
                self.lock_ready().remove(path);
                return error::failed_at("sync", path, cause);
            }
            self.poison(path, &cause)
        };
        if locked(&self.doubtful).contains(path) {
            self.freshen(path).map_err(failed)?;
        }
        self.fs.sync_dir(path).map_err(failed)?;
        locked(&self.doubtful).remove(path);
        Ok(())
    }

    /// Syncs a directory and every name on its path once since the store was opened.
    /// False where it does not exist; with `make` it is made.
    fn ready(&self, directory: &Path, make: bool, key: &Key) -> Result<bool> {
        if directory == self.root || self.lock_ready().contains(directory) {
            return Ok(true);
        }
        let Some(parent) = directory.parent() else {
            return Ok(false);
        };
        if !self.ready(parent, make, key)? {
            return Ok(false);
        }
        if make {
            self.make_dir(directory)
                .map_err(|cause| error::failed("make a directory", key, cause))?;
        } else if matches!(self.fs.list(directory), Err(cause) if cause.kind() == io::ErrorKind::NotFound)
        {
            return Ok(false);
        }
        self.sync_dir(directory)?;
        self.sync_dir(parent)?;
        self.lock_ready().insert(directory.to_path_buf());
        Ok(true)
    }

    fn lock_ready(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        locked(&self.ready)
    }

    fn directory(&self, key: &Key) -> PathBuf {
        self.path(key)
            .parent()
            .map_or_else(|| self.root.clone(), Path::to_path_buf)
    }

    pub(super) fn create(self: &Arc<Self>, key: &Key, bytes: &[u8]) -> Result<Created> {
        if bytes.len() > OBJECT_BYTES_MAX {
            return Err(error::too_large(
                key,
                bytes.len() as u64,
                OBJECT_BYTES_MAX as u64,
            ));
        }
        let mut temporary = Self::stage(self, key)?;
        temporary.write(key, bytes)?;
        temporary.publish(key, key.as_str().ends_with(".slot").then_some(&SLOT))
    }

    pub(super) fn stage(disk: &Arc<Self>, key: &Key) -> Result<Temporary> {
        disk.alive()?;
        disk.ready(&disk.directory(key), true, key)?;
        loop {
            let number = disk.next_temporary.fetch_add(1, Ordering::Relaxed);
            let path = disk.temporaries.join(format!("{number:020}"));
            match disk.fs.create(&path) {
                Ok(file) => {
                    return Ok(Temporary {
                        disk: Arc::clone(disk),
                        path,
                        file,
                        keep: false,
                    });
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(error::failed("make a file", key, cause)),
            }
        }
    }

    pub(super) fn read(&self, key: &Key) -> Result<Option<Bytes>> {
        let Some(opened) = self.open_object(key)? else {
            return Ok(None);
        };
        if opened.bytes > OBJECT_BYTES_MAX as u64 {
            return Err(error::too_large(key, opened.bytes, OBJECT_BYTES_MAX as u64));
        }
        let mut bytes = Vec::new();
        let mut content = opened.content;
        content
            .read_to_end(&mut bytes)
            .map_err(|cause| error::failed("read", key, cause))?;
        Ok(Some(bytes.into()))
    }

    pub(super) fn open_object(&self, key: &Key) -> Result<Option<Opened>> {
        let directory = self.directory(key);
        if !self.ready(&directory, false, key)? {
            return Ok(None);
        }
        match self.fs.open(&self.path(key)) {
            Ok((content, entry)) => self.served(&directory, content, &entry),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(error::failed("open", key, cause)),
        }
    }

    fn served(
        &self,
        directory: &Path,
        content: Box<dyn ReadSeek>,
        entry: &Entry,
    ) -> Result<Option<Opened>> {
        Ok(self.durable(directory, entry)?.then_some(Opened {
            bytes: entry.bytes,
            content,
        }))
    }

    /// Whether a file that was found may be served: its name is durable, or is made so now.
    fn durable(&self, directory: &Path, entry: &Entry) -> Result<bool> {
        if entry.links <= 1 {
            return Ok(true);
        }
        if self.poisoned().is_some() {
            return Ok(false);
        }
        self.sync_dir(directory).map(|()| true)
    }

    pub(super) fn list(&self, prefix: &Key) -> Result<Vec<Listed>> {
        let directory = self.path(prefix);
        if !self.ready(&directory, false, prefix)? {
            return Ok(Vec::new());
        }
        let found = self
            .fs
            .list(&directory)
            .map_err(|cause| error::failed("list", prefix, cause))?;
        let mut listed = Vec::with_capacity(found.len());
        let mut synced = false;
        // No key has a part that begins with a dot: such a name is this module's own.
        for entry in found
            .into_iter()
            .filter(|entry| !entry.name.starts_with('.'))
        {
            if synced || self.durable(&directory, &entry)? {
                synced |= entry.links > 1;
                listed.push(Listed {
                    name: entry.name,
                    bytes: entry.bytes,
                });
            }
        }
        listed.sort();
        Ok(listed)
    }

    pub(super) fn delete(&self, key: &Key) -> Result<()> {
        self.alive()?;
        match self.fs.remove(&self.path(key)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(error::failed("delete", key, cause))
            }
            _ => Ok(()),
        }
    }

    /// The content under a name that was taken, synced before anybody believes it.
    fn existing(&self, key: &Key) -> Result<Bytes> {
        let path = self.path(key);
        let doubt = |cause: &dyn std::fmt::Display| error::in_doubt(key, cause);
        self.alive().map_err(|cause| doubt(&cause))?;
        self.fs.sync_file(&path).map_err(|cause| {
            if !error::is_scarce(&cause) {
                self.poison(&path, &cause);
            }
            doubt(&cause)
        })?;
        self.sync_dir(&self.directory(key))
            .map_err(|cause| doubt(&cause))?;
        self.read(key)?
            .ok_or_else(|| doubt(&"it was deleted while it was read"))
    }
}
