//! The index of a catalogue of which nothing is known.
//!
//! Invariant: it answers nothing, not even that something is missing.

use super::{Applied, Batch, Entry, Error, Index, Tree};

/// Every question is an error.
pub(crate) struct Lost;

fn lost<T>() -> Result<T, Error> {
    Err(Error::Store(
        "neither the journal nor the index is whole".into(),
    ))
}

impl Index for Lost {
    fn get(&self, _: Tree, _: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        lost()
    }

    fn scan(&self, _: Tree, _: &[u8], _: Option<&[u8]>, _: usize) -> Result<Vec<Entry>, Error> {
        lost()
    }

    fn apply(&self, _: &Batch, _: Applied) -> Result<(), Error> {
        lost()
    }

    fn applied(&self) -> Result<Applied, Error> {
        lost()
    }
}
