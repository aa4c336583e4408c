//! The stores as the models see them: logs of slots, and proposers on their way into them.
//!
//! Slots, logs, proposers and refusals are interned, so that a state names each by a small
//! number, and what `model::log` answers is remembered by those numbers: the answers are its own,
//! asked once. Invariant: every log that exists was folded twice, slot by slot and from its
//! snapshot, and every slot was encoded and decoded.

use flinkspark_model::log::{
    Appended, Commit, Intent, LogId, Proposer, Refusal, SLOT_FORMAT_VERSION, Slot, SlotRecord,
    Snapshot, Step, Token, View,
};
use flinkspark_model::position::SlotNo;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use uuid::Uuid;

/// A log's content, by number; 0 is the empty log.
pub(crate) type LogNo = u32;
/// A slot's content, by number.
pub(crate) type BodyNo = u16;
/// A proposer with what it has attempted, by number.
pub(crate) type ProposerNo = u32;

/// A map whose keys are small numbers.
pub(crate) type ByNumber<K, V> = HashMap<K, V, BuildHasherDefault<Multiplied>>;

/// Hashes small numbers by rotating and multiplying; keys here come from nobody's input.
#[derive(Default)]
pub(crate) struct Multiplied(u64);

impl Hasher for Multiplied {
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0xf135_7aea_2e62_a9c5);
    }
}

/// Numbers for values.
pub(crate) struct Interner<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    pub(crate) fn new() -> Self {
        Self {
            values: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    pub(crate) fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).expect("fewer than 2^32 values");
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    pub(crate) fn value(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}

/// One log's content.
pub(crate) struct Content {
    /// Slots in order of their numbers.
    pub(crate) cells: Vec<(SlotNo, BodyNo)>,
    /// The fold of the dense slots.
    pub(crate) view: View,
    /// Every content that this one grew from, itself included.
    pub(crate) prefixes: Vec<LogNo>,
}

/// What a conditional create came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// The log is now this one.
    Created(LogNo),
    /// The slot was taken by this.
    Exists(BodyNo),
}

/// What a proposer wants next, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Send this create.
    Send { slot: SlotNo, body: BodyNo },
    /// It is in the log.
    Done { slot: SlotNo, replayed: bool },
    /// It may not be written.
    Refused(u16),
    /// Read again.
    CatchUp,
}

pub(crate) struct World {
    slots: Interner<Slot>,
    contents: Vec<Content>,
    by_cells: HashMap<Vec<(SlotNo, BodyNo)>, LogNo>,
    puts: ByNumber<(LogNo, SlotNo, BodyNo), Put>,
    proposers: Interner<Proposer>,
    refusals: Interner<Refusal>,
    asked: ByNumber<(ProposerNo, LogNo), (ProposerNo, Answer)>,
    won: ByNumber<ProposerNo, (ProposerNo, Answer)>,
    lost: ByNumber<(ProposerNo, BodyNo), (ProposerNo, Answer)>,
    doubted: ByNumber<ProposerNo, (ProposerNo, Answer)>,
}

impl World {
    pub(crate) fn new() -> Self {
        let empty = Content {
            cells: Vec::new(),
            view: View::empty(),
            prefixes: vec![0],
        };
        Self {
            slots: Interner::new(),
            contents: vec![empty],
            by_cells: HashMap::from([(Vec::new(), 0)]),
            puts: ByNumber::default(),
            proposers: Interner::new(),
            refusals: Interner::new(),
            asked: ByNumber::default(),
            won: ByNumber::default(),
            lost: ByNumber::default(),
            doubted: ByNumber::default(),
        }
    }

    pub(crate) fn content(&self, log: LogNo) -> &Content {
        &self.contents[log as usize]
    }

    pub(crate) fn view(&self, log: LogNo) -> &View {
        &self.content(log).view
    }

    pub(crate) fn slot(&self, body: BodyNo) -> &Slot {
        self.slots.value(u32::from(body))
    }

    pub(crate) fn refusal(&self, number: u16) -> &Refusal {
        self.refusals.value(u32::from(number))
    }

