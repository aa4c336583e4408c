//! Decides whether a staged segment may be deleted.
//!
//! Roots are the slots, the pending epochs of every retained manifest, live transactions, and
//! every segment whose receipt was given, until a slot makes its commit impossible. What was data
//! and was taken out goes by retention, never by a verdict.
//! Invariant: a verdict of `Garbage` never becomes wrong later, so that facts may be stale when
//! it is carried out.

use super::slot::{Generation, Manifest, SegmentName};
use super::view::View;
use crate::fault;

/// Who may still commit a segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A job whose log is ours, in the generation that staged the segment.
    Job(Generation),
    /// A transaction that is still open.
    OpenTransaction,
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
        (Owner::OpenTransaction, _) => Verdict::Keep,
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
        // Without a receipt nobody can carry it in a commit, and the put that wrote it is over.
        (Owner::Elsewhere, _) if !staged.receipted => Verdict::Garbage,
        (Owner::Elsewhere, _) if fault::planted("garbage-forgets-receipts") => Verdict::Garbage,
        (Owner::Elsewhere, _) => Verdict::Keep,
    }
}
