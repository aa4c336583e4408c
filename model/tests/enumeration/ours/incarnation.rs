//! What an incarnation does with the machine's answers.
//!
//! Invariant: it goes on only with what it won or read itself, never with what it expects.

use super::super::explore::Marks;
use super::super::rows::{commit, letter, position, segment, writer};
use super::super::world::{Answer, LogNo, ProposerNo};
use super::said::manifest_in;
use super::{
    ABSENT, FIRST_N, Incarnation, JOB, NO_BODY, NO_PROPOSER, OUTPUT, Ours, Phase, State, Wire, bit,
    output, segment_name,
};
use flinkspark_model::log::{Intent, Manifest, Pending, Refusal, Slot};
use flinkspark_model::recovery::{self, TakeOver};

impl Ours {
    pub(super) fn fence(&mut self, log: LogNo, incarnation: usize) -> ProposerNo {
        let next = TakeOver::next(self.world.view(log).writer(&writer()));
        let fence = next.fence(&writer(), &letter(incarnation).to_string());
        self.world.propose(fence)
    }

    /// Reads the log, decides, and sends what was decided; `None` while the network is full.
    pub(super) fn ask(
        &mut self,
        mut state: State,
        who: usize,
    ) -> Option<(State, Marks, Option<String>)> {
        let mut me = state.incarnations[who];
        let which = Self::log_of(me.phase);
        let log = state.logs[usize::from(which)];
        let (mut proposer, mut answer) = self.world.ask(me.proposer, log);
        let mut marks = Marks::NONE;
        if me.phase == Phase::FenceJob
            && let Answer::Refused(_) = answer
        {
            marks = Marks::RACE;
            proposer = self.fence(log, who);
            (proposer, answer) = self.world.ask(proposer, log);
        }
        me.proposer = proposer;
        if let Answer::Send { slot, body } = answer {
            if state.network.is_full() {
                return None;
            }
            me.wire = Wire::Waiting;
            state.incarnations[who] = me;
            state.network.send(which, slot, body, who as u8);
            return Some((state, marks, None));
        }
        state.incarnations[who] = me;
        let (more, wrong) = self.follow(&mut state, who, answer);
        Some((state, marks | more, wrong))
    }

    /// Does what the proposer's answer asks for.
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
                let owner = self.said(JOB, state.logs[0]).generation;
                let me = state.incarnations[who];
                let refusal = self.world.refusal(refusal);
                if me.generation >= owner {
                    let wrong = format!("the owner of the job is refused: {refusal}");
                    return (Marks::NONE, Some(wrong));
                }
                let fenced = matches!(
                    refusal,
                    Refusal::Fenced { .. } | Refusal::GenerationTaken { .. }
                );
                self.kill(state, who);
                return (
                    if fenced {
                        Marks::FENCED
                    } else {
                        Marks::CONFLICT
                    },
                    None,
                );
            }
        }
        (Marks::NONE, None)
    }

    pub(super) fn kill(&mut self, state: &mut State, who: usize) {
        state.network.abandon(who as u8);
        state.incarnations[who] = Incarnation {
            phase: Phase::Dead,
            ..ABSENT
        };
    }

    /// The proposer's intent is in the log.
    pub(super) fn advance(&mut self, state: &mut State, who: usize) {
        let mut me = state.incarnations[who];
        me.wire = Wire::Ready;
        match me.phase {
            Phase::FenceJob => {
                // The generation that was won; a newer one may stand in the log already.
                if let Intent::Fence { generation, .. } = self.world.intent(me.proposer) {
                    me.generation = *generation as u8;
                }
                me.phase = Phase::ReadManifest;
                me.proposer = NO_PROPOSER;
            }
            Phase::FenceOutput if me.manifest == NO_BODY => {
                me.phase = Phase::Cut;
                me.proposer = NO_PROPOSER;
            }
            Phase::FenceOutput | Phase::Manifest => {
                me.phase = Phase::Epoch;
                me.proposer = self.pending(me);
            }
            Phase::Epoch => {
                let commit = manifest_in(self.world.slot(me.manifest)).expect("a manifest");
                me.position = position(commit);
                me.epoch = (commit.n - FIRST_N + 1) as u8;
                me.manifest = NO_BODY;
                me.proposer = NO_PROPOSER;
                me.phase = if me.epoch == self.size.epochs {
                    Phase::Finished
                } else {
                    Phase::Cut
                };
                state.acknowledged = state.acknowledged.max(me.position);
            }
            _ => {}
        }
        state.incarnations[who] = me;
    }

    /// The commit of the manifest's pending epoch, in the committer's generation.
    pub(super) fn pending(&mut self, me: Incarnation) -> ProposerNo {
        let manifest = manifest_in(self.world.slot(me.manifest)).expect("a manifest");
        let manifest = manifest.manifest.as_ref().expect("a manifest");
        let (_, commit) = recovery::pending(manifest, u64::from(me.generation))
            .next()
            .expect("one epoch");
        self.world.propose(Intent::Commit(commit))
    }

    /// Reads the latest manifest and prepares to take the output over.
    pub(super) fn read_manifest(&mut self, mut state: State, who: usize) -> State {
        let manifest = self.said(JOB, state.logs[0]).manifest;
        let restored = manifest
            .and_then(|body| manifest_in(self.world.slot(body)))
            .map_or(0, |c| c.n);
        let me = &mut state.incarnations[who];
        me.manifest = manifest.unwrap_or(NO_BODY);
        me.phase = Phase::FenceOutput;
        let taken = TakeOver {
            generation: u64::from(me.generation),
            restored,
        };
        me.proposer = self
            .world
            .propose(taken.fence(&writer(), &letter(who).to_string()));
        state
    }

    /// Stages the next `records` and proposes the manifest that lists them.
    pub(super) fn cut(&mut self, mut state: State, who: usize, records: u8) -> Option<State> {
        let me = &mut state.incarnations[who];
        let (from, to) = (me.position, me.position + records);
        let n = FIRST_N + u64::from(me.epoch);
        let name = segment_name(who, usize::from(me.epoch));
        state.staged |= bit(who, usize::from(me.epoch));
        let epoch = commit(
            writer(),
            me.generation,
            n,
            to,
            vec![segment(name, from, to)],
        );
        let mut manifest = commit(writer(), me.generation, n, to, Vec::new());
        manifest.manifest = Some(Manifest {
            pending: vec![Pending {
                log: output(),
                commit: epoch,
            }],
            body: String::new(),
        });
        me.manifest = self.world.body(Slot::Epoch(manifest.clone()));
        me.phase = Phase::Manifest;
        me.proposer = self.world.propose(Intent::Commit(manifest));
        self.ask(state, who).map(|(state, _, _)| state)
    }

    pub(super) fn log_of(phase: Phase) -> u8 {
        if matches!(phase, Phase::FenceJob | Phase::Manifest) {
            JOB
        } else {
            OUTPUT
        }
    }
}
