//! Steps and states of the gathered engine's model, for people.

use super::super::network::Message;
use super::super::rows::letter;
use super::super::world::label;
use super::engine::token;
use super::{Call, Gathered, Outcome, SUBTASKS, State, Step};
use flinkspark_model::log::Intent;
use std::fmt::Write;

impl Gathered {
    fn create(&self, message: &Message) -> String {
        let slot = self.world.slot(message.body);
        format!("slot {}: {}", message.slot, label(slot))
    }

    fn name_of(&self, call: &Call) -> String {
        match call {
            Call::Open(opening) => {
                let opening = self.openings.value(u32::from(*opening));
                format!("{} opens after g{}", opening.incarnation, opening.after)
            }
            Call::Commit(proposer) => match self.world.intent(*proposer) {
                Intent::Commit(commit) => format!("commit {} in g{}", commit.n, commit.generation),
                _ => "a call".into(),
            },
        }
    }

    pub(super) fn describe_step(&self, step: &Step) -> String {
        let name = |who: &u8| letter(usize::from(*who));
        match step {
            Step::Start(who, from) => match self.checkpoint(*from) {
                Some(from) => format!(
                    "{} starts from checkpoint {} of {}",
                    name(who),
                    from.n,
                    name(&from.by)
                ),
                None => format!("{} starts from nothing", name(who)),
            },
            Step::Checkpoint(who, outcome) => {
                let how = match outcome {
                    Outcome::Notified => "is complete".into(),
                    Outcome::Unheard => "is complete, its committer does not hear so".into(),
                    Outcome::Aborted(handed) if usize::from(*handed) == SUBTASKS => {
                        "is aborted after the gatherer emitted".into()
                    }
                    Outcome::Aborted(handed) => {
                        format!("is aborted when {handed} subtasks had handed over")
                    }
                };
                format!("{} puts a round; its checkpoint {how}", name(who))
            }
            Step::Ask(who) => format!("the bridge reads the log for {} and goes on", name(who)),
            Step::Resend(who) => format!("the bridge is in doubt for {}, sends again", name(who)),
            Step::BridgeRestarts(who) => {
                format!("the bridge restarts, {} asks the same again", name(who))
            }
            Step::Doubled(who) => format!("{}'s call is doubled", name(who)),
            Step::Crash(who) => format!("{} crashes", name(who)),
            Step::Answered(message) => {
                format!("a create arrives and is answered: {}", self.create(message))
            }
            Step::AnsweredTwice(message) => format!(
                "a create arrives twice, the second is answered: {}",
                self.create(message)
            ),
            Step::GivenUp(message) => format!("a create is given up: {}", self.create(message)),
            Step::Landed(message) => format!("a late create arrives: {}", self.create(message)),
            Step::Lost(message) => format!("a create is lost: {}", self.create(message)),
            Step::Arrived(call) => format!("a late call arrives: {}", self.name_of(call)),
            Step::NeverArrives(call) => format!("a late call is lost: {}", self.name_of(call)),
            Step::Other => "the other writer commits its slot".into(),
        }
    }

    pub(super) fn show_state(&self, state: &State) -> String {
        let mut text = format!("  output: {}\n  checkpoints:", self.world.show(state.log));
        for kept in state.kept.iter().filter_map(|kept| self.checkpoint(*kept)) {
            let pending = self.pending(kept.pending).iter();
            let pending: Vec<_> = pending.map(|of| token(of.n, of.by).to_string()).collect();
            let (n, by) = (kept.n, letter(usize::from(kept.by)));
            let _ = write!(text, " {n} by {by} [{}]", pending.join(" "));
        }
        text
    }
}
