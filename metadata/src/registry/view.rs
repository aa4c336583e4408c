//! The index as it will be when the changes decided so far are applied.

use crate::index::{Batch, Error, Index, Tree};

/// An index under a batch that is not applied yet.
pub(crate) struct View<'a> {
    index: &'a dyn Index,
    batch: Batch,
}

impl<'a> View<'a> {
    /// The index as it is.
    pub(crate) fn new(index: &'a dyn Index) -> Self {
        Self {
            index,
            batch: Batch::default(),
        }
    }

    /// The value at `key`.
    pub(crate) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.batch.0.get(&(tree, key.to_vec())) {
            Some(pending) => Ok(pending.clone()),
            None => self.index.get(tree, key),
        }
    }

    /// Puts a value.
    pub(crate) fn put(&mut self, tree: Tree, key: Vec<u8>, value: Vec<u8>) {
        self.batch.0.insert((tree, key), Some(value));
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, tree: Tree, key: Vec<u8>) {
        self.batch.0.insert((tree, key), None);
    }

    /// What is to be applied.
    pub(crate) fn into_batch(self) -> Batch {
        self.batch
    }
}
