//! An engine whose checkpoints are its own, as Flink with a gatherer before its one committer.
//!
//! Three subtasks put a record each round and hand their receipts to the gatherer; at a checkpoint
//! it emits one committable: number, token and receipts. The committer opens the writer when it first
//! has something to commit, and commits what a completed checkpoint holds: now, and again after any
//! restore. The bridge carries each call through; calls are doubled, late and lost like its creates.
//! Invariant: whatever is restored, each record is committed once and in whole rounds, or the restore
//! is refused by name, and a successor can always go on.
//!
//! Merged as purely local: a round's puts, the handing over, the gatherer's emission and the end of the
//! checkpoint are one step with its outcomes. Nobody else sees them until a checkpoint is complete.

mod committer;
mod engine;
mod said;
mod steps;
mod trace;

use super::explore::{Ending, Model, Next};
use super::network::{Message, Network};
use super::rows;
use super::world::{ByNumber, Interner, LogNo, ProposerNo, Put, World};
use engine::{Checkpoint, Committable, Receipts};
use flinkspark_model::log::{Opening, Refusal, Rewind};
use said::Said;

/// Subtasks that stage.
const SUBTASKS: usize = 3;
/// The most rounds of any configuration.
const ROUNDS_MAX: u8 = 4;
pub(crate) const INCARNATIONS_MAX: usize = 4;
/// The most checkpoints that may be kept.
const KEPT_MAX: usize = 16;
/// The engine's first number.
const FIRST_N: u8 = 7;
const NO_PROPOSER: ProposerNo = ProposerNo::MAX;
const NONE: u16 = u16::MAX;

/// What the engine does when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restore {
    /// Its latest checkpoint; only the newest incarnation completes any.
    Latest,
    /// Any that was kept, or none; an old incarnation may complete more.
    Any,
    /// The same, and the user asks that what is above goes.
    AnyDropped,
}

/// How large the model is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) incarnations: usize,
    pub(crate) rounds: u8,
    /// Checkpoints that may be aborted, over all incarnations.
    pub(crate) aborts: u8,
    /// Calls that may be late at one time, at most 1.
    pub(crate) late: usize,
    /// Creates in flight at one time.
    pub(crate) in_flight: u8,
    /// Whether another writer commits a slot.
    pub(crate) other: bool,
    /// Whether an opening says its history by tokens, or its number alone.
    pub(crate) history: bool,
    pub(crate) restore: Restore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    NotStarted,
    /// The engine runs; the committer has nothing to do.
    Running,
    /// The committer has `due` committables to commit, and opens the writer first if it has not.
    Committing,
    Finished,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Wire {
    /// The call is at the bridge, which has still to read the log.
    Ready,
    Waiting,
    InDoubt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Incarnation {
    phase: Phase,
    wire: Wire,
    /// What it says of itself, by number.
    opening: u16,
    /// 0 while it has not opened the writer.
    generation: u8,
    /// The last number that it restored or used.
    n: u8,
    /// Rounds whose records are put.
    round: u8,
    /// Rounds whose receipts are in a committable.
    emitted: u8,
    /// Receipts that the gatherer holds and no committable does.
    inbox: Receipts,
    /// The committables that it does not know to be committed, by number.
    pending: u16,
    /// Where the committable before those came from: number and incarnation.
    before: Option<(u8, u8)>,
    /// How many of them are to be committed now.
    due: u8,
    proposer: ProposerNo,
}

const ABSENT: Incarnation = Incarnation {
    phase: Phase::NotStarted,
    wire: Wire::Ready,
    opening: NONE,
    generation: 0,
    n: 0,
    round: 0,
    emitted: 0,
    inbox: 0,
    pending: 0,
    before: None,
    due: 0,
    proposer: NO_PROPOSER,
};

/// A call that nobody waits for and that has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Open(u16),
    Commit(ProposerNo),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    log: LogNo,
    incarnations: [Incarnation; INCARNATIONS_MAX],
    /// The checkpoints that may be restored, by number, in ascending order.
    kept: [u16; KEPT_MAX],
    network: Network,
    late: Option<Call>,
    aborts: u8,
}

