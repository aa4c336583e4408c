//! The file system as the local store needs it, so that a simulated one can lose power.
//!
//! Never retries and never interprets an error. Invariant: one call is at most one change of the
//! disk, so that a fault can be put before or after each.

use crate::store::ReadSeek;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// One entry of a directory.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// How many names the file has.
    pub(crate) links: u64,
}

/// The operations; paths are absolute.
pub(crate) trait Fs: Send + Sync + 'static {
    /// A new file; an existing one is `AlreadyExists`.
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>>;
    /// Opens a file; how many bytes and how many names it has.
    fn open(&self, path: &Path) -> io::Result<(Box<dyn ReadSeek>, Entry)>;
    /// Syncs an existing file's content.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// A second name for a file; an existing name is `AlreadyExists`.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// A new directory whose parent exists.
    fn make_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// The files in a directory, in any order.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
}

/// A file that is being written.
pub(crate) trait NewFile: Send {
    /// Appends all bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the content durable, not the name.
    fn sync(&mut self) -> io::Result<()>;
}

/// The operating system's.
pub(crate) struct Disk;

impl Fs for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // The data directory holds a signing key and users' data: nobody else's to read.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(options.open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<(Box<dyn ReadSeek>, Entry)> {
        let file = File::open(path)?;
        let entry = entry(String::new(), &file.metadata()?);
        Ok((Box::new(file), entry))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_data()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut directory = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut directory, 0o700);
        directory.create(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for found in fs::read_dir(path)? {
            let found = found?;
            let metadata = match found.metadata() {
                Ok(metadata) => metadata,
                // Removed since the directory was read.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                Err(cause) => return Err(cause),
            };
            if metadata.is_file() {
                entries.push(entry(
                    found.file_name().to_string_lossy().into_owned(),
                    &metadata,
                ));
            }
        }
        Ok(entries)
    }
}

impl NewFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn entry(name: String, metadata: &fs::Metadata) -> Entry {
    #[cfg(unix)]
    let links = std::os::unix::fs::MetadataExt::nlink(metadata);
    #[cfg(not(unix))]
    let links = 1;
    Entry {
        name,
        bytes: metadata.len(),
        links,
    }
}
