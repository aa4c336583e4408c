//! Payloads too large for a journal record: files named by the SHA-256 of their content.
//!
//! Owns the folder `blobs`. A file is synced, and its name too, before the record that names it is
//! written; it is never changed afterwards. Invariant: what [`Blobs::get`] returns has the digest
//! that was asked for.

use crate::disk::Disk;
use crate::error;
use flinkspark_model::Result;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The largest payload, in bytes.
pub(crate) const BLOB_BYTES_MAX: usize = 16 * 1024 * 1024;

const TEMPORARY: &str = "new";

/// Names a payload by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlobRef {
    /// In lower-case hexadecimal: the file's name.
    pub(crate) sha256: String,
    /// Its length.
    pub(crate) bytes: u64,
}

/// The folder of large payloads.
#[derive(Clone)]
pub(crate) struct Blobs {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// A sync of the folder failed: no name in it that was not acknowledged is believed to be durable.
    doubtful: Arc<AtomicBool>,
}

impl Blobs {
    /// The folder `blobs` in `dir`, which must exist.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self {
            disk,
            dir: dir.join("blobs"),
            doubtful: Arc::default(),
        }
    }

    /// The folder's path.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes `content` durable. Repeating it is harmless. One writer at a time.
    pub(crate) fn put(&self, content: &[u8]) -> Result<BlobRef> {
        if content.len() > BLOB_BYTES_MAX {
            return Err(error::limit(
                "the dataset's record is too large",
                format!(
                    "it has {} bytes, the limit is {BLOB_BYTES_MAX}",
                    content.len()
                ),
            ));
        }
        let reference = BlobRef {
            sha256: hex(content),
            bytes: content.len() as u64,
        };
        let path = self.dir.join(&reference.sha256);
        // A name whose sync failed is made anew: a second sync of the folder alone would prove nothing.
        if self.doubtful.load(Ordering::Relaxed) || self.get(&reference).is_err() {
            self.write(&path, content)
                .map_err(|cause| error::file("keep a large record", &path, cause))?;
        }
        // Also where it was there already: its name may not have been synced before a crash.
        let synced = self.disk.sync_dir(&self.dir);
        self.doubtful.store(synced.is_err(), Ordering::Relaxed);
        synced.map_err(|cause| error::file("keep a large record", &path, cause))?;
        Ok(reference)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = self.dir.join(TEMPORARY);
        let file = self.disk.create(&temporary)?;
        file.write_at(0, content)?;
        file.sync()?;
        self.disk.rename(&temporary, path)
    }

    /// Reads a payload and checks it.
    pub(crate) fn get(&self, reference: &BlobRef) -> Result<Vec<u8>> {
        let name = &reference.sha256;
        if name.len() != 64
            || !name.bytes().all(|byte| byte.is_ascii_hexdigit())
            || reference.bytes > BLOB_BYTES_MAX as u64
        {
            return Err(error::blob(name, "no file is named like that"));
        }
        let path = self.dir.join(name);
        let unreadable = |cause| error::file("read a large record", &path, cause);
        let file = self
            .disk
            .open(&path)
            .map_err(unreadable)?
            .ok_or_else(|| error::blob(name, "it is missing"))?;
        let mut content = vec![0; reference.bytes as usize];
        let count = file.read_at(0, &mut content).map_err(unreadable)?;
        if count as u64 != reference.bytes || file.len().map_err(unreadable)? != reference.bytes {
            return Err(error::blob(
                name,
                format!("it does not have {} bytes", reference.bytes),
            ));
        }
        if hex(&content) != *name {
            return Err(error::blob(name, "its digest differs"));
        }
        Ok(content)
    }
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::LocalDisk;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("blobs")).unwrap();
        let blobs = Blobs::new(Arc::new(LocalDisk), dir.path());
        (dir, blobs)
    }

    #[test]
    fn a_payload_is_read_as_it_was_kept_and_kept_once() {
        let (_dir, blobs) = blobs();
        let reference = blobs.put(b"wide").unwrap();
        assert_eq!(blobs.put(b"wide").unwrap(), reference);
        assert_eq!(blobs.get(&reference).unwrap(), b"wide");
        assert_eq!(std::fs::read_dir(blobs.dir()).unwrap().count(), 1);
    }

    #[test]
    fn a_changed_cut_or_missing_payload_is_never_returned() {
        let (_dir, blobs) = blobs();
        let reference = blobs.put(b"wide").unwrap();
        let path = blobs.dir().join(&reference.sha256);
        for damage in [&b"wide "[..], b"wid", b"wixe", b""] {
            std::fs::write(&path, damage).unwrap();
            assert_eq!(blobs.get(&reference).unwrap_err().code(), "FS0508");
        }
        assert_eq!(blobs.put(b"wide").unwrap(), reference);
        assert_eq!(blobs.get(&reference).unwrap(), b"wide");
        std::fs::remove_file(path).unwrap();
        assert_eq!(blobs.get(&reference).unwrap_err().code(), "FS0508");
    }

    #[test]
    fn a_reference_cannot_name_a_file_elsewhere() {
        let (_dir, blobs) = blobs();
        let reference = BlobRef {
            sha256: "../journal".into(),
            bytes: 1,
        };
        assert_eq!(blobs.get(&reference).unwrap_err().code(), "FS0508");
    }
}
