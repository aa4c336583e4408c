//! A job whose log is ours: its checkpoints are slots of its own log, its output another log.
//!
//! An incarnation fences the job's log, reads the latest manifest, fences the output with the same
//! generation, commits what is pending, and only then reads input. Epoch by epoch it stages a
//! segment, commits the manifest that lists the epoch as pending, commits the epoch to the output
//! and acknowledges it. Every decision is `model::log`'s; this file only carries them out.
//!
//! Merged as purely local: staging with proposing its manifest (a crash between them is the create
//! lost), reading with deciding and sending (a late send is a late create). The collector runs as
//! early as it can: nobody reads what it did, so the earliest deletion is the worst one.

use super::explore::{Ending, Marks, Model, Next};
use super::network::{Message, Network, ORPHAN};
use super::rows::{self, commit, digest, letter, position, segment, writer};
use super::world::{Answer, BodyNo, LogNo, ProposerNo, Put, World};
use flinkspark_model::log::{
    Commit, Decision, Intent, JobFacts, LogId, Manifest, Owner, Pending, Refusal, SegmentName,
    Slot, Staged, Verdict, verdict,
};
use std::collections::HashMap;
use uuid::Uuid;

/// The most incarnations of any configuration.
pub(crate) const INCARNATIONS_MAX: usize = 4;
/// The most epochs of any configuration.
const EPOCHS_MAX: usize = 5;
/// The writer's first number: its numbers are not the log's.
const FIRST_N: u64 = 7;
/// The job's own log.
const JOB: u8 = 0;
/// The output's log.
const OUTPUT: u8 = 1;
const NO_PROPOSER: ProposerNo = ProposerNo::MAX;
const NO_BODY: BodyNo = BodyNo::MAX;

/// How large the model is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) incarnations: usize,
    pub(crate) epochs: u8,
    pub(crate) in_flight: u8,
    /// In which order the collector reads its facts.
    pub(crate) facts: Facts,
}

