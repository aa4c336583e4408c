//! Steps and states of the foreign engine's model, for people.

use super::super::network::Message;
use super::super::rows::letter;
use super::super::world::label;
use super::{FIRST_N, Foreign, State, Step};
use std::fmt::Write;

impl Foreign {
    fn create(&self, message: &Message) -> String {
        format!(
            "slot {}: {}",
            message.slot,
            label(self.world.slot(message.body))
        )
    }

    pub(super) fn describe_step(&self, step: &Step) -> String {
        let name = |who: &u8| letter(usize::from(*who));
        match step {
            Step::Start(who, Some(n)) => {
                format!(
                    "{} starts from checkpoint {n} and takes the output over",
                    name(who)
                )
            }
            Step::Start(who, None) => format!("{} starts from nothing", name(who)),
            Step::Ask(who) => format!("{} reads the log and goes on", name(who)),
            Step::Resend(who) => format!("{} is in doubt and sends again", name(who)),
            Step::Cut(who, records) => {
                format!("{} reads {records} records and puts them", name(who))
            }
            Step::Complete(who) => format!("{}'s put ends, its checkpoint is complete", name(who)),
            Step::Crash(who) => format!("{} crashes", name(who)),
            Step::BridgeRestarts(who) => format!("the bridge that serves {} restarts", name(who)),
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
            Step::Other => "the other writer commits its slot".into(),
        }
    }

    pub(super) fn show_state(&self, state: &State) -> String {
        let mut text = format!("  output: {}\n  checkpoints:", self.world.show(state.log));
        for checkpoint in state.checkpoints.iter().flatten() {
            let by = letter(usize::from(checkpoint.by));
            let n = FIRST_N + u64::from(checkpoint.n);
            let _ = write!(
                text,
                " {n} by {by} [{}, {})",
                checkpoint.from, checkpoint.to
            );
        }
        let _ = write!(text, "\n  deleted {:b}", state.deleted);
        text
    }
}
