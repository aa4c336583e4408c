//! Decides what an intent becomes, given every slot that exists.
//!
//! Invariant: a decision to create names exactly the slot after the view's head, so that a create
//! that succeeds was decided with knowledge of every slot below it.

use super::intent::{Appended, Attempt, Decision, Intent};
use super::kinds::SlotKind;
use super::refusal::Refusal;
use super::slot::{Commit, Generation, Ordinal, Replacement, SegmentName, SegmentRef, WriterName};
use super::view::{Rewrite, View, WriterState};
use crate::digest::Digest;
use crate::fault;
use crate::position::SlotNo;
use std::collections::BTreeSet;

impl View {
    /// Decides what the intent becomes at this view.
    pub fn decide(&self, intent: &Intent) -> Decision {
        match self.judge(intent) {
            Ok(Some(done)) => Decision::Done(done),
            Ok(None) => Decision::Create(Attempt {
                slot: self.slot_for(intent),
                body: intent.body(),
            }),
            Err(refusal) => Decision::Refuse(refusal),
        }
    }

    /// Holds a commit that was found there to its rows: one-shot keys are strict, so that a repetition
    /// with other rows is an error and never a success.
    pub fn strictly(&self, commit: &Commit, appended: Appended) -> Result<Appended, Refusal> {
        if !appended.replayed || appended.same_rows {
            return Ok(appended);
        }
        let there = self.writer(&commit.writer);
        let there = there.and_then(|state| state.commits.get(&commit.n));
        Err(Refusal::OtherRows {
            writer: commit.writer.clone(),
            n: commit.n,
            slot: appended.slot,
            theirs: there.map_or_else(Digest::default, |there| there.digest),
            ours: commit.digest(),
        })
    }

    fn slot_for(&self, intent: &Intent) -> SlotNo {
        match intent {
            Intent::Commit(commit) if fault::planted("log-keyed-by-n") => commit.n,
            _ => self.head + 1,
        }
    }

    /// `Some` if it is there already, `None` if it may be created.
    fn judge(&self, intent: &Intent) -> Result<Option<Appended>, Refusal> {
        match intent {
            Intent::Fence {
                writer,
                generation,
                restored,
                rewind,
                drops,
                ..
            } => {
                self.judge_fence(writer, *generation, *restored, *rewind)?;
                if *drops {
                    self.judge_drop(writer, *restored)?;
                }
                Ok(None)
            }
            Intent::Commit(commit) => self.judge_commit(commit),
            Intent::Abort {
                writer,
                generation,
                n,
                ..
            } => self.judge_abort(writer, *generation, *n),
            Intent::Schema { version, .. } if *version != self.schema_version + 1 => {
                Err(Refusal::Schema {
                    wanted: *version,
                    current: self.schema_version,
                })
            }
            Intent::Schema { .. } => Ok(None),
            Intent::Replace {
                read_at,
                first,
                last,
                with,
                serializable,
            } => {
                if let Replacement::Overwrite(commit) = with
                    && let Some(done) = self.judge_commit(commit)?
                {
                    return Ok(Some(done));
                }
                let overwrites = matches!(with, Replacement::Overwrite(_));
                if *serializable {
                    self.judge_unchanged(*read_at)?;
                }
                self.judge_range(*read_at, *first, *last, overwrites)?;
                match with {
                    Replacement::Compaction { segments } => {
                        self.judge_compaction(*first, *last, segments)
                    }
                    Replacement::Overwrite(_) => Ok(None),
                }
            }
            Intent::Expire { read_at, through } => self
                .judge_range(*read_at, self.horizon + 1, *through, false)
                .map(|()| None),
        }
    }

    fn judge_fence(
        &self,
        writer: &WriterName,
        wanted: Generation,
        restored: Ordinal,
        rewind: bool,
    ) -> Result<(), Refusal> {
        let (highest, committed) = self
            .writer(writer)
            .map_or((0, 0), |state| (state.generation, state.last()));
        if wanted <= highest {
            return Err(Refusal::GenerationTaken {
                writer: writer.clone(),
                wanted,
                highest,
            });
        }
        if restored < committed && !rewind {
            return Err(Refusal::Rewind {
                writer: writer.clone(),
                restored,
                committed,
            });
        }
        Ok(())
    }

