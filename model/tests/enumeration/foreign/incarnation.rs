//! What an incarnation of the engine, and the bridge for it, do with the machine's answers.
//!
//! Invariant: an incarnation commits what a checkpoint holds, and nothing else.

use super::super::explore::Marks;
use super::super::rows;
use super::super::world::Answer;
use super::{
    ABSENT, Checkpoint, FIRST_N, Foreign, Incarnation, NO_PROPOSER, OUTPUT, Phase, Restore, State,
    Wire, commit, segment,
};
use flinkspark_model::log::{Intent, Owner, Refusal, Staged, Verdict, verdict};

impl Foreign {
    pub(super) fn kill(&mut self, state: &mut State, who: usize) {
        let me = state.incarnations[who];
        if me.phase == Phase::Staging {
            // A put that ended without a receipt: nobody can ever carry it.
            let sealed = self.next_checkpoint(state, who);
            let name = segment(sealed).name;
            let staged = Staged {
                name,
                receipted: false,
                owner: Owner::Elsewhere,
            };
            state.swept = verdict(&staged, self.world.view(state.log), None) == Verdict::Garbage;
        }
        state.network.abandon(who as u8);
        state.incarnations[who] = Incarnation {
            phase: Phase::Dead,
            ..ABSENT
        };
    }

    /// The engine starts from a checkpoint that it has.
    pub(super) fn start(&mut self, state: &State, who: usize, from: Option<Checkpoint>) -> State {
        let mut started = *state;
        let me = &mut started.incarnations[who];
        me.phase = Phase::Fence;
        me.checkpoint = from;
        me.proposer = NO_PROPOSER;
        started
    }

    pub(super) fn fence(&mut self, state: &State, who: usize) -> Intent {
        let view = self.world.view(state.log);
        let highest = view
            .writer(&rows::writer())
            .map_or(0, |state| state.generation);
        let restored = state.incarnations[who].checkpoint;
        Intent::Fence {
            writer: rows::writer(),
            generation: highest + 1,
            restored: restored.map_or(0, |checkpoint| FIRST_N + u64::from(checkpoint.n)),
            rewind: self.size.restore.rewinds(),
            drops: false,
            incarnation: rows::letter(who).to_string(),
        }
    }

    /// Asks the machine and sends what it says; `None` while the network is full.
    pub(super) fn ask(
        &mut self,
        mut state: State,
        who: usize,
    ) -> Option<(State, Marks, Option<String>)> {
        let mut me = state.incarnations[who];
        let (mut proposer, mut answer) = if me.proposer == NO_PROPOSER {
            (NO_PROPOSER, Answer::CatchUp)
        } else {
            self.world.ask(me.proposer, state.log)
        };
        let mut marks = Marks::NONE;
        if me.phase == Phase::Fence && !matches!(answer, Answer::Send { .. }) {
            if proposer != NO_PROPOSER {
                marks = Marks::RACE;
            }
            let intent = self.fence(&state, who);
            let fresh = self.world.propose(intent);
            (proposer, answer) = self.world.ask(fresh, state.log);
        }
        me.proposer = proposer;
        state.incarnations[who] = me;
        if let Answer::Send { slot, body } = answer {
            if state.network.is_full() {
                return None;
            }
            state.incarnations[who].wire = Wire::Waiting;
            state.network.send(OUTPUT, slot, body, who as u8);
            return Some((state, marks, None));
        }
        let (more, wrong) = self.follow(&mut state, who, answer);
        Some((state, marks | more, wrong))
    }

    pub(super) fn follow(
        &mut self,
        state: &mut State,
        who: usize,
        answer: Answer,
    ) -> (Marks, Option<String>) {
        match answer {
            Answer::Send { .. } => state.incarnations[who].wire = Wire::InDoubt,
            Answer::CatchUp => state.incarnations[who].wire = Wire::Ready,
            Answer::Done { replayed, .. } => {
                self.advance(state, who);
                return (if replayed { Marks::REPLAY } else { Marks::NONE }, None);
            }
            Answer::Refused(refusal) => {
                let refusal = self.world.refusal(refusal).clone();
                return self.refused(state, who, &refusal);
            }
        }
        (Marks::NONE, None)
    }