/// The collector's order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facts {
    /// The job's log, then the output's: the order that `verdict` asks for.
    JobFirst,
    /// The wrong one.
    OutputFirst,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    NotStarted,
    FenceJob,
    ReadManifest,
    FenceOutput,
    Cut,
    Manifest,
    Epoch,
    Finished,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Wire {
    Ready,
    Waiting,
    InDoubt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Incarnation {
    phase: Phase,
    wire: Wire,
    generation: u8,
    /// Epochs behind it.
    epoch: u8,
    /// Records behind it.
    position: u8,
    /// The manifest whose pending epochs it commits.
    manifest: BodyNo,
    proposer: ProposerNo,
}

const ABSENT: Incarnation = Incarnation {
    phase: Phase::NotStarted,
    wire: Wire::Ready,
    generation: 0,
    epoch: 0,
    position: 0,
    manifest: NO_BODY,
    proposer: NO_PROPOSER,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    logs: [LogNo; 2],
    incarnations: [Incarnation; INCARNATIONS_MAX],
    network: Network,
    /// Segments that lie in the store, by bit.
    staged: u32,
    /// Segments that were deleted, by bit.
    deleted: u32,
    /// Records that were acknowledged.
    acknowledged: u8,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Start(u8),
    Ask(u8),
    Resend(u8),
    Read(u8),
    Cut(u8, u8),
    Crash(u8),
    Answered(Message),
    AnsweredTwice(Message),
    GivenUp(Message),
    Landed(Message),
    Lost(Message),
    Other,
}

/// What a job's log or an output says, once per content.
#[derive(Debug, Clone, Default)]
struct Said {
    generation: u8,
    /// The latest manifest.
    manifest: Option<BodyNo>,
    /// Segments live in slots or pending in the latest manifest, by bit.
    reachable: u32,
    /// Records and epochs committed.
    records: u8,
    epochs: u8,
    has_other: bool,
    wrong: Option<String>,
}

pub(crate) struct Ours {
    world: World,
    size: Size,
    said: HashMap<(u8, LogNo), Said>,
    garbage: HashMap<(LogNo, LogNo), u32>,
}

fn output() -> LogId {
    LogId(Uuid::from_u128(2))
}

fn segment_name(incarnation: usize, epoch: usize) -> SegmentName {
    SegmentName::from(format!("{}{}", letter(incarnation), epoch + 1))
}

fn bit(incarnation: usize, epoch: usize) -> u32 {
    1 << (incarnation * EPOCHS_MAX + epoch)
}

/// The segment's bit; segments of the other writer have none.
fn bit_of(name: &SegmentName) -> u32 {
    match name.as_str().as_bytes() {
        [letter @ b'A'..=b'D', digit @ b'1'..=b'5'] => {
            bit(usize::from(letter - b'A'), usize::from(digit - b'1'))
        }
        _ => 0,
    }
}

fn bits_of(commit: &Commit) -> u32 {
    commit
        .segments
        .iter()
        .map(|segment| bit_of(&segment.name))
        .fold(0, |all, bit| all | bit)
}

impl Ours {
    pub(crate) fn new(size: Size) -> Self {
        assert!(size.incarnations <= INCARNATIONS_MAX && usize::from(size.epochs) <= EPOCHS_MAX);
        Self {
            world: World::new(),
            size,
            said: HashMap::new(),
            garbage: HashMap::new(),
        }
    }

    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        self.world.sizes()
    }

    fn said(&mut self, which: u8, log: LogNo) -> &Said {
        let world = &self.world;
        self.said
            .entry((which, log))
            .or_insert_with(|| said(world, which, log))
    }

    /// Segments that the collector deletes, had it read the job's log at any time up to now.
    fn garbage(&mut self, logs: [LogNo; 2]) -> u32 {
        if let Some(known) = self.garbage.get(&(logs[0], logs[1])) {
            return *known;
        }
        let earlier = |log| self.world.content(log).prefixes.clone();
        let facts: Vec<_> = match self.size.facts {
            Facts::JobFirst => earlier(logs[0])
                .into_iter()
                .map(|job| (job, logs[1]))
                .collect(),
            Facts::OutputFirst => earlier(logs[1])
                .into_iter()
                .map(|output| (logs[0], output))
                .collect(),
        };
        let judged = facts
            .into_iter()
            .fold(0, |all, (job, output)| all | self.judge(job, output));
        self.garbage.insert((logs[0], logs[1]), judged);
        judged
    }

    fn judge(&mut self, job: LogNo, output: LogNo) -> u32 {
        let said = self.said(JOB, job).clone();
        let retained: Vec<Manifest> = said
            .manifest
            .and_then(|body| {
                manifest_in(self.world.slot(body)).map(|commit| commit.manifest.clone())
            })
            .flatten()
            .into_iter()
            .collect();
        let facts = JobFacts {
            generation: u64::from(said.generation),
            retained: &retained,
        };
        let mut judged = 0;
        for incarnation in 0..self.size.incarnations {
            for epoch in 0..usize::from(self.size.epochs) {
                let name = segment_name(incarnation, epoch);
                let Some(generation) = generation_of(&self.world, job, incarnation) else {
                    continue;
                };
                let staged = Staged {
                    name,
                    receipted: true,
                    owner: Owner::Job(generation),
                };
                if verdict(&staged, self.world.view(output), Some(facts)) == Verdict::Garbage {
                    judged |= bit(incarnation, epoch);
                }
            }
        }
        judged
    }

    /// The state after its purely local steps.
    fn settle(&mut self, state: &mut State) -> Marks {
        state.network.forget_spent(&self.world, &state.logs);
        let garbage = self.garbage(state.logs) & state.staged;
        state.deleted |= garbage;
        state.staged &= !garbage;
        if garbage == 0 {
            Marks::NONE
        } else {
            Marks::DELETED
        }
    }

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

    fn log_of(phase: Phase) -> u8 {
        if matches!(phase, Phase::FenceJob | Phase::Manifest) {
            JOB
        } else {
            OUTPUT
        }
    }

    fn fence(&mut self, log: LogNo, incarnation: usize) -> ProposerNo {
        let (highest, last) = self
            .world
            .view(log)
            .writer(&writer())
            .map_or((0, 0), |state| (state.generation, state.last()));
        self.world.propose(Intent::Fence {
            writer: writer(),
            generation: highest + 1,
            restored: last,
            rewind: false,
            incarnation: letter(incarnation).to_string(),
        })
    }

    /// Reads the log, decides, and sends what was decided; `None` while the network is full.
    fn ask(&mut self, mut state: State, who: usize) -> Option<(State, Marks, Option<String>)> {
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
    fn follow(&mut self, state: &mut State, who: usize, answer: Answer) -> (Marks, Option<String>) {
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

    fn kill(&mut self, state: &mut State, who: usize) {
        state.network.abandon(who as u8);
        state.incarnations[who] = Incarnation {
            phase: Phase::Dead,
            ..ABSENT
        };
    }

    /// The proposer's intent is in the log.
    fn advance(&mut self, state: &mut State, who: usize) {
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
    fn pending(&mut self, me: Incarnation) -> ProposerNo {
        let manifest = manifest_in(self.world.slot(me.manifest)).expect("a manifest");
        let pending = manifest
            .manifest
            .iter()
            .flat_map(|manifest| &manifest.pending);
        let mut commit = pending
            .map(|pending| &pending.commit)
            .next()
            .expect("one epoch")
            .clone();
        commit.generation = u64::from(me.generation);
        self.world.propose(Intent::Commit(commit))
    }

    /// Reads the latest manifest and prepares to take the output over.
    fn read_manifest(&mut self, mut state: State, who: usize) -> State {
        let manifest = self.said(JOB, state.logs[0]).manifest;
        let restored = manifest
            .and_then(|body| manifest_in(self.world.slot(body)))
            .map_or(0, |c| c.n);
        let me = &mut state.incarnations[who];
        me.manifest = manifest.unwrap_or(NO_BODY);
        me.phase = Phase::FenceOutput;
        me.proposer = self.world.propose(Intent::Fence {
            writer: writer(),
            generation: u64::from(me.generation),
            restored,
            rewind: false,
            incarnation: letter(who).to_string(),
        });
        state
    }

    /// Stages the next `records` and proposes the manifest that lists them.
    fn cut(&mut self, mut state: State, who: usize, records: u8) -> Option<State> {
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

    fn incarnation_steps(&mut self, state: &State, who: usize, out: &mut Vec<Next<Self>>) {
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

    fn message_steps(&mut self, state: &State, message: Message, out: &mut Vec<Next<Self>>) {
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
    fn is_stale(&mut self, state: &State, message: Message) -> bool {
        let generation = match self.world.slot(message.body) {
            Slot::Epoch(commit) => commit.generation,
            Slot::Fence { generation, .. } => *generation,
            _ => return false,
        };
        generation < u64::from(self.said(JOB, state.logs[0]).generation)
    }

    fn other_writes(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
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

/// The manifest's commit in a slot.
fn manifest_in(slot: &Slot) -> Option<&Commit> {
    match slot {
        Slot::Epoch(commit) if commit.manifest.is_some() => Some(commit),
        _ => None,
    }
}

/// The generation that an incarnation fenced the job's log with.
fn generation_of(world: &World, job: LogNo, incarnation: usize) -> Option<u64> {
    let me = letter(incarnation).to_string();
    world
        .content(job)
        .cells
        .iter()
        .find_map(|(_, body)| match world.slot(*body) {
            Slot::Fence {
                generation,
                incarnation,
                ..
            } if *incarnation == me => Some(*generation),
            _ => None,
        })
}

fn said(world: &World, which: u8, log: LogNo) -> Said {
    let content = world.content(log);
    let mut said = Said::default();
    let mut wrong = None;
    for (_, body) in content
        .cells
        .iter()
        .take_while(|(slot, _)| *slot <= content.view.head())
    {
        match world.slot(*body) {
            Slot::Fence {
                writer: who,
                generation,
                ..
            } if *who == writer() => {
                if *generation <= u64::from(said.generation) {
                    wrong.get_or_insert(format!("generation {generation} is not above the last"));
                }
                said.generation = *generation as u8;
            }
            Slot::Epoch(commit) if commit.writer == writer() => {
                if which == JOB {
                    said.manifest = Some(*body);
                } else {
                    tile(&mut said, commit, &mut wrong);
                }
            }
            Slot::Epoch(_) => said.has_other = true,
            _ => {}
        }
    }
    if which == OUTPUT {
        let live = content.view.live().flat_map(|epoch| &epoch.segments);
        said.reachable = live
            .map(|segment| bit_of(&segment.name))
            .fold(0, |all, bit| all | bit);
    } else if let Some(manifest) = said.manifest.and_then(|body| manifest_in(world.slot(body))) {
        let pending = manifest
            .manifest
            .iter()
            .flat_map(|manifest| &manifest.pending);
        said.reachable = pending
            .map(|pending| bits_of(&pending.commit))
            .fold(0, |all, bit| all | bit);
    }
    said.wrong = wrong;
    said
}

/// Committed epochs tile the input: each begins where the one before ended.
fn tile(said: &mut Said, commit: &Commit, wrong: &mut Option<String>) {
    let to = position(commit);
    let rows: u64 = commit.segments.iter().map(|segment| segment.rows).sum();
    let from = u64::from(to) - rows;
    let n = commit.n;
    if from < u64::from(said.records) {
        wrong.get_or_insert(format!(
            "a doubled row: epoch {n} begins at record {from} again"
        ));
    } else if from > u64::from(said.records) {
        wrong.get_or_insert(format!("a lost row: epoch {n} begins at record {from}"));
    } else if commit.digest() != digest(from as u8, to) {
        wrong.get_or_insert(format!("epoch {n} does not hold its rows"));
    }
    said.records = to;
    said.epochs += 1;
}

impl Model for Ours {
    type State = State;
    type Step = Step;

    fn initial(&mut self) -> State {
        // The other writer took itself over before: its one slot is an epoch.
        let fence = self.world.body(rows::other_fence());
        let Put::Created(log) = self.world.create(0, 1, fence) else {
            unreachable!("the log is empty");
        };
        State {
            logs: [0, log],
            incarnations: [ABSENT; INCARNATIONS_MAX],
            network: Network::new(self.size.in_flight),
            staged: 0,
            deleted: 0,
            acknowledged: 0,
        }
    }

    fn encode(state: &State, bytes: &mut Vec<u8>) {
        for log in state.logs {
            bytes.extend(log.to_le_bytes());
        }
        for me in state.incarnations {
            bytes.extend([
                me.phase as u8,
                me.wire as u8,
                me.generation,
                me.epoch,
                me.position,
            ]);
            bytes.extend(me.manifest.to_le_bytes());
            bytes.extend(me.proposer.to_le_bytes());
        }
        state.network.encode(bytes);
        bytes.extend(state.staged.to_le_bytes());
        bytes.extend(state.deleted.to_le_bytes());
        bytes.push(state.acknowledged);
    }

    fn successors(&mut self, state: &State, out: &mut Vec<Next<Self>>) {
        for who in 0..self.size.incarnations {
            self.incarnation_steps(state, who, out);
        }
        for message in state.network.iter() {
            self.message_steps(state, message, out);
        }
        self.other_writes(state, out);
    }

    fn violation(&mut self, state: &State) -> Option<String> {
        for (which, log) in [(JOB, state.logs[0]), (OUTPUT, state.logs[1])] {
            let wrong = &self.said(which, log).wrong;
            if wrong.is_some() {
                return wrong.clone();
            }
        }
        let epochs = self.size.epochs;
        let job = self.said(JOB, state.logs[0]);
        let (generation, pending) = (job.generation, job.reachable);
        let output = self.said(OUTPUT, state.logs[1]);
        if state.acknowledged > output.records {
            return Some(format!(
                "an acknowledged row is lost: {} records were acknowledged, {} are committed",
                state.acknowledged, output.records
            ));
        }
        if state.deleted & output.reachable != 0 {
            return Some("a deleted segment: a slot names it".into());
        }
        if state.deleted & pending != 0 {
            return Some("a deleted segment: the latest manifest lists it as pending".into());
        }
        for (who, me) in state.incarnations.iter().enumerate() {
            let held = me.phase == Phase::Manifest && me.generation == generation;
            if held && state.deleted & bit(who, usize::from(me.epoch)) != 0 {
                return Some("a deleted segment: the job's owner is about to list it".into());
            }
            if me.phase == Phase::Finished && output.epochs != epochs {
                return Some("an incarnation has finished and epochs are missing".into());
            }
        }
        None
    }

    fn ending(&mut self, state: &State) -> Ending {
        let finished = state
            .incarnations
            .iter()
            .any(|me| me.phase == Phase::Finished);
        if finished {
            Ending::Complete
        } else {
            Ending::Abandoned
        }
    }

    fn describe(&self, step: &Step) -> String {
        let create = |message: &Message| {
            let log = if message.log == JOB { "job" } else { "output" };
            let body = super::world::label(self.world.slot(message.body));
            format!("{log} slot {}: {body}", message.slot)
        };
        let name = |who: &u8| letter(usize::from(*who));
        match step {
            Step::Start(who) => format!("{} starts and proposes its fence", name(who)),
            Step::Ask(who) => format!("{} reads the log and goes on", name(who)),
            Step::Resend(who) => {
                format!("{} is in doubt and sends the same create again", name(who))
            }
            Step::Read(who) => format!("{} reads the latest manifest", name(who)),
            Step::Cut(who, records) => {
                format!(
                    "{} reads {records} records, stages them, proposes its manifest",
                    name(who)
                )
            }
            Step::Crash(who) => format!("{} crashes", name(who)),
            Step::Answered(message) => {
                format!(
                    "{}'s create arrives and is answered: {}",
                    name(&message.sender),
                    create(message)
                )
            }
            Step::AnsweredTwice(message) => format!(
                "{}'s create arrives twice, the second is answered: {}",
                name(&message.sender),
                create(message)
            ),
            Step::GivenUp(message) => {
                format!(
                    "{} stops waiting for: {}",
                    name(&message.sender),
                    create(message)
                )
            }
            Step::Landed(message) => format!("a late create arrives: {}", create(message)),
            Step::Lost(message) => format!("a create is lost: {}", create(message)),
            Step::Other => "the other writer commits its slot".into(),
        }
    }

    fn show(&self, state: &State) -> String {
        format!(
            "  job:    {}\n  output: {}\n  acknowledged {}, deleted {:b}",
            self.world.show(state.logs[0]),
            self.world.show(state.logs[1]),
            state.acknowledged,
            state.deleted
        )
    }
}
