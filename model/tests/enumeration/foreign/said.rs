//! What the output says, and when two states are the same.
//!
//! Invariant: a log's content is judged once, whatever state it occurs in.

use super::super::rows;
use super::super::world::{LogNo, World};
use super::{PARTITIONS_MAX, PARTS, State};
use flinkspark_model::log::{Commit, Slot};

/// What the output says, once per content.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) generation: u64,
    pub(super) records: u8,
    pub(super) has_other: bool,
    pub(super) wrong: Option<String>,
}

/// The two partitions are alike: of a state and its mirror image one is enough.
pub(super) fn canonical(state: State) -> State {
    let mut mirrored = state;
    mirrored
        .incarnations
        .iter_mut()
        .for_each(|me| me.parts.reverse());
    mirrored.parts.iter_mut().for_each(|parts| parts.reverse());
    mirrored.network.mirror(PARTS);
    let key = |state: &State| {
        let committers = state.incarnations.map(|me| me.parts.map(|part| part as u8));
        (committers, state.parts, state.network)
    };
    if key(&mirrored) < key(&state) {
        mirrored
    } else {
        state
    }
}

pub(super) fn said(world: &World, log: LogNo, partitions: usize) -> Said {
    let mut said = Said::default();
    let mut behind = [0; PARTITIONS_MAX];
    let mut wrong = None;
    for (_, body) in &world.content(log).cells {
        match world.slot(*body) {
            Slot::Fence {
                writer, generation, ..
            } if *writer == rows::writer() => {
                if *generation <= said.generation {
                    wrong.get_or_insert(format!("generation {generation} is not above the last"));
                }
                said.generation = *generation;
            }
            Slot::Epoch(commit) if commit.writer == rows::writer() => {
                tile(&mut behind, commit, partitions, &mut wrong);
            }
            Slot::Epoch(_) => said.has_other = true,
            _ => {}
        }
    }
    said.records = behind[0];
    said.wrong = wrong;
    said
}

/// An epoch holds every partition, and each goes on where it ended.
pub(super) fn tile(
    behind: &mut [u8; PARTITIONS_MAX],
    commit: &Commit,
    partitions: usize,
    wrong: &mut Option<String>,
) {
    let n = commit.n;
    for (partition, behind) in behind.iter_mut().enumerate().take(partitions) {
        let mut segments = commit
            .segments
            .iter()
            .filter(|s| s.partition == partition as u32);
        let (Some(segment), None) = (segments.next(), segments.next()) else {
            wrong.get_or_insert(format!(
                "epoch {n} is visible in part: partition {partition}"
            ));
            return;
        };
        let to = commit.source_offsets.0.get(&format!("in{partition}"));
        let to: u8 = to
            .and_then(|to| to.parse().ok())
            .expect("offsets of each partition");
        let from = to - segment.rows as u8;
        if from < *behind {
            wrong.get_or_insert(format!(
                "a doubled row: epoch {n} begins at record {from} again"
            ));
        } else if from > *behind {
            wrong.get_or_insert(format!("a lost row: epoch {n} begins at record {from}"));
        }
        *behind = to;
    }
    // All partitions of one epoch come from one checkpoint.
    if commit
        .segments
        .iter()
        .any(|segment| segment.rows != commit.segments[0].rows)
    {
        wrong.get_or_insert(format!("epoch {n} mixes two checkpoints"));
    }
}
