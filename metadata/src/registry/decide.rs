//! Whether a change may happen: versions, names, handles.
//!
//! Nothing here writes. Invariant: a refused command has no event, and a command that changes
//! nothing has none either.

use super::apply::edge_digest;
use super::{View, id_key, id_of, lookup};
use crate::error;
use crate::index::Tree;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::handle::Handle;
use flinkspark_model::lineage::Edge;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Change, Entropy, EventKind, Registration};
use flinkspark_model::schema::names;
use flinkspark_model::{Kind, Result};
use std::sync::Arc;

/// Draws of an id before it is a defect of the randomness.
const ID_DRAWS_MAX: usize = 8;
/// The longest handle key and the longest run id, in bytes.
const KEY_BYTES_MAX: usize = 1024;

/// What a caller wants to change.
pub(crate) enum Command {
    Register(Registration),
    Update {
        id: DatasetId,
        version: u64,
        change: Change,
    },
    Drop {
        id: DatasetId,
        version: u64,
    },
    Advance {
        id: DatasetId,
        head: u64,
        rows: u64,
        watermark_ms: Option<i64>,
    },
    AddEdge(Edge),
}

/// What a command comes to.
#[derive(Default)]
pub(crate) struct Decision {
    /// What is to be journalled; `None` where nothing changes.
    pub(crate) event: Option<EventKind>,
    /// The dataset's record after it, for the commands that answer with one.
    pub(crate) dataset: Option<Arc<Dataset>>,
}

impl Decision {
    fn put(dataset: Dataset) -> Result<Self> {
        let dataset = Arc::new(dataset.validate()?);
        Ok(Self {
            event: Some(EventKind::Put(Arc::clone(&dataset))),
            dataset: Some(dataset),
        })
    }

    fn event(event: EventKind) -> Self {
        Self {
            event: Some(event),
            dataset: None,
        }
    }
}

/// What a new dataset's identity is made from.
pub(crate) struct Fresh<'a> {
    /// Now, in milliseconds since the epoch.
    pub(crate) now_ms: u64,
    /// Randomness.
    pub(crate) entropy: &'a dyn Entropy,
}

/// Decides one command against everything decided before it.
pub(crate) fn decide(view: &View<'_>, fresh: &Fresh<'_>, command: Command) -> Result<Decision> {
    match command {
        Command::Register(registration) => register(view, fresh, registration),
        Command::Update {
            id,
            version,
            change,
        } => {
            let current = current(view, id)?;
            check_version(&current, version)?;
            update(view, &current, change)
        }
        Command::Drop { id, version } => {
            let name = match current(view, id) {
                Ok(current) => {
                    check_version(&current, version)?;
                    current.name
                }
                // A record that cannot be read has no version to compare: it can be given up.
                Err(cause) if cause.kind() == Kind::Data => name_of(view, id)?.ok_or(cause)?,
                Err(cause) => return Err(cause),
            };
            Ok(Decision::event(EventKind::Dropped { id, name }))
        }
        Command::Advance {
            id,
            head,
            rows,
            watermark_ms,
        } => {
            if view.get(Tree::Datasets, &id_key(id))?.is_none() {
                return Err(error::missing(id));
            }
            let known = lookup::head(view, id)?.map_or(0, |known| known.head);
            if head <= known {
                return Ok(Decision::default());
            }
            Ok(Decision::event(EventKind::Advanced {
                id,
                head,
                rows,
                watermark_ms,
            }))
        }
        Command::AddEdge(edge) => add_edge(view, edge),
    }
}

fn register(view: &View<'_>, fresh: &Fresh<'_>, registration: Registration) -> Result<Decision> {
    let Registration {
        name,
        schema,
        traits,
        handles,
    } = registration;
    names::check(&schema)?;
    if let Some(owner) = name_owner(view, &name)? {
        return Err(error::name_taken(name.as_str(), owner));
    }
    let id = fresh_id(view, fresh)?;
    for handle in &handles {
        check_handle(view, id, handle)?;
    }
    let created_at_ms = fresh.now_ms;
    Decision::put(Dataset {
        id,
        name,
        version: 1,
        schema_version: 1,
        schema,
        traits,
        handles,
        created_at_ms,
    })
}

