//! What the engine, the bridge before the output, and the network may do next.
//!
//! Invariant: an incarnation assembles an epoch only when each of its own parts is durable.

use super::super::explore::{Marks, Next};
use super::super::network::{Message, ORPHAN};
use super::super::rows;
use super::super::world::{Answer, Put};
use super::{
    ABSENT, Checkpoint, FIRST_N, Foreign, Incarnation, NO_PART, NO_PROPOSER, OUTPUT,
    PARTITIONS_MAX, PARTS, Phase, State, Step, Wire, segment,
};
use flinkspark_model::log::{Assembly, Decision, Intent, Owner, Refusal, Staged, Verdict, verdict};

/// The committers' senders lie above the incarnations'.
fn committer(who: usize, partition: usize) -> u8 {
    (10 + who * PARTITIONS_MAX + partition) as u8
}

fn part_key(checkpoint: Checkpoint, partition: usize) -> u64 {
    u64::from(checkpoint.n) * 2 + partition as u64
}

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

    fn kill(&mut self, state: &mut State, who: usize) {
        let me = state.incarnations[who];
        if me.phase == Phase::Staging {
            // A put that ended without a receipt: nobody can ever carry it.
            let sealed = self.next_checkpoint(state, who);
            let name = segment(sealed, 0).name;
            let staged = Staged {
                name,
                receipted: false,
                owner: Owner::Elsewhere,
            };
            state.swept = verdict(&staged, self.world.view(state.log), None) == Verdict::Garbage;
        }
        state.network.abandon(who as u8);
        for partition in 0..PARTITIONS_MAX {
            state.network.abandon(committer(who, partition));
        }
        state.incarnations[who] = Incarnation {
            phase: Phase::Dead,
            ..ABSENT
        };
    }

    /// The engine starts from a checkpoint that it has.
    fn start(&mut self, state: &State, who: usize, from: Option<Checkpoint>) -> State {
        let mut started = *state;
        let me = &mut started.incarnations[who];
        me.phase = Phase::Fence;
        me.checkpoint = from;
        me.proposer = NO_PROPOSER;
        started
    }

    fn fence(&mut self, state: &State, who: usize) -> Intent {
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
            incarnation: rows::letter(who).to_string(),
        }
    }

    /// Asks the machine and sends what it says; `None` while the network is full.
    fn ask(&mut self, mut state: State, who: usize) -> Option<(State, Marks, Option<String>)> {
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

    fn follow(&mut self, state: &mut State, who: usize, answer: Answer) -> (Marks, Option<String>) {
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
    fn refused(
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
        let trusted = self.size.restore == super::Restore::Latest;
        let wrong = (trusted && owns && newest).then(|| format!("the owner is refused: {refusal}"));
        self.kill(state, who);
        (marks, wrong)
    }

    fn advance(&mut self, state: &mut State, who: usize) {
        let mut me = state.incarnations[who];
        me.wire = Wire::Ready;
        match me.phase {
            Phase::Fence => {
                if let Intent::Fence { generation, .. } = self.world.intent(me.proposer) {
                    me.generation = *generation as u8;
                }
                me.proposer = NO_PROPOSER;
                me.phase = if me.checkpoint.is_some() {
                    Phase::Parts
                } else {
                    Phase::Cut
                };
            }
            Phase::Commit => {
                me.proposer = NO_PROPOSER;
                let last = me.checkpoint.is_some_and(|at| at.epoch == self.size.epochs);
                me.phase = if last { Phase::Finished } else { Phase::Cut };
            }
            _ => {}
        }
        me.parts = [Wire::Ready; PARTITIONS_MAX];
        state.incarnations[who] = me;
        if me.phase == Phase::Parts {
            self.assemble_if_ready(state, who);
        }
    }

    /// Proposes the epoch when every part that this incarnation handed over is durable.
    fn assemble_if_ready(&mut self, state: &mut State, who: usize) {
        let me = state.incarnations[who];
        let parts = self.size.partitions;
        let durable = parts == 1 || me.parts[..parts].iter().all(|part| *part == Wire::Durable);
        let Some(checkpoint) = me.checkpoint.filter(|_| durable) else {
            return;
        };
        if let Assembly::Ready(commit) = self.assembled(state, checkpoint, me.generation) {
            let me = &mut state.incarnations[who];
            me.phase = Phase::Commit;
            me.wire = Wire::Ready;
            me.parts = [Wire::Ready; PARTITIONS_MAX];
            me.proposer = self.world.propose(Intent::Commit(commit));
            state.acknowledged = state.acknowledged.max(checkpoint.to);
        }
    }

    /// The checkpoint that the running put will be sealed into.
    fn next_checkpoint(&self, state: &State, who: usize) -> Checkpoint {
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
    fn complete(&mut self, state: &State, who: usize) -> Option<State> {
        let newest = state
            .incarnations
            .get(who + 1)
            .is_none_or(|next| next.phase == Phase::NotStarted);
        if self.size.restore == super::Restore::Latest && !newest {
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
        me.phase = Phase::Parts;
        me.parts = [Wire::Ready; PARTITIONS_MAX];
        self.assemble_if_ready(&mut completed, who);
        Some(completed)
    }

    fn may_start_from(&self, state: &State) -> Vec<Option<Checkpoint>> {
        let completed: Vec<_> = state
            .checkpoints
            .iter()
            .flatten()
            .copied()
            .map(Some)
            .collect();
        if self.size.restore == super::Restore::Latest {
            vec![completed.last().copied().flatten()]
        } else {
            std::iter::once(None).chain(completed).collect()
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
                // With parts the first incarnation's cuts are the reference that others differ from.
                let least = if self.size.partitions > 1 && who == 0 {
                    2
                } else {
                    1
                };
                for records in least..=2 {
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
            (Phase::Parts, _) => self.part_steps(state, who, out),
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
            // The bridge forgets what it attempted and assembles the durable parts again.
            let mut restarted = *state;
            restarted.network.abandon(name);
            restarted.incarnations[who].parts = [Wire::Durable; PARTITIONS_MAX];
            self.assemble_if_ready(&mut restarted, who);
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

    fn part_steps(&mut self, state: &State, who: usize, out: &mut Vec<Next<Self>>) {
        let me = state.incarnations[who];
        let Some(checkpoint) = me.checkpoint else {
            return;
        };
        if state.network.is_full() {
            return;
        }
        for partition in 0..self.size.partitions {
            let (name, index) = (who as u8, partition as u8);
            let step = match me.parts[partition] {
                Wire::Ready => Step::SendPart(name, index),
                Wire::InDoubt => Step::ResendPart(name, index),
                _ => continue,
            };
            let mut sent = *state;
            sent.incarnations[who].parts[partition] = Wire::Waiting;
            let body = Self::index_of(state, checkpoint) as u16;
            sent.network.send(
                PARTS,
                part_key(checkpoint, partition),
                body,
                committer(who, partition),
            );
            self.push(out, step, sent, Marks::NONE, None);
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
        let mut lost = landed;
        if message.log == PARTS {
            self.part_arrives(state, message, landed, out);
        } else {
            let put = self
                .world
                .create(state.log, u64::from(message.slot), message.body);
            if let Put::Created(log) = put {
                landed.log = log;
            }
            if message.sender == ORPHAN {
                self.push(out, Step::Landed(message), landed, Marks::LATE, None);
            } else {
                self.slot_answered(state, message, landed, put, out);
            }
        }
        if message.sender == ORPHAN {
            lost.network.remove(message);
            self.push(out, Step::Lost(message), lost, Marks::NONE, None);
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
        let mut given_up = *state;
        given_up.network.abandon(message.sender);
        let (moved, answer) = self.world.doubt(proposer);
        given_up.incarnations[who].proposer = moved;
        let (marks, wrong) = self.follow(&mut given_up, who, answer);
        self.push(out, Step::GivenUp(message), given_up, marks, wrong);
    }

    /// A conditional create in the store of parts: the first content stays.
    fn part_arrives(
        &mut self,
        state: &State,
        message: Message,
        mut landed: State,
        out: &mut Vec<Next<Self>>,
    ) {
        let place = &mut landed.parts[usize::from(message.slot / 2)][usize::from(message.slot % 2)];
        if *place == NO_PART {
            *place = message.body as u8;
        }
        let own = *place == message.body as u8;
        if message.sender == ORPHAN {
            self.push(out, Step::Landed(message), landed, Marks::NONE, None);
            return;
        }
        let index = usize::from(message.sender - 10);
        let (who, partition) = (index / PARTITIONS_MAX, index % PARTITIONS_MAX);
        let mut given_up = *state;
        given_up.network.abandon(message.sender);
        given_up.incarnations[who].parts[partition] = Wire::InDoubt;
        self.push(out, Step::GivenUp(message), given_up, Marks::NONE, None);
        if own {
            landed.incarnations[who].parts[partition] = Wire::Durable;
            self.assemble_if_ready(&mut landed, who);
            self.push(out, Step::Answered(message), landed, Marks::NONE, None);
        } else {
            let trusted = self.size.restore == super::Restore::Latest;
            let wrong = trusted.then(|| "another part has the number".to_string());
            self.kill(&mut landed, who);
            self.push(out, Step::Answered(message), landed, Marks::CONFLICT, wrong);
        }
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
