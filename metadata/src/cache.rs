//! Decoded datasets that were asked for lately.
//!
//! Two generations: what is asked for moves to the young one; when that is full it becomes the old
//! one. Invariant: it never holds more than twice [`GENERATION_MAX`] datasets, nor a stale one, as
//! the writer forgets what it changes before it lets readers in again.

use flinkspark_model::dataset::{Dataset, DatasetId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Datasets in one generation.
const GENERATION_MAX: usize = 4096;

#[derive(Default)]
pub(crate) struct Cache(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<DatasetId, Arc<Dataset>>,
    old: HashMap<DatasetId, Arc<Dataset>>,
}

impl Cache {
    /// The dataset, if it is here.
    pub(crate) fn get(&self, id: DatasetId) -> Option<Arc<Dataset>> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dataset) = generations.young.get(&id) {
            return Some(Arc::clone(dataset));
        }
        let dataset = generations.old.remove(&id)?;
        generations.keep(&dataset);
        Some(dataset)
    }

    /// Keeps a dataset for a while.
    pub(crate) fn put(&self, dataset: &Arc<Dataset>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keep(dataset);
    }

    /// Forgets a dataset that has changed.
    pub(crate) fn forget(&self, id: DatasetId) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.remove(&id);
        generations.old.remove(&id);
    }
}

impl Generations {
    fn keep(&mut self, dataset: &Arc<Dataset>) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(dataset.id, Arc::clone(dataset));
    }
}