fn update(view: &View<'_>, current: &Dataset, change: Change) -> Result<Decision> {
    let mut next = current.clone();
    match change {
        Change::Rename(name) => {
            if let Some(owner) = name_owner(view, &name)?.filter(|owner| *owner != current.id) {
                return Err(error::name_taken(name.as_str(), owner));
            }
            next.name = name;
        }
        // The log has decided already: the record follows, and what it knows changes nothing.
        Change::Schema { schema, version } => {
            if version > current.schema_version {
                next.schema = schema;
                next.schema_version = version;
            }
        }
        Change::Traits(traits) => next.traits = traits,
        Change::SetHandle(handle) => {
            check_handle(view, current.id, &handle)?;
            match next
                .handles
                .iter_mut()
                .find(|known| known.engine() == handle.engine())
            {
                Some(known) => *known = handle,
                None => next.handles.push(handle),
            }
        }
    }
    if next == *current {
        return Ok(Decision {
            event: None,
            dataset: Some(Arc::new(next)),
        });
    }
    next.version += 1;
    Decision::put(next)
}

fn add_edge(view: &View<'_>, edge: Edge) -> Result<Decision> {
    let backwards =
        |range: &flinkspark_model::lineage::SlotRange| range.first == 0 || range.first > range.last;
    if backwards(&edge.from) || backwards(&edge.to) {
        return Err(error::limit(
            "a lineage edge names no slots",
            format!(
                "slots {}..={} to {}..={}; slots count from 1",
                edge.from.first, edge.from.last, edge.to.first, edge.to.last
            ),
        ));
    }
    check_bytes("the run's id", &edge.run)?;
    if view.get(Tree::EdgeDigests, &edge_digest(&edge)?)?.is_some() {
        return Ok(Decision::default());
    }
    Ok(Decision::event(EventKind::Edge(edge)))
}

fn current(view: &View<'_>, id: DatasetId) -> Result<Dataset> {
    lookup::dataset(view, id)?.ok_or_else(|| error::missing(id))
}

/// The name that leads to a dataset whose record cannot be read.
fn name_of(view: &View<'_>, id: DatasetId) -> Result<Option<DatasetName>> {
    let keys = view.keys_of(Tree::Names, &id_key(id))?;
    let name = keys.first().map(|key| String::from_utf8_lossy(key).parse());
    name.transpose()
}

fn check_version(current: &Dataset, version: u64) -> Result<()> {
    if current.version == version {
        return Ok(());
    }
    Err(error::stale(
        current.name.as_str(),
        version,
        current.version,
    ))
}

fn name_owner(view: &View<'_>, name: &DatasetName) -> Result<Option<DatasetId>> {
    let owner = view.get(Tree::Names, name.as_str().as_bytes())?;
    Ok(owner.map(|bytes| id_of(&bytes)).transpose()?)
}

fn check_handle(view: &View<'_>, id: DatasetId, handle: &Handle) -> Result<()> {
    let key = handle.key().to_string();
    check_bytes("the handle", &key)?;
    match view
        .get(Tree::Handles, key.as_bytes())?
        .map(|bytes| id_of(&bytes))
        .transpose()?
    {
        Some(owner) if owner != id => Err(error::handle_taken(key, owner)),
        _ => Ok(()),
    }
}

fn check_bytes(what: &str, text: &str) -> Result<()> {
    if text.len() <= KEY_BYTES_MAX {
        return Ok(());
    }
    Err(error::limit(
        format!("{what} is too long"),
        format!("it has {} bytes, the limit is {KEY_BYTES_MAX}", text.len()),
    ))
}

fn fresh_id(view: &View<'_>, fresh: &Fresh<'_>) -> Result<DatasetId> {
    for _ in 0..ID_DRAWS_MAX {
        let mut random = [0; 10];
        fresh.entropy.fill(&mut random);
        let id = DatasetId::from_parts(fresh.now_ms, random);
        if view.get(Tree::Datasets, &id_key(id))?.is_none() {
            return Ok(id);
        }
    }
    Err(error::bug(format!(
        "{ID_DRAWS_MAX} fresh ids were taken already: the randomness repeats itself"
    )))
}
