//! Questions to the index.

use super::{View, id_key, id_of};
use crate::error;
use crate::index::{Index, Tree};
use crate::record::Advance;
use flinkspark_model::Result;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::lineage::Edge;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::Reference;

/// The most edges that one answer holds.
pub(crate) const EDGES_MAX: usize = 1_000_000;

/// The id that a reference stands for, whether or not there is such a dataset.
pub(crate) fn find(index: &dyn Index, reference: &Reference) -> Result<Option<DatasetId>> {
    let found = match reference {
        Reference::Id(id) => return Ok(Some(*id)),
        Reference::Name(name) => index.get(Tree::Names, name.as_str().as_bytes())?,
        Reference::Handle(key) => index.get(Tree::Handles, key.to_string().as_bytes())?,
    };
    Ok(found.map(|bytes| id_of(&bytes)).transpose()?)
}

/// A dataset in a view.
pub(crate) fn dataset(view: &View<'_>, id: DatasetId) -> Result<Option<Dataset>> {
    let document = view.document(id)?;
    document
        .map(|document| document.dataset(&view.documents().blobs))
        .transpose()
}

/// What is known of a dataset's log.
pub(crate) fn head(view: &View<'_>, id: DatasetId) -> Result<Option<Advance>> {
    let bytes = view.get(Tree::Heads, &id_key(id))?;
    let read = |bytes: Vec<u8>| {
        serde_json::from_slice(&bytes).map_err(|cause| error::index(format!("a head: {cause}")))
    };
    bytes.map(read).transpose()
}

/// A page of ids in name order.
pub(crate) struct Page {
    pub(crate) entries: Vec<(DatasetName, DatasetId)>,
    pub(crate) next: Option<DatasetName>,
}

/// Up to `limit` datasets whose names begin with `prefix`, after `after`.
pub(crate) fn list(
    index: &dyn Index,
    prefix: &str,
    after: Option<&DatasetName>,
    limit: usize,
) -> Result<Page> {
    let after = after.map(|name| name.as_str().as_bytes());
    let mut entries = index.scan(Tree::Names, prefix.as_bytes(), after, limit + 1)?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let entry = |(name, id): &crate::index::Entry| -> Result<(DatasetName, DatasetId)> {
        let name = String::from_utf8_lossy(name).parse();
        let name = name.map_err(|cause| error::index(format!("a name: {cause}")))?;
        Ok((name, id_of(id)?))
    };
    let entries: Vec<_> = entries.iter().map(entry).collect::<Result<_>>()?;
    let next = entries
        .last()
        .filter(|_| more)
        .map(|(name, _)| name.clone());
    Ok(Page { entries, next })
}

/// Every edge that touches the dataset, in the order in which it was recorded.
pub(crate) fn edges(index: &dyn Index, id: DatasetId) -> Result<Vec<Edge>> {
    let entries = index.scan(Tree::Edges, &id_key(id), None, EDGES_MAX + 1)?;
    if entries.len() > EDGES_MAX {
        return Err(error::limit(
            "the dataset has too much lineage for one answer",
            format!("more than {EDGES_MAX} edges touch it"),
        ));
    }
    let read = |(_, value): &crate::index::Entry| {
        serde_json::from_slice(value).map_err(|cause| error::index(format!("an edge: {cause}")))
    };
    entries.iter().map(read).collect()
}
