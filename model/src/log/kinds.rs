//! What each slot of a log did to its data, one byte for each.
//!
//! It says what a slot is, never what is in it: [`View`](super::View) holds the data. Invariant: a log with head
//! `h` has exactly `h` kinds.

use super::slot::{Replacement, Slot};
use crate::position::SlotNo;
use serde::{Deserialize, Serialize};

/// What a slot did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SlotKind {
    /// It brought rows.
    Epoch,
    /// An epoch without rows that carries a watermark.
    Watermark,
    /// An epoch without either.
    Empty,
    /// It let a writer's new incarnation in.
    Fence,
    /// It gave a number of a writer up.
    Abort,
    /// It put a schema in force.
    Schema,
    /// It brought the same rows in other segments.
    Compaction,
    /// It took rows out, and may have brought others.
    Overwrite,
    /// It let old slots go.
    Expire,
}

impl SlotKind {
    /// What a slot with this content does.
    pub fn of(slot: &Slot) -> Self {
        match slot {
            Slot::Epoch(commit) if commit.segments.iter().any(|segment| segment.rows > 0) => {
                Self::Epoch
            }
            Slot::Epoch(commit) if commit.watermark_ms.is_some() => Self::Watermark,
            Slot::Epoch(_) => Self::Empty,
            Slot::Fence { drops: true, .. } => Self::Overwrite,
            Slot::Fence { .. } => Self::Fence,
            Slot::Abort { .. } => Self::Abort,
            Slot::Schema { .. } => Self::Schema,
            Slot::Replace { with, .. } => match with {
                Replacement::Compaction { .. } => Self::Compaction,
                Replacement::Overwrite(_) => Self::Overwrite,
            },
            Slot::Expire { .. } => Self::Expire,
        }
    }

    /// Whether a reader that waits for rows or watermarks has something to see: neither who may write nor how
    /// rows lie is that.
    pub fn is_data(self) -> bool {
        matches!(
            self,
            Self::Epoch | Self::Watermark | Self::Overwrite | Self::Expire
        )
    }
}

/// Slots of one kind that follow one another, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KindRun {
    /// The first of them.
    pub first: SlotNo,
    /// The last of them.
    pub last: SlotNo,
    /// What each of them did.
    pub kind: SlotKind,
}

/// The kinds of the slots from 1 on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kinds(Vec<SlotKind>);

impl Kinds {
    pub(super) fn push(&mut self, kind: SlotKind) {
        self.0.push(kind);
    }

    /// How many slots there are.
    pub(super) fn head(&self) -> SlotNo {
        self.0.len() as SlotNo
    }

    /// The kind of one slot; `None` where there is no such slot.
    pub fn of(&self, slot: SlotNo) -> Option<SlotKind> {
        let index = usize::try_from(slot.checked_sub(1)?).ok()?;
        self.0.get(index).copied()
    }

    /// The last slot that changed what a reader sees; 0 for none.
    pub fn data_head(&self) -> SlotNo {
        let last = self.0.iter().rposition(|kind| kind.is_data());
        last.map_or(0, |index| index as SlotNo + 1)
    }

    /// The kinds of the slots `first..=last`, the newest `runs_max` runs of them, in slot order.
    pub fn runs(&self, first: SlotNo, last: SlotNo, runs_max: usize) -> Vec<KindRun> {
        let mut runs: Vec<KindRun> = Vec::new();
        for slot in (first.max(1)..=last.min(self.head())).rev() {
            let Some(kind) = self.of(slot) else { break };
            let full = runs.len() >= runs_max;
            match runs.last_mut() {
                Some(run) if run.kind == kind => run.first = slot,
                _ if full => break,
                _ => runs.push(KindRun {
                    first: slot,
                    last: slot,
                    kind,
                }),
            }
        }
        runs.reverse();
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::SlotKind::{Abort, Epoch, Fence, Overwrite, Watermark};
    use super::*;

    fn run(first: SlotNo, last: SlotNo, kind: SlotKind) -> KindRun {
        KindRun { first, last, kind }
    }

    #[test]
    fn runs_are_the_kinds_of_a_range_and_the_newest_where_there_are_many() {
        let kinds = Kinds(vec![Fence, Epoch, Epoch, Overwrite, Epoch]);
        let all = [
            run(1, 1, Fence),
            run(2, 3, Epoch),
            run(4, 4, Overwrite),
            run(5, 5, Epoch),
        ];
        assert_eq!(kinds.runs(1, 5, 9), all);
        assert_eq!(kinds.runs(0, SlotNo::MAX, 9), all);
        assert_eq!(
            kinds.runs(3, 4, 9),
            [run(3, 3, Epoch), run(4, 4, Overwrite)]
        );
        assert_eq!(kinds.runs(1, 5, 2), all[2..]);
        assert_eq!(kinds.runs(5, 4, 9), []);
        assert_eq!(kinds.runs(1, 5, 0), []);
    }

    #[test]
    fn neither_a_fence_nor_an_abort_moves_the_head_of_the_data() {
        for (kinds, head) in [
            (vec![], 0),
            (vec![Fence], 0),
            (vec![Fence, Epoch, Fence, Abort], 2),
            (vec![Epoch, Watermark, Fence], 2),
            (vec![Epoch, SlotKind::Empty, SlotKind::Compaction], 1),
            (vec![Epoch, SlotKind::Expire, SlotKind::Schema], 2),
            (vec![Epoch, Overwrite], 2),
        ] {
            assert_eq!(Kinds(kinds.clone()).data_head(), head, "{kinds:?}");
        }
    }
}
