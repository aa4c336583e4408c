//! One life of a job: its incarnations, one after the other, until it has an end or the server lets it go.
//!
//! Invariant: what may pass is tried again, and a job that servers die of is parked instead.

use super::{Supervisor, asked};
use crate::jobs::end::{End, Outcome};
use crate::jobs::pace::{self, Next};
use crate::jobs::record::JobRecord;
use crate::jobs::records::Happened;
use crate::jobs::run::{Ended, Incarnation, Progress, Signal};
use crate::jobs::snapshot::{Retry, Snapshot, State, snapshot};
use flinkspark_model::{Error, Result};
use std::convert::Infallible;
use tokio::sync::{Notify, watch};

impl Supervisor {
    /// One life of a job: runs it until it has ended, trying again where what stopped it may pass.
    pub(super) async fn live(
        &self,
        record: &JobRecord,
        told: &watch::Sender<Signal>,
        sender: &watch::Sender<Snapshot>,
    ) {
        match self.outlived_servers(record, told).await {
            Ok(None) => {}
            Ok(Some(error)) => {
                return self
                    .end(record, Outcome::Parked((&error).into()), sender)
                    .await;
            }
            Err(error) => {
                tracing::warn!(job = %record.id, %error, "its earlier starts could not be counted");
            }
        }
        let mut tries = 0;
        loop {
            let advanced = Notify::new();
            // What an earlier incarnation came to is no advance of this one, which may end before it says anything.
            sender.send_modify(|snapshot| snapshot.progress.advanced = false);
            let ended = self.incarnation(record, told, sender, &advanced).await;
            if sender.borrow().progress.advanced {
                tries = 0;
            }
            tries += u32::from(ended.is_err());
            let closed = self.lock().closed;
            match pace::after(ended, closed, tries, record.options.retries_max) {
                Next::End(outcome) => return self.end(record, outcome, sender).await,
                Next::Suspend => {
                    let event = self.event(Happened::Suspended, sender);
                    self.note(&record.id, event).await;
                    sender.send_modify(|snapshot| snapshot.state = State::Suspended);
                    return;
                }
                Next::Again(error) => self.wait(record, error, tries, told, sender).await,
            }
        }
    }

    /// Whether servers died with this job at work; it is asked before the first start in this one.
    async fn outlived_servers(
        &self,
        record: &JobRecord,
        told: &watch::Sender<Signal>,
    ) -> Result<Option<Error>> {
        let starts = self.records.starts(&record.id).await?;
        self.hear(record, told).await?;
        // A job that is asked to stop is not run.
        let parks = *told.borrow() != Signal::Stop;
        Ok(pace::parked(starts.len()).filter(|_| parks))
    }

    /// Hears what was asked before this server, or before this life.
    async fn hear(&self, record: &JobRecord, told: &watch::Sender<Signal>) -> Result<()> {
        if let Some(drain) = self.records.stop_requested(&record.id).await? {
            told.send_if_modified(|signal| {
                let modify = *signal == Signal::Run;
                if modify {
                    *signal = asked(drain);
                }
                modify
            });
        }
        Ok(())
    }

    async fn incarnation(
        &self,
        record: &JobRecord,
        told: &watch::Sender<Signal>,
        sender: &watch::Sender<Snapshot>,
        advanced: &Notify,
    ) -> Result<Ended> {
        // From here on who asks finds the job; this is for who asked before, perhaps another server.
        self.hear(record, told).await?;
        self.records
            .started(&record.id, self.clock.now_ms())
            .await?;
        let event = self.event(Happened::Started, sender);
        self.note(&record.id, event).await;
        let report = |progress: Progress| {
            if progress.advanced {
                advanced.notify_one();
            }
            sender.send_modify(|snapshot| {
                snapshot.progress = progress;
                if progress.advanced {
                    snapshot.retry = None;
                }
            });
        };
        let incarnation = Incarnation {
            engines: &self.engines,
            planner: &self.planner,
            record,
            signals: told.subscribe(),
        };
        let ended = tokio::select! {
            ended = incarnation.run(&report) => ended,
            never = self.outlive(record, advanced) => match never {},
            never = self.note_checkpoints(&record.id, sender) => match never {},
        };
        self.forget_starts(record).await;
        ended
    }

    /// Forgets the starts once the job has come further, or has lived for long enough.
    async fn outlive(&self, record: &JobRecord, advanced: &Notify) -> Infallible {
        tokio::select! {
            () = advanced.notified() => {}
            () = tokio::time::sleep(pace::LIFE_MIN) => {}
        }
        self.forget_starts(record).await;
        std::future::pending().await
    }

    async fn forget_starts(&self, record: &JobRecord) {
        if let Err(error) = self.records.came_further(&record.id).await {
            // The worst that follows is that the job is parked too early.
            tracing::warn!(job = %record.id, %error, "the marks of its starts could not be removed");
        }
    }

    /// Waits before the next try, or until the job is told something.
    async fn wait(
        &self,
        record: &JobRecord,
        error: Error,
        tries: u32,
        told: &watch::Sender<Signal>,
        sender: &watch::Sender<Snapshot>,
    ) {
        let mut lot = [0; 4];
        self.engines.entropy.fill(&mut lot);
        let pause = pace::pause(tries, u32::from_le_bytes(lot));
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(job = %record.id, %error, tries, pause_ms, "tries again");
        let mut signals = told.subscribe();
        let before = *signals.borrow_and_update();
        let retry = |next_at_ms| {
            Some(Retry {
                error: error.clone(),
                tries,
                next_at_ms,
            })
        };
        let next_at_ms = self.clock.now_ms().saturating_add(pause_ms);
        let event = self.event(Happened::Trouble, sender).because(Some(&error));
        self.note(&record.id, event.again(tries, next_at_ms)).await;
        sender.send_modify(|snapshot| snapshot.retry = retry(Some(next_at_ms)));
        let mut closing = self.closing.subscribe();
        // A sender that is gone has nothing more to say.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = signals.wait_for(|signal| *signal != before) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        sender.send_modify(|snapshot| snapshot.retry = retry(None));
    }

    async fn end(&self, record: &JobRecord, outcome: Outcome, sender: &watch::Sender<Snapshot>) {
        let counts = sender.borrow().progress.counts;
        let end = End::new(outcome, counts, self.clock.now_ms());
        let written = async {
            let life = self.records.life(&record.id).await?;
            self.records.finish(&record.id, life.number, &end).await
        };
        let end = written.await.unwrap_or_else(|error| {
            // The job's work is committed or not whatever this file says; the next start tries again.
            tracing::error!(job = %record.id, %error, "the end of a job could not be written");
            end.clone()
        });
        let happened = match &end.outcome {
            Outcome::Finished => Happened::Finished,
            Outcome::Stopped => Happened::Stopped,
            Outcome::Failed(_) => Happened::Failed,
            Outcome::Parked(_) => Happened::Parked,
        };
        let event = self.event(happened, sender);
        let event = event.because(end.outcome.error().as_ref());
        self.note(&record.id, event).await;
        sender.send_modify(|now| {
            let progress = now.progress;
            *now = snapshot(record.clone(), Some(end.clone()));
            now.progress = Progress {
                counts: now.progress.counts,
                ..progress
            };
        });
        tracing::info!(job = %record.id, state = sender.borrow().state.name(), "ended");
    }
}
