//! Datasets as they were journalled, read where they stand.
//!
//! Owns nothing: it leads from a place in the index to the record in the journal and, for a large one,
//! on to its file. Invariant: a place that leads to anything but a dataset is an error.

use crate::blobs::Blobs;
use crate::error;
use crate::journal::{Place, Records};
use crate::record::{Document, Event, Record};
use flinkspark_model::Result;

/// Where datasets are read from.
#[derive(Clone)]
pub(crate) struct Documents {
    pub(crate) records: Records,
    pub(crate) blobs: Blobs,
}

impl Documents {
    /// The document at a place that the index gave.
    pub(crate) fn read(&self, place: &[u8]) -> Result<Document> {
        let place =
            Place::decode(place).ok_or_else(|| error::index("a dataset's place is cut short"))?;
        match Record::decode(&self.records.get(place)?)?.event {
            Event::Put(document) => Ok(document),
            _ => Err(error::index(format!(
                "change {} is not of a dataset",
                place.sequence
            ))),
        }
    }
}
