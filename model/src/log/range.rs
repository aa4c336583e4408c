//! What a reader who is pinned to a slot sees of a view, step by step.
//!
//! Nothing is copied but what a step gives: a reader of a few slots of a long log pays for these. Invariant: what
//! [`View::epochs_as_of`] gives for a last slot never changes, whatever is written later.

use super::kinds::{Kinds, SlotKind};
use super::slot::SegmentRef;
use super::view::{LiveEpoch, View};
use crate::position::{Position, SlotNo};
use std::sync::Arc;

impl View {
    /// The epochs of [`View::as_of`] one after another.
    pub fn epochs_as_of(
        &self,
        first: SlotNo,
        last: SlotNo,
    ) -> impl Iterator<Item = &Arc<LiveEpoch>> {
        let live = self.live_between(first, last);
        let mut live = live.filter(move |epoch| epoch.since <= last).peekable();
        let mut retired: Vec<_> = self
            .retired
            .iter()
            .filter(|retired| retired.until > last)
            .map(|retired| &retired.epoch)
            .filter(|epoch| (first..=last).contains(&epoch.slot) && epoch.since <= last)
            .collect();
        retired.sort_unstable_by_key(|epoch| epoch.slot);
        let mut retired = retired.into_iter().peekable();
        std::iter::from_fn(move || match (live.peek(), retired.peek()) {
            (Some(there), Some(gone)) if gone.slot < there.slot => retired.next(),
            (None, Some(_)) => retired.next(),
            _ => live.next(),
        })
    }

    /// The segments of a partition that hold rows from a position on, through slot `through` as they were live when
    /// it was the head, each with the position of its first row that is wanted.
    pub fn segments_as_of(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
    ) -> impl Iterator<Item = (Position, &SegmentRef)> {
        let epochs = self.epochs_as_of(from.slot, through);
        epochs.flat_map(move |epoch| segments_from(epoch, partition, from))
    }

    /// The overwrites up to slot `through` that took out rows which a reader at `from` has behind it, each with an
    /// epoch that it took out.
    pub fn overwrites_behind(
        &self,
        from: Position,
        through: SlotNo,
    ) -> impl Iterator<Item = (SlotNo, &LiveEpoch)> {
        // Who stands within an overwrite's own rows has begun to read them.
        let next = match from == Position::at_slot(from.slot) {
            true => from.slot,
            false => from.slot.saturating_add(1),
        };
        self.retired().filter(move |(until, epoch)| {
            Position::at_slot(epoch.slot) < from
                && epoch.since <= from.slot
                && (next..=through).contains(until)
                && self.kinds.of(*until) == Some(SlotKind::Overwrite)
                && epoch.segments.iter().any(|segment| segment.rows > 0)
        })
    }

    /// The last slot whose epoch belongs to a checkpoint.
    pub fn slot_of_checkpoint(&self, checkpoint_ref: &str) -> Option<SlotNo> {
        let live = self.live().map(Arc::as_ref);
        let all = live.chain(self.retired().map(|(_, epoch)| epoch));
        all.filter(|epoch| epoch.checkpoint_ref.as_deref() == Some(checkpoint_ref))
            .map(|epoch| epoch.slot)
            .max()
    }

    /// What each slot did.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }
}

/// The segments of one epoch that hold rows of a partition from a position on.
fn segments_from(
    epoch: &LiveEpoch,
    partition: u32,
    from: Position,
) -> impl Iterator<Item = (Position, &SegmentRef)> {
    let slot = epoch.slot;
    (0..)
        .zip(&epoch.segments)
        .filter_map(move |(index, segment)| {
            if segment.partition != partition {
                return None;
            }
            let row = match (slot, index).cmp(&(from.slot, from.segment)) {
                std::cmp::Ordering::Less => return None,
                std::cmp::Ordering::Equal => from.row,
                std::cmp::Ordering::Greater => 0,
            };
            let at = Position {
                slot,
                segment: index,
                row,
            };
            (segment.rows > row).then_some((at, segment))
        })
}
