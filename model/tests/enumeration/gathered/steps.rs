//! What the engine, its committer, the bridge before the output, and the network may do next.
//!
//! Invariant: every step out of a state is listed, always in the same order.

use super::super::explore::{Marks, Next};
use super::super::network::{Message, ORPHAN};
use super::super::rows;
use super::super::world::Put;
use super::committer::Seen;
use super::{Gathered, NO_PROPOSER, Phase, State, Step, Wire};
use flinkspark_model::log::{Decision, Intent};

const NOTHING: Seen = (Marks::NONE, None);

impl Gathered {
    fn push(
        &mut self,
        out: &mut Vec<Next<Self>>,
        from: &State,
        step: Step,
        mut state: State,
        seen: Seen,
    ) {
        state.network.forget_spent(&self.world, &[state.log]);
        if let Some(call) = state.late
            && self.arrive(&state, call).log == state.log
        {
            // A call that can change nothing now can change nothing later.
            state.late = None;
        }
        let mut marks = seen.0;
        if state.log != from.log && self.said(state.log).spent > self.said(from.log).spent {
            marks = marks | Marks::DELETED;
        }
        if state != *from || seen.1.is_some() {
            out.push(Next {
                step,
                state,
                marks,
                wrong: seen.1,
            });
        }
    }

    pub(super) fn incarnation_steps(
        &mut self,
        state: &State,
        who: usize,
        out: &mut Vec<Next<Self>>,
    ) {
        let me = state.incarnations[who];
        let name = who as u8;
        match me.phase {
            Phase::NotStarted => {
                if who == 0 || state.incarnations[who - 1].phase != Phase::NotStarted {
                    for from in self.may_restore(state) {
                        let started = self.start(state, who, from);
                        self.push(out, state, Step::Start(name, from), started, NOTHING);
                    }
                }
                return;
            }
            Phase::Finished | Phase::Dead => return,
            Phase::Running => {
                for outcome in self.outcomes(state, who) {
                    let (ended, marks) = self.attempt(state, who, outcome);
                    let step = Step::Checkpoint(name, outcome);
                    self.push(out, state, step, ended, (marks, None));
                }
            }
            Phase::Committing => self.committer_steps(state, who, out),
        }
        let mut crashed = *state;
        if me.phase == Phase::Committing && me.wire == Wire::Ready {
            // Its call may still be on its way.
            crashed = self.doubled(state, who);
        }
        self.kill(&mut crashed, who);
        self.push(out, state, Step::Crash(name), crashed, NOTHING);
    }

    fn committer_steps(&mut self, state: &State, who: usize, out: &mut Vec<Next<Self>>) {
        let me = state.incarnations[who];
        let name = who as u8;
        match me.wire {
            Wire::Ready => {
                if let Some((asked, seen)) = self.ask(*state, who) {
                    self.push(out, state, Step::Ask(name), asked, seen);
                }
                let doubled = self.doubled(state, who);
                self.push(out, state, Step::Doubled(name), doubled, NOTHING);
                return;
            }
            Wire::InDoubt if !state.network.is_full() => {
                if let Some(resent) = self.resend(state, who) {
                    self.push(out, state, Step::Resend(name), resent, NOTHING);
                }
            }
            _ => {}
        }
        // The bridge forgets what it attempted; the committer asks the same again.
        let mut restarted = *state;
        restarted.network.abandon(name);
        let me = &mut restarted.incarnations[who];
        (me.proposer, me.wire) = (NO_PROPOSER, Wire::Ready);
        let seen = (Marks::RESTART, None);
        self.push(out, state, Step::BridgeRestarts(name), restarted, seen);
    }

    /// A second copy of the call is on its way.
    fn doubled(&mut self, state: &State, who: usize) -> State {
        let mut doubled = *state;
        if self.size.late > 0 && state.late.is_none() {
            doubled.late = self.call(state, who);
        }
        doubled
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
            let late = (Marks::LATE, None);
            self.push(out, state, Step::Landed(message), landed, late);
            self.push(out, state, Step::Lost(message), lost, NOTHING);
            return;
        }
        let who = usize::from(message.sender);
        let seen = self.hear(&mut landed, who, put);
        if let Put::Created(log) = put {
            // The create came twice, and the second answer is the one that arrives.
            let mut doubled = lost;
            doubled.log = log;
            let (marks, wrong) = self.hear(&mut doubled, who, Put::Exists(message.body));
            let seen = (marks | Marks::DOUBLED, wrong);
            self.push(out, state, Step::AnsweredTwice(message), doubled, seen);
        }
        self.push(out, state, Step::Answered(message), landed, seen);
        let mut given_up = *state;
        given_up.network.abandon(message.sender);
        let seen = self.doubt(&mut given_up, who);
        self.push(out, state, Step::GivenUp(message), given_up, seen);
    }

    pub(super) fn late_steps(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        let Some(call) = state.late else { return };
        let mut arrived = self.arrive(state, call);
        arrived.late = None;
        let seen = (Marks::CALL, None);
        self.push(out, state, Step::Arrived(call), arrived, seen);
        let mut never = *state;
        never.late = None;
        self.push(out, state, Step::NeverArrives(call), never, NOTHING);
    }

    pub(super) fn other_writes(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        if !self.size.other || self.said(state.log).has_other {
            return;
        }
        let intent = Intent::Commit(rows::other_commit());
        let Decision::Create(attempt) = self.world.view(state.log).decide(&intent) else {
            return;
        };
        let body = self.world.body(attempt.body);
        let mut written = *state;
        self.append(&mut written, attempt.slot, body);
        self.push(out, state, Step::Other, written, NOTHING);
    }
}