    /// Whether what the writer committed above `restored` can still be told from everything else.
    fn judge_drop(&self, writer: &WriterName, restored: Ordinal) -> Result<(), Refusal> {
        let Some(state) = self.writer(writer) else {
            return Ok(());
        };
        if restored < state.forgotten {
            return Err(Refusal::Forgotten {
                writer: writer.clone(),
                n: restored,
                forgotten: state.forgotten,
            });
        }
        let slots = state.above(restored);
        let merged = self.rewrites.iter().find(|rewrite| {
            rewrite.compacts
                && slots
                    .iter()
                    .any(|slot| (rewrite.first..=rewrite.last).contains(slot))
        });
        merged.map_or(Ok(()), |rewrite| {
            Err(Refusal::Range {
                first: rewrite.first,
                last: rewrite.last,
                why: "a compaction has joined its epochs with others",
            })
        })
    }

    /// Whether the generation owns the writer now.
    fn judge_owner(
        &self,
        writer: &WriterName,
        generation: Generation,
    ) -> Result<Option<&WriterState>, Refusal> {
        let state = self.writer(writer);
        let owner = state.map_or(0, |state| state.generation);
        if fault::planted("no-fence-check") {
            return Ok(state);
        }
        if generation < owner {
            return Err(Refusal::Fenced {
                writer: writer.clone(),
                by: owner,
            });
        }
        if generation > owner || generation == 0 {
            return Err(Refusal::NotFenced {
                writer: writer.clone(),
                generation,
            });
        }
        Ok(state)
    }

    /// A commit with a token is known again from any generation: who repeats it may have been taken over
    /// meanwhile, and is told what stands. `None` where its number is free.
    fn judge_token(&self, commit: &Commit) -> Result<Option<Appended>, Refusal> {
        let (Some(ours), Some(state)) = (&commit.token, self.writer(&commit.writer)) else {
            return Ok(None);
        };
        let (writer, n) = (|| commit.writer.clone(), commit.n);
        let Some(there) = state.commits.get(&n) else {
            if n > state.forgotten {
                return Ok(None);
            }
            return Err(Refusal::Forgotten {
                writer: writer(),
                n,
                forgotten: state.forgotten,
            });
        };
        if fault::planted("replay-by-number-alone") || there.token.as_ref() == Some(ours) {
            return Ok(Some(Appended {
                slot: there.slot,
                replayed: true,
                same_rows: there.digest == commit.digest(),
            }));
        }
        Err(Refusal::OtherToken {
            writer: writer(),
            n,
            slot: there.slot,
            theirs: there.token.clone().unwrap_or_else(|| "".into()),
            ours: ours.clone(),
        })
    }

    fn judge_commit(&self, commit: &Commit) -> Result<Option<Appended>, Refusal> {
        let writer = || commit.writer.clone();
        if let Some(done) = self.judge_token(commit)? {
            return Ok(Some(done));
        }
        // Planted: checkpoints complete in a store that knows no fence.
        let unfenced = fault::planted("manifest-outside-fenced-log") && commit.manifest.is_some();
        let state = if unfenced {
            self.writer(&commit.writer)
        } else {
            self.judge_owner(&commit.writer, commit.generation)?
        };
        if let Some(slot) = state.and_then(|state| state.aborted.get(&commit.n)) {
            return Err(Refusal::Aborted {
                writer: writer(),
                n: commit.n,
                slot: *slot,
            });
        }
        if let Some(there) = state.and_then(|state| state.commits.get(&commit.n)) {
            if fault::planted("doubled-commit") {
                return Ok(None);
            }
            if there.offsets == commit.source_offsets {
                let same_rows = there.digest == commit.digest();
                return Ok(Some(Appended {
                    slot: there.slot,
                    replayed: true,
                    same_rows,
                }));
            }
            return Err(Refusal::OtherOffsets {
                writer: writer(),
                n: commit.n,
                slot: there.slot,
                theirs: there.offsets.to_string(),
                ours: commit.source_offsets.to_string(),
            });
        }
        let last = state.map_or(0, WriterState::last);
        if commit.n <= last {
            return Err(Refusal::NotAbove {
                writer: writer(),
                n: commit.n,
                last,
            });
        }
        self.judge_segments(commit)?;
        Ok(None)
    }

