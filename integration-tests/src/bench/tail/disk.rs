//! The disk alone: the files and the syncs that a put and a commit cost, and nothing else.
//!
//! A file is written and synced, linked to its name, and the name's folder synced, as the server's store does it.
//! Invariant: what was published was synced, content and name.

use super::Syncs;
use super::pace::Way;
use crate::Step;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// Folders of their own on the file system that is measured.
pub(super) struct Disk {
    root: PathBuf,
    partitions: u32,
    /// Bytes of a file with an epoch's rows, and of a slot.
    bytes: (usize, usize),
    next: AtomicU64,
    /// When each epoch was visible.
    seen: Mutex<Vec<(u64, Instant)>>,
}

impl Disk {
    /// Makes the folders.
    pub(super) fn new(root: &Path, partitions: u32, bytes: (usize, usize)) -> Step<Arc<Self>> {
        for folder in ["temporaries", "segments", "log"] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(Arc::new(Self {
            root: root.into(),
            partitions,
            bytes,
            next: AtomicU64::new(0),
            seen: Mutex::default(),
        }))
    }

    /// When each epoch was visible, since this was asked last.
    pub(super) fn seen(&self) -> Vec<(u64, Instant)> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long each sync of so many publications took, one after the other.
    pub(super) fn syncs(&self, count: usize) -> Step<Vec<Syncs>> {
        (0..count)
            .map(|_| self.publish("log", self.bytes.1))
            .collect()
    }

    /// A new file in a folder.
    fn publish(&self, folder: &str, bytes: usize) -> Step<Syncs> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let folder = self.root.join(folder);
        let temporary = self.root.join("temporaries").join(number.to_string());
        let since = Instant::now();
        let mut file = File::create_new(&temporary)?;
        file.write_all(&vec![7; bytes])?;
        file.sync_data()?;
        let file = since.elapsed();
        fs::hard_link(&temporary, folder.join(number.to_string()))?;
        let since = Instant::now();
        File::open(&folder)?.sync_all()?;
        let name = since.elapsed();
        fs::remove_file(&temporary)?;
        Ok(Syncs { file, name })
    }
}

impl Way for Disk {
    type Staged = ();

    async fn stage(self: &Arc<Self>, _: u64) -> Step {
        let each = (0..self.partitions).map(|_| {
            let disk = Arc::clone(self);
            tokio::task::spawn_blocking(move || disk.publish("segments", disk.bytes.0))
        });
        for published in futures::future::join_all(each).await {
            published??;
        }
        Ok(())
    }

    async fn commit(self: &Arc<Self>, epochs: Vec<(u64, ())>) -> Step {
        let disk = Arc::clone(self);
        tokio::task::spawn_blocking(move || disk.publish("log", disk.bytes.1)).await??;
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(epochs.into_iter().map(|(epoch, ())| (epoch, now)));
        Ok(())
    }
}
