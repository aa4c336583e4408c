//! How a job ended: once in each of its lives.
//!
//! Invariant: an end never changes; a job that may go on after it begins another life.

use super::record::RECORD_FORMAT;
use flinkspark_model::{Error, Kind};
use serde::{Deserialize, Serialize};

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    format: u32,
    /// How.
    pub outcome: Outcome,
    /// Rows read, rows committed, rows late.
    pub counts: Counts,
    /// When, in milliseconds since the epoch.
    pub ended_at_ms: u64,
}

impl End {
    /// An end at this time.
    pub fn new(outcome: Outcome, counts: Counts, ended_at_ms: u64) -> Self {
        Self {
            format: RECORD_FORMAT,
            outcome,
            counts,
            ended_at_ms,
        }
    }
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All input was read and all output is committed.
    Finished,
    /// Stopped by request.
    Stopped,
    /// It failed; it can be resumed.
    Failed(Failure),
    /// It is not started again by itself; it can be resumed.
    Parked(Failure),
}

impl Outcome {
    /// Why it failed or is parked.
    pub fn error(&self) -> Option<Error> {
        match self {
            Self::Finished | Self::Stopped => None,
            Self::Failed(failure) | Self::Parked(failure) => Some(failure.error()),
        }
    }

    /// Whether `job resume` goes on with the job.
    pub fn can_go_on(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Parked(_))
    }
}

/// An error as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind's name.
    kind: String,
    /// The code.
    code: String,
    /// What failed.
    message: String,
    /// Where and why.
    detail: Option<String>,
    /// What to try.
    hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().name().into(),
            code: error.code().into(),
            message: error.message().into(),
            detail: error.detail().map(Into::into),
            hint: error.hint().map(Into::into),
        }
    }
}

impl Failure {
    /// The error again.
    pub fn error(&self) -> Error {
        let kind = Kind::from_name(&self.kind).unwrap_or(Kind::Internal);
        let mut error = Error::from_wire(kind, self.code.clone(), self.message.clone());
        if let Some(detail) = &self.detail {
            error = error.with_detail(detail);
        }
        if let Some(hint) = &self.hint {
            error = error.with_hint(hint);
        }
        error
    }
}

/// Rows of a job; over all its incarnations, no row twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Counts {
    /// Rows read.
    pub rows_in: u64,
    /// Rows committed.
    pub rows_out: u64,
    /// Rows that came too late for their window.
    pub rows_late: u64,
    /// The last complete checkpoint.
    pub checkpoint: u64,
}
