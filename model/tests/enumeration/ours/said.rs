//! What the logs say, and what the collector makes of it.
//!
//! Invariant: a log's content is judged once, whatever state it occurs in.

use super::super::rows::{digest, letter, position, writer};
use super::super::world::{BodyNo, LogNo, World};
use super::{Facts, JOB, OUTPUT, Ours, bit, bit_of, bits_of, segment_name};
use flinkspark_model::log::{Commit, JobFacts, Manifest, Owner, Slot, Staged, Verdict, verdict};

/// What a job's log or an output says, once per content.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) generation: u8,
    /// The latest manifest.
    pub(super) manifest: Option<BodyNo>,
    /// Segments live in slots or pending in the latest manifest, by bit.
    pub(super) reachable: u32,
    /// Records and epochs committed.
    pub(super) records: u8,
    pub(super) epochs: u8,
    pub(super) has_other: bool,
    pub(super) wrong: Option<String>,
}

/// The manifest's commit in a slot.
pub(super) fn manifest_in(slot: &Slot) -> Option<&Commit> {
    match slot {
        Slot::Epoch(commit) if commit.manifest.is_some() => Some(commit),
        _ => None,
    }
}

/// The generation that an incarnation fenced the job's log with.
pub(super) fn generation_of(world: &World, job: LogNo, incarnation: usize) -> Option<u64> {
    let me = letter(incarnation).to_string();
    world
        .content(job)
        .cells
        .iter()
        .find_map(|(_, body)| match world.slot(*body) {
            Slot::Fence {
                generation,
                incarnation,
                ..
            } if *incarnation == me => Some(*generation),
            _ => None,
        })
}

pub(super) fn said(world: &World, which: u8, log: LogNo) -> Said {
    let content = world.content(log);
    let mut said = Said::default();
    let mut wrong = None;
    for (_, body) in content
        .cells
        .iter()
        .take_while(|(slot, _)| *slot <= content.view.head())
    {
        match world.slot(*body) {
            Slot::Fence {
                writer: who,
                generation,
                ..
            } if *who == writer() => {
                if *generation <= u64::from(said.generation) {
                    wrong.get_or_insert(format!("generation {generation} is not above the last"));
                }
                said.generation = *generation as u8;
            }
            Slot::Epoch(commit) if commit.writer == writer() => {
                if which == JOB {
                    said.manifest = Some(*body);
                } else {
                    tile(&mut said, commit, &mut wrong);
                }
            }
            Slot::Epoch(_) => said.has_other = true,
            _ => {}
        }
    }
    if which == OUTPUT {
        let live = content.view.live().flat_map(|epoch| &epoch.segments);
        said.reachable = live
            .map(|segment| bit_of(&segment.name))
            .fold(0, |all, bit| all | bit);
    } else if let Some(manifest) = said.manifest.and_then(|body| manifest_in(world.slot(body))) {
        let pending = manifest
            .manifest
            .iter()
            .flat_map(|manifest| &manifest.pending);
        said.reachable = pending
            .map(|pending| bits_of(&pending.commit))
            .fold(0, |all, bit| all | bit);
    }
    said.wrong = wrong;
    said
}

/// Committed epochs tile the input: each begins where the one before ended.
pub(super) fn tile(said: &mut Said, commit: &Commit, wrong: &mut Option<String>) {
    let to = position(commit);
    let rows: u64 = commit.segments.iter().map(|segment| segment.rows).sum();
    let from = u64::from(to) - rows;
    let n = commit.n;
    if from < u64::from(said.records) {
        wrong.get_or_insert(format!(
            "a doubled row: epoch {n} begins at record {from} again"
        ));
    } else if from > u64::from(said.records) {
        wrong.get_or_insert(format!("a lost row: epoch {n} begins at record {from}"));
    } else if commit.digest() != digest(from as u8, to) {
        wrong.get_or_insert(format!("epoch {n} does not hold its rows"));
    }
    said.records = to;
    said.epochs += 1;
}

impl Ours {
    /// Segments that the collector deletes, had it read the job's log at any time up to now.
    pub(super) fn garbage(&mut self, logs: [LogNo; 2]) -> u32 {
        if let Some(known) = self.garbage.get(&(logs[0], logs[1])) {
            return *known;
        }
        let earlier = |log| self.world.content(log).prefixes.clone();
        let facts: Vec<_> = match self.size.facts {
            Facts::JobFirst => earlier(logs[0])
                .into_iter()
                .map(|job| (job, logs[1]))
                .collect(),
            #[cfg(feature = "faults")]
            Facts::Never => Vec::new(),
            Facts::OutputFirst => earlier(logs[1])
                .into_iter()
                .map(|output| (logs[0], output))
                .collect(),
        };
        let judged = facts
            .into_iter()
            .fold(0, |all, (job, output)| all | self.judge(job, output));
        self.garbage.insert((logs[0], logs[1]), judged);
        judged
    }

    pub(super) fn judge(&mut self, job: LogNo, output: LogNo) -> u32 {
        let said = self.said(JOB, job).clone();
        let retained: Vec<Manifest> = said
            .manifest
            .and_then(|body| {
                manifest_in(self.world.slot(body)).map(|commit| commit.manifest.clone())
            })
            .flatten()
            .into_iter()
            .collect();
        let facts = JobFacts {
            generation: u64::from(said.generation),
            retained: &retained,
        };
        let mut judged = 0;
        for incarnation in 0..self.size.incarnations {
            for epoch in 0..usize::from(self.size.epochs) {
                let name = segment_name(incarnation, epoch);
                let Some(generation) = generation_of(&self.world, job, incarnation) else {
                    continue;
                };
                let staged = Staged {
                    name,
                    receipted: true,
                    owner: Owner::Job(generation),
                };
                if verdict(&staged, self.world.view(output), Some(facts)) == Verdict::Garbage {
                    judged |= bit(incarnation, epoch);
                }
            }
        }
        judged
    }
}
