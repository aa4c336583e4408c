//! An engine whose checkpoints are its own, and that knows the offsets of its sources: its commits
//! have no token, they are known again by number and offsets.
//!
//! The engine takes a checkpoint that holds the sealed segments, then commits them as one epoch:
//! now, and again after any restore. Depending on [`Restore`] it restores its latest checkpoint or
//! any that it ever had, and numbers its checkpoints on or from what it restored.
//! Invariant: whatever it restores, rows are committed once or the restore is refused by name.

mod incarnation;
mod said;
mod steps;
mod trace;

use super::explore::{Ending, Marks, Model, Next};
use super::network::{Message, Network};
use super::rows;
use super::world::{ByNumber, LogNo, ProposerNo, Put, World};
use flinkspark_model::log::{Commit, Owner, SegmentName, SegmentRef, Staged, Verdict, verdict};
use said::{Said, said};

/// Checkpoints that the engine may ever complete, over all incarnations.
const CHECKPOINTS_MAX: usize = 9;
pub(crate) const INCARNATIONS_MAX: usize = 3;
/// The engine's first number.
const FIRST_N: u64 = 7;
const NO_PROPOSER: ProposerNo = ProposerNo::MAX;
/// The only log.
const OUTPUT: u8 = 0;

/// What the engine does when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restore {
    /// Its latest checkpoint; only the newest incarnation completes any; numbers are never reused.
    Latest,
    /// Any checkpoint or none; an old incarnation may complete more; numbers start again there.
    Any,
    /// The same, and the user asks for the rewind.
    AnyRewound,
    /// A rewind by an engine that numbers on: nothing may promise that this is sound.
    RewoundNumberingOn,
}

impl Restore {
    fn reuses_numbers(self) -> bool {
        matches!(self, Self::Any | Self::AnyRewound)
    }

    fn rewinds(self) -> bool {
        matches!(self, Self::AnyRewound | Self::RewoundNumberingOn)
    }
}

/// How large the model is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) incarnations: usize,
    pub(crate) epochs: u8,
    pub(crate) restore: Restore,
}

/// A completed checkpoint: the engine's record `from..to`, sealed by one incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Checkpoint {
    n: u8,
    by: u8,
    /// Epochs up to and with this one.
    epoch: u8,
    from: u8,
    to: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    NotStarted,
    Fence,
    /// The put is running: segments without a receipt.
    Staging,
    Cut,
    Commit,
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
    /// The checkpoint that it restored or took last.
    checkpoint: Option<Checkpoint>,
    /// Records being staged.
    records: u8,
    proposer: ProposerNo,
}

const ABSENT: Incarnation = Incarnation {
    phase: Phase::NotStarted,
    wire: Wire::Ready,
    generation: 0,
    checkpoint: None,
    records: 0,
    proposer: NO_PROPOSER,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    log: LogNo,
    incarnations: [Incarnation; INCARNATIONS_MAX],
    /// The engine's store, in order of completion.
    checkpoints: [Option<Checkpoint>; CHECKPOINTS_MAX],
    network: Network,
    /// Segments deleted: a bit for each checkpoint in the store.
    deleted: u16,
    /// Puts that ended without a receipt and were deleted.
    swept: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Start(u8, Option<u64>),
    Ask(u8),
    Resend(u8),
    Cut(u8, u8),
    Complete(u8),
    Crash(u8),
    BridgeRestarts(u8),
    Answered(Message),
    AnsweredTwice(Message),
    GivenUp(Message),
    Landed(Message),
    Lost(Message),
    Other,
}

pub(crate) struct Foreign {
    world: World,
    size: Size,
    said: ByNumber<LogNo, Said>,
    /// Whether a log holds a checkpoint's segment, and whether it may be deleted.
    held: ByNumber<(LogNo, Checkpoint), (bool, bool)>,
}

fn segment(checkpoint: Checkpoint) -> SegmentRef {
    let Checkpoint {
        n, by, from, to, ..
    } = checkpoint;
    // Two incarnations may seal the same number; the names are the server's and never meet.
    let name = SegmentName::from(format!("{}{n}", rows::letter(usize::from(by))));
    rows::segment(name, from, to)
}

