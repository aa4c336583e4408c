//! Explores every state that a model can reach, breadth first.
//!
//! A state is remembered by a 128-bit fingerprint of its encoding, with its parent and the choice
//! that led to it, so that a violation comes with a shortest trace. Invariant: each distinct
//! encoding is expanded exactly once and checked before it is expanded.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::BitOr;
use std::time::Instant;

/// The most states that an exploration may hold; at about 60 bytes each this is 3 GB.
const STATES_MAX: usize = 50_000_000;

/// What was remarkable about a step, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks(u16);

impl Marks {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const LATE: Self = Self(1);
    pub(crate) const RACE: Self = Self(2);
    pub(crate) const REPLAY: Self = Self(4);
    pub(crate) const ABORT: Self = Self(8);
    pub(crate) const DELETED: Self = Self(16);
    pub(crate) const DOUBLED: Self = Self(32);
    pub(crate) const FENCED: Self = Self(64);
    pub(crate) const REWIND: Self = Self(128);
    pub(crate) const CONFLICT: Self = Self(256);
    pub(crate) const CALL: Self = Self(512);
    pub(crate) const RESTART: Self = Self(1024);
    pub(crate) const OPENED: Self = Self(2048);
    pub(crate) const SKIP: Self = Self(4096);

    const NAMES: [(Self, &str); 13] = [
        (Self::LATE, "a zombie's late create"),
        (Self::RACE, "a fence race"),
        (Self::REPLAY, "a replay"),
        (Self::ABORT, "an abort"),
        (Self::DELETED, "a deleted segment"),
        (Self::DOUBLED, "a doubled create"),
        (Self::FENCED, "a fenced zombie"),
        (Self::REWIND, "a refused rewind"),
        (Self::CONFLICT, "a conflict"),
        (Self::CALL, "a late call"),
        (Self::RESTART, "a bridge restart"),
        (Self::OPENED, "an opening after another's"),
        (Self::SKIP, "a skipped number"),
    ];

    fn holds(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One step out of a state.
pub(crate) struct Next<M: Model + ?Sized> {
    pub(crate) step: M::Step,
    pub(crate) state: M::State,
    pub(crate) marks: Marks,
    /// What the step itself broke.
    pub(crate) wrong: Option<String>,
}

/// How a state without a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everything that was to be committed is.
    Complete,
    /// Everybody crashed, or stopped because somebody newer had taken over.
    Abandoned,
}

/// A protocol and its environment.
pub(crate) trait Model {
    type State: Copy;
    type Step: Copy + Debug;

    fn initial(&mut self) -> Self::State;
    /// Equal states and no others have equal bytes.
    fn encode(state: &Self::State, bytes: &mut Vec<u8>);
    /// Every step out of the state, always in the same order.
    fn successors(&mut self, state: &Self::State, out: &mut Vec<Next<Self>>);
    /// What is wrong with the state.
    fn violation(&mut self, state: &Self::State) -> Option<String>;
    fn ending(&mut self, state: &Self::State) -> Ending;
    fn describe(&self, step: &Self::Step) -> String;
    /// The logs at the state, for people.
    fn show(&self, state: &Self::State) -> String;
}

/// What an exploration found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) states: usize,
    pub(crate) transitions: u64,
    pub(crate) depth: usize,
    pub(crate) complete: usize,
    pub(crate) abandoned: usize,
    marks: [u64; Marks::NAMES.len()],
    pub(crate) violation: Option<Violation>,
    seconds: f64,
}

/// A broken invariant and the shortest way to it.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) what: String,
    pub(crate) steps: usize,
    pub(crate) trace: String,
}

impl Report {
    /// How many steps had this mark.
    pub(crate) fn marked(&self, mark: Marks) -> u64 {
        let index = Marks::NAMES.iter().position(|(known, _)| *known == mark);
        index.map_or(0, |index| self.marks[index])
    }

    fn mark(&mut self, marks: Marks) {
        for (count, (mark, _)) in self.marks.iter_mut().zip(Marks::NAMES) {
            *count += u64::from(marks.holds(mark));
        }
    }

    /// Prints the figures under a title.
    pub(crate) fn print(&self, title: &str) {
        println!(
            "{title}: {} states, {} transitions, depth {}, {:.1} s; ends: {} complete, {} abandoned",
            self.states, self.transitions, self.depth, self.seconds, self.complete, self.abandoned
        );
        let marks = self
            .marks
            .iter()
            .zip(Marks::NAMES)
            .filter(|(count, _)| **count > 0);
        let marks: Vec<_> = marks
            .map(|(count, (_, name))| format!("{name} {count}"))
            .collect();
        println!("    steps with {}", marks.join(", "));
    }

