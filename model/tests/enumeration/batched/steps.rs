//! What the drivers, the user, the bridge and the network may do next.
//!
//! Invariant: every step out of a state is listed, always in the same order.

use super::super::explore::{Marks, Next};
use super::super::network::{Message, ORPHAN};
use super::super::world::Put;
use super::driver::Seen;
use super::{Batched, Found, NO_PROPOSER, Phase, State, Step, Wire};

const NOTHING: Seen = (Marks::NONE, None);

impl Batched {
    fn push(
        &mut self,
        out: &mut Vec<Next<Self>>,
        step: Step,
        mut state: State,
        (marks, wrong): Seen,
    ) {
        state.network.forget_spent(&self.world, &[state.log]);
        out.push(Next {
            step,
            state,
            marks,
            wrong,
        });
    }

    pub(super) fn driver_steps(&mut self, state: &State, who: usize, out: &mut Vec<Next<Self>>) {
        let me = state.drivers[who];
        let name = who as u8;
        match me.phase {
            Phase::NotStarted => {
                if who == 0 || state.drivers[who - 1].phase != Phase::NotStarted {
                    for found in [Found::Everything, Found::NoLastPlan, Found::Nothing] {
                        if let Some(started) = self.start(state, who, found) {
                            self.push(out, Step::Start(name, found), started, NOTHING);
                        }
                    }
                }
                return;
            }
            Phase::Finished | Phase::Dead => return,
            Phase::Idle => {
                for records in 1..=2.min(self.size.records - me.plan.to) {
                    let planned = self.plan(state, who, records);
                    self.push(out, Step::Plan(name, records), planned, NOTHING);
                }
            }
            Phase::Committing => self.commit_steps(state, who, out),
        }
        let mut crashed = *state;
        self.kill(&mut crashed, who);
        self.push(out, Step::Crash(name), crashed, NOTHING);
    }

    fn commit_steps(&mut self, state: &State, who: usize, out: &mut Vec<Next<Self>>) {
        let me = state.drivers[who];
        let name = who as u8;
        match me.wire {
            Wire::Ready => {
                if let Some((asked, seen)) = self.ask(*state, who) {
                    self.push(out, Step::Ask(name), asked, seen);
                }
                return;
            }
            Wire::InDoubt if !state.network.is_full() => {
                if let Some(resent) = self.resend(state, who) {
                    self.push(out, Step::Resend(name), resent, NOTHING);
                }
            }
            _ => {}
        }
        // The bridge forgets what it attempted; the driver asks the same again.
        let mut again = *state;
        again.network.abandon(name);
        let driver = &mut again.drivers[who];
        (driver.proposer, driver.wire) = (NO_PROPOSER, Wire::Ready);
        let restarted = (Marks::RESTART, None);
        self.push(out, Step::BridgeRestarts(name), again, restarted);
        if me.generation > 0 && state.throws < self.size.throws {
            // The abort releases staging and writes no slot; new receipts, the same token.
            again.throws += 1;
            again.drivers[who].attempt += 1;
            self.push(out, Step::Throws(name), again, (Marks::ABORT, None));
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
        let lost = landed;
        let put = self
            .world
            .create(state.log, u64::from(message.slot), message.body);
        if let Put::Created(log) = put {
            landed.log = log;
        }
        if message.sender == ORPHAN {
            self.push(out, Step::Landed(message), landed, (Marks::LATE, None));
            self.push(out, Step::Lost(message), lost, NOTHING);
            return;
        }
        let who = usize::from(message.sender);
        if let Put::Created(log) = put {
            // The create came twice, and the second answer is the one that arrives.
            let mut doubled = lost;
            doubled.log = log;
            let (marks, wrong) = self.hear(&mut doubled, who, Some(Put::Exists(message.body)));
            let seen = (marks | Marks::DOUBLED, wrong);
            self.push(out, Step::AnsweredTwice(message), doubled, seen);
        }
        let seen = self.hear(&mut landed, who, Some(put));
        self.push(out, Step::Answered(message), landed, seen);
        let mut given_up = *state;
        given_up.network.abandon(message.sender);
        let seen = self.hear(&mut given_up, who, None);
        self.push(out, Step::GivenUp(message), given_up, seen);
    }
}
