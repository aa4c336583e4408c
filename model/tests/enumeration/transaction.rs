//! A one-shot transaction, kept by a server: begin, put, then commit or abort.
//!
//! Two partitions are put, each with a receipt; the client asks for the commit, the lease may run
//! out at any time and asks for the abort, and the server may crash between any two steps. After
//! an abort the client puts its rows again and takes its writer's next number.
//! Invariant: a transaction is live as a whole or not at all, and what a client was told stands.

mod steps;

use super::explore::{Ending, Marks, Model, Next};
use super::network::{Message, Network};
use super::rows;
use super::world::{LogNo, ProposerNo, Put, World};
use flinkspark_model::fault;
use flinkspark_model::log::{Decision, Intent, Owner, SegmentName, Slot, Staged, Verdict, verdict};

/// Transactions one after another: the second only after the first was aborted.
const ATTEMPTS: usize = 2;
const PARTITIONS: usize = 2;
const NO_PROPOSER: ProposerNo = ProposerNo::MAX;

/// A segment on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Segment {
    Absent,
    Writing,
    Receipted,
    Refused,
}

/// What the server's durable record says of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Record {
    Absent,
    Open,
    Closing,
    Committed,
    Aborted,
}

/// One of the server's two activities; a crash forgets both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Wire {
    Idle,
    Ready,
    Waiting,
    InDoubt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Activity {
    wire: Wire,
    proposer: ProposerNo,
}

const IDLE: Activity = Activity {
    wire: Wire::Idle,
    proposer: NO_PROPOSER,
};
/// The activity that commits.
const COMMIT: usize = 0;
/// The activity that aborts.
const ABORT: usize = 1;

/// What the client was told of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Told {
    Nothing,
    Committed,
    Aborted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    log: LogNo,
    network: Network,
    attempt: u8,
    segments: [[Segment; PARTITIONS]; ATTEMPTS],
    records: [Record; ATTEMPTS],
    told: [Told; ATTEMPTS],
    activities: [Activity; 2],
    deleted: u8,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Seal(u8),
    AskCommit,
    LeaseEnds,
    Go(u8),
    GoUnheard(u8),
    Resend(u8),
    Crash,
    Again,
    Answered(Message),
    AnsweredTwice(Message),
    AnsweredUnheard(Message),
    GivenUp(Message),
    Landed(Message),
    Lost(Message),
    Other,
}

pub(crate) struct Transaction {
    world: World,
}

fn name(attempt: usize, partition: usize) -> SegmentName {
    SegmentName::from(format!("t{attempt}p{partition}"))
}

fn bit(attempt: usize, partition: usize) -> u8 {
    1 << (attempt * PARTITIONS + partition)
}

/// The commit of an attempt's segments under the number of attempt `n`.
fn commit(n: usize, attempt: usize) -> Intent {
    let segments = (0..PARTITIONS).map(|partition| {
        let row = partition as u8;
        rows::segment(name(attempt, partition), row, row + 1)
    });
    Intent::Commit(rows::commit(
        rows::writer(),
        1,
        1 + n as u64,
        2,
        segments.collect(),
    ))
}

fn abort(attempt: usize) -> Intent {
    Intent::Abort {
        writer: rows::writer(),
        generation: 1,
        n: 1 + attempt as u64,
        segments: (0..PARTITIONS)
            .map(|partition| name(attempt, partition))
            .collect(),
    }
}

impl Transaction {
    pub(crate) fn new() -> Self {
        Self {
            world: World::new(),
        }
    }

    /// The live segments of an attempt.
    fn live(&self, state: &State, attempt: usize) -> usize {
        let view = self.world.view(state.log);
        (0..PARTITIONS)
            .filter(|partition| view.is_live(&name(attempt, *partition)))
            .count()
    }

    fn may_go(&self, state: &State, attempt: usize, partition: usize) -> bool {
        let owner = match state.records[attempt] {
            Record::Open | Record::Closing => Owner::OpenTransaction,
            _ => Owner::Elsewhere,
        };
        let receipted = state.segments[attempt][partition] == Segment::Receipted;
        let staged = Staged {
            name: name(attempt, partition),
            receipted,
            owner,
        };
        // The planted server deletes on its own word, without a slot.
        let word =
            fault::planted("abort-without-slot") && state.records[attempt] == Record::Aborted;
        word || verdict(&staged, self.world.view(state.log), None) == Verdict::Garbage
    }

    /// The state after its purely local steps: the collector runs as early as it can.
    fn settle(&mut self, state: &mut State) -> Marks {
        state.network.forget_spent(&self.world, &[state.log]);
        let before = state.deleted;
        for attempt in 0..ATTEMPTS {
            for partition in 0..PARTITIONS {
                let there = state.segments[attempt][partition] != Segment::Absent;
                if there && self.may_go(state, attempt, partition) {
                    state.deleted |= bit(attempt, partition);
                }
            }
        }
        if state.deleted == before {
            Marks::NONE
        } else {
            Marks::DELETED
        }
    }

