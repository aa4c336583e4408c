//! The change feed: reads acknowledged records back, while the journal grows.
//!
//! Keeps one offset in [`STRIDE`] in memory and reads the rest from the file.
//! Invariant: nothing above the published sequence is ever returned.

use super::Visit;
use super::frame;
use super::place::{Place, Records};
use super::scan::Frames;
use crate::disk::File;
use crate::error;
use flinkspark_model::Result;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Records between two offsets that are kept in memory: 8 bytes for so many records.
const STRIDE: u64 = 64;

/// Acknowledged records by sequence.
pub(crate) struct Feed {
    file: Arc<dyn File>,
    first: u64,
    last: AtomicU64,
    offsets: RwLock<Vec<u64>>,
}

impl Feed {
    pub(super) fn new(file: Arc<dyn File>, first: u64) -> Self {
        Self {
            file,
            first,
            last: AtomicU64::new(first.saturating_sub(1)),
            offsets: RwLock::default(),
        }
    }

    /// Notes where a record begins; called in order.
    pub(super) fn note(&self, sequence: u64, offset: u64) {
        if (sequence - self.first).is_multiple_of(STRIDE) {
            self.offsets
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .push(offset);
        }
    }

    /// Lets readers see records up to `last`.
    pub(super) fn publish(&self, last: u64) {
        self.last.store(last, Ordering::Release);
    }

    /// The sequence of the first record that is kept.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Reads single records of the same file.
    pub(crate) fn records(&self) -> Records {
        Records(Arc::clone(&self.file))
    }

    /// The sequence of the last acknowledged record.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Visits up to `limit` records after `sequence`.
    pub(crate) fn read(&self, sequence: u64, limit: usize, visit: &mut Visit<'_>) -> Result<()> {
        let last = self.last();
        if sequence.saturating_add(1) < self.first || sequence > last {
            return Err(error::outside_feed(sequence, self.first, last));
        }
        let until = last.min(sequence.saturating_add(limit as u64));
        if until == sequence {
            return Ok(());
        }
        let stride = (sequence + 1 - self.first) / STRIDE;
        let offsets = self.offsets.read().unwrap_or_else(PoisonError::into_inner);
        let offset = usize::try_from(stride)
            .ok()
            .and_then(|stride| offsets.get(stride).copied());
        drop(offsets);
        let mut at =
            offset.ok_or_else(|| error::bug(format!("no offset for record {}", sequence + 1)))?;
        let unreadable = |cause| error::file("read its journal", Path::new("journal"), cause);
        let mut frames = Frames::open(&*self.file).map_err(unreadable)?;
        for next in self.first + stride * STRIDE..=until {
            let frame = frame::decode(frames.at(at).map_err(unreadable)?)
                .map_err(|flaw| error::damaged(at, flaw.to_string()))?;
            if frame.sequence != next {
                return Err(error::damaged(
                    at,
                    format!("record {} stands where {next} belongs", frame.sequence),
                ));
            }
            let place = Place::of(next, at, frame.payload);
            at = place.end();
            if next > sequence {
                visit(place, frame.payload)?;
            }
        }
        Ok(())
    }
}
