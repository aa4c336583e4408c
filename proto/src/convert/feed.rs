//! Lineage and the change feed.

use super::{refuse, required};
use crate::v1;
use flinkspark_model::lineage::{Edge, SlotRange};
use flinkspark_model::port::{ChangeEvent, EventKind};
use flinkspark_model::{Error, Result};
use std::sync::Arc;

impl From<&SlotRange> for v1::SlotRange {
    fn from(range: &SlotRange) -> Self {
        Self {
            dataset_id: range.dataset.to_string(),
            first: range.first,
            last: range.last,
        }
    }
}

impl TryFrom<v1::SlotRange> for SlotRange {
    type Error = Error;

    fn try_from(wire: v1::SlotRange) -> Result<Self> {
        if wire.last < wire.first {
            let why = format!("slot {} lies before slot {}", wire.last, wire.first);
            return Err(refuse("last", why));
        }
        Ok(Self {
            dataset: wire.dataset_id.parse()?,
            first: wire.first,
            last: wire.last,
        })
    }
}

impl From<&Edge> for v1::Edge {
    fn from(edge: &Edge) -> Self {
        Self {
            from: Some((&edge.from).into()),
            to: Some((&edge.to).into()),
            run: edge.run.clone(),
        }
    }
}

impl TryFrom<v1::Edge> for Edge {
    type Error = Error;

    fn try_from(wire: v1::Edge) -> Result<Self> {
        Ok(Self {
            from: required(wire.from, "from")?.try_into()?,
            to: required(wire.to, "to")?.try_into()?,
            run: wire.run,
        })
    }
}

impl TryFrom<&ChangeEvent> for v1::ChangeEvent {
    type Error = Error;

    fn try_from(event: &ChangeEvent) -> Result<Self> {
        use v1::change_event::Kind as Wire;
        let kind = match &event.kind {
            EventKind::Put(dataset) => Wire::Put(dataset.as_ref().try_into()?),
            EventKind::Dropped { id, name } => Wire::Dropped(v1::Dropped {
                id: id.to_string(),
                name: name.to_string(),
            }),
            EventKind::Advanced {
                id,
                head,
                rows,
                watermark_ms,
            } => Wire::Advanced(v1::Advanced {
                id: id.to_string(),
                head: *head,
                rows: *rows,
                watermark_ms: *watermark_ms,
            }),
            EventKind::Edge(edge) => Wire::Edge(edge.into()),
        };
        Ok(Self {
            sequence: event.sequence,
            at_ms: event.at_ms,
            kind: Some(kind),
        })
    }
}

impl TryFrom<v1::ChangeEvent> for ChangeEvent {
    type Error = Error;

    fn try_from(wire: v1::ChangeEvent) -> Result<Self> {
        use v1::change_event::Kind as Wire;
        let kind = match required(wire.kind, "kind")? {
            Wire::Put(dataset) => EventKind::Put(Arc::new(dataset.try_into()?)),
            Wire::Dropped(dropped) => EventKind::Dropped {
                id: dropped.id.parse()?,
                name: dropped.name.parse()?,
            },
            Wire::Advanced(advanced) => EventKind::Advanced {
                id: advanced.id.parse()?,
                head: advanced.head,
                rows: advanced.rows,
                watermark_ms: advanced.watermark_ms,
            },
            Wire::Edge(edge) => EventKind::Edge(edge.try_into()?),
        };
        Ok(Self {
            sequence: wire.sequence,
            at_ms: wire.at_ms,
            kind,
        })
    }
}
