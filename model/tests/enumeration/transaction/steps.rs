//! What the client, the server and the network may do next.
//!
//! Invariant: a crash forgets what the server was about, and nothing of its record.

use super::super::explore::{Marks, Next};
use super::super::network::{Message, ORPHAN};
use super::super::rows;
use super::super::world::{Answer, Put};
use super::{
    ABORT, ATTEMPTS, Activity, COMMIT, IDLE, PARTITIONS, Record, Segment, State, Step, Told,
    Transaction, Wire, abort, commit,
};
use flinkspark_model::fault;
use flinkspark_model::log::{Decision, Intent, Refusal};

impl Transaction {
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

    pub(super) fn client_steps(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        let attempt = usize::from(state.attempt);
        for partition in 0..PARTITIONS {
            if state.segments[attempt][partition] == Segment::Writing {
                let mut sealed = *state;
                // No receipt once the transaction is closing: its abort lists what was staged.
                let open = state.records[attempt] == Record::Open;
                sealed.segments[attempt][partition] = if open {
                    Segment::Receipted
                } else {
                    Segment::Refused
                };
                self.push(out, Step::Seal(partition as u8), sealed, Marks::NONE, None);
            }
        }
        let ready = state.segments[attempt] == [Segment::Receipted; PARTITIONS];
        let idle = state.activities[COMMIT].wire == Wire::Idle;
        if ready && idle && state.told[attempt] == Told::Nothing {
            let mut asked = *state;
            let proposer = self.world.propose(commit(attempt, attempt));
            asked.activities[COMMIT] = Activity {
                wire: Wire::Ready,
                proposer,
            };
            self.push(out, Step::AskCommit, asked, Marks::NONE, None);
        }
        let gone = state.records[attempt] == Record::Aborted;
        if gone && attempt + 1 < ATTEMPTS && state.activities[COMMIT].wire == Wire::Idle {
            let mut again = *state;
            again.told[attempt] = Told::Aborted;
            again.attempt += 1;
            again.activities = [IDLE; 2];
            again.network.abandon(ABORT as u8);
            again.segments[attempt + 1] = [Segment::Writing; PARTITIONS];
            again.records[attempt + 1] = Record::Open;
            self.push(out, Step::Again, again, Marks::ABORT, None);
        }
    }

    pub(super) fn server_steps(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        let attempt = usize::from(state.attempt);
        let unfinished = matches!(state.records[attempt], Record::Open | Record::Closing);
        if unfinished && state.activities[ABORT].wire == Wire::Idle {
            let mut closing = *state;
            closing.records[attempt] = Record::Closing;
            if fault::planted("abort-without-slot") {
                closing.records[attempt] = Record::Aborted;
            } else {
                let proposer = self.world.propose(abort(attempt));
                closing.activities[ABORT] = Activity {
                    wire: Wire::Ready,
                    proposer,
                };
            }
            self.push(out, Step::LeaseEnds, closing, Marks::NONE, None);
        }
        for who in [COMMIT, ABORT] {
            let activity = state.activities[who];
            match activity.wire {
                Wire::Ready => self.go(state, who, out),
                Wire::InDoubt if !state.network.is_full() => {
                    if let Some((slot, body)) = self.world.attempt(activity.proposer) {
                        let mut resent = *state;
                        resent.activities[who].wire = Wire::Waiting;
                        resent.network.send(0, slot, body, who as u8);
                        self.push(out, Step::Resend(who as u8), resent, Marks::NONE, None);
                    }
                }
                _ => {}
            }
        }
        if state.activities != [IDLE; 2] {
            let mut crashed = *state;
            crashed.activities = [IDLE; 2];
            crashed.network.abandon(COMMIT as u8);
            crashed.network.abandon(ABORT as u8);
            self.push(out, Step::Crash, crashed, Marks::NONE, None);
        }
    }

    fn go(&mut self, state: &State, who: usize, out: &mut Vec<Next<Self>>) {
        let (proposer, answer) = self.world.ask(state.activities[who].proposer, state.log);
        let mut asked = *state;
        asked.activities[who].proposer = proposer;
        if let Answer::Send { slot, body } = answer {
            if !state.network.is_full() {
                asked.activities[who].wire = Wire::Waiting;
                asked.network.send(0, slot, body, who as u8);
                self.push(out, Step::Go(who as u8), asked, Marks::NONE, None);
            }
            return;
        }
        let steps = [Step::Go(who as u8), Step::GoUnheard(who as u8)];
        self.follow(out, steps, asked, who, answer, Marks::NONE);
    }

