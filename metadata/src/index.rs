//! The index: what can be asked of the catalogue, in ordered trees, derived from the journal.
//!
//! Owns the trait that sled and the in-memory store implement. It never holds anything that the
//! journal does not. Invariant: a batch and its `applied` sequence become visible together or not
//! at all, also across a crash.

#[cfg(test)]
mod conformance;
mod lost;
mod memory;
mod sled;

pub(crate) use self::lost::Lost;
pub(crate) use self::memory::MemoryIndex;
pub(crate) use self::sled::SledIndex;

use std::collections::BTreeMap;

/// The largest value, in bytes: exclusive, as larger ones make sled keep files of its own.
pub(crate) const VALUE_BYTES_MAX: usize = 16 * 1024;

/// The trees of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tree {
    /// Dataset id -> the place of its record in the journal.
    Datasets,
    /// Name -> dataset id.
    Names,
    /// Handle key -> dataset id.
    Handles,
    /// Dataset id -> what is known of its log.
    Heads,
    /// Dataset id and sequence -> edge, under both of its datasets.
    Edges,
    /// SHA-256 of an edge -> sequence.
    EdgeDigests,
}

impl Tree {
    /// Every tree.
    pub(crate) const ALL: [Self; 6] = [
        Self::Datasets,
        Self::Names,
        Self::Handles,
        Self::Heads,
        Self::Edges,
        Self::EdgeDigests,
    ];

    /// The tree's name on disk.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Datasets => "datasets",
            Self::Names => "names",
            Self::Handles => "handles",
            Self::Heads => "heads",
            Self::Edges => "edges",
            Self::EdgeDigests => "edge_digests",
        }
    }
}

/// Writes that are applied together; `None` removes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Batch(pub(crate) BTreeMap<(Tree, Vec<u8>), Option<Vec<u8>>>);

impl Batch {
    /// Refuses a value of [`VALUE_BYTES_MAX`] or more.
    fn check(&self) -> Result<(), Error> {
        let mut values = self.0.values().flatten();
        match values.find(|value| value.len() >= VALUE_BYTES_MAX) {
            Some(value) => Err(Error::TooLarge(value.len())),
            None => Ok(()),
        }
    }
}

/// A key and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// Which journal an index was derived from, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Applied {
    /// The journal's identity.
    pub(crate) journal: [u8; 16],
    /// The last sequence that was applied; 0 for none.
    pub(crate) sequence: u64,
}

/// Why an index cannot be used. Each means: derive it again from the journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A value's checksum differs.
    #[error("a value in tree {0} has another checksum")]
    Checksum(&'static str),
    /// A value is larger than [`VALUE_BYTES_MAX`].
    #[error("a value of {0} bytes")]
    TooLarge(usize),
    /// The store failed.
    #[error("{0}")]
    Store(String),
    /// The store panicked, or has panicked before.
    #[error("the store panicked: {0}")]
    Panicked(String),
}

impl From<Error> for flinkspark_model::Error {
    fn from(error: Error) -> Self {
        crate::error::index(error)
    }
}

/// Ordered trees with atomic batches.
pub(crate) trait Index: Send + Sync {
    /// The value at `key`, if there is one.
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Up to `limit` entries whose keys begin with `prefix` and lie above `after`, in key order.
    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error>;

    /// Applies a batch and moves `applied`, atomically. Never syncs.
    fn apply(&self, batch: &Batch, applied: Applied) -> Result<(), Error>;

    /// What the last [`Index::apply`] said; the default where nothing was applied.
    fn applied(&self) -> Result<Applied, Error>;
}
