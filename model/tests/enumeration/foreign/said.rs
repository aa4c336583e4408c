//! What the output says.
//!
//! Invariant: a log's content is judged once, whatever state it occurs in.

use super::super::rows;
use super::super::world::{LogNo, World};
use flinkspark_model::log::{Commit, Slot};

/// What the output says, once per content.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) generation: u64,
    pub(super) records: u8,
    pub(super) has_other: bool,
    pub(super) wrong: Option<String>,
}

pub(super) fn said(world: &World, log: LogNo) -> Said {
    let mut said = Said::default();
    for (_, body) in &world.content(log).cells {
        match world.slot(*body) {
            Slot::Fence {
                writer, generation, ..
            } if *writer == rows::writer() => {
                if *generation <= said.generation {
                    let wrong = format!("generation {generation} is not above the last");
                    said.wrong.get_or_insert(wrong);
                }
                said.generation = *generation;
            }
            Slot::Epoch(commit) if commit.writer == rows::writer() => said.tile(commit),
            Slot::Epoch(_) => said.has_other = true,
            _ => {}
        }
    }
    said
}

impl Said {
    /// An epoch goes on where the one before it ended.
    fn tile(&mut self, commit: &Commit) {
        let n = commit.n;
        let to = rows::position(commit);
        let rows: u64 = commit.segments.iter().map(|segment| segment.rows).sum();
        let from = to - rows as u8;
        if from < self.records {
            let wrong = format!("a doubled row: epoch {n} begins at record {from} again");
            self.wrong.get_or_insert(wrong);
        } else if from > self.records {
            let wrong = format!("a lost row: epoch {n} begins at record {from}");
            self.wrong.get_or_insert(wrong);
        }
        self.records = to;
    }
}