    /// A refusal stops the incarnation. An engine that restores its latest checkpoint is never
    /// refused while it owns the output.
    pub(super) fn refused(
        &mut self,
        state: &mut State,
        who: usize,
        refusal: &Refusal,
    ) -> (Marks, Option<String>) {
        let marks = match refusal {
            Refusal::Fenced { .. } | Refusal::GenerationTaken { .. } => Marks::FENCED,
            Refusal::Rewind { .. } => Marks::REWIND,
            _ => Marks::CONFLICT,
        };
        let owner = self.said(state.log).generation;
        let me = state.incarnations[who];
        let owns = me.phase == Phase::Fence || u64::from(me.generation) >= owner;
        let newest = state
            .incarnations
            .get(who + 1)
            .is_none_or(|next| next.phase == Phase::NotStarted);
        let trusted = self.size.restore == Restore::Latest;
        let wrong = (trusted && owns && newest).then(|| format!("the owner is refused: {refusal}"));
        self.kill(state, who);
        (marks, wrong)
    }

    pub(super) fn advance(&mut self, state: &mut State, who: usize) {
        let mut me = state.incarnations[who];
        me.wire = Wire::Ready;
        match me.phase {
            Phase::Fence => {
                if let Intent::Fence { generation, .. } = self.world.intent(me.proposer) {
                    me.generation = *generation as u8;
                }
                me.proposer = NO_PROPOSER;
                me.phase = Phase::Cut;
            }
            Phase::Commit => {
                me.proposer = NO_PROPOSER;
                let last = me.checkpoint.is_some_and(|at| at.epoch == self.size.epochs);
                me.phase = if last { Phase::Finished } else { Phase::Cut };
            }
            _ => {}
        }
        let fenced = state.incarnations[who].phase == Phase::Fence;
        state.incarnations[who] = me;
        if fenced {
            self.commit_again(state, who);
        }
    }

    /// Proposes the epoch of the checkpoint that it restored or took, where there is one.
    pub(super) fn commit_again(&mut self, state: &mut State, who: usize) {
        let me = &mut state.incarnations[who];
        if let Some(checkpoint) = me.checkpoint {
            me.phase = Phase::Commit;
            me.wire = Wire::Ready;
            let intent = Intent::Commit(commit(checkpoint, me.generation));
            me.proposer = self.world.propose(intent);
        }
    }

    /// The checkpoint that the running put will be sealed into.
    pub(super) fn next_checkpoint(&self, state: &State, who: usize) -> Checkpoint {
        let me = state.incarnations[who];
        let completed = state.checkpoints.iter().flatten();
        let highest = completed
            .map(|checkpoint| checkpoint.n + 1)
            .max()
            .unwrap_or(0);
        let after = me.checkpoint.map_or(0, |checkpoint| checkpoint.n + 1);
        let from = me.checkpoint.map_or(0, |checkpoint| checkpoint.to);
        Checkpoint {
            n: if self.size.restore.reuses_numbers() {
                after
            } else {
                highest
            },
            by: who as u8,
            epoch: me.checkpoint.map_or(0, |checkpoint| checkpoint.epoch) + 1,
            from,
            to: from + me.records,
        }
    }

    /// The put ends and the engine's checkpoint is complete, in one step of the engine's.
    pub(super) fn complete(&mut self, state: &State, who: usize) -> Option<State> {
        let newest = state
            .incarnations
            .get(who + 1)
            .is_none_or(|next| next.phase == Phase::NotStarted);
        if self.size.restore == Restore::Latest && !newest {
            return None;
        }
        let sealed = self.next_checkpoint(state, who);
        let mut completed = *state;
        *completed
            .checkpoints
            .iter_mut()
            .find(|place| place.is_none())? = Some(sealed);
        let me = &mut completed.incarnations[who];
        me.checkpoint = Some(sealed);
        me.records = 0;
        self.commit_again(&mut completed, who);
        Some(completed)
    }

    pub(super) fn may_start_from(&self, state: &State) -> Vec<Option<Checkpoint>> {
        let completed: Vec<_> = state
            .checkpoints
            .iter()
            .flatten()
            .copied()
            .map(Some)
            .collect();
        if self.size.restore == Restore::Latest {
            vec![completed.last().copied().flatten()]
        } else {
            std::iter::once(None).chain(completed).collect()
        }
    }
}
