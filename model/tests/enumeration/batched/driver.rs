//! The driver, and the bridge for it: plans, opens the writer, commits with the machine's answers.
//!
//! Invariant: a batch's token is its plan's, whoever stages it and however often.

use super::super::explore::Marks;
use super::super::rows;
use super::super::world::{Answer, LogNo, ProposerNo, Put, World};
use super::{ABSENT, Batched, Driver, Found, NO_PROPOSER, Phase, Plan, State, Wire};
use flinkspark_model::log::{
    Commit, History, Intent, Opened, Opening, Refusal, SegmentName, Slot, SourceOffsets, Token,
};

pub(super) type Seen = (Marks, Option<String>);

/// What the output says, once per content.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    generation: u64,
    owner: Option<u8>,
    pub(super) records: u8,
    pub(super) wrong: Option<String>,
}

pub(super) fn said(world: &World, log: LogNo) -> Said {
    let mut said = Said::default();
    for (_, body) in &world.content(log).cells {
        match world.slot(*body) {
            Slot::Fence {
                generation,
                incarnation,
                ..
            } => {
                let who = incarnation.as_bytes()[0] - b'A';
                if *generation <= said.generation || said.owner.is_some_and(|owner| who < owner) {
                    let wrong = format!("a zombie wins: {incarnation} opens in g{generation}");
                    said.wrong.get_or_insert(wrong);
                }
                (said.generation, said.owner) = (*generation, Some(who));
            }
            Slot::Epoch(commit) => said.tile(commit),
            _ => {}
        }
    }
    said
}

/// The first record of a segment: its name ends with it.
fn first_record(name: &SegmentName) -> u8 {
    let digit = name.as_str().bytes().last();
    digit.map_or(0, |digit| digit - b'0')
}

impl Said {
    /// A batch goes on where the one before it ended.
    fn tile(&mut self, commit: &Commit) {
        let n = commit.n;
        for segment in &commit.segments {
            let from = first_record(&segment.name);
            let wrong = match from.cmp(&self.records) {
                std::cmp::Ordering::Less => {
                    format!("a doubled row: batch {n} begins at record {from} again")
                }
                std::cmp::Ordering::Greater => {
                    format!("a lost row: batch {n} begins at record {from}")
                }
                std::cmp::Ordering::Equal => {
                    self.records = from + segment.rows as u8;
                    continue;
                }
            };
            self.wrong.get_or_insert(wrong);
        }
    }
}

impl Batched {
    fn token(&self, plan: Plan) -> Token {
        let Plan {
            query,
            epoch,
            from,
            to,
            ..
        } = plan;
        let token = if self.size.offsets_in_token {
            format!("q{query}e{epoch} {from}-{to}")
        } else {
            format!("q{query}e{epoch}")
        };
        token.into()
    }

    /// What the log of offsets says of the batches that are done, and of the one that is not.
    fn history(&self, planned: Plan, done: u8) -> History {
        let identity = |plan: Plan| (u64::from(plan.epoch), self.token(plan));
        let before = Plan {
            epoch: planned.epoch.saturating_sub(1),
            from: planned.before,
            to: planned.from,
            ..planned
        };
        let (before, pending) = if planned.epoch > done {
            (before, vec![identity(planned)])
        } else {
            (planned, Vec::new())
        };
        History {
            before: (before.epoch > 0).then(|| identity(before)),
            pending,
        }
    }

    fn commit(&self, who: usize, me: &Driver) -> Commit {
        let Plan {
            epoch, from, to, ..
        } = me.plan;
        let name = format!("{}{epoch}a{}r{from}", rows::letter(who), me.attempt);
        let segment = rows::segment(SegmentName::from(name), from, to);
        Commit {
            token: Some(self.token(me.plan)),
            source_offsets: SourceOffsets::default(),
            ..rows::commit(
                rows::writer(),
                me.generation,
                u64::from(epoch),
                0,
                vec![segment],
            )
        }
    }

