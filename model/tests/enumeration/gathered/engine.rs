//! The engine: its rounds, its gatherer, its checkpoints and what it restores.
//!
//! Invariant: a checkpoint holds every committable that was not committed when it was taken, and the
//! gatherer emits what belongs to a number once.

use super::super::explore::Marks;
use super::super::rows;
use super::{
    ABSENT, FIRST_N, Gathered, Incarnation, KEPT_MAX, NO_PROPOSER, NONE, Outcome, Phase,
    ROUNDS_MAX, Restore, SUBTASKS, State, Wire,
};
use flinkspark_model::fault;
use flinkspark_model::log::{
    Commit, Decision, History, Intent, Opening, SegmentName, SegmentRef, SourceOffsets, Token,
};

/// Receipts by bit: the record of each round and subtask.
pub(super) type Receipts = u16;

/// What the gatherer emits: its token is `by` and `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Committable {
    pub(super) n: u8,
    pub(super) by: u8,
    pub(super) receipts: Receipts,
}

/// A completed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Checkpoint {
    pub(super) n: u8,
    pub(super) by: u8,
    pub(super) round: u8,
    emitted: u8,
    inbox: Receipts,
    pub(super) pending: u16,
    pub(super) before: Option<(u8, u8)>,
}

/// Whether the subtask has a record in this round: the last subtask's input ends a round early, and it
/// hands nothing over any more.
pub(super) fn has_record(round: u8, subtask: usize, rounds: u8) -> bool {
    subtask + 1 < SUBTASKS || round + 1 < rounds
}

pub(super) fn receipt(round: u8, subtask: usize) -> Receipts {
    1 << (usize::from(round) * SUBTASKS + subtask)
}

pub(super) fn token(n: u8, by: u8) -> Token {
    format!("{}{n}", rows::letter(usize::from(by))).into()
}

/// Planted: so many receipts are a set, whoever they are from; each subtask sends all that it has.
fn counted(inbox: Receipts) -> Option<Receipts> {
    let by_subtask =
        (0..SUBTASKS).flat_map(|subtask| (0..ROUNDS_MAX).map(move |round| receipt(round, subtask)));
    let held = by_subtask.filter(|one| inbox & one != 0);
    let set: Vec<Receipts> = held.take(SUBTASKS).collect();
    (set.len() == SUBTASKS).then(|| set.iter().fold(0, |all, one| all | one))
}

pub(super) fn segments(by: u8, receipts: Receipts) -> Vec<SegmentRef> {
    let bits = (0..Receipts::BITS as u8).filter(|bit| receipts & (1 << bit) != 0);
    bits.map(|bit| {
        let (round, subtask) = (bit / SUBTASKS as u8, bit % SUBTASKS as u8);
        let name = format!("{}{round}p{subtask}", rows::letter(usize::from(by)));
        SegmentRef {
            partition: u32::from(subtask),
            ..rows::segment(SegmentName::from(name), bit, bit + 1)
        }
    })
    .collect()
}

pub(super) fn commit(committable: Committable, generation: u64) -> Commit {
    let Committable { n, by, receipts } = committable;
    Commit {
        generation,
        token: Some(token(n, by)),
        source_offsets: SourceOffsets::default(),
        ..rows::commit(rows::writer(), 0, u64::from(n), 0, segments(by, receipts))
    }
}

impl Gathered {
    pub(super) fn pending(&self, list: u16) -> &[Committable] {
        self.lists.value(u32::from(list))
    }

    pub(super) fn list(&mut self, committables: Vec<Committable>) -> u16 {
        u16::try_from(self.lists.number(committables)).expect("fewer than 65536 lists")
    }

    pub(super) fn checkpoint(&self, number: u16) -> Option<&Checkpoint> {
        (number != NONE).then(|| self.checkpoints.value(u32::from(number)))
    }

    /// What may be restored; `NONE` is a start from nothing.
    pub(super) fn may_restore(&self, state: &State) -> Vec<u16> {
        let kept = state.kept.iter().copied().take_while(|kept| *kept != NONE);
        if self.size.restore == Restore::Latest {
            vec![kept.last().unwrap_or(NONE)]
        } else {
            std::iter::once(NONE).chain(kept).collect()
        }
    }

    /// What an incarnation that restores this says of itself.
    pub(super) fn opening(&self, who: usize, after: u64, checkpoint: u16) -> Opening {
        let from = self.checkpoint(checkpoint);
        let restored = from.map_or(0, |from| from.n);
        let identity = |n: u8, by: u8| (u64::from(n), token(n, by));
        let before = from.and_then(|from| from.before);
        let pending = self.pending(from.map_or(0, |from| from.pending)).iter();
        let history = History {
            before: before.map(|(n, by)| identity(n, by)),
            pending: pending.map(|of| identity(of.n, of.by)).collect(),
        };
        Opening {
            writer: rows::writer(),
            incarnation: rows::letter(who).to_string(),
            after,
            restored: Some(u64::from(restored)),
            history: self.size.history.then_some(history),
            rewind: self.rewind(),
        }
    }

