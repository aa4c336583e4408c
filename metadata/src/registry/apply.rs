//! What a journalled change does to the index; the same for a fresh change and for a replayed one.

use super::{View, id_key};
use crate::blobs::Blobs;
use crate::index::Tree;
use crate::record::{Document, Event, Row, encode};
use flinkspark_model::Result;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::lineage::Edge;
use sha2::{Digest, Sha256};

/// Applies the change with this sequence to the view.
pub(crate) fn apply(
    view: &mut View<'_>,
    sequence: u64,
    event: &Event,
    blobs: &Blobs,
) -> Result<()> {
    match event {
        Event::Put(document) => put(view, document, blobs),
        Event::Dropped { id, .. } => {
            forget(view, *id, blobs)?;
            view.remove(Tree::Datasets, id_key(*id));
            view.remove(Tree::Heads, id_key(*id));
            Ok(())
        }
        Event::Advanced(advance) => {
            view.put(Tree::Heads, id_key(advance.id), encode(advance)?);
            Ok(())
        }
        Event::Edge(edge) => {
            let value = encode(edge)?;
            for id in [edge.from.dataset, edge.to.dataset] {
                let mut key = id_key(id);
                key.extend_from_slice(&sequence.to_be_bytes());
                view.put(Tree::Edges, key, value.clone());
            }
            view.put(
                Tree::EdgeDigests,
                edge_digest(edge)?,
                sequence.to_be_bytes().to_vec(),
            );
            Ok(())
        }
    }
}

/// The key by which a known edge is recognised.
pub(crate) fn edge_digest(edge: &Edge) -> Result<Vec<u8>> {
    Ok(Sha256::digest(encode(edge)?).to_vec())
}

fn put(view: &mut View<'_>, document: &Document, blobs: &Blobs) -> Result<()> {
    let row = document.clone().row(blobs)?;
    forget(view, row.id, blobs)?;
    let id = id_key(row.id);
    view.put(Tree::Names, row.name.as_str().into(), id.clone());
    for handle in &row.handles {
        view.put(Tree::Handles, handle.key().to_string().into(), id.clone());
    }
    view.put(Tree::Datasets, id, document.encode()?);
    Ok(())
}

/// Frees the name and the handles that a dataset has now.
fn forget(view: &mut View<'_>, id: DatasetId, blobs: &Blobs) -> Result<()> {
    let Some(bytes) = view.get(Tree::Datasets, &id_key(id))? else {
        return Ok(());
    };
    let Row { name, handles, .. } = Document::decode(&bytes)?.row(blobs)?;
    view.remove(Tree::Names, name.as_str().into());
    for handle in handles {
        view.remove(Tree::Handles, handle.key().to_string().into());
    }
    Ok(())
}
