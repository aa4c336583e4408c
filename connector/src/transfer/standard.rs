//! Standard input and output as files.
//!
//! Formats read from more than one place, so what comes is kept in a file without a name that goes with the process.
//! Invariant: standard input is read once, however often it is opened.

use flinkspark_model::{Error, Kind, Result};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands for it in messages and on the command line.
pub(super) const NAME: &str = "-";

/// Standard input or output; its clones are one.
#[derive(Debug, Clone, Default)]
pub struct Standard(Arc<Mutex<Option<Arc<File>>>>);

impl PartialEq for Standard {
    /// A process has one.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Standard {}

impl Standard {
    /// What came, from its beginning on; waits for its end.
    pub(super) fn input(&self) -> Result<At> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*kept {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(spool(io::stdin().lock()).map_err(|cause| {
                    Error::new(Kind::Unavailable, "FS0302", "standard input cannot be read")
                        .with_source(cause)
                        .with_hint("it is kept in a temporary file: check the free space (df /tmp), or set TMPDIR")
                })?);
                Arc::clone(kept.insert(file))
            }
        };
        Ok(At { file, at: 0 })
    }
}

fn spool(mut from: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut from, &mut file)?;
    Ok(file)
}

/// A place in a file that others read, too.
pub(super) struct At {
    file: Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(offset) => (self.file.metadata()?.len(), offset),
            SeekFrom::Current(offset) => (self.at, offset),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a place before the beginning");
        self.at = base.checked_add_signed(offset).ok_or_else(before)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_read_from_any_place_by_many() {
        let file = Arc::new(spool(&b"0123456789"[..]).unwrap());
        let open = || At {
            file: Arc::clone(&file),
            at: 0,
        };
        let (mut one, mut other) = (open(), open());
        let mut text = String::new();
        assert_eq!(one.seek(SeekFrom::End(-3)).unwrap(), 7);
        other.seek(SeekFrom::Current(5)).unwrap();
        one.read_to_string(&mut text).unwrap();
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "78956789");
        assert!(one.seek(SeekFrom::Current(-11)).is_err());
    }
}
