//! Carries one intent through lost races and lost responses to a definite end.
//!
//! The driver reads the log to its tail, asks [`Proposer::next`], carries the create out, and
//! reports what came back. Invariant: while a create is in doubt the only step is the same create
//! again, in the same slot: "not there yet" is no answer.

use super::intent::{Appended, Attempt, Decision, Intent};
use super::refusal::Refusal;
use super::slot::Slot;
use super::view::View;
use crate::fault;

/// What the driver does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Carry out this create, then report it with `created`, `exists` or `in_doubt`.
    Create(Attempt),
    /// It is in the log.
    Done(Appended),
    /// It may not be written.
    Refuse(Refusal),
    /// Read the log to its tail, then ask `next`.
    CatchUp,
}

/// An intent on its way into the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proposer {
    intent: Intent,
    attempt: Option<Attempt>,
}

impl Proposer {
    /// Starts with nothing attempted.
    pub fn new(intent: Intent) -> Self {
        Self {
            intent,
            attempt: None,
        }
    }

    /// What is wanted.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// The create whose outcome is not known yet.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempt.as_ref()
    }

    /// The next step at a view of the whole log.
    pub fn next(&mut self, view: &View) -> Step {
        if let Some(attempt) = &self.attempt {
            return Step::Create(attempt.clone());
        }
        match view.decide(&self.intent) {
            Decision::Create(attempt) => {
                self.attempt = Some(attempt.clone());
                Step::Create(attempt)
            }
            Decision::Done(done) => Step::Done(done),
            Decision::Refuse(refusal) => Step::Refuse(refusal),
        }
    }

    /// The create won its slot.
    pub fn created(&mut self) -> Step {
        self.attempt
            .take()
            .map_or(Step::CatchUp, |attempt| won(&attempt))
    }

    /// The slot was taken, by `winner`. Equal content is this very create, landed before.
    pub fn exists(&mut self, winner: &Slot) -> Step {
        match self.attempt.take() {
            Some(attempt) if attempt.body == *winner => won(&attempt),
            _ => Step::CatchUp,
        }
    }

    /// The response was lost.
    pub fn in_doubt(&mut self) -> Step {
        match &self.attempt {
            Some(attempt) if fault::planted("in-doubt-is-done") => won(attempt),
            Some(attempt) => Step::Create(attempt.clone()),
            None => Step::CatchUp,
        }
    }
}

fn won(attempt: &Attempt) -> Step {
    Step::Done(Appended {
        slot: attempt.slot,
        replayed: false,
        same_rows: true,
    })
}
