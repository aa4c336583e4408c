//! Decides whether a staged segment may be deleted.
//!
//! Roots are the slots, the pending epochs of every retained manifest, live transactions, and
//! every segment whose receipt was given, until a slot makes its commit impossible. What was data
//! and was taken out goes by [`spent`] alone, after a grace and past every pin, never by a verdict.
//! Invariant: a verdict of `Garbage` never becomes wrong later, so that facts may be stale when
//! it is carried out.

use super::slot::{Generation, Manifest, SegmentName, WriterName};
use super::view::View;
use crate::fault;
use crate::position::SlotNo;
use std::collections::BTreeSet;

/// Who may still commit a segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A job whose log is ours, in the generation that staged the segment.
    Job(Generation),
    /// A batch run without a log of its own, in the generation that staged the segment: that
    /// incarnation alone may commit it, as the run's one commit.
    Run(WriterName, Generation),
    /// A transaction that is still open.
    OpenTransaction,
    /// A named writer, and whether nobody will commit the segment any more: [`WriterTimes::are_over`].
    Writer {
        /// Whether its time is over.
        over: bool,
    },
    /// A transaction that ended, or an engine that keeps its own checkpoints.
    Elsewhere,
}

/// A segment that lies in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Staged {
    /// Its name.
    pub name: SegmentName,
    /// Whether a receipt was given for it.
    pub receipted: bool,
    /// Who may still commit it.
    pub owner: Owner,
}

/// What the owning job's log says; read after the segment was listed and before the view.
#[derive(Debug, Clone, Copy)]
pub struct JobFacts<'a> {
    /// The generation that owns the job's log.
    pub generation: Generation,
    /// Every manifest that a restore may still read, up to that generation's fence and after.
    pub retained: &'a [Manifest],
}

/// Whether a segment may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Something reaches it, or may.
    Keep,
    /// Nothing reaches it and nothing ever will.
    Garbage,
}

/// The verdict over one staged segment of the log behind `view`.
///
/// The facts must have been read in this order: the listing with the segment, then `job`, then
/// `view`. A segment that the job no longer lists was committed before, so a later view holds it;
/// in the other order an epoch committed between the two would be taken for garbage, which
/// `model/tests/enumeration` shows in 13 steps.
pub fn verdict(staged: &Staged, view: &View, job: Option<JobFacts<'_>>) -> Verdict {
    if view.is_live(&staged.name) || view.is_retired(&staged.name) {
        return Verdict::Keep;
    }
    if view.is_void(&staged.name) {
        return Verdict::Garbage;
    }
    match (&staged.owner, job) {
        (Owner::Run(writer, generation), _) if run_is_over(view, writer, *generation) => {
            Verdict::Garbage
        }
        (Owner::OpenTransaction | Owner::Run(..), _) => Verdict::Keep,
        (Owner::Job(generation), Some(job)) if *generation < job.generation => {
            let pending = job.retained.iter().flat_map(|manifest| &manifest.pending);
            let listed = pending
                .flat_map(|pending| &pending.commit.segments)
                .any(|s| s.name == staged.name);
            if listed && !fault::planted("garbage-forgets-pending") {
                Verdict::Keep
            } else {
                Verdict::Garbage
            }
        }
        (Owner::Job(_), _) => Verdict::Keep,
        (Owner::Writer { over: true }, _) => Verdict::Garbage,
        (Owner::Writer { over: false }, _) => Verdict::Keep,
        // Without a receipt nobody can carry it in a commit, and the put that wrote it is over.
        (Owner::Elsewhere, _) if !staged.receipted => Verdict::Garbage,
        (Owner::Elsewhere, _) if fault::planted("garbage-forgets-receipts") => Verdict::Garbage,
        (Owner::Elsewhere, _) => Verdict::Keep,
    }
}

/// When things happened to a named writer, as far as one of its segments is concerned; in milliseconds since
/// the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterTimes {
    /// When the segment was put.
    pub put_at_ms: u64,
    /// When the writer was last heard; `None` where nothing is known of it.
    pub heard_at_ms: Option<u64>,
    /// How long what was put stays after that.
    pub retention_ms: u64,
    /// Whether an incarnation that opened the writer after the put has committed above what it came back from: it
    /// has a history of its own.
    pub left_behind: bool,
}

impl WriterTimes {
    /// Whether nobody will commit the segment any more. A generation alone is no reason: a savepoint may sleep
    /// for as long as the writer declared.
    pub fn are_over(&self, now_ms: u64) -> bool {
        let over = |since: u64| since.saturating_add(self.retention_ms) <= now_ms;
        let silent = over(self.heard_at_ms.unwrap_or(self.put_at_ms));
        over(self.put_at_ms) && (silent || self.left_behind)
    }
}

/// Whether an incarnation of a one-shot run can commit nothing more: a later one fenced it, or the run
/// has committed, or it was given up.
fn run_is_over(view: &View, writer: &WriterName, generation: Generation) -> bool {
    view.writer(writer).is_some_and(|state| {
        state.generation > generation || !state.commits.is_empty() || !state.aborted.is_empty()
    })
}

/// The segments that were data, were taken out, and may go: the slot that took them out is `over`,
/// its grace has passed, and no pin stands between. A reader who is pinned to slot `p` reads them if
/// they were live when `p` was the head.
pub fn spent(
    view: &View,
    pins: &[SlotNo],
    mut over: impl FnMut(SlotNo) -> bool,
) -> BTreeSet<SegmentName> {
    let mut spent = BTreeSet::new();
    for (until, epoch) in view.retired() {
        let pinned = pins.iter().any(|pin| (epoch.since..until).contains(pin));
        if pinned || !over(until) {
            continue;
        }
        let names = epoch.segments.iter().map(|segment| &segment.name);
        spent.extend(names.filter(|name| !view.is_live(name)).cloned());
    }
    // A segment may have been data twice, of an epoch and of its compaction: each keeps it.
    for (until, epoch) in view.retired() {
        let pinned = pins.iter().any(|pin| (epoch.since..until).contains(pin));
        if pinned || !over(until) {
            for segment in &epoch.segments {
                spent.remove(&segment.name);
            }
        }
    }
    spent
}