    /// The engine starts: it restores, and its committer reads who owns the writer.
    pub(super) fn start(&mut self, state: &State, who: usize, checkpoint: u16) -> State {
        let after = self.said(state.log).generation;
        let opening = self.opening(who, after, checkpoint);
        let opening = self.openings.number(opening) as u16;
        let mut started = *state;
        let me = &mut started.incarnations[who];
        *me = Incarnation {
            phase: Phase::Running,
            opening,
            n: FIRST_N - 1,
            ..ABSENT
        };
        if let Some(from) = self.checkpoint(checkpoint) {
            me.n = from.n;
            (me.round, me.emitted, me.inbox) = (from.round, from.emitted, from.inbox);
            (me.pending, me.before) = (from.pending, from.before);
            me.due = self.pending(me.pending).len() as u8;
            me.phase = Phase::Committing;
        }
        started
    }

    /// The ways in which the next checkpoint may end.
    pub(super) fn outcomes(&self, state: &State, who: usize) -> Vec<Outcome> {
        let me = state.incarnations[who];
        let newest = Self::is_newest(state, who);
        if self.size.restore == Restore::Latest && !newest {
            return Vec::new();
        }
        let mut outcomes = vec![Outcome::Notified];
        // The last checkpoint is awaited: without its notification the job does not end.
        if me.round + 1 < self.size.rounds {
            outcomes.push(Outcome::Unheard);
        }
        if state.aborts < self.size.aborts {
            // One subtask or two had handed over: nobody can tell.
            outcomes.extend([1, SUBTASKS as u8].map(Outcome::Aborted));
        }
        outcomes
    }

    /// A round is put and handed over, and a checkpoint ends.
    pub(super) fn attempt(
        &mut self,
        state: &State,
        who: usize,
        outcome: Outcome,
    ) -> (State, Marks) {
        let mut ended = *state;
        let me = &mut ended.incarnations[who];
        me.n += 1;
        me.round = (me.round + 1).min(self.size.rounds);
        if let Outcome::Aborted(handed) = outcome {
            ended.aborts += 1;
            let handed = usize::from(handed);
            me.inbox |= (0..handed).fold(0, |all, subtask| all | self.unemitted(me, subtask));
            let given_up = me.inbox;
            if handed == SUBTASKS {
                self.emit(me, who as u8);
            }
            self.abort_slot(&mut ended, who, given_up);
            return (ended, Marks::SKIP | Marks::ABORT);
        }
        self.emit(me, who as u8);
        self.complete(&mut ended, who, outcome == Outcome::Notified);
        (ended, Marks::NONE)
    }

    /// What a subtask has that is in no committable.
    fn unemitted(&self, me: &Incarnation, subtask: usize) -> Receipts {
        let rounds = me.emitted..me.round;
        rounds
            .filter(|round| has_record(*round, subtask, self.size.rounds))
            .fold(0, |all, round| all | receipt(round, subtask))
    }

    /// The barrier has passed every subtask: what they handed over belongs to this number.
    fn emit(&mut self, me: &mut Incarnation, by: u8) {
        let all = (0..SUBTASKS).fold(0, |all, subtask| all | self.unemitted(me, subtask));
        let receipts = if fault::planted("set-completed-by-counting") {
            me.inbox |= all;
            counted(me.inbox)
        } else {
            Some(all)
        };
        me.emitted = me.round;
        let Some(receipts) = receipts else { return };
        me.inbox &= !receipts;
        let mut pending = self.pending(me.pending).to_vec();
        pending.push(Committable {
            n: me.n,
            by,
            receipts,
        });
        me.pending = self.list(pending);
    }

    fn complete(&mut self, state: &mut State, who: usize, notified: bool) {
        let me = state.incarnations[who];
        let number = self.checkpoints.number(Checkpoint {
            n: me.n,
            by: who as u8,
            round: me.round,
            emitted: me.emitted,
            inbox: me.inbox,
            pending: me.pending,
            before: me.before,
        });
        let number = u16::try_from(number).expect("fewer than 65536 checkpoints");
        if self.size.restore == Restore::Latest {
            state.kept[0] = number;
        } else if !state.kept.contains(&number) {
            state.kept[KEPT_MAX - 1] = number;
            state.kept.sort_unstable();
        }
        let me = &mut state.incarnations[who];
        if notified {
            me.due = self.pending(me.pending).len() as u8;
            me.phase = Phase::Committing;
            me.wire = Wire::Ready;
            me.proposer = NO_PROPOSER;
        }
    }

    /// Planted: the aborted checkpoint's number is given up in the log.
    fn abort_slot(&mut self, state: &mut State, who: usize, receipts: Receipts) {
        let me = state.incarnations[who];
        if !fault::planted("abort-slot-of-a-checkpoint") || me.generation == 0 {
            return;
        }
        let names = segments(who as u8, receipts).into_iter();
        let intent = Intent::Abort {
            writer: rows::writer(),
            generation: u64::from(me.generation),
            n: u64::from(me.n),
            segments: names.map(|segment| segment.name).collect(),
        };
        if let Decision::Create(attempt) = self.world.view(state.log).decide(&intent) {
            let body = self.world.body(attempt.body);
            self.append(state, attempt.slot, body);
        }
    }
}