    /// The driver starts with what it finds, and reads who owns the writer. `None`: there is nothing to delete.
    pub(super) fn start(&mut self, state: &State, who: usize, found: Found) -> Option<State> {
        let mut started = *state;
        let deletes = found != Found::Everything;
        if deletes && (state.deletes >= self.size.deletes || state.planned.epoch == 0) {
            return None;
        }
        started.deletes += u8::from(deletes);
        let unfinished = state.planned.epoch > state.done;
        match found {
            Found::Everything => {}
            Found::NoLastPlan if !unfinished => return None,
            Found::NoLastPlan => {
                started.planned.epoch -= 1;
                started.planned.to = started.planned.from;
                started.planned.from = started.planned.before;
            }
            Found::Nothing => {
                let query = started.planned.query + 1;
                started.planned = Plan {
                    query,
                    ..Plan::default()
                };
                started.done = 0;
            }
        }
        let opening = Opening {
            writer: rows::writer(),
            incarnation: rows::letter(who).to_string(),
            after: self.said(state.log).generation,
            restored: None,
            history: Some(self.history(started.planned, started.done)),
            rewind: None,
        };
        let me = &mut started.drivers[who];
        *me = Driver {
            phase: Phase::Idle,
            opening: self.openings.number(opening) as u16,
            plan: started.planned,
            ..ABSENT
        };
        if started.planned.epoch > started.done {
            me.phase = Phase::Committing;
        }
        Some(started)
    }

    /// The next batch: its offsets are one file, which is created once.
    pub(super) fn plan(&mut self, state: &State, who: usize, records: u8) -> State {
        let mut planned = *state;
        let me = &mut planned.drivers[who];
        let file = |plan: Plan| (plan.query, plan.epoch);
        if file(state.planned) != file(me.plan) {
            self.kill(&mut planned, who);
            return planned;
        }
        me.plan.epoch += 1;
        me.plan.before = me.plan.from;
        me.plan.from = me.plan.to;
        me.plan.to += records;
        (me.phase, me.wire, me.attempt) = (Phase::Committing, Wire::Ready, 0);
        planned.planned = me.plan;
        planned
    }

    pub(super) fn kill(&mut self, state: &mut State, who: usize) {
        state.network.abandon(who as u8);
        state.drivers[who] = Driver {
            phase: Phase::Dead,
            ..ABSENT
        };
    }

    /// What the driver wants of the machine now: to open the writer, or to commit.
    fn wants(&mut self, state: &State, who: usize) -> Result<Result<ProposerNo, u64>, Refusal> {
        let me = state.drivers[who];
        if me.generation > 0 {
            if me.proposer != NO_PROPOSER {
                return Ok(Ok(me.proposer));
            }
            let intent = Intent::Commit(self.commit(who, &me));
            return Ok(Ok(self.world.propose(intent)));
        }
        let opening = self.openings.value(u32::from(me.opening));
        Ok(match self.world.view(state.log).open(opening)? {
            Opened::Fence(intent) => Ok(self.world.propose(*intent)),
            Opened::Already(generation) => Err(generation),
        })
    }

    /// Asks the machine and sends what it says; `None` while the network is full.
    pub(super) fn ask(&mut self, mut state: State, who: usize) -> Option<(State, Seen)> {
        let proposer = match self.wants(&state, who) {
            Ok(Ok(proposer)) => proposer,
            Ok(Err(generation)) => {
                self.opened(&mut state, who, generation);
                return Some((state, (Marks::REPLAY, None)));
            }
            Err(refusal) => {
                let seen = self.refused(&mut state, who, &refusal);
                return Some((state, seen));
            }
        };
        let (proposer, answer) = self.world.ask(proposer, state.log);
        state.drivers[who].proposer = proposer;
        if let Answer::Send { slot, body } = answer {
            if state.network.is_full() {
                return None;
            }
            state.drivers[who].wire = Wire::Waiting;
            state.network.send(0, slot, body, who as u8);
            return Some((state, (Marks::NONE, None)));
        }
        let seen = self.follow(&mut state, who, answer);
        Some((state, seen))
    }