    pub(crate) fn body(&mut self, slot: Slot) -> BodyNo {
        let known = self.slots.values.len();
        let number = self.slots.number(slot);
        if number as usize == known {
            self.survives_its_bytes(number);
        }
        u16::try_from(number).expect("fewer than 65536 slots")
    }

    fn survives_its_bytes(&self, number: u32) {
        let record = SlotRecord {
            format: SLOT_FORMAT_VERSION,
            log: LogId(Uuid::nil()),
            slot: 1,
            committed_at_ms: 0,
            principal: None,
            lists: Vec::new(),
            body: self.slots.value(number).clone(),
        };
        let bytes = record.encode().expect("a slot encodes");
        assert_eq!(
            SlotRecord::decode(&bytes).expect("its bytes decode"),
            record
        );
    }

    pub(crate) fn propose(&mut self, intent: Intent) -> ProposerNo {
        self.proposers.number(Proposer::new(intent))
    }

    /// The create that a proposer has sent and not heard of.
    pub(crate) fn attempt(&mut self, proposer: ProposerNo) -> Option<(SlotNo, BodyNo)> {
        let attempt = self.proposers.value(proposer).attempt()?.clone();
        let body = self.body(attempt.body);
        Some((attempt.slot, body))
    }

    pub(crate) fn intent(&self, proposer: ProposerNo) -> &Intent {
        self.proposers.value(proposer).intent()
    }

    /// Whether a slot of the log is a commit with this token.
    pub(crate) fn holds(&self, log: LogNo, token: &Token) -> bool {
        let mut bodies = self.content(log).cells.iter().map(|(_, body)| *body);
        bodies.any(|body| {
            matches!(self.slot(body), Slot::Epoch(commit) if commit.token.as_ref() == Some(token))
        })
    }

    fn is_taken_by(&self, log: LogNo, slot: SlotNo) -> Option<BodyNo> {
        let cells = &self.content(log).cells;
        cells
            .iter()
            .find(|(at, _)| *at == slot)
            .map(|(_, body)| *body)
    }

    pub(crate) fn is_taken(&self, log: LogNo, slot: SlotNo) -> bool {
        self.is_taken_by(log, slot).is_some()
    }

    /// The store's one primitive: create if nothing is there.
    pub(crate) fn create(&mut self, log: LogNo, slot: SlotNo, body: BodyNo) -> Put {
        if let Some(winner) = self.is_taken_by(log, slot) {
            return Put::Exists(winner);
        }
        if let Some(put) = self.puts.get(&(log, slot, body)) {
            return *put;
        }
        let mut cells = self.content(log).cells.clone();
        let place = cells.partition_point(|(at, _)| *at < slot);
        cells.insert(place, (slot, body));
        let put = Put::Created(self.grow(log, cells));
        self.puts.insert((log, slot, body), put);
        put
    }

    fn grow(&mut self, parent: LogNo, cells: Vec<(SlotNo, BodyNo)>) -> LogNo {
        if let Some(known) = self.by_cells.get(&cells) {
            return *known;
        }
        let number = u32::try_from(self.contents.len()).expect("fewer than 2^32 logs");
        let view = self.fold(self.content(parent), &cells);
        let mut prefixes = self.content(parent).prefixes.clone();
        prefixes.push(number);
        self.by_cells.insert(cells.clone(), number);
        self.contents.push(Content {
            cells,
            view,
            prefixes,
        });
        number
    }

    /// Folds on from the parent, from nothing and from the parent's snapshot: all must agree.
    fn fold(&self, parent: &Content, cells: &[(SlotNo, BodyNo)]) -> View {
        let stored =
            serde_json::to_string(&Snapshot::from(&parent.view)).expect("a snapshot encodes");
        let snapshot: Snapshot = serde_json::from_str(&stored).expect("a snapshot decodes");
        let restored = View::try_from(snapshot).expect("a snapshot is a view");
        let [on, tail, scratch] = [parent.view.clone(), restored, View::empty()].map(|mut view| {
            for (slot, body) in cells {
                if *slot == view.head() + 1 {
                    view.apply(*slot, self.slot(*body))
                        .expect("the next slot applies");
                }
            }
            view
        });
        assert_eq!(on, scratch, "folding on differs from folding from scratch");
        assert_eq!(
            tail, scratch,
            "folding a snapshot and the tail differs from folding from scratch"
        );
        scratch
    }

