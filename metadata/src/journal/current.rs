//! The file that a journal is now.
//!
//! Readers hold it while the writer moves the journal to a new file. Invariant: whatever is read at an
//! offset that was acknowledged is the same before and after a move.

use crate::disk::File;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

/// A file that can be exchanged for a copy of itself.
pub(super) struct Current(RwLock<Arc<dyn File>>);

impl Current {
    pub(super) fn new(file: Arc<dyn File>) -> Self {
        Self(RwLock::new(file))
    }

    /// Goes on with another file, which holds the same.
    pub(super) fn exchange(&self, file: Arc<dyn File>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = file;
    }

    fn get(&self) -> Arc<dyn File> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl File for Current {
    fn len(&self) -> io::Result<u64> {
        self.get().len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.get().read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.get().write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.get().sync()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.get().truncate(len)
    }
}
