//! The catalogue: a dataset has one identity and one handle per engine, found by one lookup.
//!
//! Owns the journal, which is the truth and the change feed; the index in sled, which is derived from
//! it; the registry's rules; lineage edges. It is not a store of data, it talks to no network and
//! reads no clock of its own. Invariant: what was acknowledged is there after every kill and every loss
//! of power, or opening fails with an error that says so. `docs/catalogue.md` describes the files.
//!
//! ```
//! use arrow_schema::{DataType, Field, Schema};
//! use flinkspark_metadata::{Catalogue, Options};
//! use flinkspark_model::handle::Handle;
//! use flinkspark_model::port::{Catalog, Clock, Entropy, Registration};
//! use std::sync::Arc;
//!
//! struct Noon;
//! impl Clock for Noon {
//!     fn now_ms(&self) -> u64 {
//!         43_200_000
//!     }
//! }
//!
//! struct Counting(std::sync::atomic::AtomicU8);
//! impl Entropy for Counting {
//!     fn fill(&self, bytes: &mut [u8]) {
//!         bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let dir = tempfile::tempdir()?;
//! let catalogue = Catalogue::open(&Options::new(dir.path()), Arc::new(Noon), Arc::new(Counting(0.into())))?;
//! let clicks = catalogue
//!     .register(Registration {
//!         name: "web.clicks".parse()?,
//!         schema: Arc::new(Schema::new(vec![Field::new("user", DataType::Utf8, false)])),
//!         traits: Default::default(),
//!         handles: vec![Handle::spark_table("spark_catalog.web.clicks")?],
//!     })
//!     .await?;
//! let found = catalogue.lookup(&"spark:spark_catalog.WEB.clicks".parse()?).await?;
//! assert_eq!(found.id, clicks.id);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod answers;
mod blobs;
mod cache;
mod catalogue;
pub mod decoders;
mod disk;
mod documents;
mod error;
mod index;
mod journal;
pub mod offline;
mod open;
mod record;
mod registry;
mod set_aside;
mod writer;

#[cfg(test)]
mod tests;

pub use catalogue::{Catalogue, PAGE_DATASETS_MAX, WATCH_EVENTS_MAX};
pub use open::{IndexKind, Options};