    pub(super) fn resend(&mut self, state: &State, who: usize) -> Option<State> {
        let (slot, body) = self.world.attempt(state.drivers[who].proposer)?;
        let mut resent = *state;
        resent.drivers[who].wire = Wire::Waiting;
        resent.network.send(0, slot, body, who as u8);
        Some(resent)
    }

    /// The driver hears what its create came to, or nothing.
    pub(super) fn hear(&mut self, state: &mut State, who: usize, put: Option<Put>) -> Seen {
        let proposer = state.drivers[who].proposer;
        let (moved, answer) = match put {
            Some(put) => self.world.hear(proposer, put),
            None => self.world.doubt(proposer),
        };
        state.drivers[who].proposer = moved;
        self.follow(state, who, answer)
    }

    fn follow(&mut self, state: &mut State, who: usize, answer: Answer) -> Seen {
        match answer {
            Answer::Send { .. } => state.drivers[who].wire = Wire::InDoubt,
            Answer::CatchUp => state.drivers[who].wire = Wire::Ready,
            Answer::Done { replayed, .. } => {
                let wrong = self.done(state, who);
                return (if replayed { Marks::REPLAY } else { Marks::NONE }, wrong);
            }
            Answer::Refused(refusal) => {
                let refusal = self.world.refusal(refusal).clone();
                return self.refused(state, who, &refusal);
            }
        }
        (Marks::NONE, None)
    }

    fn opened(&mut self, state: &mut State, who: usize, generation: u64) {
        let me = &mut state.drivers[who];
        me.generation = generation as u8;
        (me.proposer, me.wire) = (NO_PROPOSER, Wire::Ready);
    }

    /// The batch goes into the engine's log of commits, if that is still this query's.
    fn done(&mut self, state: &mut State, who: usize) -> Option<String> {
        let me = state.drivers[who];
        if let Intent::Fence { generation, .. } = self.world.intent(me.proposer) {
            let generation = *generation;
            self.opened(state, who, generation);
            return None;
        }
        if me.plan.query == state.planned.query && me.plan.epoch <= state.planned.epoch {
            state.done = state.done.max(me.plan.epoch);
        }
        let over = me.plan.to == self.size.records;
        let me = &mut state.drivers[who];
        me.phase = if over { Phase::Finished } else { Phase::Idle };
        (me.proposer, me.wire, me.attempt) = (NO_PROPOSER, Wire::Ready, 0);
        let (to, records) = (me.plan.to, self.said(state.log).records);
        (records < to).then(|| {
            format!("an acknowledged row is lost: {to} records were confirmed, {records} are there")
        })
    }

    /// A refusal stops the driver. Where the user deleted nothing, the newest is refused only because
    /// another opened the writer since it started, or has gone on.
    fn refused(&mut self, state: &mut State, who: usize, refusal: &Refusal) -> Seen {
        let owns = self.said(state.log).owner == Some(who as u8);
        let next = state.drivers.get(who + 1);
        let newest = next.is_none_or(|next| next.phase == Phase::NotStarted);
        // The engine's own log has moved on since it started: a restart finds what that says.
        let passed = state.planned.epoch > state.drivers[who].plan.epoch;
        let (marks, named) = match refusal {
            Refusal::Fenced { .. } => (Marks::FENCED, !owns && !newest),
            Refusal::OpenedSince { .. } => (Marks::OPENED, !owns),
            Refusal::Rewind { .. } => (Marks::REWIND, state.deletes > 0 || passed),
            Refusal::OtherToken { .. } => (Marks::CONFLICT, state.deletes > 0),
            _ => (Marks::CONFLICT, false),
        };
        let name = rows::letter(who);
        let wrong = (!named).then(|| format!("{name} is refused, the owner or not: {refusal}"));
        self.kill(state, who);
        (marks, wrong)
    }
}
