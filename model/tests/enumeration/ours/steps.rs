//! What may happen next: to an incarnation, to a create in flight, in the other writer.
//!
//! Invariant: every step out of a state is listed, always in the same order.

use super::super::explore::{Marks, Next};
use super::super::network::{Message, ORPHAN};
use super::super::rows;
use super::super::world::{Answer, Put};
use super::{JOB, OUTPUT, Ours, Phase, State, Step, Wire};
use flinkspark_model::log::{Decision, Intent, Slot};

impl Ours {
    pub(super) fn push(
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
                let may = who == 0 || state.incarnations[who - 1].phase != Phase::NotStarted;
                if may {
                    let mut started = *state;
                    started.incarnations[who].phase = Phase::FenceJob;
                    started.incarnations[who].proposer = self.fence(state.logs[0], who);
                    if let Some((started, marks, wrong)) = self.ask(started, who) {
                        self.push(out, Step::Start(name), started, marks, wrong);
                    }
                }
                return;
            }
            (Phase::Finished | Phase::Dead, _) => return,
            (Phase::ReadManifest, _) => {
                let read = self.read_manifest(*state, who);
                self.push(out, Step::Read(name), read, Marks::NONE, None);
            }
            (Phase::Cut, _) => {
                for records in 1..=2 {
                    if let Some(cut) = self.cut(*state, who, records) {
                        self.push(out, Step::Cut(name, records), cut, Marks::NONE, None);
                    }
                }
            }
            (_, Wire::Ready) => {
                if let Some((asked, marks, wrong)) = self.ask(*state, who) {
                    self.push(out, Step::Ask(name), asked, marks, wrong);
                }
            }
            (_, Wire::InDoubt) if !state.network.is_full() => {
                let (slot, body) = self
                    .world
                    .attempt(me.proposer)
                    .expect("in doubt of an attempt");
                let mut resent = *state;
                resent.incarnations[who].wire = Wire::Waiting;
                resent
                    .network
                    .send(Self::log_of(me.phase), slot, body, name);
                self.push(out, Step::Resend(name), resent, Marks::NONE, None);
            }
            (_, Wire::InDoubt | Wire::Waiting) => {}
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
        let which = usize::from(message.log);
        let mut landed = *state;
        landed.network.remove(message);
        let put = self
            .world
            .create(state.logs[which], u64::from(message.slot), message.body);
        if let Put::Created(log) = put {
            landed.logs[which] = log;
        }
        if message.sender == ORPHAN {
            let late = self.is_stale(state, message);
            let marks = if late { Marks::LATE } else { Marks::NONE };
            self.push(out, Step::Landed(message), landed, marks, None);
            let mut lost = *state;
            lost.network.remove(message);
            self.push(out, Step::Lost(message), lost, Marks::NONE, None);
            return;
        }
        let who = usize::from(message.sender);
        let proposer = state.incarnations[who].proposer;
        let mut answered = landed;
        let (moved, answer) = self.world.hear(proposer, put);
        answered.incarnations[who].proposer = moved;
        let fence = matches!(self.world.slot(message.body), Slot::Fence { .. });
        let raced = fence && answer == Answer::CatchUp;
        let race = if raced { Marks::RACE } else { Marks::NONE };
        let (marks, wrong) = self.follow(&mut answered, who, answer);
        self.push(out, Step::Answered(message), answered, marks | race, wrong);
        if let Put::Created(_) = put {
            // The create came twice, and the second answer is the one that arrives.
            let mut doubled = landed;
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

    /// Whether a newer incarnation than the create's has taken the job over.
    pub(super) fn is_stale(&mut self, state: &State, message: Message) -> bool {
        let generation = match self.world.slot(message.body) {
            Slot::Epoch(commit) => commit.generation,
            Slot::Fence { generation, .. } => *generation,
            _ => return false,
        };
        generation < u64::from(self.said(JOB, state.logs[0]).generation)
    }

    pub(super) fn other_writes(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        if self.said(OUTPUT, state.logs[1]).has_other {
            return;
        }
        let intent = Intent::Commit(rows::other_commit());
        let Decision::Create(attempt) = self.world.view(state.logs[1]).decide(&intent) else {
            return;
        };
        let body = self.world.body(attempt.body);
        if let Put::Created(log) = self.world.create(state.logs[1], attempt.slot, body) {
            let mut written = *state;
            written.logs[1] = log;
            self.push(out, Step::Other, written, Marks::NONE, None);
        }
    }
}
