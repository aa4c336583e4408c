//! Steps and states of a job with its own log, for people.

use super::super::network::Message;
use super::super::rows::letter;
use super::super::world::label;
use super::{JOB, Ours, State, Step};

impl Ours {
    pub(super) fn describe_step(&self, step: &Step) -> String {
        let create = |message: &Message| {
            let log = if message.log == JOB { "job" } else { "output" };
            let body = label(self.world.slot(message.body));
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

    pub(super) fn show_state(&self, state: &State) -> String {
        format!(
            "  job:    {}\n  output: {}\n  acknowledged {}, deleted {:b}",
            self.world.show(state.logs[0]),
            self.world.show(state.logs[1]),
            state.acknowledged,
            state.deleted
        )
    }
}
