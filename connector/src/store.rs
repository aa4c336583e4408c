//! The dataset log's stores, and the driver that carries the log's machine out on them.
//!
//! Owns [`Store`], the narrow port to durable objects, with its implementations [`local`] and
//! [`object`]; the [`Logs`] that drive `model::log` over a store; segments, transactions and
//! garbage. It never decides what may be written: `model::log` does. Invariant: whatever a caller
//! was told is durable, and whatever a reader sees was durable before.
//!
//! ```
//! use flinkspark_connector::store::{Created, Key, Store, object::Objects};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = Objects::memory();
//! let key = Key::new("a/greeting")?;
//! assert_eq!(store.create(&key, "hello".into()).await?, Created::New);
//! assert_eq!(store.create(&key, "other".into()).await?, Created::Exists("hello".into()));
//! # Ok::<(), flinkspark_model::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod consumers;
mod dataset;
mod error;
mod garbage;
mod graves;
mod job;
mod key;
pub mod local;
mod log;
mod logs;
mod names;
pub mod object;
mod read;
mod receipt;
mod record;
mod recounted;
mod segment;
mod shared;
mod signer;
pub mod transactions;
mod watched;
pub mod writers;

#[cfg(test)]
mod conformance;
#[cfg(test)]
#[cfg(feature = "faults")]
mod crash;
#[cfg(any(test, feature = "faults"))]
pub mod faulty;
#[cfg(test)]
mod property;
#[cfg(test)]
pub(crate) mod tests;

use crate::blocking;

pub use consumers::Consumers;
pub use dataset::LogDataset;
pub use garbage::{Collected, Holders, Nobody};
pub use graves::{Buried, Grave};
pub use key::Key;
pub use log::{DOUBT_ATTEMPTS_MAX, RACES_MAX};
pub use logs::{LOGS_CACHED_MAX, Logs};
pub(crate) use segment::STORED_BATCH_BYTES_MAX;
pub use segment::STORED_BATCH_ROWS_MAX;
pub use shared::{Compression, Settings};
pub use signer::Signer;
pub use transactions::{TRANSACTIONS_OPEN_MAX, TRANSACTIONS_OPEN_PEER_MAX, Transactions};
pub use writers::Writers;

use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::Result;
use flinkspark_model::log::{LogId, SegmentRef};
use std::io::{Read, Seek};

/// The largest object that [`Store::create`] writes and [`Store::read`] reads, in bytes.
pub const OBJECT_BYTES_MAX: usize = 17 << 20;

/// How a conditional create ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The object is new and durable.
    New,
    /// There was one already; its content, which is durable.
    Exists(Bytes),
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The last part of the object's key.
    pub name: String,
    /// The object's size.
    pub bytes: u64,
}

/// An object that is open for reading, on threads that may block.
pub struct Opened {
    /// The object's size.
    pub bytes: u64,
    /// Its content.
    pub content: Box<dyn ReadSeek>,
}

/// Something to read from any place.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// Durable, immutable objects under hierarchical keys; the only writing primitive is a
/// conditional create.
///
/// Kinds of errors: `Unavailable` means that nothing happened (a full disk is `FS1001`, a store
/// that has lost a sync is `FS1002` until it is opened again); `InDoubt` means that it may have
/// happened, may still happen, or did. Repeating the same create is always safe.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes an object if there is none. At most one create of a key ever succeeds, its content is
    /// never seen in part, and both answers are durable before they are given.
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created>;

    /// A whole small object; `None` where there is none. What is returned is durable.
    async fn read(&self, key: &Key) -> Result<Option<Bytes>>;

    /// The objects directly below `prefix`, sorted by name; none where nothing was ever written.
    async fn list(&self, prefix: &Key) -> Result<Vec<Listed>>;

    /// Starts a large object. Nothing is visible under the key before it is published.
    async fn stage(&self, key: &Key) -> Result<Box<dyn Staging>>;

    /// Opens an object for reading; `None` where there is none.
    async fn open(&self, key: &Key) -> Result<Option<Opened>>;

    /// Removes an object. One that does not exist is no error. The removal may be lost with power.
    async fn delete(&self, key: &Key) -> Result<()>;
}

/// A large object on its way into a store; dropped before it is published, it leaves nothing.
#[async_trait]
pub trait Staging: Send {
    /// Appends bytes.
    async fn append(&mut self, bytes: Bytes) -> Result<()>;

    /// Makes the object durable and visible under its key, never over another (`Internal`).
    async fn publish(self: Box<Self>) -> Result<()>;
}

/// How many of the kinds of small records the bytes are.
pub(crate) fn decode_records(bytes: &[u8]) -> usize {
    let Ok(key) = Key::new("record") else {
        return 0;
    };
    usize::from(record::decode::<transactions::Opening>(&key, bytes).is_ok())
        + usize::from(record::decode::<Grave>(&key, bytes).is_ok())
        + usize::from(record::decode::<String>(&key, bytes).is_ok())
}

/// Reads the file of a segment and compares its rows with the digest that was sealed.
pub(crate) fn decode_segment(log: LogId, segment: &SegmentRef, file: Vec<u8>) -> Result<()> {
    let opened = |file: Vec<u8>| Opened {
        bytes: file.len() as u64,
        content: Box::new(std::io::Cursor::new(file)),
    };
    let mut all = segment::SegmentFile::open(log, segment.clone(), opened(file.clone()), None)?;
    let names = all
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone());
    let names: Vec<String> = names.collect();
    segment::SegmentFile::open_knowing(log, segment.clone(), opened(file), None, &names)?;
    let digest = all.digest()?;
    segment::check_digest(log, segment, digest)
}
