//! Digests of segments at schemas that came after their own, once they are known.
//!
//! Invariant: it never holds more than [`RECOUNTED_MAX`]; a digest that is not here is computed again.

use flinkspark_model::digest::Digest;
use flinkspark_model::log::SegmentName;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Digests that are kept for one log.
const RECOUNTED_MAX: usize = 1 << 16;

/// A segment, and the version of the schema that its rows are read at.
pub(super) type Key = (SegmentName, u32);

#[derive(Default)]
pub(super) struct Recounted(Mutex<HashMap<Key, Digest>>);

impl Recounted {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Digest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Digest> {
        self.lock().get(key).copied()
    }

    pub(super) fn put(&self, key: Key, digest: Digest) {
        let mut known = self.lock();
        if known.len() >= RECOUNTED_MAX {
            known.clear();
        }
        known.insert(key, digest);
    }
}
