//! What the engine, the bridge before the output, and the network may do next.
//!
//! Invariant: every step out of a state is listed, always in the same order.

use super::super::explore::{Marks, Next};
use super::super::network::{Message, ORPHAN};
use super::super::rows;
use super::super::world::Put;
use super::{
    Checkpoint, FIRST_N, Foreign, NO_PART, OUTPUT, PARTITIONS_MAX, PARTS, Phase, Restore, State,
    Step, Wire,
};
use flinkspark_model::log::{Decision, Intent};

/// The committers' senders lie above the incarnations'.
pub(super) fn committer(who: usize, partition: usize) -> u8 {
    (10 + who * PARTITIONS_MAX + partition) as u8
}

fn part_key(checkpoint: Checkpoint, partition: usize) -> u64 {
    u64::from(checkpoint.n) * 2 + partition as u64
}

impl Foreign {
    fn push(
        &mut self,
        out: &mut Vec<Next<Self>>,
        step: Step,
        mut state: State,
        marks: Marks,
        wrong: Option<String>,
    ) {
        let marks = marks | self.settle(&mut state);
        out.push(Next {
            step,
            state,
            marks,
            wrong,
        });
    }

    pub(super) fn incarnation_steps(
        &mut self,
        state: &State,
        who: usize,
        out: &mut Vec<Next<Self>>,
    ) {
        let me = state.incarnations[who];
        let name = who as u8;
        match (me.phase, me.wire) {
            (Phase::NotStarted, _) => {
                if who == 0 || state.incarnations[who - 1].phase != Phase::NotStarted {
                    for from in self.may_start_from(state) {
                        let started = self.start(state, who, from);
                        let n = from.map(|checkpoint| FIRST_N + u64::from(checkpoint.n));
                        self.push(out, Step::Start(name, n), started, Marks::NONE, None);
                    }
                }
                return;
            }
            (Phase::Finished | Phase::Dead, _) => return,
            (Phase::Cut, _) => {
                // With parts the first incarnation's cuts are the reference that others differ from.
                let least = if self.size.partitions > 1 && who == 0 {
                    2
                } else {
                    1
                };
                for records in least..=2 {
                    let mut staging = *state;
                    staging.incarnations[who].phase = Phase::Staging;
                    staging.incarnations[who].records = records;
                    self.push(out, Step::Cut(name, records), staging, Marks::NONE, None);
                }
            }
            (Phase::Staging, _) => {
                if let Some(completed) = self.complete(state, who) {
                    self.push(out, Step::Complete(name), completed, Marks::NONE, None);
                }
            }
            (Phase::Parts, _) => self.part_steps(state, who, out),
            (_, Wire::Ready) => {
                if let Some((asked, marks, wrong)) = self.ask(*state, who) {
                    self.push(out, Step::Ask(name), asked, marks, wrong);
                }
            }
            (_, Wire::InDoubt) if !state.network.is_full() => {
                if let Some((slot, body)) = self.world.attempt(me.proposer) {
                    let mut resent = *state;
                    resent.incarnations[who].wire = Wire::Waiting;
                    resent.network.send(OUTPUT, slot, body, name);
                    self.push(out, Step::Resend(name), resent, Marks::NONE, None);
                }
            }
            _ => {}
        }
        if me.phase == Phase::Commit {
            // The bridge forgets what it attempted and assembles the durable parts again.
            let mut restarted = *state;
            restarted.network.abandon(name);
            restarted.incarnations[who].parts = [Wire::Durable; PARTITIONS_MAX];
            self.assemble_if_ready(&mut restarted, who);
            if restarted != *state {
                self.push(
                    out,
                    Step::BridgeRestarts(name),
                    restarted,
                    Marks::NONE,
                    None,
                );
            }
        }
        let mut crashed = *state;
        self.kill(&mut crashed, who);
        self.push(out, Step::Crash(name), crashed, Marks::NONE, None);
    }

    fn part_steps(&mut self, state: &State, who: usize, out: &mut Vec<Next<Self>>) {
        let me = state.incarnations[who];
        let Some(checkpoint) = me.checkpoint else {
            return;
        };
        if state.network.is_full() {
            return;
        }
        for partition in 0..self.size.partitions {
            let (name, index) = (who as u8, partition as u8);
            let step = match me.parts[partition] {
                Wire::Ready => Step::SendPart(name, index),
                Wire::InDoubt => Step::ResendPart(name, index),
                _ => continue,
            };
            let mut sent = *state;
            sent.incarnations[who].parts[partition] = Wire::Waiting;
            let body = Self::index_of(state, checkpoint) as u16;
            sent.network.send(
                PARTS,
                part_key(checkpoint, partition),
                body,
                committer(who, partition),
            );
            self.push(out, step, sent, Marks::NONE, None);
        }
    }

