//! What the output says, what of it is gone, and whether a successor can go on.
//!
//! Invariant: a log's content is judged once, whatever state it occurs in.

use super::super::rows;
use super::super::world::{LogNo, World};
use super::engine::{Committable, commit, has_record, receipt, segments};
use super::{Gathered, INCARNATIONS_MAX, NONE, ROUNDS_MAX, SUBTASKS, State};
use flinkspark_model::log::{
    Decision, Intent, Opened, Owner, Slot, Staged, Verdict, View, spent, verdict,
};

/// What the output says, once per content.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) generation: u64,
    /// The incarnation that has the writer.
    pub(super) owner: Option<u8>,
    /// Whole rounds that are committed.
    pub(super) rounds: Option<u8>,
    /// Segments that were data and may go.
    pub(super) spent: usize,
    pub(super) has_other: bool,
    pub(super) wrong: Option<String>,
}

pub(super) fn said(world: &World, log: LogNo, rounds: u8) -> Said {
    let mut said = Said::default();
    for (_, body) in &world.content(log).cells {
        match world.slot(*body) {
            Slot::Fence {
                writer,
                generation,
                incarnation,
                ..
            } if *writer == rows::writer() => said.fence(*generation, incarnation),
            Slot::Epoch(commit) if commit.writer != rows::writer() => said.has_other = true,
            _ => {}
        }
    }
    let view = world.view(log);
    said.spent = spent(view, &[], |_| true).len();
    match whole_rounds(view, rounds) {
        Ok(rounds) => said.rounds = Some(rounds),
        Err(wrong) => {
            said.wrong.get_or_insert(wrong);
        }
    }
    said
}

impl Said {
    /// Incarnations read who owns the writer when they start: they have it in the order of their starts.
    fn fence(&mut self, generation: u64, incarnation: &str) {
        let who = incarnation.as_bytes()[0] - b'A';
        let wrong = if generation <= self.generation {
            Some(format!("generation {generation} is not above the last"))
        } else if self.owner.is_some_and(|owner| who < owner) {
            Some(format!(
                "a zombie wins: {incarnation} opens the writer after a successor"
            ))
        } else {
            None
        };
        self.wrong = self.wrong.take().or(wrong);
        self.generation = generation;
        self.owner = Some(who);
    }
}

/// How many rounds are data, each whole and once.
fn whole_rounds(view: &View, rounds: u8) -> Result<u8, String> {
    let mut times = [[0_u8; SUBTASKS]; ROUNDS_MAX as usize];
    for segment in view.live().flat_map(|epoch| &epoch.segments) {
        if let [_, round, b'p', subtask] = segment.name.as_str().as_bytes() {
            times[usize::from(round - b'0')][usize::from(subtask - b'0')] += 1;
        }
    }
    if let Some(round) = times
        .iter()
        .position(|of| of.iter().any(|times| *times > 1))
    {
        return Err(format!("a doubled row: round {round} is committed twice"));
    }
    let whole = |round: &u8| {
        let of = times[usize::from(*round)];
        (0..SUBTASKS).all(|subtask| of[subtask] == 1 || !has_record(*round, subtask, rounds))
    };
    let behind = (0..rounds).take_while(whole).count();
    if times[behind..].iter().flatten().any(|times| *times > 0) {
        return Err(format!(
            "a lost row: round {behind} is not whole and rows of it, or later ones, are data"
        ));
    }
    Ok(behind as u8)
}

impl Gathered {
    /// A segment that the collector took and a retained checkpoint still lists.
    pub(super) fn deleted(&mut self, state: &State) -> Option<String> {
        let kept = state.kept.into_iter().take_while(|kept| *kept != NONE);
        for kept in kept {
            let known = self.gone.get(&(state.log, kept)).cloned();
            let gone = known.unwrap_or_else(|| {
                let gone = self.garbage_of(state.log, kept);
                self.gone.insert((state.log, kept), gone.clone());
                gone
            });
            if gone.is_some() {
                return gone;
            }
        }
        None
    }

    fn garbage_of(&self, log: LogNo, kept: u16) -> Option<String> {
        let view = self.world.view(log);
        let pending = self.checkpoint(kept).map_or(0, |kept| kept.pending);
        let listed = self.pending(pending).iter();
        let listed = listed.flat_map(|of| segments(of.by, of.receipts));
        let mut staged = listed.map(|segment| Staged {
            name: segment.name,
            receipted: true,
            owner: Owner::Elsewhere,
        });
        let gone = staged.find(|staged| verdict(staged, view, None) == Verdict::Garbage)?;
        let name = gone.name;
        Some(format!(
            "a deleted segment: {name}, a kept checkpoint lists it"
        ))
    }

    /// Why nobody can go on: every kept checkpoint, or the latest, is refused.
    pub(super) fn stuck(&mut self, state: &State) -> Option<String> {
        let mut first = None;
        for checkpoint in self.may_restore(state) {
            let known = self.stuck.get(&(state.log, checkpoint)).cloned();
            let why = known.unwrap_or_else(|| {
                let why = self.continued(state.log, checkpoint).err();
                self.stuck.insert((state.log, checkpoint), why.clone());
                why
            });
            first = Some(first.unwrap_or(why?));
        }
        first.map(|why| format!("nobody can go on: {why}"))
    }

    /// A successor restores the checkpoint, is alone, and carries on to the end.
    fn continued(&self, log: LogNo, checkpoint: u16) -> Result<(), String> {
        let mut view = self.world.view(log).clone();
        let who = INCARNATIONS_MAX;
        let highest = view
            .writer(&rows::writer())
            .map_or(0, |known| known.generation);
        let opening = self.opening(who, highest, checkpoint);
        match view.open(&opening).map_err(|refusal| refusal.to_string())? {
            Opened::Fence(intent) => put(&mut view, &intent)?,
            Opened::Already(_) => return Err("nobody opened it in that name".into()),
        }
        let restored = self.checkpoint(checkpoint);
        let pending = restored.map_or(0, |from| from.pending);
        let mut rest = Committable {
            n: restored.map_or(1, |from| from.n + 1),
            by: who as u8,
            receipts: 0,
        };
        for round in restored.map_or(0, |from| from.round)..self.size.rounds {
            for subtask in 0..SUBTASKS {
                if has_record(round, subtask, self.size.rounds) {
                    rest.receipts |= receipt(round, subtask);
                }
            }
        }
        for committable in self.pending(pending).iter().chain([&rest]) {
            put(
                &mut view,
                &Intent::Commit(commit(*committable, highest + 1)),
            )?;
        }
        match whole_rounds(&view, self.size.rounds)? {
            all if all == self.size.rounds => Ok(()),
            some => Err(format!("only {some} rounds are committed at the end")),
        }
    }
}

fn put(view: &mut View, intent: &Intent) -> Result<(), String> {
    match view.decide(intent) {
        Decision::Create(attempt) => view
            .apply(attempt.slot, &attempt.body)
            .map_err(|error| error.to_string()),
        Decision::Done(_) => Ok(()),
        Decision::Refuse(refusal) => Err(refusal.to_string()),
    }
}
