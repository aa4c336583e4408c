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

/// The newest version of the payloads: its large records say whose they are. A record that version 1
/// can hold is written as that.
pub(crate) const VERSION: u32 = 2;
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
    External(External),
}

/// A dataset's record in a file of its own.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct External {
    sha256: String,
    bytes: u64,
    /// Whose it is, so that a damaged file is one dataset's and nobody else's. Version 1 did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<Label>,
}

impl External {
    /// The file.
    pub(crate) fn blob(&self) -> BlobRef {
        BlobRef {
            sha256: self.sha256.clone(),
            bytes: self.bytes,
        }
    }
}

/// By what a dataset is found.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Label {
    pub(crate) id: DatasetId,
    pub(crate) name: DatasetName,
    pub(crate) handles: Vec<Handle>,
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

impl Label {
    fn of(row: &Row) -> Self {
        Self {
            id: row.id,
            name: row.name.clone(),
            handles: row.handles.clone(),
        }
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
            let BlobRef { sha256, bytes } = blobs.put(&bytes)?;
            let label = Some(Label::of(&row));
            Ok(Self::External(External {
                sha256,
                bytes,
                label,
            }))
        }
    }

    /// By what the dataset is found; its file is read only where the record does not say it.
    pub(crate) fn label(&self, blobs: &Blobs) -> Result<Label> {
        match self {
            Self::Inline(row) => Ok(Label::of(row)),
            Self::External(External {
                label: Some(label), ..
            }) => Ok(label.clone()),
            Self::External(_) => Ok(Label::of(&self.clone().row(blobs)?)),
        }
    }

    /// The dataset's row, wherever it is.
    pub(crate) fn row(self, blobs: &Blobs) -> Result<Row> {
        match self {
            Self::Inline(row) => Ok(row),
            Self::External(external) => serde_json::from_slice(&blobs.get(&external.blob())?)
                .map_err(|cause| error::blob(&external.sha256, cause.to_string())),
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
    /// A record of the oldest version that can hold it.
    pub(crate) fn new(at_ms: u64, event: Event) -> Self {
        let labelled = matches!(&event, Event::Put(Document::External(one)) if one.label.is_some());
        Self {
            v: if labelled { VERSION } else { 1 },
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
            self.v = 1;
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

    /// Reads what the record says as far as it says it itself, and believes nothing more of it.
    pub(crate) fn check(self) -> Result<()> {
        match self.event {
            Event::Put(Document::Inline(row)) => row.dataset().map(drop),
            _ => Ok(()),
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