    /// Does what the answer asks for; the client hears of an end, or its response is lost.
    fn follow(
        &mut self,
        out: &mut Vec<Next<Self>>,
        [heard, unheard]: [Step; 2],
        mut state: State,
        who: usize,
        answer: Answer,
        marks: Marks,
    ) {
        let attempt = usize::from(state.attempt);
        let (record, marks) = match answer {
            Answer::Send { .. } | Answer::CatchUp => {
                let sent = matches!(answer, Answer::Send { .. });
                state.activities[who].wire = if sent { Wire::InDoubt } else { Wire::Ready };
                self.push(out, heard, state, marks, None);
                return;
            }
            Answer::Done { replayed, .. } => {
                let replay = if replayed { Marks::REPLAY } else { Marks::NONE };
                let record = if who == COMMIT {
                    Record::Committed
                } else {
                    Record::Aborted
                };
                (record, marks | replay)
            }
            Answer::Refused(refusal) => match self.world.refusal(refusal) {
                Refusal::Aborted { .. } if who == COMMIT => {
                    (Record::Aborted, marks | Marks::CONFLICT)
                }
                Refusal::AlreadyCommitted { .. } if who == ABORT => {
                    (Record::Committed, marks | Marks::CONFLICT)
                }
                other => {
                    let wrong = Some(format!("the only incarnation is refused: {other}"));
                    self.push(out, heard, state, marks, wrong);
                    return;
                }
            },
        };
        state.records[attempt] = record;
        state.activities[who] = IDLE;
        self.push(out, unheard, state, marks, None);
        let told = if record == Record::Committed {
            Told::Committed
        } else {
            Told::Aborted
        };
        state.told[attempt] = told;
        self.push(out, heard, state, marks, None);
    }

    pub(super) fn message_steps(
        &mut self,
        state: &State,
        message: Message,
        out: &mut Vec<Next<Self>>,
    ) {
        let mut landed = *state;
        landed.network.remove(message);
        let put = self
            .world
            .create(state.log, u64::from(message.slot), message.body);
        if let Put::Created(log) = put {
            landed.log = log;
        }
        if message.sender == ORPHAN {
            self.push(out, Step::Landed(message), landed, Marks::LATE, None);
            let mut lost = *state;
            lost.network.remove(message);
            self.push(out, Step::Lost(message), lost, Marks::NONE, None);
            return;
        }
        let who = usize::from(message.sender);
        let proposer = state.activities[who].proposer;
        if let Put::Created(_) = put {
            // The create came twice, and the second answer is the one that arrives.
            let mut doubled = landed;
            let (moved, answer) = self.world.hear(proposer, Put::Exists(message.body));
            doubled.activities[who].proposer = moved;
            let steps = [Step::AnsweredTwice(message), Step::AnsweredUnheard(message)];
            self.follow(out, steps, doubled, who, answer, Marks::DOUBLED);
        }
        let (moved, answer) = self.world.hear(proposer, put);
        landed.activities[who].proposer = moved;
        let steps = [Step::Answered(message), Step::AnsweredUnheard(message)];
        self.follow(out, steps, landed, who, answer, Marks::NONE);
        let mut given_up = *state;
        given_up.network.abandon(message.sender);
        let (moved, answer) = self.world.doubt(proposer);
        given_up.activities[who].proposer = moved;
        self.follow(
            out,
            [Step::GivenUp(message); 2],
            given_up,
            who,
            answer,
            Marks::NONE,
        );
    }

    pub(super) fn other_writes(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        let view = self.world.view(state.log);
        let done = view
            .writer(&rows::other())
            .is_some_and(|other| other.last() > 0);
        let intent = Intent::Commit(rows::other_commit());
        let Decision::Create(attempt) = view.decide(&intent) else {
            return;
        };
        if done {
            return;
        }
        let body = self.world.body(attempt.body);
        if let Put::Created(log) = self.world.create(state.log, attempt.slot, body) {
            let mut written = *state;
            written.log = log;
            self.push(out, Step::Other, written, Marks::NONE, None);
        }
    }
}
