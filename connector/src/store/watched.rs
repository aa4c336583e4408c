//! A create under way, so that none comes to an end that nobody saw.
//!
//! Whoever waits for a create may leave before it has ended, and it ends all the same. Invariant: after a create of which
//! it is not known what became of it, slots are looked for in the store.

use std::sync::atomic::{AtomicBool, Ordering};

/// A create under way. Dropped before it is known what became of it, slots are looked for from then on.
pub(super) struct Watched<'a> {
    looks: &'a AtomicBool,
    known: bool,
}

impl<'a> Watched<'a> {
    pub(super) fn new(looks: &'a AtomicBool) -> Self {
        Self {
            looks,
            known: false,
        }
    }

    /// The view has its slot, or there is none.
    pub(super) fn is_known(&mut self) {
        self.known = true;
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.known {
            self.looks.store(true, Ordering::Release);
        }
    }
}
