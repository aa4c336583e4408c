//! What the journal's payloads say: versioned JSON.
//!
//! Owns the persisted form of a dataset and of a change. Never decides anything. Invariant: a
//! payload of a newer version is refused by name, an unknown field is an error, never a skip.

use crate::blobs::{BlobRef, Blobs};
use crate::error;
use crate::journal::RECORD_BYTES_MAX;
use flinkspark_model::dataset::{Dataset, DatasetId, Traits};
use flinkspark_model::handle::Handle;
use flinkspark_model::lineage::Edge;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{ChangeEvent, EventKind};
use flinkspark_model::{Result, schema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The version of the payloads that this program writes.
pub(crate) const VERSION: u32 = 1;
/// The largest dataset that is kept within a record, in bytes; the rest is the record's own fields.
const INLINE_BYTES_MAX: usize = RECORD_BYTES_MAX - 1024;

/// One payload of the journal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    v: u32,
    /// When it was journalled, in milliseconds since the epoch.
    pub(crate) at_ms: u64,
    /// What happened.
    pub(crate) event: Event,
}

/// The persisted form of [`EventKind`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Event {
    /// A dataset's record as of now.
    Put(Document),
    /// A dataset was dropped.
    Dropped { id: DatasetId, name: DatasetName },
    /// A log was seen to have grown.
    Advanced(Advance),
    /// Lineage.
    Edge(Edge),
}

/// What is known of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Advance {
    pub(crate) id: DatasetId,
    pub(crate) head: u64,
    pub(crate) rows: u64,
    pub(crate) watermark_ms: Option<i64>,
}

/// A dataset's record, or where it is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Document {
    /// Here.
    Inline(Row),
    /// In a file of its own: it is too large for a record.
    External(BlobRef),
}

/// The persisted form of [`Dataset`]; its schema stays text until somebody asks for it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) id: DatasetId,
    pub(crate) name: DatasetName,
    version: u64,
    schema_version: u32,
    schema: Box<RawValue>,
    traits: Traits,
    pub(crate) handles: Vec<Handle>,
    created_at_ms: u64,
}

impl Row {
    fn of(dataset: &Dataset) -> Result<Self> {
        let text = schema::to_json(&dataset.schema)?;
        Ok(Self {
            id: dataset.id,
            name: dataset.name.clone(),
            version: dataset.version,
            schema_version: dataset.schema_version,
            schema: RawValue::from_string(text).map_err(|cause| error::bug(cause.to_string()))?,
            traits: dataset.traits.clone(),
            handles: dataset.handles.clone(),
            created_at_ms: dataset.created_at_ms,
        })
    }

    fn dataset(self) -> Result<Dataset> {
        Ok(Dataset {
            id: self.id,
            name: self.name,
            version: self.version,
            schema_version: self.schema_version,
            schema: Arc::new(schema::from_json(self.schema.get())?),
            traits: self.traits,
            handles: self.handles,
            created_at_ms: self.created_at_ms,
        })
    }
}

impl Document {
    /// The persisted form of a dataset; a large one is made durable in a file first.
    pub(crate) fn store(dataset: &Dataset, blobs: &Blobs) -> Result<Self> {
        let row = Row::of(dataset)?;
        let bytes = encode(&row)?;
        if bytes.len() <= INLINE_BYTES_MAX {
            Ok(Self::Inline(row))
        } else {
            blobs.put(&bytes).map(Self::External)
        }
    }

    /// The dataset's row, wherever it is.
    pub(crate) fn row(self, blobs: &Blobs) -> Result<Row> {
        match self {
            Self::Inline(row) => Ok(row),
            Self::External(reference) => serde_json::from_slice(&blobs.get(&reference)?)
                .map_err(|cause| error::blob(&reference.sha256, cause.to_string())),
        }
    }

    /// The dataset itself.
    pub(crate) fn dataset(self, blobs: &Blobs) -> Result<Dataset> {
        self.row(blobs)?.dataset()
    }
}

impl Event {
    /// The persisted form of what happened.
    pub(crate) fn store(kind: &EventKind, blobs: &Blobs) -> Result<Self> {
        Ok(match kind {
            EventKind::Put(dataset) => Self::Put(Document::store(dataset, blobs)?),
            EventKind::Dropped { id, name } => Self::Dropped {
                id: *id,
                name: name.clone(),
            },
            EventKind::Advanced {
                id,
                head,
                rows,
                watermark_ms,
            } => Self::Advanced(Advance {
                id: *id,
                head: *head,
                rows: *rows,
                watermark_ms: *watermark_ms,
            }),
            EventKind::Edge(edge) => Self::Edge(edge.clone()),
        })
    }
}

impl Record {
    /// A record of the present version.
    pub(crate) fn new(at_ms: u64, event: Event) -> Self {
        Self {
            v: VERSION,
            at_ms,
            event,
        }
    }

    /// The journal's payload; one that no record can hold is refused.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let bytes = encode(self)?;
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(error::limit(
                "the change is too large for the catalogue",
                format!(
                    "it has {} bytes, a record holds {RECORD_BYTES_MAX}",
                    bytes.len()
                ),
            ));
        }
        Ok(bytes)
    }

    /// The record with its dataset in it, wherever that was kept.
    pub(crate) fn inline(mut self, blobs: &Blobs) -> Result<Self> {
        if let Event::Put(document) = self.event {
            self.event = Event::Put(Document::Inline(document.row(blobs)?));
        }
        Ok(self)
    }

    /// Reads a payload whose checksum was right.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct VersionOnly {
            v: u32,
        }
        let newer = |v: u32| error::newer("journal record", v, VERSION);
        match serde_json::from_slice::<Self>(payload) {
            Ok(record) if record.v > VERSION => Err(newer(record.v)),
            Ok(record) => Ok(record),
            Err(cause) => match serde_json::from_slice::<VersionOnly>(payload) {
                Ok(VersionOnly { v }) if v > VERSION => Err(newer(v)),
                _ => Err(error::not_understood("a record", cause)),
            },
        }
    }

    /// The entry of the change feed.
    pub(crate) fn event(self, sequence: u64, blobs: &Blobs) -> Result<ChangeEvent> {
        let kind = match self.event {
            Event::Put(document) => EventKind::Put(Arc::new(document.dataset(blobs)?)),
            Event::Dropped { id, name } => EventKind::Dropped { id, name },
            Event::Advanced(Advance {
                id,
                head,
                rows,
                watermark_ms,
            }) => EventKind::Advanced {
                id,
                head,
                rows,
                watermark_ms,
            },
            Event::Edge(edge) => EventKind::Edge(edge),
        };
        Ok(ChangeEvent {
            sequence,
            at_ms: self.at_ms,
            kind,
        })
    }
}

/// The JSON of something whose serialisation cannot fail.
pub(crate) fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|cause| error::bug(cause.to_string()))
}