/// How an attempt at a checkpoint ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It completes and the committer hears so.
    Notified,
    /// It completes and the committer does not hear so.
    Unheard,
    /// It is aborted when so many subtasks had handed over; all of them: the gatherer had emitted.
    Aborted(u8),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Start(u8, u16),
    Checkpoint(u8, Outcome),
    Ask(u8),
    Resend(u8),
    BridgeRestarts(u8),
    Doubled(u8),
    Crash(u8),
    Answered(Message),
    AnsweredTwice(Message),
    GivenUp(Message),
    Landed(Message),
    Lost(Message),
    Arrived(Call),
    NeverArrives(Call),
    Other,
}

pub(crate) struct Gathered {
    world: World,
    size: Size,
    openings: Interner<Opening>,
    lists: Interner<Vec<Committable>>,
    checkpoints: Interner<Checkpoint>,
    said: ByNumber<LogNo, Said>,
    /// Why a successor that restores this checkpoint cannot go on.
    stuck: ByNumber<(LogNo, u16), Option<String>>,
    /// A segment of this checkpoint that may be deleted.
    gone: ByNumber<(LogNo, u16), Option<String>>,
    opened: ByNumber<(LogNo, u16), Result<Fence, Refusal>>,
    proposed: ByNumber<(Committable, u8), ProposerNo>,
}

/// What an opening becomes, by number.
#[derive(Debug, Clone, Copy)]
enum Fence {
    /// The incarnation has this generation.
    Already(u64),
    Wanted(ProposerNo),
}

impl Gathered {
    pub(crate) fn new(size: Size) -> Self {
        assert!(size.incarnations <= INCARNATIONS_MAX && size.rounds <= ROUNDS_MAX);
        let mut lists = Interner::new();
        lists.number(Vec::new());
        Self {
            world: World::new(),
            size,
            openings: Interner::new(),
            lists,
            checkpoints: Interner::new(),
            said: ByNumber::default(),
            stuck: ByNumber::default(),
            gone: ByNumber::default(),
            opened: ByNumber::default(),
            proposed: ByNumber::default(),
        }
    }

    fn said(&mut self, log: LogNo) -> &Said {
        let (world, rounds) = (&self.world, self.size.rounds);
        let said = || said::said(world, log, rounds);
        self.said.entry(log).or_insert_with(said)
    }

    fn rewind(&self) -> Option<Rewind> {
        (self.size.restore == Restore::AnyDropped).then_some(Rewind::Drop)
    }

    /// The newest incarnation that has started; nobody newer is alive.
    fn is_newest(state: &State, who: usize) -> bool {
        let next = state.incarnations.get(who + 1);
        next.is_none_or(|next| next.phase == Phase::NotStarted)
    }
}

impl Model for Gathered {
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
            kept: [NONE; KEPT_MAX],
            network: Network::new(self.size.in_flight),
            late: None,
            aborts: 0,
        }
    }

    fn encode(state: &State, bytes: &mut Vec<u8>) {
        bytes.extend(state.log.to_le_bytes());
        for me in &state.incarnations {
            let (n, by) = me.before.unwrap_or((0, 0));
            bytes.extend([me.phase as u8, me.wire as u8, me.generation, me.n, me.round]);
            bytes.extend([me.emitted, n, by, me.due]);
            bytes.extend(
                [me.opening, me.inbox, me.pending]
                    .map(u16::to_le_bytes)
                    .as_flattened(),
            );
            bytes.extend(me.proposer.to_le_bytes());
        }
        let kept = state.kept.iter().take_while(|kept| **kept != NONE);
        bytes.extend(kept.flat_map(|kept| kept.to_le_bytes()));
        bytes.extend(NONE.to_le_bytes());
        state.network.encode(bytes);
        let (kind, call) = match state.late {
            None => (0, 0),
            Some(Call::Open(opening)) => (1, u32::from(opening)),
            Some(Call::Commit(proposer)) => (2, proposer),
        };
        bytes.extend([kind, state.aborts]);
        bytes.extend(call.to_le_bytes());
    }

    fn successors(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        for who in 0..self.size.incarnations {
            self.incarnation_steps(state, who, out);
        }
        for message in state.network.iter() {
            self.message_steps(state, message, out);
        }
        self.late_steps(state, out);
        self.other_writes(state, out);
    }

    fn violation(&mut self, state: &State) -> Option<String> {
        let wrong = self.said(state.log).wrong.clone();
        wrong
            .or_else(|| self.deleted(state))
            .or_else(|| self.stuck(state))
    }

    fn ending(&mut self, state: &State) -> Ending {
        let rounds = self.size.rounds;
        if self.said(state.log).rounds == Some(rounds) {
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