/// The epoch of a checkpoint.
fn commit(checkpoint: Checkpoint, generation: u8) -> Commit {
    let n = FIRST_N + u64::from(checkpoint.n);
    let segments = vec![segment(checkpoint)];
    rows::commit(rows::writer(), generation, n, checkpoint.to, segments)
}

impl Foreign {
    pub(crate) fn new(size: Size) -> Self {
        assert!(size.incarnations <= INCARNATIONS_MAX);
        assert!(usize::from(size.epochs) * size.incarnations <= CHECKPOINTS_MAX);
        Self {
            world: World::new(),
            size,
            said: ByNumber::default(),
            held: ByNumber::default(),
        }
    }

    fn said(&mut self, log: LogNo) -> &Said {
        let world = &self.world;
        self.said.entry(log).or_insert_with(|| said(world, log))
    }

    /// Whether a slot names the checkpoint's segment, and whether the collector deletes it.
    fn held(&mut self, log: LogNo, checkpoint: Checkpoint) -> (bool, bool) {
        let view = self.world.view(log);
        *self.held.entry((log, checkpoint)).or_insert_with(|| {
            let staged = Staged {
                name: segment(checkpoint).name,
                receipted: true,
                owner: Owner::Elsewhere,
            };
            let garbage = verdict(&staged, view, None) == Verdict::Garbage;
            (view.is_live(&staged.name), garbage)
        })
    }

    fn settle(&mut self, state: &mut State) -> Marks {
        state.network.forget_spent(&self.world, &[state.log]);
        let before = state.deleted;
        for (index, checkpoint) in state.checkpoints.into_iter().flatten().enumerate() {
            if self.held(state.log, checkpoint).1 {
                state.deleted |= 1 << index;
            }
        }
        let deleted = state.deleted != before || state.swept;
        state.swept = false;
        if deleted { Marks::DELETED } else { Marks::NONE }
    }

    fn index_of(state: &State, checkpoint: Checkpoint) -> usize {
        let found = state
            .checkpoints
            .iter()
            .position(|known| *known == Some(checkpoint));
        found.expect("a completed checkpoint")
    }
}

impl Model for Foreign {
    type State = State;
    type Step = Step;

    fn initial(&mut self) -> State {
        let fence = self.world.body(rows::other_fence());
        let log = match self.world.create(0, 1, fence) {
            Put::Created(log) => log,
            Put::Exists(_) => 0,
        };
        State {
            log,
            incarnations: [ABSENT; INCARNATIONS_MAX],
            checkpoints: [None; CHECKPOINTS_MAX],
            network: Network::new(2),
            deleted: 0,
            swept: false,
        }
    }

    fn encode(state: &State, bytes: &mut Vec<u8>) {
        bytes.extend(state.log.to_le_bytes());
        for me in state.incarnations {
            bytes.extend([me.phase as u8, me.wire as u8, me.generation, me.records]);
            bytes.extend(me.proposer.to_le_bytes());
            let at = me
                .checkpoint
                .map(|checkpoint| Self::index_of(state, checkpoint));
            bytes.push(at.map_or(0xff, |at| at as u8));
        }
        for checkpoint in state.checkpoints.iter().flatten() {
            let Checkpoint {
                n,
                by,
                epoch,
                from,
                to,
            } = *checkpoint;
            bytes.extend([n, by, epoch, from, to]);
        }
        bytes.push(0xee);
        state.network.encode(bytes);
        bytes.extend(state.deleted.to_le_bytes());
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
        let said = self.said(state.log);
        let records = said.records;
        if said.wrong.is_some() {
            return said.wrong.clone();
        }
        for (index, checkpoint) in state.checkpoints.into_iter().flatten().enumerate() {
            let gone = state.deleted & (1 << index) != 0;
            if gone && self.held(state.log, checkpoint).0 {
                return Some("a deleted segment: a slot names it".into());
            }
        }
        for me in &state.incarnations[..self.size.incarnations] {
            let done = me.checkpoint.map_or(0, |checkpoint| checkpoint.to);
            if matches!(me.phase, Phase::Cut | Phase::Finished) && records < done {
                return Some(format!(
                    "an acknowledged row is lost: {done} records were handed over, {records} are committed"
                ));
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
