//! What became of a job: one small object for each thing that happened, the latest few hundred of them.
//!
//! Nothing depends on them: a job goes on whether or not they can be written. A checkpoint costs nothing here, for most
//! of them are not noted. Invariant: numbers grow, and no two events of a job have one.

use super::encoding::{decode, encode};
use super::{Records, key};
use crate::jobs::end::{Counts, Failure};
use crate::jobs::record::{JobId, JobRecord, RECORD_FORMAT};
use flinkspark_connector::store::Created;
use flinkspark_model::{Error, Result};
use serde::{Deserialize, Serialize};

/// The folder of a job's events.
const EVENTS: &str = "events";

/// The most events that are kept of a job: the earlier ones go.
pub(super) const EVENTS_MAX: u64 = 256;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The job was accepted.
    Submitted,
    /// An incarnation begins.
    Started,
    /// A checkpoint is complete; not each of them is noted.
    Checkpoint,
    /// It ran into what may pass, and is tried again.
    Trouble,
    /// The server let go of it in order.
    Suspended,
    /// It was asked to stop.
    StopAsked,
    /// It was asked to fire what is open, and to stop.
    DrainAsked,
    /// It was started again after an end.
    Resumed,
    /// It ended: everything was read, and everything is committed.
    Finished,
    /// It ended by request.
    Stopped,
    /// It ended with an error.
    Failed,
    /// It is not started by itself any more.
    Parked,
}

impl Happened {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Started => "started",
            Self::Checkpoint => "checkpoint",
            Self::Trouble => "trouble",
            Self::Suspended => "suspended",
            Self::StopAsked => "stop_asked",
            Self::DrainAsked => "drain_asked",
            Self::Resumed => "resumed",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Parked => "parked",
        }
    }
}

/// Something that became of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    format: u32,
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What.
    pub what: Happened,
    /// The incarnation; 0 where none is at work.
    #[serde(default)]
    pub generation: u64,
    /// How far the job had come.
    #[serde(default)]
    pub counts: Counts,
    /// What it ran into.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// How often it had failed since it last came further.
    #[serde(default)]
    pub tries: u32,
    /// When it is tried again, in milliseconds since the epoch.
    #[serde(default)]
    pub next_at_ms: Option<u64>,
}

impl Event {
    /// This happened now.
    pub fn new(what: Happened, at_ms: u64) -> Self {
        Self {
            format: RECORD_FORMAT,
            at_ms,
            what,
            generation: 0,
            counts: Counts::default(),
            failure: None,
            tries: 0,
            next_at_ms: None,
        }
    }

    /// The same, of a job that had come so far.
    pub fn at(self, generation: u64, counts: Counts) -> Self {
        Self {
            generation,
            counts,
            ..self
        }
    }

    /// The same, of a job that is tried again at this time.
    pub fn again(self, tries: u32, next_at_ms: u64) -> Self {
        Self {
            tries,
            next_at_ms: Some(next_at_ms),
            ..self
        }
    }

    /// The same, because of this.
    pub fn because(self, error: Option<&Error>) -> Self {
        Self {
            failure: error.map(Failure::from),
            ..self
        }
    }
}

impl Records {
    /// Notes what became of a job, and lets go of what is too old.
    pub async fn note(&self, id: &JobId, event: &Event) -> Result<()> {
        let folder = key(id.log(), EVENTS)?;
        let numbers = self.event_numbers(id).await?;
        let bytes = encode(event)?;
        let mut number = numbers.last().map_or(1, |last| last + 1);
        // Whoever asks a job to stop notes it beside the job itself.
        while let Created::Exists(_) = self
            .store
            .create(&folder.join(number)?, bytes.clone().into())
            .await?
        {
            number += 1;
        }
        for old in numbers {
            if old + EVENTS_MAX <= number {
                self.store.delete(&folder.join(old)?).await?;
            }
        }
        Ok(())
    }

    /// What became of a job after the event with this number, the oldest first. Its record tells of the first, which has
    /// the number 0.
    pub async fn events(
        &self,
        record: &JobRecord,
        after: Option<u64>,
    ) -> Result<Vec<(u64, Event)>> {
        let folder = key(record.id.log(), EVENTS)?;
        let submitted = Event::new(Happened::Submitted, record.submitted_at_ms);
        let mut events: Vec<(u64, Event)> = match after {
            None => vec![(0, submitted)],
            Some(_) => Vec::new(),
        };
        let numbers = self.event_numbers(&record.id).await?;
        for number in numbers.into_iter().filter(|number| Some(*number) > after) {
            // One that is not there any more has made room for another.
            if let Some(bytes) = self.store.read(&folder.join(number)?).await? {
                events.push((number, decode(&bytes)?));
            }
        }
        Ok(events)
    }

    /// In their order.
    async fn event_numbers(&self, id: &JobId) -> Result<Vec<u64>> {
        let listed = self.store.list(&key(id.log(), EVENTS)?).await?;
        let mut numbers: Vec<u64> = listed
            .iter()
            .filter_map(|entry| entry.name.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}
