//! The log as folded from its slots.
//!
//! Invariant: a view at head `h` is a pure function of slots 1 to `h`; folding a [`Snapshot`] and
//! the tail gives the same view.
//!
//! [`Snapshot`]: super::Snapshot

use super::kinds::{Kinds, SlotKind};
use super::slot::{
    Commit, Generation, Ordinal, Replacement, SegmentName, SegmentRef, Slot, SourceOffsets, Token,
    WriterName,
};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::position::SlotNo;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// The commits of a writer that a view remembers; a repetition of an older one is refused as forgotten.
pub const COMMITS_REMEMBERED_MAX: usize = 1024;

/// What is known of one commit of a writer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// Where it stands.
    pub slot: SlotNo,
    /// Its token, where a foreign engine made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// Where the sources stood.
    pub offsets: SourceOffsets,
    /// Of its rows.
    pub digest: Digest,
}

/// What is known of one writer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriterState {
    /// Its highest fence; 0 for none.
    pub generation: Generation,
    /// Its last fence's incarnation.
    pub incarnation: String,
    /// Where that fence stands; 0 for none.
    #[serde(default)]
    pub fenced_at: SlotNo,
    /// The number that it came back from.
    #[serde(default)]
    pub restored: Ordinal,
    /// Its latest commits by number, at most [`COMMITS_REMEMBERED_MAX`].
    pub commits: BTreeMap<Ordinal, Committed>,
    /// The last number whose commit is not remembered any more; 0 while all are.
    #[serde(default)]
    pub forgotten: Ordinal,
    /// The numbers that it gave up, and where.
    pub aborted: BTreeMap<Ordinal, SlotNo>,
}

impl WriterState {
    /// The last committed number; 0 for none.
    pub fn last(&self) -> Ordinal {
        self.commits
            .last_key_value()
            .map_or(self.forgotten, |(n, _)| *n)
    }

    /// The commits above `n` that are remembered, where they stand.
    pub(super) fn above(&self, n: Ordinal) -> Vec<SlotNo> {
        let above = self.commits.range((Excluded(n), Unbounded));
        above.map(|(_, there)| there.slot).collect()
    }
}

/// An epoch whose rows are part of the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveEpoch {
    /// The slot that positions name.
    pub slot: SlotNo,
    /// The slot that made it so: a later one than `slot` after a compaction.
    pub since: SlotNo,
    /// The schema that its segments follow.
    pub schema_version: u32,
    /// The watermark that it carried.
    pub watermark_ms: Option<i64>,
    /// The checkpoint that it belongs to.
    pub checkpoint_ref: Option<String>,
    /// Its segments.
    pub segments: Vec<SegmentRef>,
}

/// A rewriting of a range of slots, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// The slot that says so.
    pub at: SlotNo,
    /// The first slot rewritten.
    pub first: SlotNo,
    /// The last slot rewritten.
    pub last: SlotNo,
    /// Whether the rows stayed, in other segments.
    #[serde(default)]
    pub compacts: bool,
}

/// An epoch that was live.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetiredEpoch {
    /// The slot that took it out.
    pub(super) until: SlotNo,
    pub(super) epoch: Arc<LiveEpoch>,
}

/// The log, folded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct View {
    pub(super) head: SlotNo,
    pub(super) writers: BTreeMap<WriterName, Arc<WriterState>>,
    pub(super) live: BTreeMap<SlotNo, Arc<LiveEpoch>>,
    pub(super) committed: BTreeSet<SegmentName>,
    pub(super) void: BTreeSet<SegmentName>,
    pub(super) retired: Vec<RetiredEpoch>,
    pub(super) retired_names: BTreeSet<SegmentName>,
    pub(super) rewrites: Vec<Rewrite>,
    pub(super) horizon: SlotNo,
    pub(super) schema_version: u32,
    pub(super) schema: Option<Arc<str>>,
    pub(super) kinds: Kinds,
}

impl View {
    /// The log without a slot.
    pub fn empty() -> Self {
        Self {
            schema_version: 1,
            ..Self::default()
        }
    }

    /// The last slot; 0 for none.
    pub fn head(&self) -> SlotNo {
        self.head
    }

    /// The last slot that has expired; reading at or below it is a typed error.
    pub fn horizon(&self) -> SlotNo {
        self.horizon
    }

    /// The schema's version in force.
    pub fn schema_version(&self) -> u32 {
        self.schema_version
    }

    /// The encoded schema in force; `None` while it is the one that the dataset was registered with.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// What is known of a writer.
    pub fn writer(&self, name: &WriterName) -> Option<&WriterState> {
        self.writers.get(name).map(Arc::as_ref)
    }

