//! The committer, and the bridge for it: opens the writer and commits with the machine's answers.
//!
//! Invariant: an opening that is beaten to its slot is decided anew; whoever is told that a commit is
//! done finds its token in the log.

use super::super::explore::Marks;
use super::super::rows;
use super::super::world::{Answer, BodyNo, LogNo, ProposerNo, Put};
use super::engine::{commit, token};
use super::{ABSENT, Call, Fence, Gathered, Incarnation, NO_PROPOSER, Phase, Restore, State, Wire};
use flinkspark_model::log::{Intent, Opened, Refusal};
use flinkspark_model::position::SlotNo;

/// The only log.
const OUTPUT: u8 = 0;

/// What a step marks, and what it breaks.
pub(super) type Seen = (Marks, Option<String>);

impl Gathered {
    pub(super) fn append(&mut self, state: &mut State, slot: SlotNo, body: BodyNo) {
        if let Put::Created(log) = self.world.create(state.log, slot, body) {
            state.log = log;
        }
    }

    pub(super) fn kill(&mut self, state: &mut State, who: usize) {
        state.network.abandon(who as u8);
        state.incarnations[who] = Incarnation {
            phase: Phase::Dead,
            ..ABSENT
        };
    }

    fn open(&mut self, opening: u16, log: LogNo) -> Result<Fence, Refusal> {
        if let Some(known) = self.opened.get(&(log, opening)) {
            return known.clone();
        }
        let of = self.openings.value(u32::from(opening));
        let opened = self.world.view(log).open(of).map(|opened| match opened {
            Opened::Already(generation) => Fence::Already(generation),
            Opened::Fence(intent) => Fence::Wanted(self.world.propose(*intent)),
        });
        self.opened.insert((log, opening), opened.clone());
        opened
    }

    /// The call that an incarnation makes now.
    pub(super) fn call(&mut self, state: &State, who: usize) -> Option<Call> {
        let me = state.incarnations[who];
        if me.generation == 0 {
            return Some(Call::Open(me.opening));
        }
        let first = *self.pending(me.pending).first()?;
        let world = &mut self.world;
        let propose = || world.propose(Intent::Commit(commit(first, u64::from(me.generation))));
        let proposed = self.proposed.entry((first, me.generation));
        Some(Call::Commit(*proposed.or_insert_with(propose)))
    }

    /// A call that nobody waits for arrives at the bridge, which carries it out.
    pub(super) fn arrive(&mut self, state: &State, call: Call) -> State {
        let mut arrived = *state;
        let proposer = match call {
            Call::Commit(proposer) => Some(proposer),
            Call::Open(opening) => match self.open(opening, state.log) {
                Ok(Fence::Wanted(proposer)) => Some(proposer),
                _ => None,
            },
        };
        if let Some(proposer) = proposer
            && let (_, Answer::Send { slot, body }) = self.world.ask(proposer, state.log)
        {
            self.append(&mut arrived, slot, body);
        }
        arrived
    }

    /// Asks the machine and sends what it says; `None` while the network is full.
    pub(super) fn ask(&mut self, mut state: State, who: usize) -> Option<(State, Seen)> {
        let me = state.incarnations[who];
        let mut marks = Marks::NONE;
        let proposer = if me.generation > 0 && me.proposer != NO_PROPOSER {
            me.proposer
        } else {
            match self.call(&state, who)? {
                Call::Commit(proposer) => proposer,
                Call::Open(opening) => match self.open(opening, state.log) {
                    Ok(Fence::Wanted(proposer)) => {
                        if me.proposer != NO_PROPOSER {
                            marks = Marks::RACE;
                        }
                        proposer
                    }
                    Ok(Fence::Already(generation)) => {
                        self.opened(&mut state, who, generation);
                        return Some((state, (Marks::REPLAY, None)));
                    }
                    Err(refusal) => {
                        let seen = self.refused(&mut state, who, &refusal);
                        return Some((state, seen));
                    }
                },
            }
        };
        let (proposer, answer) = self.world.ask(proposer, state.log);
        state.incarnations[who].proposer = proposer;
        if let Answer::Send { slot, body } = answer {
            if state.network.is_full() {
                return None;
            }
            state.incarnations[who].wire = Wire::Waiting;
            state.network.send(OUTPUT, slot, body, who as u8);
            return Some((state, (marks, None)));
        }
        let (more, wrong) = self.follow(&mut state, who, answer);
        Some((state, (marks | more, wrong)))
    }

