//! The data directory: one server owns it at a time, and a build reads only what it knows.
//!
//! Invariant: whoever holds a [`DataDir`] is the only process that writes below it.

use flinkspark_model::{Error, Kind, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The layout that this build writes and the newest that it reads.
const LAYOUT_VERSION: u32 = 1;

/// The folder that holds everything, locked.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
}

impl DataDir {
    /// Creates the folder if it is not there, locks it, and checks its layout's version.
    pub fn open(path: &Path) -> Result<Self> {
        let refuse = |what: &str, cause: std::io::Error| {
            Error::new(
                Kind::Unavailable,
                "FS0009",
                format!("the data directory {} cannot be used", path.display()),
            )
            .with_detail(format!("{what}: {cause}"))
            .with_hint("choose a folder that this user may write to with --data-dir")
        };
        std::fs::create_dir_all(path).map_err(|cause| refuse("it cannot be created", cause))?;
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("LOCK"));
        let mut lock = open.map_err(|cause| refuse("its lock file cannot be opened", cause))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut lock)),
            Err(TryLockError::Error(cause)) => return Err(refuse("it cannot be locked", cause)),
        }
        check_layout(path).map_err(|error| match error {
            Layout::Io(cause) => refuse("its layout cannot be read or written", cause),
            Layout::Newer(found) => newer(path, &found),
        })?;
        Ok(Self {
            path: path.into(),
            lock,
        })
    }

    /// Says in the lock file who holds the folder, for the error that the next server prints.
    pub fn announce(&mut self, holder: &str) -> Result<()> {
        let write = |lock: &mut File| {
            lock.set_len(0)?;
            lock.seek(SeekFrom::Start(0))?;
            lock.write_all(holder.as_bytes())
        };
        write(&mut self.lock).map_err(|cause| {
            Error::new(
                Kind::Unavailable,
                "FS0009",
                format!("the data directory {} cannot be used", self.path.display()),
            )
            .with_source(cause)
            .with_hint("check the disk's free space and the folder's permissions")
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn held(path: &Path, lock: &mut File) -> Error {
    let mut holder = String::new();
    // Whatever the holder wrote is a courtesy: without it the error is as true.
    if lock.read_to_string(&mut holder).is_err() || holder.trim().is_empty() {
        holder = "another process".into();
    }
    Error::new(
        Kind::Unavailable,
        "FS0010",
        format!("the data directory {} is in use", path.display()),
    )
    .with_detail(format!("{} holds it", holder.trim()))
    .with_hint("stop that server, or start this one with another --data-dir")
}

enum Layout {
    Io(std::io::Error),
    Newer(String),
}

fn check_layout(path: &Path) -> Result<(), Layout> {
    let file = path.join("FORMAT");
    match std::fs::read_to_string(&file) {
        Ok(text) => match text
            .trim()
            .strip_prefix("flinkspark ")
            .and_then(|version| version.parse::<u32>().ok())
        {
            Some(version) if version <= LAYOUT_VERSION => Ok(()),
            _ => Err(Layout::Newer(text.trim().into())),
        },
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            create_layout(path, &file).map_err(Layout::Io)
        }
        Err(cause) => Err(Layout::Io(cause)),
    }
}

/// Written aside and renamed, so that a torn file is never taken for a newer layout.
fn create_layout(path: &Path, file: &Path) -> std::io::Result<()> {
    let aside = path.join("FORMAT.new");
    let mut out = File::create(&aside)?;
    out.write_all(format!("flinkspark {LAYOUT_VERSION}\n").as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&aside, file)?;
    File::open(path)?.sync_all()
}

fn newer(path: &Path, found: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0011",
        format!(
            "the data directory {} has a layout that this build does not know",
            path.display()
        ),
    )
    .with_detail(format!(
        "it says \"{}\"; this build reads up to \"flinkspark {LAYOUT_VERSION}\"",
        found.escape_debug()
    ))
    .with_hint("start a build at least as new as the one that wrote it; nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_hears_who_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = DataDir::open(dir.path()).unwrap();
        first
            .announce("process 42 on http://127.0.0.1:7070")
            .unwrap();
        let error = DataDir::open(dir.path()).unwrap_err();
        assert_eq!(error.code(), "FS0010");
        assert_eq!(
            error.detail(),
            Some("process 42 on http://127.0.0.1:7070 holds it")
        );
        drop(first);
        DataDir::open(dir.path()).unwrap();
    }

    #[test]
    fn a_newer_layout_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("FORMAT"), "flinkspark 2\n").unwrap();
        assert_eq!(DataDir::open(dir.path()).unwrap_err().code(), "FS0011");
        assert_eq!(
            std::fs::read_to_string(dir.path().join("FORMAT")).unwrap(),
            "flinkspark 2\n"
        );
    }

    #[test]
    fn a_file_in_the_folders_place_is_an_error_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert_eq!(DataDir::open(&path).unwrap_err().code(), "FS0009");
    }
}