    /// Every writer.
    pub fn writers(&self) -> impl Iterator<Item = (&WriterName, &WriterState)> {
        self.writers
            .iter()
            .map(|(name, state)| (name, state.as_ref()))
    }

    /// The epochs that make up the dataset, in slot order.
    pub fn live(&self) -> impl DoubleEndedIterator<Item = &Arc<LiveEpoch>> {
        self.live.values()
    }

    /// The live epochs of the slots `first..=last`.
    pub(super) fn live_between(
        &self,
        first: SlotNo,
        last: SlotNo,
    ) -> impl Iterator<Item = &Arc<LiveEpoch>> {
        let last = if first > last { first } else { last };
        self.live.range(first..=last).map(|(_, epoch)| epoch)
    }

    /// The epochs of the slots `first..=last` as they were live when `last` was the head, in slot
    /// order: what is written later takes nothing from a reader who is pinned to `last`, and moves
    /// none of its positions. Slots at or below the horizon are the caller's to refuse.
    pub fn as_of(&self, first: SlotNo, last: SlotNo) -> Vec<Arc<LiveEpoch>> {
        self.epochs_as_of(first, last).cloned().collect()
    }

    /// Live rows, bytes and digest. Numbers beyond 64 bits stay at their end: no segment has them, but a
    /// damaged slot may say so.
    pub fn totals(&self) -> (u64, u64, Digest) {
        let segments = self.live.values().flat_map(|epoch| &epoch.segments);
        segments.fold(
            (0, 0, Digest::default()),
            |(rows, bytes, digest), segment| {
                (
                    rows.saturating_add(segment.rows),
                    bytes.saturating_add(segment.bytes),
                    digest + segment.digest,
                )
            },
        )
    }

    /// The greatest watermark that is committed.
    pub fn watermark_ms(&self) -> Option<i64> {
        self.live
            .values()
            .filter_map(|epoch| epoch.watermark_ms)
            .max()
    }

    /// Whether a slot names the segment as live data.
    pub fn is_live(&self, segment: &SegmentName) -> bool {
        self.committed.contains(segment)
    }

    /// Whether a slot named the segment as data that a later one took out. A reader who began
    /// before may still need it, until retention says otherwise.
    pub fn is_retired(&self, segment: &SegmentName) -> bool {
        self.retired_names.contains(segment)
    }

    /// The epochs that were data and were taken out, each with the slot that did so.
    pub fn retired(&self) -> impl Iterator<Item = (SlotNo, &LiveEpoch)> {
        let retired = self.retired.iter();
        retired.map(|retired| (retired.until, retired.epoch.as_ref()))
    }

    /// Whether an `Abort` names the segment.
    pub fn is_void(&self, segment: &SegmentName) -> bool {
        self.void.contains(segment)
    }

    /// Folds the next slot in. A slot that is not the next one is `Data`: the caller lost one. So is one that
    /// rewrites slots that it cannot: it was never decided.
    pub fn apply(&mut self, slot: SlotNo, body: &Slot) -> Result<()> {
        if Some(slot) != self.head.checked_add(1) {
            return Err(Error::new(
                Kind::Data,
                "FS0205",
                format!("slot {slot} does not follow slot {}", self.head),
            )
            .with_detail("a log's slots are dense: one is missing or was read twice")
            .with_hint("run `flinkspark dataset verify NAME`"));
        }
        let after = self.horizon.saturating_add(1);
        match body {
            Slot::Replace { first, last, .. } => self.check_rewrite(slot, *first, *last)?,
            Slot::Expire { through, .. } => self.check_rewrite(slot, after, *through)?,
            _ => {}
        }
        self.head = slot;
        self.kinds.push(SlotKind::of(body));
        match body {
            Slot::Epoch(commit) => {
                self.record(slot, commit);
                self.add_live(slot, commit);
            }
            Slot::Fence {
                writer,
                generation,
                restored,
                drops,
                incarnation,
                ..
            } => {
                if *drops {
                    self.drop_above(writer, *restored);
                }
                let state = self.writer_mut(writer);
                state.generation = *generation;
                state.restored = *restored;
                state.fenced_at = slot;
                state.incarnation.clone_from(incarnation);
            }
            Slot::Abort {
                writer,
                n,
                segments,
                ..
            } => {
                self.writer_mut(writer).aborted.insert(*n, slot);
                self.void.extend(segments.iter().cloned());
            }
            Slot::Schema { version, schema } => {
                self.schema_version = *version;
                self.schema = Some(schema.as_str().into());
            }
            Slot::Replace {
                first, last, with, ..
            } => self.replace(slot, *first, *last, with),
            Slot::Expire { through, .. } => {
                self.rewrites.push(Rewrite {
                    at: slot,
                    first: after,
                    last: *through,
                    compacts: false,
                });
                self.remove_live(after, *through);
                self.horizon = *through;
            }
        }
        Ok(())
    }

