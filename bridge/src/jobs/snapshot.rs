//! A job as of now: how it stands, how far it came, and what it met.
//!
//! Invariant: what has ended has the counts of its end.

use super::end::{Counts, End, Outcome};
use super::record::JobRecord;
use super::run::Progress;
use flinkspark_model::Error;
use std::sync::Arc;

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// An incarnation is at work, or is about to be.
    Running,
    /// Checkpointed; goes on when the server starts again.
    Suspended,
    /// All input was read and all output is committed.
    Finished,
    /// It failed.
    Failed,
    /// Stopped by request.
    Stopped,
    /// Its servers died while it ran: it is not started by itself.
    Parked,
}

impl State {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Parked => "parked",
        }
    }
}

/// A job as of now.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What was submitted.
    pub record: Arc<JobRecord>,
    /// How it stands.
    pub state: State,
    /// How far it came.
    pub progress: Progress,
    /// Why it failed, or is parked.
    pub error: Option<Error>,
    /// What it was last tried again after; none once it has come further.
    pub retry: Option<Retry>,
    /// When it ended, in milliseconds since the epoch.
    pub ended_at_ms: Option<u64>,
}

/// Trouble that may pass.
#[derive(Debug, Clone)]
pub struct Retry {
    /// What stopped the job last.
    pub error: Error,
    /// How often it failed since it last came further.
    pub tries: u32,
    /// When it is tried again, in milliseconds since the epoch; `None` while it is.
    pub next_at_ms: Option<u64>,
}

/// A job that is not at work.
pub(super) fn snapshot(record: JobRecord, end: Option<End>) -> Snapshot {
    let (state, counts, error, ended_at_ms) = match &end {
        None => (State::Suspended, Counts::default(), None, None),
        Some(end) => {
            let state = match &end.outcome {
                Outcome::Finished => State::Finished,
                Outcome::Stopped => State::Stopped,
                Outcome::Failed(_) => State::Failed,
                Outcome::Parked(_) => State::Parked,
            };
            (
                state,
                end.counts,
                end.outcome.error(),
                Some(end.ended_at_ms),
            )
        }
    };
    let progress = Progress {
        counts,
        ..Progress::default()
    };
    Snapshot {
        record: Arc::new(record),
        state,
        progress,
        error,
        retry: None,
        ended_at_ms,
    }
}

/// How often the job failed since it last came further.
pub(super) fn tries(snapshot: &Snapshot) -> u32 {
    snapshot.retry.as_ref().map_or(0, |retry| retry.tries)
}