    fn judge_segments(&self, commit: &Commit) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        for segment in &commit.segments {
            let why = if !seen.insert(&segment.name) {
                "the commit names it twice"
            } else if self.is_live(&segment.name) {
                "another commit holds it"
            } else if let Some(why) = self.judge_spent(&segment.name) {
                why
            } else {
                continue;
            };
            return Err(Refusal::Segment {
                segment: segment.name.to_string(),
                why,
            });
        }
        Ok(())
    }

    /// Why a segment can never become data again: its file may be gone by now.
    fn judge_spent(&self, segment: &SegmentName) -> Option<&'static str> {
        if self.is_void(segment) {
            Some("its transaction was aborted")
        } else if self.is_retired(segment) {
            Some("it was data and was taken out")
        } else {
            None
        }
    }

    fn judge_abort(
        &self,
        writer: &WriterName,
        generation: Generation,
        n: Ordinal,
    ) -> Result<Option<Appended>, Refusal> {
        let state = self.judge_owner(writer, generation)?;
        if let Some(there) = state.and_then(|state| state.commits.get(&n)) {
            return Err(Refusal::AlreadyCommitted {
                writer: writer.clone(),
                n,
                slot: there.slot,
            });
        }
        let there = state.and_then(|state| state.aborted.get(&n));
        Ok(there.map(|slot| Appended {
            slot: *slot,
            replayed: true,
            same_rows: true,
        }))
    }

    fn judge_range(
        &self,
        read_at: SlotNo,
        first: SlotNo,
        last: SlotNo,
        overwrites: bool,
    ) -> Result<(), Refusal> {
        let refuse = |why| Err(Refusal::Range { first, last, why });
        if first > last {
            return refuse("the range is empty");
        }
        if first <= self.horizon {
            return refuse("a part of it has expired");
        }
        if last > read_at || read_at > self.head {
            return refuse("it reaches beyond what was read");
        }
        // A compaction keeps the rows: what replaces all of them never loses to it.
        let same = |r: &Rewrite| overwrites && r.compacts && first <= r.first && r.last <= last;
        let touched = self
            .rewrites
            .iter()
            .any(|r| r.at > read_at && r.first <= last && first <= r.last && !same(r));
        // An overwrite stands at its own slot: a range that was read before it cannot reach it.
        if touched {
            refuse("it was rewritten since it was read")
        } else {
            Ok(())
        }
    }

    /// Nothing but compactions and slots without rows may have come since.
    fn judge_unchanged(&self, read_at: SlotNo) -> Result<(), Refusal> {
        let changes = |kind| matches!(kind, SlotKind::Epoch | SlotKind::Overwrite);
        let changed = (read_at.saturating_add(1)..=self.head)
            .find(|slot| self.kinds.of(*slot).is_some_and(changes));
        match changed {
            Some(slot) => Err(Refusal::Changed { read_at, slot }),
            None => Ok(()),
        }
    }

    /// A compaction may keep segments of its own range; any other must be new.
    fn judge_compacted(
        &self,
        first: SlotNo,
        last: SlotNo,
        segments: &[SegmentRef],
    ) -> Result<(), Refusal> {
        let own: BTreeSet<&SegmentName> = self
            .live_between(first, last)
            .flat_map(|epoch| &epoch.segments)
            .map(|segment| &segment.name)
            .collect();
        let mut seen = BTreeSet::new();
        for SegmentRef { name, .. } in segments {
            let why = if !seen.insert(name) {
                Some("the compaction names it twice")
            } else if self.is_live(name) && !own.contains(name) {
                Some("another commit holds it")
            } else {
                self.judge_spent(name)
            };
            if let Some(why) = why {
                let segment = name.to_string();
                return Err(Refusal::Segment { segment, why });
            }
        }
        Ok(())
    }

    /// A compaction keeps the rows: the digests on both sides are equal.
    fn judge_compaction(
        &self,
        first: SlotNo,
        last: SlotNo,
        segments: &[SegmentRef],
    ) -> Result<Option<Appended>, Refusal> {
        self.judge_compacted(first, last, segments)?;
        let sum = |segments: &[SegmentRef]| {
            segments
                .iter()
                .fold(Digest::default(), |sum, segment| sum + segment.digest)
        };
        let before = self
            .live_between(first, last)
            .fold(Digest::default(), |total, epoch| {
                total + sum(&epoch.segments)
            });
        if before == sum(segments) {
            Ok(None)
        } else {
            Err(Refusal::Range {
                first,
                last,
                why: "the compaction does not hold the same rows",
            })
        }
    }
}