    fn answer(&mut self, proposer: Proposer, step: Step) -> (ProposerNo, Answer) {
        let answer = match step {
            Step::Create(attempt) => Answer::Send {
                slot: attempt.slot,
                body: self.body(attempt.body),
            },
            Step::Done(Appended { slot, replayed, .. }) => Answer::Done { slot, replayed },
            Step::Refuse(refusal) => {
                let number = self.refusals.number(refusal);
                Answer::Refused(u16::try_from(number).expect("fewer than 65536 refusals"))
            }
            Step::CatchUp => Answer::CatchUp,
        };
        (self.proposers.number(proposer), answer)
    }

    /// What the proposer does next after reading the whole log.
    pub(crate) fn ask(&mut self, proposer: ProposerNo, log: LogNo) -> (ProposerNo, Answer) {
        if let Some(known) = self.asked.get(&(proposer, log)) {
            return *known;
        }
        let mut moved = self.proposers.value(proposer).clone();
        let step = moved.next(self.view(log));
        let answered = self.answer(moved, step);
        self.asked.insert((proposer, log), answered);
        answered
    }

    /// What the proposer does when it hears what its create came to.
    pub(crate) fn hear(&mut self, proposer: ProposerNo, put: Put) -> (ProposerNo, Answer) {
        match put {
            Put::Created(_) => {
                if let Some(known) = self.won.get(&proposer) {
                    return *known;
                }
                let mut moved = self.proposers.value(proposer).clone();
                let step = moved.created();
                let answered = self.answer(moved, step);
                self.won.insert(proposer, answered);
                answered
            }
            Put::Exists(winner) => {
                if let Some(known) = self.lost.get(&(proposer, winner)) {
                    return *known;
                }
                let mut moved = self.proposers.value(proposer).clone();
                let step = moved.exists(&self.slot(winner).clone());
                let answered = self.answer(moved, step);
                self.lost.insert((proposer, winner), answered);
                answered
            }
        }
    }

    /// What the proposer does when it hears nothing.
    pub(crate) fn doubt(&mut self, proposer: ProposerNo) -> (ProposerNo, Answer) {
        if let Some(known) = self.doubted.get(&proposer) {
            return *known;
        }
        let mut moved = self.proposers.value(proposer).clone();
        let step = moved.in_doubt();
        let answered = self.answer(moved, step);
        self.doubted.insert(proposer, answered);
        answered
    }

    /// The log in one line, for people.
    pub(crate) fn show(&self, log: LogNo) -> String {
        let cells = &self.content(log).cells;
        let cells: Vec<_> = cells
            .iter()
            .map(|(slot, body)| format!("{slot}:{}", label(self.slot(*body))))
            .collect();
        cells.join("  ")
    }
}

/// A slot in a few characters.
pub(crate) fn label(slot: &Slot) -> String {
    match slot {
        Slot::Epoch(commit) => label_commit(commit),
        Slot::Fence {
            writer,
            generation,
            restored,
            drops,
            incarnation,
            ..
        } => {
            let drops = if *drops { " and drops above" } else { "" };
            format!("fence of {writer} g{generation} by {incarnation} restored {restored}{drops}")
        }
        Slot::Abort { writer, n, .. } => format!("abort {n} of {writer}"),
        other => other.kind().to_string(),
    }
}

fn label_commit(commit: &Commit) -> String {
    let names: Vec<_> = commit.segments.iter().map(|s| s.name.to_string()).collect();
    let kind = if commit.manifest.is_some() {
        "manifest"
    } else {
        "epoch"
    };
    let identity = match &commit.token {
        Some(token) => format!("token {token}"),
        None => format!("to {}", commit.source_offsets),
    };
    let (n, generation, writer) = (commit.n, commit.generation, &commit.writer);
    format!(
        "{kind} {n} of {writer} g{generation} {identity} [{}]",
        names.join(" ")
    )
}