    pub(super) fn resend(&mut self, state: &State, who: usize) -> Option<State> {
        let (slot, body) = self.world.attempt(state.incarnations[who].proposer)?;
        let mut resent = *state;
        resent.incarnations[who].wire = Wire::Waiting;
        resent.network.send(OUTPUT, slot, body, who as u8);
        Some(resent)
    }

    pub(super) fn hear(&mut self, state: &mut State, who: usize, put: Put) -> Seen {
        let proposer = state.incarnations[who].proposer;
        let answered = self.world.hear(proposer, put);
        self.answered(state, who, answered)
    }

    pub(super) fn doubt(&mut self, state: &mut State, who: usize) -> Seen {
        let proposer = state.incarnations[who].proposer;
        let answered = self.world.doubt(proposer);
        self.answered(state, who, answered)
    }

    fn answered(&mut self, state: &mut State, who: usize, answered: (ProposerNo, Answer)) -> Seen {
        let (moved, answer) = answered;
        state.incarnations[who].proposer = moved;
        self.follow(state, who, answer)
    }

    fn follow(&mut self, state: &mut State, who: usize, answer: Answer) -> Seen {
        match answer {
            Answer::Send { .. } => state.incarnations[who].wire = Wire::InDoubt,
            Answer::CatchUp => state.incarnations[who].wire = Wire::Ready,
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
        let me = &mut state.incarnations[who];
        me.generation = generation as u8;
        me.proposer = NO_PROPOSER;
        me.wire = Wire::Ready;
    }

    fn done(&mut self, state: &mut State, who: usize) -> Option<String> {
        let me = state.incarnations[who];
        if let Intent::Fence { generation, .. } = self.world.intent(me.proposer) {
            let generation = *generation;
            self.opened(state, who, generation);
            return None;
        }
        let mut pending = self.pending(me.pending).to_vec();
        let first = pending.remove(0);
        let pending = self.list(pending);
        let me = &mut state.incarnations[who];
        (me.pending, me.before) = (pending, Some((first.n, first.by)));
        (me.proposer, me.wire) = (NO_PROPOSER, Wire::Ready);
        me.due -= 1;
        if me.due == 0 {
            let over = me.emitted == self.size.rounds;
            me.phase = if over {
                Phase::Finished
            } else {
                Phase::Running
            };
        }
        self.told(state, who, first.n, first.by)
    }

    /// What an incarnation is told must be so, but for what the user's word took out since.
    fn told(&mut self, state: &State, who: usize, n: u8, by: u8) -> Option<String> {
        let (ours, rounds) = (token(n, by), self.size.rounds);
        if !self.world.holds(state.log, &ours) {
            return Some(format!(
                "an acknowledged row is lost: commit {n} with token {ours} was confirmed and is not there"
            ));
        }
        let finished = state.incarnations[who].phase == Phase::Finished;
        let drops = self.size.restore == Restore::AnyDropped;
        let said = self.said(state.log);
        let dropped = drops && said.owner != Some(who as u8);
        let short = said.rounds.is_some_and(|behind| behind < rounds);
        (finished && !dropped && short).then(|| {
            format!("a lost row: an incarnation has finished and not all {rounds} rounds are data")
        })
    }

    /// A refusal stops the incarnation: the engine restarts it as another one. The newest is refused
    /// only because another opened the writer since it started, or because of what it restored.
    fn refused(&mut self, state: &mut State, who: usize, refusal: &Refusal) -> Seen {
        let said = self.said(state.log);
        let owns = said.owner == Some(who as u8);
        let (owner, opened) = (said.owner, state.incarnations[who].generation > 0);
        let newest = Self::is_newest(state, who);
        let restored = self.size.restore != Restore::Latest || !newest;
        let name = owner.map(|owner| rows::letter(usize::from(owner)).to_string());
        let (marks, named) = match refusal {
            Refusal::Fenced { .. } => (Marks::FENCED, !(owns || newest && opened)),
            Refusal::OpenedSince { incarnation, .. } => {
                (Marks::OPENED, !owns && Some(incarnation) == name.as_ref())
            }
            Refusal::Rewind { .. } => (Marks::REWIND, restored),
            Refusal::OtherToken { .. } | Refusal::Segment { .. } => (Marks::CONFLICT, restored),
            _ => (Marks::CONFLICT, false),
        };
        let wrong = (!named).then(|| {
            let who = rows::letter(who);
            if owns {
                format!("the owner is refused: {refusal}")
            } else {
                format!("{who} is refused for no reason that it can act on: {refusal}")
            }
        });
        self.kill(state, who);
        (marks, wrong)
    }
}
