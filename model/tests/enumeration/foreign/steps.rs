//! What the engine, the bridge before the output, and the network may do next.
//!
//! Invariant: every step out of a state is listed, always in the same order.

use super::super::explore::{Marks, Next};
use super::super::network::{Message, ORPHAN};
use super::super::rows;
use super::super::world::Put;
use super::{FIRST_N, Foreign, OUTPUT, Phase, State, Step, Wire};
use flinkspark_model::log::{Decision, Intent};

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
                for records in 1..=2 {
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
            // The bridge forgets what it attempted; the engine asks the same again.
            let mut restarted = *state;
            restarted.network.abandon(name);
            self.commit_again(&mut restarted, who);
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

    pub(super) fn message_steps(
        &mut self,
        state: &State,
        message: Message,
        out: &mut Vec<Next<Self>>,
    ) {
        let mut landed = *state;
        landed.network.remove(message);
        let mut lost = landed;
        let put = self
            .world
            .create(state.log, u64::from(message.slot), message.body);
        if let Put::Created(log) = put {
            landed.log = log;
        }
        if message.sender == ORPHAN {
            self.push(out, Step::Landed(message), landed, Marks::LATE, None);
            lost.network.remove(message);
            self.push(out, Step::Lost(message), lost, Marks::NONE, None);
        } else {
            self.slot_answered(state, message, landed, put, out);
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