    pub(super) fn message_steps(
        &mut self,
        state: &State,
        message: Message,
        out: &mut Vec<Next<Self>>,
    ) {
        let mut landed = *state;
        landed.network.remove(message);
        let mut lost = landed;
        if message.log == PARTS {
            self.part_arrives(state, message, landed, out);
        } else {
            let put = self
                .world
                .create(state.log, u64::from(message.slot), message.body);
            if let Put::Created(log) = put {
                landed.log = log;
            }
            if message.sender == ORPHAN {
                self.push(out, Step::Landed(message), landed, Marks::LATE, None);
            } else {
                self.slot_answered(state, message, landed, put, out);
            }
        }
        if message.sender == ORPHAN {
            lost.network.remove(message);
            self.push(out, Step::Lost(message), lost, Marks::NONE, None);
        }
    }

    fn slot_answered(
        &mut self,
        state: &State,
        message: Message,
        mut landed: State,
        put: Put,
        out: &mut Vec<Next<Self>>,
    ) {
        let who = usize::from(message.sender);
        let proposer = state.incarnations[who].proposer;
        let (moved, answer) = self.world.hear(proposer, put);
        landed.incarnations[who].proposer = moved;
        let (marks, wrong) = self.follow(&mut landed, who, answer);
        self.push(out, Step::Answered(message), landed, marks, wrong);
        if let Put::Created(log) = put {
            // The create came twice, and the second answer is the one that arrives.
            let mut doubled = *state;
            doubled.network.remove(message);
            doubled.log = log;
            let (moved, answer) = self.world.hear(proposer, Put::Exists(message.body));
            doubled.incarnations[who].proposer = moved;
            let (marks, wrong) = self.follow(&mut doubled, who, answer);
            self.push(
                out,
                Step::AnsweredTwice(message),
                doubled,
                marks | Marks::DOUBLED,
                wrong,
            );
        }
        let mut given_up = *state;
        given_up.network.abandon(message.sender);
        let (moved, answer) = self.world.doubt(proposer);
        given_up.incarnations[who].proposer = moved;
        let (marks, wrong) = self.follow(&mut given_up, who, answer);
        self.push(out, Step::GivenUp(message), given_up, marks, wrong);
    }

    /// A conditional create in the store of parts: the first content stays.
    fn part_arrives(
        &mut self,
        state: &State,
        message: Message,
        mut landed: State,
        out: &mut Vec<Next<Self>>,
    ) {
        let place = &mut landed.parts[usize::from(message.slot / 2)][usize::from(message.slot % 2)];
        if *place == NO_PART {
            *place = message.body as u8;
        }
        let own = *place == message.body as u8;
        if message.sender == ORPHAN {
            self.push(out, Step::Landed(message), landed, Marks::NONE, None);
            return;
        }
        let index = usize::from(message.sender - 10);
        let (who, partition) = (index / PARTITIONS_MAX, index % PARTITIONS_MAX);
        let mut given_up = *state;
        given_up.network.abandon(message.sender);
        given_up.incarnations[who].parts[partition] = Wire::InDoubt;
        self.push(out, Step::GivenUp(message), given_up, Marks::NONE, None);
        if own {
            landed.incarnations[who].parts[partition] = Wire::Durable;
            self.assemble_if_ready(&mut landed, who);
            self.push(out, Step::Answered(message), landed, Marks::NONE, None);
        } else {
            let trusted = self.size.restore == Restore::Latest;
            let wrong = trusted.then(|| "another part has the number".to_string());
            self.kill(&mut landed, who);
            self.push(out, Step::Answered(message), landed, Marks::CONFLICT, wrong);
        }
    }

    pub(super) fn other_writes(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        if self.said(state.log).has_other {
            return;
        }
        let intent = Intent::Commit(rows::other_commit());
        let Decision::Create(attempt) = self.world.view(state.log).decide(&intent) else {
            return;
        };
        let body = self.world.body(attempt.body);
        if let Put::Created(log) = self.world.create(state.log, attempt.slot, body) {
            let mut written = *state;
            written.log = log;
            self.push(out, Step::Other, written, Marks::NONE, None);
        }
    }
}
