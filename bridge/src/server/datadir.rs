//! The data directory: one server owns it at a time, and a build reads only what it knows.
//!
//! Invariant: whoever holds a [`DataDir`] is the only process that writes below it, and no other user reads
//! there: directories are 0700 and files 0600, those from before too.

use flinkspark_model::checksum;
use flinkspark_model::{Error, Kind, Result};
use rustix::fs::Mode;
use rustix::process::umask;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The layout that this build writes and the newest that it reads.
const LAYOUT_VERSION: u32 = 1;
/// Nobody but the owner lists or enters a directory.
const DIRECTORY_MODE: u32 = 0o700;
/// Nobody but the owner reads or writes a file.
const FILE_MODE: u32 = 0o600;

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
        // A process that owns a data directory makes no file that others may read, sled's included.
        umask(Mode::RWXG | Mode::RWXO);
        let mut make = DirBuilder::new();
        make.recursive(true).mode(DIRECTORY_MODE);
        make.create(path)
            .map_err(|cause| refuse("it cannot be created", cause))?;
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path.join("LOCK"));
        let mut lock = open.map_err(|cause| refuse("its lock file cannot be opened", cause))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut lock)),
            Err(TryLockError::Error(cause)) => return Err(refuse("it cannot be locked", cause)),
        }
        let tightened = tighten(path).map_err(|cause| refuse("its permissions", cause))?;
        if tightened > 0 {
            tracing::info!(dir = %path.display(), tightened, "took other users' permissions away");
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

    /// Says in the lock file who holds the folder, for the error that the next server prints. A courtesy: a
    /// full disk keeps nobody from starting.
    pub fn announce(&mut self, holder: &str) {
        let write = |lock: &mut File| {
            lock.set_len(0)?;
            lock.seek(SeekFrom::Start(0))?;
            lock.write_all(holder.as_bytes())
        };
        if let Err(cause) = write(&mut self.lock) {
            tracing::warn!(%cause, "the lock file does not say who holds it");
        }
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
    match std::fs::read(&file) {
        Ok(bytes) => match layout(&String::from_utf8_lossy(&bytes)) {
            Said::Version(version) if version > LAYOUT_VERSION => {
                Err(Layout::Newer(String::from_utf8_lossy(&bytes).trim().into()))
            }
            Said::Version(_) => Ok(()),
            Said::Unchecked | Said::Damaged => {
                // Everything else in the folder has versions of its own; this one is written anew.
                if let Err(cause) = create_layout(path, &file) {
                    tracing::warn!(%cause, "the file FORMAT is damaged or old, and could not be written anew");
                }
                Ok(())
            }
        },
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            create_layout(path, &file).map_err(Layout::Io)
        }
        Err(cause) => Err(Layout::Io(cause)),
    }
}

/// What the file `FORMAT` says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// This version, without doubt.
    Version(u32),
    /// The present version, as it was written before there was a checksum.
    Unchecked,
    /// Nothing that can be believed.
    Damaged,
}

fn layout(text: &str) -> Said {
    let (version, checksum) = match text.trim_end().split_once(" crc32c ") {
        Some((version, checksum)) => (version, Some(checksum)),
        None => (text.trim(), None),
    };
    let number = version
        .strip_prefix("flinkspark ")
        .and_then(|number| number.parse::<u32>().ok());
    match (number, checksum) {
        (Some(number), Some(checksum)) if checksum == checksum_of(version) => Said::Version(number),
        (Some(number), None) if number > LAYOUT_VERSION => Said::Version(number),
        (Some(LAYOUT_VERSION), None) => Said::Unchecked,
        _ => Said::Damaged,
    }
}

fn checksum_of(version: &str) -> String {
    format!("{:08x}", checksum::crc32c(version.as_bytes()))
}

/// Takes the permissions of others from everything below a folder; returns how many had some.
fn tighten(path: &Path) -> std::io::Result<u64> {
    let metadata = std::fs::symlink_metadata(path)?;
    // A link leads elsewhere, and what lies there is its owner's.
    let mode = if metadata.is_dir() {
        DIRECTORY_MODE
    } else if metadata.is_file() {
        FILE_MODE
    } else {
        return Ok(0);
    };
    let mut tightened = 0;
    if metadata.permissions().mode() & 0o777 != mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        tightened += 1;
    }
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            tightened += tighten(&entry?.path())?;
        }
    }
    Ok(tightened)
}

/// Written aside and renamed, so that a torn file is never taken for a newer layout.
fn create_layout(path: &Path, file: &Path) -> std::io::Result<()> {
    let aside = path.join("FORMAT.new");
    let mut out = File::create(&aside)?;
    let version = format!("flinkspark {LAYOUT_VERSION}");
    let checksum = checksum_of(&version);
    out.write_all(format!("{version} crc32c {checksum}\n").as_bytes())?;
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
        first.announce("process 42 on http://127.0.0.1:7070");
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
    fn a_damaged_layout_is_no_newer_one_and_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("FORMAT");
        let whole = || {
            drop(DataDir::open(dir.path()).unwrap());
            std::fs::read(&file).unwrap()
        };
        let good = whole();
        assert_eq!(layout("flinkspark 1\n"), Said::Unchecked);
        for old in [&b"flinkspark 1\n"[..], b"", b"\xff\xfe"] {
            std::fs::write(&file, old).unwrap();
            assert_eq!(whole(), good);
        }
        for at in 0..good.len() - 1 {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                std::fs::write(&file, &bad).unwrap();
                assert_eq!(whole(), good, "byte {at}, bit {bit}");
            }
        }
        let newer = format!("flinkspark 2 crc32c {}\n", checksum_of("flinkspark 2"));
        std::fs::write(&file, newer).unwrap();
        assert_eq!(DataDir::open(dir.path()).unwrap_err().code(), "FS0011");
    }

    #[test]
    fn nobody_else_may_read_what_is_there_and_links_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir_all(data.join("datasets/x")).unwrap();
        let outside = dir.path().join("outside");
        for file in [
            data.join("key"),
            data.join("datasets/x/1.slot"),
            outside.clone(),
        ] {
            std::fs::write(&file, "x").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        std::os::unix::fs::symlink(&outside, data.join("link")).unwrap();
        drop(DataDir::open(&data).unwrap());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for directory in ["", "datasets", "datasets/x"] {
            assert_eq!(mode(&data.join(directory)), 0o700, "{directory}");
        }
        for file in ["key", "datasets/x/1.slot", "LOCK", "FORMAT"] {
            assert_eq!(mode(&data.join(file)), 0o600, "{file}");
        }
        assert_eq!(mode(&outside), 0o644);
        assert_eq!(tighten(&data).unwrap(), 0);
    }

    #[test]
    fn a_file_in_the_folders_place_is_an_error_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert_eq!(DataDir::open(&path).unwrap_err().code(), "FS0009");
    }
}
