//! What every log of a store shares: where it lies, who signs, what an operator chose.
//!
//! Invariant: nothing here changes while the store is open.

use super::Store;
use super::signer::Signer;
use flinkspark_model::budget::Share;
use flinkspark_model::port::{Clock, Entropy, Heads};
use std::sync::Arc;
use std::time::Duration;

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How new segments are compressed.
    pub compression: Compression,
    /// How long a transaction lives without being used once something was put into it, in milliseconds.
    pub lease_ms: u64,
    /// How long it lives after its `begin` until the first put, in milliseconds.
    pub unused_lease_ms: u64,
    /// How long what readers may have pinned stays after it was taken out or its dataset was dropped, in
    /// milliseconds.
    pub grace_ms: u64,
    /// The first pause before a create in doubt is repeated; each is twice the last.
    pub backoff_min: Duration,
    /// The longest pause before a create in doubt is repeated.
    pub backoff_max: Duration,
    /// Whether nobody else writes to the store while it is open. What this process has read and written is all that
    /// there is then, and nothing is read to find out whether a log has grown.
    pub alone: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            compression: Compression::None,
            lease_ms: 60 * 60 * 1000,
            unused_lease_ms: 5 * 60 * 1000,
            grace_ms: 24 * 60 * 60 * 1000,
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_secs(1),
            alone: false,
        }
    }
}

/// How segments are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all: reading is a copy.
    #[default]
    None,
    /// LZ4 frames, per buffer.
    Lz4,
}

/// What every log of a store shares.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) signer: Signer,
    pub(super) settings: Settings,
    /// When this process opened the store: leases count from here at the earliest.
    pub(super) opened_at_ms: u64,
    /// What datasets' logs are compared with when they are opened; `None` where nobody else knows.
    pub(super) heads: Option<Arc<dyn Heads>>,
    /// What the writers of segments may keep in memory.
    pub(super) writers: Share,
}
