//! The ports through which siblings meet; `bridge` wires implementations to them.
//!
//! Each trait's documentation is its contract; each has a conformance suite that every
//! implementation runs. Invariant: no port exposes a store, a socket or a runtime.

mod catalog;
mod consumers;
mod log;
mod queries;
mod transactions;
mod writers;

pub use catalog::{
    Catalog, Change, ChangeEvent, Damaged, EventKind, Page, Reference, Registration, Update,
};
pub use consumers::{CONSUMER_SILENT_MS, CONSUMERS_MAX, Consume, Consumed, Consumers};
pub use log::{
    BatchStream, Dataset, Datasets, Extent, Leaving, Log, PositionedBatch, ReadOptions,
    SegmentSpec, SegmentWriter,
};
pub use queries::{Answer, Answerer, Pinned, Planned, Queries, Query};
pub use transactions::{
    Begin, IdempotencyKey, KEY_BYTES_MAX, KeyScope, Mode, OpenTransaction, State, Transaction,
    Transactions, TxnCommit, TxnId, check_key,
};
pub use writers::{
    DatasetWriter, Isolation, OpenWriter, OpenedWriter, PartStored, RETENTION_MS_DEFAULT,
    RETENTION_MS_MAX, Released, WRITER_TEXT_BYTES_MAX, WriterCommit, WriterCommitted, WriterPart,
    WriterStatus, Writers, check_writer_text,
};

/// Remembers how far a dataset's log was known to reach, apart from the log itself.
pub trait Heads: Send + Sync {
    /// The last head that was recorded; `None` where none ever was.
    fn known_head(
        &self,
        dataset: crate::dataset::DatasetId,
    ) -> crate::Result<Option<crate::log::KnownHead>>;
}

/// Tells the time; injected, so that tests decide what time it is.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch. May go backwards: nothing may be ordered by it.
    fn now_ms(&self) -> u64;
}

/// Gives randomness; injected, so that a failing seed replays.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);
}
