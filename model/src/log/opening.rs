//! Decides what opening a writer becomes: its next generation, the one that it has, or a refusal.
//!
//! Reads no log and no clock. An incarnation reads the writer's generation when it starts and opens the
//! writer, after that generation, when it first has something to commit. Invariant: an incarnation has at
//! most one generation, and of two that read the same generation one opens the writer.

use super::intent::Intent;
use super::refusal::Refusal;
use super::slot::{Generation, Ordinal, WriterName};
use super::view::View;
use crate::fault;
use serde::{Deserialize, Serialize};

/// What becomes of the epochs above the number that an incarnation came back from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rewind {
    /// They go, and their numbers are free again: a change that readers see.
    Drop,
    /// They stay: the engine cuts them again at their recorded offsets, each a replay.
    Recut,
}

/// What an incarnation says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Opening {
    /// The writer.
    pub writer: WriterName,
    /// Unique to the one party that commits: a job's id and attempt, a query's run.
    pub incarnation: String,
    /// The generation that it read when it started; 0 where the writer had none.
    pub after: Generation,
    /// The number that it restored; `None` where the log is its memory: the writer's last.
    pub restored: Option<Ordinal>,
    /// Whether the user asked to restore below what is committed.
    pub rewind: Option<Rewind>,
}

/// What an opening becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// This incarnation has the writer already, in this generation.
    Already(Generation),
    /// It has the writer once this is in the log.
    Fence(Box<Intent>),
}

impl View {
    /// Decides what an opening becomes at this view. A fence that is beaten to its slot is decided anew.
    pub fn open(&self, opening: &Opening) -> Result<Opened, Refusal> {
        let state = self.writer(&opening.writer);
        let (by, last) = state.map_or((0, 0), |state| (state.generation, state.last()));
        let owns = state.is_some_and(|state| state.incarnation == opening.incarnation) && by > 0;
        if owns {
            return Ok(Opened::Already(by));
        }
        if opening.after != by && !fault::planted("open-whatever-was-read") {
            return Err(Refusal::OpenedSince {
                writer: opening.writer.clone(),
                after: opening.after,
                by,
                incarnation: state.map_or_else(String::new, |state| state.incarnation.clone()),
            });
        }
        Ok(Opened::Fence(Box::new(Intent::Fence {
            writer: opening.writer.clone(),
            generation: by + 1,
            restored: opening.restored.unwrap_or(last),
            rewind: opening.rewind.is_some(),
            drops: opening.rewind == Some(Rewind::Drop),
            incarnation: opening.incarnation.clone(),
        })))
    }
}
