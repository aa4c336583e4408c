//! What a journalled change does to the index; the same for a fresh change and for a replayed one.

use super::{View, id_key};
use crate::index::Tree;
use crate::journal::Place;
use crate::record::{Document, Event, encode};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::lineage::Edge;
use flinkspark_model::{Kind, Result};
use sha2::{Digest, Sha256};

/// Applies the change that stands at `place`, or will, to the view.
pub(crate) fn apply(view: &mut View<'_>, place: Place, event: Event) -> Result<()> {
    match event {
        Event::Put(document) => put(view, place, document),
        Event::Dropped { id, .. } => {
            forget(view, id)?;
            view.remove_document(id);
            view.remove(Tree::Heads, id_key(id));
            Ok(())
        }
        Event::Advanced(advance) => {
            view.put(Tree::Heads, id_key(advance.id), encode(&advance)?);
            Ok(())
        }
        Event::Edge(edge) => {
            let (sequence, value) = (place.sequence.to_be_bytes(), encode(&edge)?);
            for id in [edge.from.dataset, edge.to.dataset] {
                let key = [&id_key(id)[..], &sequence].concat();
                view.put(Tree::Edges, key, value.clone());
            }
            view.put(Tree::EdgeDigests, edge_digest(&edge)?, sequence.to_vec());
            Ok(())
        }
    }
}

/// The key by which a known edge is recognised.
pub(crate) fn edge_digest(edge: &Edge) -> Result<Vec<u8>> {
    Ok(Sha256::digest(encode(edge)?).to_vec())
}

fn put(view: &mut View<'_>, place: Place, document: Document) -> Result<()> {
    let label = document.label(&view.documents().blobs)?;
    forget(view, label.id)?;
    let id = id_key(label.id);
    view.put(Tree::Names, label.name.as_str().into(), id.clone());
    for handle in &label.handles {
        view.put(Tree::Handles, handle.key().to_string().into(), id.clone());
    }
    view.put_document(label.id, place, document);
    Ok(())
}

/// Frees the name and the handles that a dataset has now.
fn forget(view: &mut View<'_>, id: DatasetId) -> Result<()> {
    let label = match view.document(id) {
        Ok(None) => return Ok(()),
        Ok(Some(document)) => document.label(&view.documents().blobs),
        Err(cause) => Err(cause),
    };
    match label {
        Ok(label) => {
            view.remove(Tree::Names, label.name.as_str().into());
            for handle in label.handles {
                view.remove(Tree::Handles, handle.key().to_string().into());
            }
        }
        // What the damaged record said is still in the index.
        Err(cause) if cause.kind() == Kind::Data => {
            for tree in [Tree::Names, Tree::Handles] {
                for key in view.keys_of(tree, &id_key(id))? {
                    view.remove(tree, key);
                }
            }
        }
        Err(cause) => return Err(cause),
    }
    Ok(())
}