    /// The ranges that [`View::decide`] lets through.
    fn check_rewrite(&self, slot: SlotNo, first: SlotNo, last: SlotNo) -> Result<()> {
        if self.horizon < first && first <= last && last < slot {
            return Ok(());
        }
        let why = format!("slot {slot} rewrites the slots {first} to {last}, which it cannot");
        Err(
            Error::new(Kind::Data, "FS0203", "a slot of the log is damaged")
                .with_detail(why)
                .with_hint("restore the object from a backup; `flinkspark explain FS0203` says what is safe"),
        )
    }

    fn replace(&mut self, slot: SlotNo, first: SlotNo, last: SlotNo, with: &Replacement) {
        let newest = self.live_between(first, last).last().cloned();
        self.rewrites.push(Rewrite {
            at: slot,
            first,
            last,
            compacts: matches!(with, Replacement::Compaction { .. }),
        });
        self.remove_live(first, last);
        match with {
            Replacement::Overwrite(commit) => {
                self.record(slot, commit);
                self.add_live(slot, commit);
            }
            // Positions count through a compaction by ordinal, so it stands where the range ended.
            Replacement::Compaction { segments } => {
                self.committed
                    .extend(segments.iter().map(|segment| segment.name.clone()));
                let at = newest.as_ref().map_or(last, |epoch| epoch.slot);
                let epoch = LiveEpoch {
                    slot: at,
                    since: slot,
                    schema_version: newest
                        .as_ref()
                        .map_or(self.schema_version, |epoch| epoch.schema_version),
                    watermark_ms: newest.as_ref().and_then(|epoch| epoch.watermark_ms),
                    checkpoint_ref: newest.and_then(|epoch| epoch.checkpoint_ref.clone()),
                    segments: segments.clone(),
                };
                self.live.insert(at, Arc::new(epoch));
            }
        }
    }

    fn writer_mut(&mut self, writer: &WriterName) -> &mut WriterState {
        Arc::make_mut(self.writers.entry(writer.clone()).or_default())
    }

    /// Takes the writer's epochs above `n` out; what an overwrite among them replaced does not come back.
    fn drop_above(&mut self, writer: &WriterName, n: Ordinal) {
        let state = self.writer_mut(writer);
        let slots = state.above(n);
        state.commits.retain(|number, _| *number <= n);
        let (Some(first), Some(last)) = (slots.iter().min(), slots.iter().max()) else {
            return;
        };
        self.rewrites.push(Rewrite {
            at: self.head,
            first: *first,
            last: *last,
            compacts: false,
        });
        for slot in slots {
            self.retire(slot);
        }
    }

    fn record(&mut self, slot: SlotNo, commit: &Commit) {
        let committed = Committed {
            slot,
            token: commit.token.clone(),
            offsets: commit.source_offsets.clone(),
            digest: commit.digest(),
        };
        let state = self.writer_mut(&commit.writer);
        state.commits.insert(commit.n, committed);
        while state.commits.len() > COMMITS_REMEMBERED_MAX {
            if let Some((n, _)) = state.commits.pop_first() {
                state.forgotten = n;
            }
        }
    }

    fn add_live(&mut self, slot: SlotNo, commit: &Commit) {
        self.committed
            .extend(commit.segments.iter().map(|segment| segment.name.clone()));
        let epoch = LiveEpoch {
            slot,
            since: slot,
            schema_version: commit.schema_version,
            watermark_ms: commit.watermark_ms,
            checkpoint_ref: commit.checkpoint_ref.clone(),
            segments: commit.segments.clone(),
        };
        self.live.insert(slot, Arc::new(epoch));
    }

    fn remove_live(&mut self, first: SlotNo, last: SlotNo) {
        let slots: Vec<SlotNo> = self
            .live_between(first, last)
            .map(|epoch| epoch.slot)
            .collect();
        for slot in slots {
            self.retire(slot);
        }
    }

    /// Takes the epoch of a slot out, where it has one.
    fn retire(&mut self, slot: SlotNo) {
        let Some(epoch) = self.live.remove(&slot) else {
            return;
        };
        for segment in &epoch.segments {
            self.committed.remove(&segment.name);
            self.retired_names.insert(segment.name.clone());
        }
        let until = self.head;
        self.retired.push(RetiredEpoch { until, epoch });
    }
}
