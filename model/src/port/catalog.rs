//! The catalogue as its siblings see it.

use crate::dataset::{Dataset, DatasetId, Traits};
use crate::error::{Error, Result};
use crate::handle::{Handle, HandleKey};
use crate::lineage::Edge;
use crate::name::DatasetName;
use crate::schema::Compatibility;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use std::str::FromStr;
use std::sync::Arc;

/// Names a dataset in one of the ways in which it can be looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// By its id.
    Id(DatasetId),
    /// By its name.
    Name(DatasetName),
    /// By an engine's handle, `engine:identifier`.
    Handle(HandleKey),
}

impl FromStr for Reference {
    type Err = Error;

    /// An id if it is a UUID, a handle if it holds a colon, a name otherwise.
    fn from_str(text: &str) -> Result<Self> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        if text.contains(':') {
            text.parse().map(Self::Handle)
        } else {
            text.parse().map(Self::Name)
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Handle(key) => key.fmt(f),
        }
    }
}

/// What a caller states of a new dataset; the catalogue adds the id and the versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Its name.
    pub name: DatasetName,
    /// Its schema.
    pub schema: SchemaRef,
    /// What is promised besides.
    pub traits: Traits,
    /// At most one handle per engine.
    pub handles: Vec<Handle>,
}

/// A change of a dataset's record, applied by compare-and-swap on its version.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new name; the old one is free at once.
    Rename(DatasetName),
    /// The schema that the dataset's log has put in force: whoever asks for a change writes the log's
    /// slot first, so nothing is decided here. A version that is not newer changes nothing.
    Schema {
        /// The schema.
        schema: SchemaRef,
        /// Its version.
        version: u32,
    },
    /// New traits.
    Traits(Traits),
    /// Adds a handle or replaces the engine's present one.
    SetHandle(Handle),
}

/// What a client asks to have changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// A change of the catalogue's record alone.
    Record(Change),
    /// A new schema: the log's slot first, then the record.
    Schema {
        /// The schema.
        schema: SchemaRef,
        /// What must stay readable.
        mode: Compatibility,
    },
}

/// A page of a listing in name order.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// At most as many as were asked for, with the damaged ones.
    pub datasets: Vec<Arc<Dataset>>,
    /// Those among them whose record cannot be read.
    pub damaged: Vec<Damaged>,
    /// Where to go on; `None` when this was the last page.
    pub next: Option<DatasetName>,
}

/// A dataset that is there and cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Damaged {
    /// Its id.
    pub id: DatasetId,
    /// Its name.
    pub name: DatasetName,
    /// What is damaged, and where.
    pub error: Error,
}

/// One entry of the change feed.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeEvent {
    /// Its sequence number: dense, from 1.
    pub sequence: u64,
    /// When it was journalled, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What a change event says.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A dataset was registered or its record changed; the record as of then.
    Put(Arc<Dataset>),
    /// A dataset was dropped.
    Dropped {
        /// Its id.
        id: DatasetId,
        /// Its name when it was dropped.
        name: DatasetName,
    },
    /// A dataset's log was seen to have grown.
    Advanced {
        /// Whose log.
        id: DatasetId,
        /// The log's head.
        head: crate::position::SlotNo,
        /// Live rows.
        rows: u64,
        /// The greatest committed watermark, in milliseconds since the epoch.
        watermark_ms: Option<i64>,
    },
    /// Lineage was recorded.
    Edge(Edge),
}

/// Knows every dataset by id, by name and by every engine's handle.
///
/// What was acknowledged survives the loss of the process and of power.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Adds a dataset with a fresh id. A taken name or handle is `Conflict`.
    async fn register(&self, registration: Registration) -> Result<Arc<Dataset>>;

    /// The dataset; a missing one is `Invalid`.
    async fn lookup(&self, reference: &Reference) -> Result<Arc<Dataset>>;

    /// Up to `limit` datasets whose names begin with `prefix`, after `after`, in name order.
    async fn list(&self, prefix: &str, after: Option<&DatasetName>, limit: usize) -> Result<Page>;

    /// Applies a change if the record is still at `version`; otherwise `Conflict` names the
    /// version that won.
    async fn update(&self, id: DatasetId, version: u64, change: Change) -> Result<Arc<Dataset>>;

    /// Forgets a dataset if its record is still at `version`. Its lineage stays.
    async fn drop_dataset(&self, id: DatasetId, version: u64) -> Result<()>;

    /// Records that a log has grown. Idempotent: a head that is not above the known one changes nothing.
    async fn advance(
        &self,
        id: DatasetId,
        head: u64,
        rows: u64,
        watermark_ms: Option<i64>,
    ) -> Result<()>;

    /// Records lineage. Idempotent: a known edge changes nothing.
    async fn add_edge(&self, edge: Edge) -> Result<()>;

    /// Every edge that touches the dataset, in the order in which it was recorded.
    async fn edges(&self, id: DatasetId) -> Result<Vec<Edge>>;

    /// Up to `limit` events after `sequence`, waiting until there is one.
    /// A sequence that compaction has dropped is `Data`, never a skip.
    async fn watch(&self, sequence: u64, limit: usize) -> Result<Vec<ChangeEvent>>;
}
