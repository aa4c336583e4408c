//! The folded log as one object, so that opening reads one object and a tail.
//!
//! The format and its validation stand; the driver that writes it comes with retention.
//! Invariant: a view survives its snapshot unchanged.

use super::kinds::Kinds;
use super::slot::{SegmentName, WriterName};
use super::view::{LiveEpoch, RetiredEpoch, Rewrite, View, WriterState};
use crate::error::{Error, Kind, Result};
use crate::position::SlotNo;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The newest snapshot format that this build reads.
pub const SNAPSHOT_FORMAT_VERSION: u32 = 1;

/// A view, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    format: u32,
    head: SlotNo,
    writers: BTreeMap<WriterName, WriterState>,
    live: Vec<LiveEpoch>,
    void: BTreeSet<SegmentName>,
    retired: Vec<RetiredEpoch>,
    rewrites: Vec<Rewrite>,
    horizon: SlotNo,
    schema_version: u32,
    schema: Option<String>,
    kinds: Kinds,
}

impl From<&View> for Snapshot {
    fn from(view: &View) -> Self {
        Self {
            format: SNAPSHOT_FORMAT_VERSION,
            head: view.head,
            writers: view
                .writers
                .iter()
                .map(|(name, state)| (name.clone(), state.as_ref().clone()))
                .collect(),
            live: view
                .live
                .values()
                .map(|epoch| epoch.as_ref().clone())
                .collect(),
            void: view.void.clone(),
            retired: view.retired.clone(),
            rewrites: view.rewrites.clone(),
            horizon: view.horizon,
            schema_version: view.schema_version,
            schema: view.schema.as_deref().map(Into::into),
            kinds: view.kinds.clone(),
        }
    }
}

impl TryFrom<Snapshot> for View {
    type Error = Error;

    fn try_from(snapshot: Snapshot) -> Result<Self> {
        let damaged = |why: String| {
            Error::new(Kind::Data, "FS0206", "a snapshot of the log is damaged")
                .with_detail(why)
                .with_hint("delete the snapshot: the log is read from its slots")
        };
        if snapshot.format > SNAPSHOT_FORMAT_VERSION {
            return Err(damaged(format!(
                "its format {} is newer than this build's",
                snapshot.format
            )));
        }
        if let Some(epoch) = snapshot
            .live
            .iter()
            .find(|epoch| epoch.slot > snapshot.head)
        {
            return Err(damaged(format!(
                "slot {} lies beyond its head {}",
                epoch.slot, snapshot.head
            )));
        }
        if snapshot.kinds.head() != snapshot.head {
            return Err(damaged(format!(
                "it says what {} slots are, its head is {}",
                snapshot.kinds.head(),
                snapshot.head
            )));
        }
        let segments = snapshot.live.iter().flat_map(|epoch| &epoch.segments);
        Ok(Self {
            head: snapshot.head,
            committed: segments.map(|segment| segment.name.clone()).collect(),
            writers: snapshot
                .writers
                .into_iter()
                .map(|(name, state)| (name, Arc::new(state)))
                .collect(),
            live: snapshot
                .live
                .into_iter()
                .map(|epoch| (epoch.slot, Arc::new(epoch)))
                .collect(),
            void: snapshot.void,
            retired_names: snapshot
                .retired
                .iter()
                .flat_map(|retired| &retired.epoch.segments)
                .map(|segment| segment.name.clone())
                .collect(),
            retired: snapshot.retired,
            rewrites: snapshot.rewrites,
            horizon: snapshot.horizon,
            schema_version: snapshot.schema_version,
            schema: snapshot.schema.map(Into::into),
            kinds: snapshot.kinds,
        })
    }
}
