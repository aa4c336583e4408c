//! An engine with one driver that runs numbered batches, as Spark's structured streaming.
//!
//! A batch is planned in the engine's durable log of offsets, then staged and committed under its
//! number; its token is the query's id, the number and the planned offsets. A commit that throws is
//! in doubt: the engine aborts it, which writes no slot, and runs the same batch again with new
//! receipts under the same token. The user may delete the last plan, or the whole log of offsets.
//! Invariant: each record is committed once, and another plan under a number is never a success.

mod driver;
mod steps;

use super::explore::{Ending, Model, Next};
use super::network::{Message, Network};
use super::rows;
use super::world::{ByNumber, Interner, LogNo, ProposerNo, World};
use driver::Said;
use flinkspark_model::log::Opening;

const DRIVERS_MAX: usize = 3;
const NO_PROPOSER: ProposerNo = ProposerNo::MAX;

/// How large the model is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) drivers: usize,
    pub(crate) records: u8,
    /// Commits that may throw, over all drivers.
    pub(crate) throws: u8,
    /// How often the user may delete a plan or all of them.
    pub(crate) deletes: u8,
    /// Whether the planned offsets are in the token.
    pub(crate) offsets_in_token: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    NotStarted,
    Idle,
    Committing,
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

/// A batch as the log of offsets has it: the records `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Plan {
    query: u8,
    epoch: u8,
    /// Where the batch before it began.
    before: u8,
    from: u8,
    to: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Driver {
    phase: Phase,
    wire: Wire,
    opening: u16,
    generation: u8,
    /// The batch that it runs, or ran last.
    plan: Plan,
    /// How often it has staged that batch before.
    attempt: u8,
    proposer: ProposerNo,
}

const ABSENT: Driver = Driver {
    phase: Phase::NotStarted,
    wire: Wire::Ready,
    opening: 0,
    generation: 0,
    plan: Plan {
        query: 0,
        epoch: 0,
        before: 0,
        from: 0,
        to: 0,
    },
    attempt: 0,
    proposer: NO_PROPOSER,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    log: LogNo,
    drivers: [Driver; DRIVERS_MAX],
    /// The last plan in the log of offsets.
    planned: Plan,
    /// The last batch in the engine's log of commits.
    done: u8,
    network: Network,
    throws: u8,
    deletes: u8,
}

/// What a driver finds when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Everything,
    /// All plans but the last.
    NoLastPlan,
    /// Nothing: the query has another id.
    Nothing,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Start(u8, Found),
    Plan(u8, u8),
    Ask(u8),
    Resend(u8),
    Throws(u8),
    BridgeRestarts(u8),
    Crash(u8),
    Answered(Message),
    AnsweredTwice(Message),
    GivenUp(Message),
    Landed(Message),
    Lost(Message),
}

pub(crate) struct Batched {
    world: World,
    size: Size,
    openings: Interner<Opening>,
    said: ByNumber<LogNo, Said>,
}

impl Batched {
    pub(crate) fn new(size: Size) -> Self {
        assert!(size.drivers <= DRIVERS_MAX);
        Self {
            world: World::new(),
            size,
            openings: Interner::new(),
            said: ByNumber::default(),
        }
    }

    fn said(&mut self, log: LogNo) -> &Said {
        let world = &self.world;
        self.said
            .entry(log)
            .or_insert_with(|| driver::said(world, log))
    }
}

impl Model for Batched {
    type State = State;
    type Step = Step;

    fn initial(&mut self) -> State {
        State {
            log: 0,
            drivers: [ABSENT; DRIVERS_MAX],
            planned: Plan::default(),
            done: 0,
            network: Network::new(2),
            throws: 0,
            deletes: 0,
        }
    }

    fn encode(state: &State, bytes: &mut Vec<u8>) {
        let plan = |plan: Plan| [plan.query, plan.epoch, plan.before, plan.from, plan.to];
        bytes.extend(state.log.to_le_bytes());
        for me in &state.drivers {
            bytes.extend([me.phase as u8, me.wire as u8, me.generation, me.attempt]);
            bytes.extend(plan(me.plan));
            bytes.extend(me.opening.to_le_bytes());
            bytes.extend(me.proposer.to_le_bytes());
        }
        bytes.extend(plan(state.planned));
        bytes.extend([state.done, state.throws, state.deletes]);
        state.network.encode(bytes);
    }

    fn successors(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        for who in 0..self.size.drivers {
            self.driver_steps(state, who, out);
        }
        for message in state.network.iter() {
            self.message_steps(state, message, out);
        }
    }

    fn violation(&mut self, state: &State) -> Option<String> {
        self.said(state.log).wrong.clone()
    }

    fn ending(&mut self, state: &State) -> Ending {
        if self.said(state.log).records == self.size.records {
            Ending::Complete
        } else {
            Ending::Abandoned
        }
    }

    fn describe(&self, step: &Step) -> String {
        let create = |message: &Message| {
            let slot = self.world.slot(message.body);
            format!("slot {}: {}", message.slot, super::world::label(slot))
        };
        let name = |who: &u8| rows::letter(usize::from(*who));
        match step {
            Step::Start(who, found) => format!("{} starts and finds {found:?}", name(who)),
            Step::Plan(who, records) => format!("{} plans {records} records", name(who)),
            Step::Ask(who) => format!("the bridge reads the log for {} and goes on", name(who)),
            Step::Resend(who) => format!("the bridge is in doubt for {}, sends again", name(who)),
            Step::Throws(who) => {
                format!(
                    "{}'s commit throws; it stages the same batch again",
                    name(who)
                )
            }
            Step::BridgeRestarts(who) => {
                format!("the bridge restarts, {} asks the same again", name(who))
            }
            Step::Crash(who) => format!("{} crashes", name(who)),
            Step::Answered(message) => format!("a create is answered: {}", create(message)),
            Step::AnsweredTwice(message) => {
                format!(
                    "a create arrives twice, the second is answered: {}",
                    create(message)
                )
            }
            Step::GivenUp(message) => format!("a create is given up: {}", create(message)),
            Step::Landed(message) => format!("a late create arrives: {}", create(message)),
            Step::Lost(message) => format!("a create is lost: {}", create(message)),
        }
    }

    fn show(&self, state: &State) -> String {
        format!("  output: {}", self.world.show(state.log))
    }
}
