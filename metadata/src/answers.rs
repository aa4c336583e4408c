//! What the catalogue answers: datasets, pages of them, and changes.
//!
//! Reads the index, the cache and the journal's feed; a large record's file only where it may block. Never changes
//! anything. Invariant: one record that cannot be read is one error, and hides no other.

use crate::error;
use crate::index::Index;
use crate::record::{Document, External, Record};
use crate::registry::{self, View};
use crate::writer::Shared;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{ChangeEvent, Damaged, EventKind, Page};
use flinkspark_model::{Kind, Result};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Columns, over all schemas in one answer of the change feed, after which the answer ends early.
const WATCH_COLUMNS_MAX: usize = 100_000;

/// What a lookup finds without touching a large record's file.
pub(crate) enum Found {
    Dataset(Arc<Dataset>),
    Large(External),
}

impl Shared {
    /// What the index answers. Where it fails it is derived again, and where the journal is damaged that is said.
    pub(crate) fn read<T>(&self, question: impl FnOnce(&dyn Index) -> Result<T>) -> Result<T> {
        let answer = question(&**self.index.read().unwrap_or_else(PoisonError::into_inner));
        answer.map_err(|cause| {
            if !error::is_index(&cause) {
                return cause;
            }
            // Where nothing can be derived from the journal, it is the journal that has to be restored.
            self.damage.clone().unwrap_or_else(|| {
                self.index_failed.store(true, Ordering::Release);
                cause
            })
        })
    }

    /// A dataset from the cache or the index.
    pub(crate) fn find(&self, index: &dyn Index, id: DatasetId) -> Result<Option<Found>> {
        if let Some(dataset) = self.cache.get(id) {
            return Ok(Some(Found::Dataset(dataset)));
        }
        match View::new(index, &self.documents).document(id)? {
            None => Ok(None),
            Some(Document::External(reference)) => Ok(Some(Found::Large(reference))),
            Some(document) => {
                let dataset = Arc::new(document.dataset(&self.documents.blobs)?);
                self.cache.put(&dataset);
                Ok(Some(Found::Dataset(dataset)))
            }
        }
    }

    /// The dataset, from its file where it is large: this blocks.
    pub(crate) fn resolve(&self, found: Found) -> Result<Arc<Dataset>> {
        match found {
            Found::Dataset(dataset) => Ok(dataset),
            Found::Large(reference) => {
                let document = Document::External(reference);
                document.dataset(&self.documents.blobs).map(Arc::new)
            }
        }
    }

    /// A page of datasets by name; those that cannot be read are named.
    pub(crate) fn list(
        &self,
        prefix: &str,
        after: Option<&DatasetName>,
        limit: usize,
    ) -> Result<Page> {
        self.read(|index| {
            let page = registry::list(index, prefix, after, limit)?;
            let dataset = |id: DatasetId| {
                let found = self.find(index, id)?;
                self.resolve(found.ok_or_else(|| {
                    error::index(format!("a name leads to {id}, which is not there"))
                })?)
            };
            let (mut datasets, mut damaged) = (Vec::new(), Vec::new());
            for (name, id) in page.entries {
                match dataset(id) {
                    Ok(dataset) => datasets.push(dataset),
                    Err(error) if error.kind() == Kind::Data => {
                        damaged.push(Damaged { id, name, error });
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(Page {
                datasets,
                damaged,
                next: page.next,
            })
        })
    }

    /// The changes after this sequence, as many as one answer holds.
    pub(crate) fn events(&self, sequence: u64, limit: usize) -> Result<Vec<ChangeEvent>> {
        let mut payloads = Vec::new();
        self.feed.read(sequence, limit, &mut |place, payload| {
            payloads.push((place.sequence, payload.to_vec()));
            Ok(())
        })?;
        let (mut events, mut columns) = (Vec::with_capacity(payloads.len()), 0);
        for (sequence, payload) in payloads {
            let event = Record::decode(&payload)
                .and_then(|record| record.event(sequence, &self.documents.blobs));
            let event = match event {
                Ok(event) => event,
                // What precedes it is given first.
                Err(_) if !events.is_empty() => break,
                Err(cause) => return Err(error::unreadable_change(sequence, cause)),
            };
            if let EventKind::Put(dataset) = &event.kind {
                columns += dataset.schema.fields().len();
            }
            events.push(event);
            if columns > WATCH_COLUMNS_MAX {
                break;
            }
        }
        Ok(events)
    }
}
