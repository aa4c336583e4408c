//! Files by path: opened as they are, created under a temporary name.
//!
//! Invariant: a file of the target's name is either what was there before or whole.

use super::BatchWriter;
use super::error::{cannot_open, cannot_write};
use super::packed::{Codec, Packing};
use arrow_array::RecordBatch;
use flinkspark_model::Result;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes that are gathered before they go to the system.
const WRITE_BUFFER_BYTES: usize = 256 << 10;

pub(super) fn open(path: &Path) -> Result<(File, String)> {
    let name = path.display().to_string();
    let open = || {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a directory",
            ));
        }
        Ok(file)
    };
    open()
        .map(|file| (file, name.clone()))
        .map_err(|cause| cannot_open(&name, cause))
}

/// A file that has not got its name yet.
pub(super) struct Pending {
    file: File,
    name: String,
    /// Where it is now and where it goes; `None` for what is no regular file, such as a pipe.
    paths: Option<(PathBuf, PathBuf)>,
    /// What packs it.
    packing: Option<Packing>,
}

pub(super) fn create(path: &Path) -> Result<(Pending, Box<dyn Write + Send>, String)> {
    let name = path.display().to_string();
    let create = || {
        if path.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a directory",
            ));
        }
        let regular = fs::metadata(path).map_or(true, |metadata| metadata.is_file());
        let paths = regular.then(|| (partial(path), path.to_owned()));
        let file = match &paths {
            Some((partial, _)) => {
                sweep(path);
                let file = File::create(partial)?;
                // Says that its writer lives; where locks are unknown the process's number does.
                let _ = file.try_lock();
                file
            }
            None => File::options().write(true).open(path)?,
        };
        let output = Box::new(BufWriter::with_capacity(
            WRITE_BUFFER_BYTES,
            file.try_clone()?,
        ));
        let packing = Codec::of_name(path);
        let packing = packing.map(|(codec, _)| codec);
        let (packing, output): (_, Box<dyn Write + Send>) = match packing {
            None => (None, output),
            Some(codec) => {
                let packing = Packing::new(codec, output)?;
                (Some(packing.clone()), Box::new(packing))
            }
        };
        let pending = Pending {
            file,
            name: name.clone(),
            paths,
            packing,
        };
        Ok((pending, output))
    };
    create()
        .map(|(pending, output)| (pending, output, name.clone()))
        .map_err(|cause| cannot_write(&name, cause))
}

fn partial(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

/// Removes what writers of the same file left that were killed. Nothing depends on it: a file that
/// cannot be removed stays.
fn sweep(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return;
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let prefix = format!(".{name}.");
    let entries = fs::read_dir(folder.unwrap_or(Path::new(".")));
    for entry in entries.into_iter().flatten().flatten() {
        let file = entry.file_name();
        let process = file
            .to_str()
            .and_then(|file| file.strip_prefix(&prefix)?.strip_suffix(".partial"))
            .and_then(|process| process.parse::<u32>().ok());
        let alive = |process: u32| Path::new("/proc").join(process.to_string()).exists();
        if process.is_some_and(|process| !alive(process))
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Pending {
    fn publish(&mut self) -> io::Result<()> {
        if let Some(packing) = &self.packing {
            packing.finish()?;
        }
        let Some((partial, path)) = &self.paths else {
            return Ok(());
        };
        self.file.sync_all()?;
        fs::rename(partial, path)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let synced =
            File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        self.paths = None;
        synced
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some((partial, _)) = &self.paths {
            // Whatever keeps it from going, the file was never published under its name.
            let _ = fs::remove_file(partial);
        }
    }
}

/// Gives the file its name when its writer has finished.
pub(super) struct Published {
    writer: Box<dyn BatchWriter>,
    pending: Pending,
}

impl Published {
    pub(super) fn new(writer: Box<dyn BatchWriter>, pending: Pending) -> Self {
        Self { writer, pending }
    }
}

impl BatchWriter for Published {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self {
            writer,
            mut pending,
        } = *self;
        writer.finish()?;
        pending
            .publish()
            .map_err(|cause| cannot_write(&pending.name, cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_writers_of_the_same_file_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let there = |name: &str| folder.path().join(name);
        let names = [
            ".out.csv.4294967295.partial",
            ".out.csv.4294967294.partial",
            ".other.csv.4294967295.partial",
            ".out.csv.notes.partial",
            "out.csv.4294967295.partial",
        ];
        for name in names {
            fs::write(there(name), "left").unwrap();
        }
        let living = File::open(there(names[1])).unwrap();
        living.try_lock().unwrap();
        let (mut pending, mut output, _) = create(&there("out.csv")).unwrap();
        output.write_all(b"a\n").unwrap();
        output.flush().unwrap();
        pending.publish().unwrap();
        let left: Vec<bool> = names.iter().map(|name| there(name).exists()).collect();
        assert_eq!(left, [false, true, true, true, true]);
        assert_eq!(fs::read(there("out.csv")).unwrap(), b"a\n");
    }
}
