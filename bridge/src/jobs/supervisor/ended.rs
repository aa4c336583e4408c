//! What is left of jobs that have ended, and what became of any job: forgetting the one, telling the other.
//!
//! Invariant: a job is forgotten only when everything that it promised is committed.

use super::{Supervisor, missing};
use crate::jobs::end::Counts;
use crate::jobs::record::{JobId, JobRecord};
use crate::jobs::records::{Event, Happened};
use crate::jobs::snapshot::{Snapshot, State};
use flinkspark_model::port::Reference;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;
use tokio::sync::watch;

impl Supervisor {
    /// Forgets a job that has ended; its datasets stay. Idempotent: returns whether there was one to forget.
    ///
    /// Errors: `Conflict` (`FS0925`) where it has not ended; `FS0926` where what it promised cannot be committed.
    pub async fn delete(self: &Arc<Self>, id: &JobId) -> Result<bool> {
        let Some(record) = self.records.get(id).await? else {
            return match self.records.is_deleted(id).await? {
                true => Ok(false),
                false => Err(missing(id)),
            };
        };
        let life = self.records.life(id).await?;
        match &life.end {
            None => return Err(at_work(id)),
            Some(end) if end.outcome.can_go_on() => self.settle(record, life.number).await?,
            Some(_) => {}
        }
        let deleted = self.records.delete(id).await?;
        let last = self.lock().by_id.remove(id);
        if let Some(last) = last {
            // Its end is written: nothing is left to do for it.
            let _ = last.task.await;
        }
        tracing::info!(job = %id, "deleted");
        Ok(deleted)
    }

    /// Commits what a failed or parked job promised: it lives once more, only to end.
    async fn settle(self: &Arc<Self>, record: JobRecord, ended: u64) -> Result<()> {
        let (id, output) = (record.id.clone(), record.output);
        self.records.request_stop(&id, false).await?;
        self.live_again(record, ended).await?;
        let stopped = self.stop(&id, false).await?;
        if matches!(stopped.state, State::Stopped | State::Finished) {
            return Ok(());
        }
        let there = self.engines.catalog.lookup(&Reference::Id(output)).await;
        match (stopped.state, there) {
            // Where its output is gone there is nothing to commit to.
            (State::Failed, Err(gone)) if gone.kind() == Kind::NotFound => Ok(()),
            _ => Err(unsettled(&id, stopped.error.as_ref())),
        }
    }

    /// What became of a job after the event with this number, each with its own; and whether the job has ended.
    pub async fn events(
        &self,
        id: &JobId,
        after: Option<u64>,
    ) -> Result<(Vec<(u64, Event)>, bool)> {
        let record = self.records.get(id).await?.ok_or_else(|| missing(id))?;
        // In this order no end is missed.
        let ended = self.records.life(id).await?.end.is_some();
        let settled = ended && !self.is_at_work(id);
        Ok((self.records.events(&record, after).await?, settled))
    }

    fn is_at_work(&self, id: &JobId) -> bool {
        let jobs = self.lock();
        jobs.by_id
            .get(id)
            .is_some_and(|job| !job.task.is_finished())
    }

    /// Notes what became of a job. One that cannot be noted is not worth a job.
    pub(super) async fn note(&self, id: &JobId, event: Event) {
        if let Err(error) = self.records.note(id, &event).await {
            tracing::warn!(job = %id, event = event.what.name(), %error, "it could not be noted");
        }
    }

    /// Something that happened now to a job that is this far.
    pub(super) fn event(&self, what: Happened, sender: &watch::Sender<Snapshot>) -> Event {
        let progress = sender.borrow().progress;
        Event::new(what, self.clock.now_ms()).at(progress.generation, progress.counts)
    }

    /// Notes the first checkpoint of an incarnation, then one in a while.
    pub(super) async fn note_checkpoints(
        &self,
        id: &JobId,
        sender: &watch::Sender<Snapshot>,
    ) -> std::convert::Infallible {
        let mut watched = sender.subscribe();
        let mut noted = Counts::default().checkpoint;
        loop {
            let further = watched
                .wait_for(|now| now.progress.advanced && now.progress.counts.checkpoint > noted);
            let further = further.await.map(|now| now.progress.counts.checkpoint);
            match further {
                Ok(checkpoint) => noted = checkpoint,
                // Nobody tells anything any more.
                Err(_) => std::future::pending().await,
            }
            self.note(id, self.event(Happened::Checkpoint, sender))
                .await;
            tokio::time::sleep(super::CHECKPOINT_NOTED_EVERY).await;
        }
    }
}

fn at_work(id: &JobId) -> Error {
    let what = format!("job \"{id}\" has not ended");
    Error::new(Kind::Conflict, "FS0925", what)
        .with_detail("only what has ended can be deleted")
        .with_hint(format!("end it with `flinkspark job stop {id}` first"))
}

fn unsettled(id: &JobId, error: Option<&Error>) -> Error {
    let what = format!("job \"{id}\" promised rows that cannot be committed");
    let why = error.map_or_else(
        || "the server lets go of it".into(),
        |error| format!("{}: {}", error.code(), error.message()),
    );
    Error::new(Kind::Conflict, "FS0926", what)
        .with_detail(why)
        .with_hint("mend what it ran into, then delete it again")
}
