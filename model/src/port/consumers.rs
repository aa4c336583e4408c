//! How far readers have come, as siblings speak of it.
//!
//! A consumer is a name under which a reader says which slot of a dataset it has wholly done: its rows are where they
//! go, and it will never ask for them again. Whoever looks after a dataset sees how far each is behind.
//! Invariant: what is recorded of a consumer never goes back.

use crate::access::Principal;
use crate::dataset::DatasetId;
use crate::error::Result;
use crate::position::SlotNo;
use async_trait::async_trait;

/// The most consumers of one dataset.
pub const CONSUMERS_MAX: usize = 1024;

/// A consumer that was silent for so long makes way for another one, in milliseconds: 90 days.
pub const CONSUMER_SILENT_MS: u64 = 90 * 24 * 60 * 60 * 1000;

/// What is asked of [`Consumers::consume`].
#[derive(Debug, Clone)]
pub struct Consume {
    /// The dataset.
    pub dataset: DatasetId,
    /// The consumer's name; [`check_writer_text`](super::check_writer_text) says which can be used.
    pub consumer: String,
    /// The last slot that it has wholly done.
    pub slot: SlotNo,
    /// Who calls, where callers have names.
    pub principal: Option<Principal>,
    /// Whether the caller may speak for another principal's consumer.
    pub admin: bool,
}

/// What is recorded of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// Its name.
    pub consumer: String,
    /// The last slot that it has wholly done.
    pub slot: SlotNo,
    /// When that was said, in milliseconds since the epoch.
    pub at_ms: u64,
    /// Whose it is; `None` where callers had no names.
    pub principal: Option<Principal>,
    /// Whether the call that asked changed nothing; false in a list.
    pub replayed: bool,
}

/// The consumers of datasets.
#[async_trait]
pub trait Consumers: Send + Sync {
    /// Records how far a consumer has come, durably. A slot below the recorded one changes nothing and is answered with
    /// what is recorded: what was done stays done, whatever comes late.
    ///
    /// Errors: `NotFound` (`FS1011`) for a slot that the log does not have, `Forbidden` (`FS1105`) for another
    /// principal's consumer, `Invalid` (`FS1035`) for its name, `Unavailable` (`FS1018`) where there are
    /// [`CONSUMERS_MAX`] and none makes way.
    async fn consume(&self, consume: Consume) -> Result<Consumed>;

    /// A dataset's consumers by name. One whose record is damaged is left out, and reported.
    async fn consumers(&self, dataset: DatasetId) -> Result<Vec<Consumed>>;
}
