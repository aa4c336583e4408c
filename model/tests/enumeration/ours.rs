//! A job whose log is ours: its checkpoints are slots of its own log, its output another log.
//!
//! An incarnation fences the job's log, reads the latest manifest, fences the output with the same
//! generation, commits what is pending, and only then reads input. Epoch by epoch it stages a
//! segment, commits the manifest that lists the epoch as pending, commits the epoch to the output
//! and acknowledges it. Every decision is `model::log`'s; this file only carries them out.
//!
//! Merged as purely local: staging with proposing its manifest (a crash between them is the create
//! lost), reading with deciding and sending (a late send is a late create). The collector runs as
//! early as it can: nobody reads what it did, so the earliest deletion is the worst one.

mod incarnation;
mod said;
mod steps;
mod trace;

use super::explore::{Ending, Marks, Model, Next};
use super::network::{Message, Network};
use super::rows;
use super::world::{BodyNo, ByNumber, LogNo, ProposerNo, Put, World};
use flinkspark_model::log::{Commit, LogId, SegmentName};
use said::{Said, said};
use uuid::Uuid;

/// The most incarnations of any configuration.
pub(crate) const INCARNATIONS_MAX: usize = 4;
/// The most epochs of any configuration.
const EPOCHS_MAX: usize = 5;
/// The writer's first number: its numbers are not the log's.
const FIRST_N: u64 = 7;
/// The job's own log.
const JOB: u8 = 0;
/// The output's log.
const OUTPUT: u8 = 1;
const NO_PROPOSER: ProposerNo = ProposerNo::MAX;
const NO_BODY: BodyNo = BodyNo::MAX;

/// How large the model is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) incarnations: usize,
    pub(crate) epochs: u8,
    pub(crate) in_flight: u8,
    /// In which order the collector reads its facts.
    pub(crate) facts: Facts,
}

