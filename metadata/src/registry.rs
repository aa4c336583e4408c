//! The registry: what may change, and what a change does to the index.
//!
//! Owns the rules of names, handles, versions and lineage. It reads a [`View`] and never a clock
//! or a file but for large records. Invariant: a change is decided against every change before it,
//! whether that is synced yet or not, and applying a journalled change never depends on when.

mod apply;
mod decide;
mod lookup;
mod view;

pub(crate) use apply::apply;
pub(crate) use decide::{Command, Decision, Fresh, decide};
pub(crate) use lookup::{edges, find, head, list};
pub(crate) use view::View;

use flinkspark_model::dataset::DatasetId;

/// A dataset id as an index key.
pub(crate) fn id_key(id: DatasetId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

/// The dataset id that an index value holds.
pub(crate) fn id_of(bytes: &[u8]) -> Result<DatasetId, crate::index::Error> {
    let bytes = bytes
        .try_into()
        .map_err(|_| crate::index::Error::Store("a dataset id is cut short".into()))?;
    Ok(DatasetId(uuid::Uuid::from_bytes(bytes)))
}
