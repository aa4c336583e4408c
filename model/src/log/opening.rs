//! Decides what opening a writer becomes: its next generation, the one that it has, or a refusal.
//!
//! Reads no log and no clock. An incarnation reads the writer's generation when it starts and opens the
//! writer, after that generation, when it first has something to commit. Invariant: an incarnation has at
//! most one generation, and of two that read the same generation one opens the writer.

use super::intent::Intent;
use super::refusal::Refusal;
use super::slot::{Generation, Ordinal, Token, WriterName};
use super::view::{View, WriterState};
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

/// What an engine's restored state says of the writer's history, by number and token.
///
/// A number alone does not tell histories apart: a checkpoint of one that was left behind may lie above
/// what another has committed since, and its rows would come twice or follow rows that are not there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The commit before those that are pending; `None` where there is none.
    #[serde(default)]
    pub before: Option<(Ordinal, Token)>,
    /// What will be committed, for the first time or again, in order.
    #[serde(default)]
    pub pending: Vec<(Ordinal, Token)>,
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
    /// What its restored state knows by token; it then says by itself where the writer came back to.
    pub history: Option<History>,
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
        let by = state.map_or(0, |state| state.generation);
        let owns = state.is_some_and(|state| state.incarnation == opening.incarnation) && by > 0;
        if owns && !fault::planted("fence-without-incarnation") {
            return Ok(Opened::Already(by));
        }
        if !owns && opening.after != by && !fault::planted("open-whatever-was-read") {
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
            restored: self.came_back_to(opening)?,
            rewind: opening.rewind.is_some(),
            drops: opening.rewind == Some(Rewind::Drop),
            incarnation: opening.incarnation.clone(),
        })))
    }

    /// The number that an opening came back to: of a history, its last commit that stands. A history whose
    /// commits are all gone cannot go on, whatever the user asks for: the rows before its own are no data.
    fn came_back_to(&self, opening: &Opening) -> Result<Ordinal, Refusal> {
        let state = self.writer(&opening.writer);
        let Some(history) = &opening.history else {
            let last = || state.map_or(0, WriterState::last);
            return Ok(opening.restored.unwrap_or_else(last));
        };
        let there = |n: &Ordinal| state.and_then(|state| state.commits.get(n));
        let mut known = history.pending.iter().rev().chain(&history.before);
        let stands = known
            .find(|(n, token)| there(n).is_some_and(|there| there.token.as_ref() == Some(token)));
        match (stands, &history.before) {
            (Some((n, _)), _) => Ok(*n),
            (None, None) => Ok(0),
            (None, Some((n, ours))) => Err(self.gone(&opening.writer, *n, ours)),
        }
    }

    /// Why a history cannot go on after a commit that does not stand.
    fn gone(&self, writer: &WriterName, n: Ordinal, ours: &Token) -> Refusal {
        let state = self.writer(writer);
        let forgotten = state.map_or(0, |state| state.forgotten);
        if n <= forgotten {
            return Refusal::Forgotten {
                writer: writer.clone(),
                n,
                forgotten,
            };
        }
        let there = state.and_then(|state| state.commits.get(&n));
        let fenced_at = state.map_or(0, |state| state.fenced_at);
        let theirs = there.and_then(|there| there.token.clone());
        Refusal::OtherToken {
            writer: writer.clone(),
            n,
            slot: there.map_or(fenced_at, |there| there.slot),
            theirs: theirs.unwrap_or_else(|| "".into()),
            ours: ours.clone(),
        }
    }
}