/// The collector's order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facts {
    /// The job's log, then the output's: the order that `verdict` asks for.
    JobFirst,
    /// The wrong one.
    OutputFirst,
    /// No collector: a defect then shows in the rows.
    #[cfg(feature = "faults")]
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    NotStarted,
    FenceJob,
    ReadManifest,
    FenceOutput,
    Cut,
    Manifest,
    Epoch,
    Finished,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Wire {
    Ready,
    Waiting,
    InDoubt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Incarnation {
    phase: Phase,
    wire: Wire,
    generation: u8,
    /// Epochs behind it.
    epoch: u8,
    /// Records behind it.
    position: u8,
    /// The manifest whose pending epochs it commits.
    manifest: BodyNo,
    proposer: ProposerNo,
}

const ABSENT: Incarnation = Incarnation {
    phase: Phase::NotStarted,
    wire: Wire::Ready,
    generation: 0,
    epoch: 0,
    position: 0,
    manifest: NO_BODY,
    proposer: NO_PROPOSER,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    logs: [LogNo; 2],
    incarnations: [Incarnation; INCARNATIONS_MAX],
    network: Network,
    /// Segments that lie in the store, by bit.
    staged: u32,
    /// Segments that were deleted, by bit.
    deleted: u32,
    /// Records that were acknowledged.
    acknowledged: u8,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Start(u8),
    Ask(u8),
    Resend(u8),
    Read(u8),
    Cut(u8, u8),
    Crash(u8),
    Answered(Message),
    AnsweredTwice(Message),
    GivenUp(Message),
    Landed(Message),
    Lost(Message),
    Other,
}

pub(crate) struct Ours {
    world: World,
    size: Size,
    said: ByNumber<(u8, LogNo), Said>,
    garbage: ByNumber<(LogNo, LogNo), u32>,
}

fn output() -> LogId {
    LogId(Uuid::from_u128(2))
}

fn segment_name(incarnation: usize, epoch: usize) -> SegmentName {
    SegmentName::from(format!("{}{}", rows::letter(incarnation), epoch + 1))
}

fn bit(incarnation: usize, epoch: usize) -> u32 {
    1 << (incarnation * EPOCHS_MAX + epoch)
}

/// The segment's bit; segments of the other writer have none.
fn bit_of(name: &SegmentName) -> u32 {
    match name.as_str().as_bytes() {
        [letter @ b'A'..=b'D', digit @ b'1'..=b'5'] => {
            bit(usize::from(letter - b'A'), usize::from(digit - b'1'))
        }
        _ => 0,
    }
}

fn bits_of(commit: &Commit) -> u32 {
    commit
        .segments
        .iter()
        .map(|segment| bit_of(&segment.name))
        .fold(0, |all, bit| all | bit)
}

impl Ours {
    pub(crate) fn new(size: Size) -> Self {
        assert!(size.incarnations <= INCARNATIONS_MAX && usize::from(size.epochs) <= EPOCHS_MAX);
        Self {
            world: World::new(),
            size,
            said: ByNumber::default(),
            garbage: ByNumber::default(),
        }
    }

    fn said(&mut self, which: u8, log: LogNo) -> &Said {
        let world = &self.world;
        self.said
            .entry((which, log))
            .or_insert_with(|| said(world, which, log))
    }

    /// The state after its purely local steps.
    fn settle(&mut self, state: &mut State) -> Marks {
        state.network.forget_spent(&self.world, &state.logs);
        let garbage = self.garbage(state.logs) & state.staged;
        state.deleted |= garbage;
        state.staged &= !garbage;
        if garbage == 0 {
            Marks::NONE
        } else {
            Marks::DELETED
        }
    }
}

impl Model for Ours {
    type State = State;
    type Step = Step;

    fn initial(&mut self) -> State {
        // The other writer took itself over before: its one slot is an epoch.
        let fence = self.world.body(rows::other_fence());
        let Put::Created(log) = self.world.create(0, 1, fence) else {
            unreachable!("the log is empty");
        };
        State {
            logs: [0, log],
            incarnations: [ABSENT; INCARNATIONS_MAX],
            network: Network::new(self.size.in_flight),
            staged: 0,
            deleted: 0,
            acknowledged: 0,
        }
    }

    fn encode(state: &State, bytes: &mut Vec<u8>) {
        for log in state.logs {
            bytes.extend(log.to_le_bytes());
        }
        for me in state.incarnations {
            bytes.extend([
                me.phase as u8,
                me.wire as u8,
                me.generation,
                me.epoch,
                me.position,
            ]);
            bytes.extend(me.manifest.to_le_bytes());
            bytes.extend(me.proposer.to_le_bytes());
        }
        state.network.encode(bytes);
        bytes.extend(state.staged.to_le_bytes());
        bytes.extend(state.deleted.to_le_bytes());
        bytes.push(state.acknowledged);
    }

    fn successors(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        for who in 0..self.size.incarnations {
            self.incarnation_steps(state, who, out);
        }
        for message in state.network.iter() {
            self.message_steps(state, message, out);
        }
        self.other_writes(state, out);
    }

    fn violation(&mut self, state: &State) -> Option<String> {
        for (which, log) in [(JOB, state.logs[0]), (OUTPUT, state.logs[1])] {
            let wrong = &self.said(which, log).wrong;
            if wrong.is_some() {
                return wrong.clone();
            }
        }
        let epochs = self.size.epochs;
        let job = self.said(JOB, state.logs[0]);
        let (generation, pending) = (job.generation, job.reachable);
        let output = self.said(OUTPUT, state.logs[1]);
        if state.acknowledged > output.records {
            return Some(format!(
                "an acknowledged row is lost: {} records were acknowledged, {} are committed",
                state.acknowledged, output.records
            ));
        }
        if state.deleted & output.reachable != 0 {
            return Some("a deleted segment: a slot names it".into());
        }
        if state.deleted & pending != 0 {
            return Some("a deleted segment: the latest manifest lists it as pending".into());
        }
        for (who, me) in state.incarnations.iter().enumerate() {
            let held = me.phase == Phase::Manifest && me.generation == generation;
            if held && state.deleted & bit(who, usize::from(me.epoch)) != 0 {
                return Some("a deleted segment: the job's owner is about to list it".into());
            }
            if me.phase == Phase::Finished && output.epochs != epochs {
                return Some("an incarnation has finished and epochs are missing".into());
            }
        }
        None
    }

    fn ending(&mut self, state: &State) -> Ending {
        let finished = state
            .incarnations
            .iter()
            .any(|me| me.phase == Phase::Finished);
        if finished {
            Ending::Complete
        } else {
            Ending::Abandoned
        }
    }

    fn describe(&self, step: &Step) -> String {
        self.describe_step(step)
    }

    fn show(&self, state: &State) -> String {
        self.show_state(state)
    }
}
