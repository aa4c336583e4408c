//! The store on a local disk, with its own syncs.
//!
//! A create writes and syncs a new temporary, links it into place, syncs the directory and only
//! then removes the temporary's name. So a file with two names is one whose name may not be durable
//! yet: a reader syncs the directory before it serves it. It never renames and never retries a
//! sync. Invariant: no object is served or acknowledged before the syncs of its content and of
//! every name on its path; a failed sync ends all writing until [`Local::reopen`] has synced new files.

mod disk;
pub(crate) mod fs;

#[cfg(test)]
pub(crate) mod simulated;

use super::blocking::blocking;
use super::key::Key;
use super::{Created, Listed, Opened, Staging, Store};
use async_trait::async_trait;
use bytes::Bytes;
use disk::{Disk, Temporary};
use flinkspark_model::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// Objects as files below a directory. Cheap to clone.
///
/// One process at a time opens a directory: opening removes what another one has not published.
#[derive(Clone)]
pub struct Local(Arc<Disk>);

impl Local {
    /// Opens the store below `root`, making the directory where there is none, and removes what an
    /// earlier process left unpublished. A directory that cannot be synced is `Unavailable`.
    pub async fn open(root: &Path) -> Result<Self> {
        Self::on(Arc::new(fs::Disk), root).await
    }

    /// Why nothing is written (`FS1002`): a sync has failed. `None` where all is well.
    pub fn poisoned(&self) -> Option<Error> {
        self.0.poisoned()
    }

    /// One attempt to write again after a failed sync. What was acknowledged was synced before, and what was
    /// in doubt stays so until it is repeated: nothing is lost by it, and nothing doubled.
    pub async fn reopen(&self) -> Result<()> {
        let disk = Arc::clone(&self.0);
        blocking(move || disk.reopen()).await
    }

    pub(crate) async fn on(fs: Arc<dyn fs::Fs>, root: &Path) -> Result<Self> {
        let root = root.to_path_buf();
        blocking(move || Ok(Self(Arc::new(Disk::open(fs, root)?)))).await
    }
}

#[async_trait]
impl Store for Local {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created> {
        let (disk, key) = (Arc::clone(&self.0), key.clone());
        blocking(move || disk.create(&key, &bytes)).await
    }

    async fn read(&self, key: &Key) -> Result<Option<Bytes>> {
        let (disk, key) = (Arc::clone(&self.0), key.clone());
        blocking(move || disk.read(&key)).await
    }

    async fn list(&self, prefix: &Key) -> Result<Vec<Listed>> {
        let (disk, prefix) = (Arc::clone(&self.0), prefix.clone());
        blocking(move || disk.list(&prefix)).await
    }

    async fn stage(&self, key: &Key) -> Result<Box<dyn Staging>> {
        let (disk, key) = (Arc::clone(&self.0), key.clone());
        blocking(move || {
            let temporary = Disk::stage(&disk, &key)?;
            Ok(Box::new(Staged {
                key,
                temporary: Some(temporary),
            }) as Box<dyn Staging>)
        })
        .await
    }

    async fn open(&self, key: &Key) -> Result<Option<Opened>> {
        let (disk, key) = (Arc::clone(&self.0), key.clone());
        blocking(move || disk.open_object(&key)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let (disk, key) = (Arc::clone(&self.0), key.clone());
        blocking(move || disk.delete(&key)).await
    }
}

struct Staged {
    key: Key,
    /// `None` after a failed append: its content is no longer known.
    temporary: Option<Temporary>,
}

#[async_trait]
impl Staging for Staged {
    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        let mut temporary = self.take()?;
        let key = self.key.clone();
        let written = blocking(move || temporary.append(&key, &bytes).map(|()| temporary)).await?;
        self.temporary = Some(written);
        Ok(())
    }

    async fn publish(mut self: Box<Self>) -> Result<()> {
        let temporary = self.take()?;
        let key = self.key.clone();
        blocking(move || temporary.publish_new(&key)).await
    }
}

impl Staged {
    fn take(&mut self) -> Result<Temporary> {
        self.temporary.take().ok_or_else(|| {
            super::error::unavailable(
                "write",
                &self.key,
                "an earlier piece of it could not be written",
            )
        })
    }
}
