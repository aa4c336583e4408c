//! The index as it will be when the changes decided so far are applied.

use super::id_key;
use crate::documents::Documents;
use crate::index::{Batch, Index, Tree};
use crate::journal::Place;
use crate::record::Document;
use flinkspark_model::Result;
use flinkspark_model::dataset::DatasetId;
use std::collections::{BTreeMap, HashMap};

/// An index under a batch that is not applied yet.
pub(crate) struct View<'a> {
    index: &'a dyn Index,
    documents: &'a Documents,
    batch: Batch,
    /// Documents that the batch refers to and that the journal may not hold yet.
    pending: HashMap<DatasetId, Document>,
}

impl<'a> View<'a> {
    /// The index as it is.
    pub(crate) fn new(index: &'a dyn Index, documents: &'a Documents) -> Self {
        Self {
            index,
            documents,
            batch: Batch::default(),
            pending: HashMap::new(),
        }
    }

    /// The value at `key`.
    pub(crate) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.batch.0.get(&(tree, key.to_vec())) {
            Some(pending) => Ok(pending.clone()),
            None => Ok(self.index.get(tree, key)?),
        }
    }

    /// A dataset's document.
    pub(crate) fn document(&self, id: DatasetId) -> Result<Option<Document>> {
        if let Some(document) = self.pending.get(&id) {
            return Ok(Some(document.clone()));
        }
        let place = self.get(Tree::Datasets, &id_key(id))?;
        place.map(|place| self.documents.read(&place)).transpose()
    }

    /// The keys of a tree that lead to `value`: goes through all of it.
    pub(crate) fn keys_of(&self, tree: Tree, value: &[u8]) -> Result<Vec<Vec<u8>>> {
        let stored = self.index.scan(tree, &[], None, usize::MAX)?;
        let mut keys: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().collect();
        for ((_, key), pending) in self.batch.0.iter().filter(|((of, _), _)| *of == tree) {
            match pending {
                Some(value) => keys.insert(key.clone(), value.clone()),
                None => keys.remove(key),
            };
        }
        keys.retain(|_, there| there == value);
        Ok(keys.into_keys().collect())
    }

    /// Where large records are.
    pub(crate) fn documents(&self) -> &'a Documents {
        self.documents
    }

    /// Puts a value.
    pub(crate) fn put(&mut self, tree: Tree, key: Vec<u8>, value: Vec<u8>) {
        self.batch.0.insert((tree, key), Some(value));
    }

    /// Puts a dataset whose record stands at `place`, or will.
    pub(crate) fn put_document(&mut self, id: DatasetId, place: Place, document: Document) {
        self.put(Tree::Datasets, id_key(id), place.encode());
        self.pending.insert(id, document);
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, tree: Tree, key: Vec<u8>) {
        self.batch.0.insert((tree, key), None);
    }

    /// Removes a dataset.
    pub(crate) fn remove_document(&mut self, id: DatasetId) {
        self.remove(Tree::Datasets, id_key(id));
        self.pending.remove(&id);
    }

    /// What is to be applied.
    pub(crate) fn into_batch(self) -> Batch {
        self.batch
    }
}