    /// Fails with the trace if an invariant was broken.
    pub(crate) fn expect_sound(&self, title: &str) {
        if let Some(violation) = &self.violation {
            panic!(
                "{title}: {} after {} steps\n{}",
                violation.what, violation.steps, violation.trace
            );
        }
    }
}

/// Fingerprints are well mixed already.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = self.0.rotate_left(32) ^ word;
    }
}

type Fingerprint = (u64, u64);

/// The states seen so far, and how each was reached.
struct Seen {
    index: HashMap<Fingerprint, u32, BuildHasherDefault<Mixed>>,
    /// The parent, and which of its successors.
    reached: Vec<(u32, u32)>,
    bytes: Vec<u8>,
}

impl Seen {
    fn new() -> Self {
        Self {
            index: HashMap::default(),
            reached: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// The state's number if it is new.
    fn add<M: Model>(&mut self, state: &M::State, parent: u32, choice: u32) -> Option<u32> {
        self.bytes.clear();
        M::encode(state, &mut self.bytes);
        let hash = xxhash_rust::xxh3::xxh3_128(&self.bytes);
        let number = u32::try_from(self.reached.len()).expect("fewer than 2^32 states");
        assert!(
            self.reached.len() < STATES_MAX,
            "the model has more than {STATES_MAX} states"
        );
        match self.index.entry((hash as u64, (hash >> 64) as u64)) {
            std::collections::hash_map::Entry::Occupied(_) => None,
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(number);
                self.reached.push((parent, choice));
                Some(number)
            }
        }
    }

    /// The choices that lead from the initial state to this one.
    fn choices(&self, mut number: u32) -> Vec<u32> {
        let mut choices = Vec::new();
        while number != 0 {
            let (parent, choice) = self.reached[number as usize];
            choices.push(choice);
            number = parent;
        }
        choices.reverse();
        choices
    }
}

/// Explores everything; stops at the first violation, which is then one of the nearest.
pub(crate) fn explore<M: Model>(model: &mut M) -> Report {
    let started = Instant::now();
    let mut seen = Seen::new();
    let mut report = Report::default();
    let initial = model.initial();
    seen.add::<M>(&initial, 0, 0);
    let mut layer = vec![(0, initial)];
    let mut out = Vec::new();
    'layers: while !layer.is_empty() {
        let mut below = Vec::new();
        for (number, state) in &layer {
            out.clear();
            model.successors(state, &mut out);
            report.transitions += out.len() as u64;
            if out.is_empty() {
                match model.ending(state) {
                    Ending::Complete => report.complete += 1,
                    Ending::Abandoned => report.abandoned += 1,
                }
            }
            for (choice, next) in out.drain(..).enumerate() {
                let choice = choice as u32;
                report.mark(next.marks);
                let new = seen.add::<M>(&next.state, *number, choice);
                // A state that was seen before was checked before.
                let unchecked = new.and_then(|_| model.violation(&next.state));
                if let Some(what) = next.wrong.or(unchecked) {
                    let mut choices = seen.choices(*number);
                    choices.push(choice);
                    report.violation = Some(retrace(model, what, &choices));
                    break 'layers;
                }
                if let Some(new) = new {
                    below.push((new, next.state));
                }
            }
        }
        report.depth += usize::from(!below.is_empty());
        layer = below;
    }
    report.states = seen.reached.len();
    report.seconds = started.elapsed().as_secs_f64();
    report
}

/// Walks at random; `Err` holds the first violation.
pub(crate) fn walk<M: Model>(
    model: &mut M,
    mut random: impl FnMut(usize) -> usize,
    steps_max: usize,
) -> Result<(usize, Marks), Violation> {
    let mut state = model.initial();
    let mut choices = Vec::new();
    let mut marks = Marks::NONE;
    let mut out = Vec::new();
    for taken in 0..steps_max {
        out.clear();
        model.successors(&state, &mut out);
        if out.is_empty() {
            return Ok((taken, marks));
        }
        let choice = random(out.len());
        let next = out.swap_remove(choice);
        choices.push(choice as u32);
        if let Some(what) = next.wrong.or_else(|| model.violation(&next.state)) {
            return Err(retrace(model, what, &choices));
        }
        marks = marks | next.marks;
        state = next.state;
    }
    Ok((steps_max, marks))
}

fn retrace<M: Model>(model: &mut M, what: String, choices: &[u32]) -> Violation {
    let mut state = model.initial();
    let mut trace = String::new();
    let mut out = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        out.clear();
        model.successors(&state, &mut out);
        let next = out.swap_remove(*choice as usize);
        let _ = writeln!(trace, "  {:>3}. {}", index + 1, model.describe(&next.step));
        state = next.state;
    }
    let _ = write!(trace, "{}", model.show(&state));
    Violation {
        what,
        steps: choices.len(),
        trace,
    }
}