    fn broken(&self, state: &State, attempt: usize) -> Option<String> {
        let live = self.live(state, attempt);
        if live != 0 && live != PARTITIONS {
            return Some(format!("transaction {attempt} is visible in part"));
        }
        match state.told[attempt] {
            Told::Committed if live == 0 => {
                return Some("an acknowledged row is lost: the commit was confirmed".into());
            }
            Told::Aborted if live != 0 => {
                return Some(
                    "a doubled row: the abort was confirmed, so the client wrote again".into(),
                );
            }
            _ => {}
        }
        for partition in 0..PARTITIONS {
            let lost = state.deleted & bit(attempt, partition) != 0;
            if lost && live != 0 {
                return Some("a deleted segment: a slot names it".into());
            }
        }
        None
    }

    /// Receipts that an abort voided stay void under any other number.
    fn void_receipts_are_refused(&self, state: &State) -> bool {
        let view = self.world.view(state.log);
        !view.is_void(&name(0, 0)) || matches!(view.decide(&commit(5, 0)), Decision::Refuse(_))
    }
}

impl Model for Transaction {
    type State = State;
    type Step = Step;

    fn initial(&mut self) -> State {
        let fence = Slot::Fence {
            writer: rows::writer(),
            generation: 1,
            restored: 0,
            rewind: false,
            drops: false,
            incarnation: "server".into(),
        };
        let mut log = 0;
        for (slot, fence) in [(1, rows::other_fence()), (2, fence)] {
            let body = self.world.body(fence);
            if let Put::Created(grown) = self.world.create(log, slot, body) {
                log = grown;
            }
        }
        let mut segments = [[Segment::Absent; PARTITIONS]; ATTEMPTS];
        segments[0] = [Segment::Writing; PARTITIONS];
        State {
            log,
            network: Network::new(2),
            attempt: 0,
            segments,
            records: [Record::Open, Record::Absent],
            told: [Told::Nothing; ATTEMPTS],
            activities: [IDLE; 2],
            deleted: 0,
        }
    }

    fn encode(state: &State, bytes: &mut Vec<u8>) {
        bytes.extend(state.log.to_le_bytes());
        state.network.encode(bytes);
        bytes.extend([state.attempt, state.deleted]);
        bytes.extend(
            state
                .segments
                .iter()
                .flatten()
                .map(|segment| *segment as u8),
        );
        bytes.extend(state.records.map(|record| record as u8));
        bytes.extend(state.told.map(|told| told as u8));
        for activity in state.activities {
            bytes.push(activity.wire as u8);
            bytes.extend(activity.proposer.to_le_bytes());
        }
    }

    fn successors(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        self.client_steps(state, out);
        self.server_steps(state, out);
        for message in state.network.iter() {
            self.message_steps(state, message, out);
        }
        self.other_writes(state, out);
    }

    fn violation(&mut self, state: &State) -> Option<String> {
        let live = (0..ATTEMPTS)
            .filter(|attempt| self.live(state, *attempt) > 0)
            .count();
        if live > 1 {
            return Some("a doubled row: both transactions are live".into());
        }
        if !self.void_receipts_are_refused(state) {
            return Some("receipts that an abort voided are accepted again".into());
        }
        (0..ATTEMPTS).find_map(|attempt| self.broken(state, attempt))
    }

    fn ending(&mut self, state: &State) -> Ending {
        if state.told.contains(&Told::Committed) {
            Ending::Complete
        } else {
            Ending::Abandoned
        }
    }

    fn describe(&self, step: &Step) -> String {
        let create = |message: &Message| {
            format!(
                "slot {}: {}",
                message.slot,
                super::world::label(self.world.slot(message.body))
            )
        };
        let who = |activity: u8| {
            if usize::from(activity) == COMMIT {
                "commit"
            } else {
                "abort"
            }
        };
        match step {
            Step::Seal(partition) => format!("partition {partition}'s put ends"),
            Step::AskCommit => "the client asks for the commit".into(),
            Step::LeaseEnds => "the lease ends: the server begins to abort".into(),
            Step::Go(activity) => format!("the {} reads the log and goes on", who(*activity)),
            Step::GoUnheard(activity) => {
                format!("the {} goes on, the client does not hear", who(*activity))
            }
            Step::Resend(activity) => {
                format!(
                    "the {} is in doubt and sends the same create again",
                    who(*activity)
                )
            }
            Step::Crash => "the server crashes".into(),
            Step::Again => "the client puts its rows again".into(),
            Step::Answered(message) => {
                format!("a create arrives and is answered: {}", create(message))
            }
            Step::AnsweredTwice(message) => format!(
                "a create arrives twice, the second is answered: {}",
                create(message)
            ),
            Step::AnsweredUnheard(message) => {
                format!(
                    "a create is answered, the client does not hear: {}",
                    create(message)
                )
            }
            Step::GivenUp(message) => format!("the server stops waiting for: {}", create(message)),
            Step::Landed(message) => format!("a late create arrives: {}", create(message)),
            Step::Lost(message) => format!("a create is lost: {}", create(message)),
            Step::Other => "the other writer commits its slot".into(),
        }
    }

    fn show(&self, state: &State) -> String {
        format!(
            "  output: {}\n  deleted {:04b}",
            self.world.show(state.log),
            state.deleted
        )
    }
}
