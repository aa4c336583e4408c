//! Accepts jobs, keeps one incarnation of each running, and hands them over to the next server.
//!
//! Invariant: a job has at most one incarnation in this process, and an end only once its
//! engine said that all output is committed or that it cannot be. What may pass never ends a job
//! that the server is about to let go.

mod ended;
mod life;

use super::bind::Planner;
use super::build::Explained;
use super::end::Outcome;
use super::engines::Engines;
use super::record::{JobId, JobRecord, Options, Submission, Target};
use super::records::{DamagedJob, Event, Happened, Records, taken};
use super::run::Signal;
use super::snapshot::{Retry, Snapshot, State, snapshot, tries};
use crate::damage::{Damage, Object};
use crate::workers::{Work, Workers, cores};
use flinkspark_model::access::Caller;
use flinkspark_model::port::Clock;
use flinkspark_model::{Error, Kind, Result, fault};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The most jobs that run at once.
const RUNNING_MAX: usize = 64;

/// How often a checkpoint is noted among a job's events, at most.
const CHECKPOINT_NOTED_EVERY: Duration = Duration::from_secs(60);

/// The jobs of one server.
pub struct Supervisor {
    records: Records,
    planner: Planner,
    planning: Workers,
    engines: Engines,
    clock: Arc<dyn Clock>,
    damage: Damage,
    closing: watch::Sender<bool>,
    running: Mutex<Jobs>,
}

#[derive(Default)]
struct Jobs {
    /// The server stops: what is submitted now is kept, and runs at the next start.
    closed: bool,
    by_id: BTreeMap<JobId, Running>,
}

struct Running {
    signal: watch::Sender<Signal>,
    snapshot: watch::Receiver<Snapshot>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// A supervisor with nothing running.
    ///
    /// Errors: `Unavailable` where there are no threads to plan on.
    pub fn new(
        records: Records,
        planner: Planner,
        engines: Engines,
        clock: Arc<dyn Clock>,
        damage: Damage,
    ) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            records,
            planner,
            planning: Workers::start(cores())?,
            engines,
            clock,
            damage,
            closing: watch::Sender::new(false),
            running: Mutex::default(),
        }))
    }

    /// What plans, for `verify`.
    pub(super) fn planner(&self) -> &Planner {
        &self.planner
    }

    /// The engines, for `verify`.
    pub(super) fn engines(&self) -> &Engines {
        &self.engines
    }

    /// Every job that has no end, to be started once the server answers.
    pub async fn unended(&self) -> Result<Vec<JobRecord>> {
        let mut unended = Vec::new();
        let found = self.records.all().await?;
        // One that is damaged is noted, and not started.
        for job in found.damaged {
            self.damage.note(Object::Job(job.id), &job.error);
        }
        for record in found.records {
            let life = self.records.life(&record.id).await;
            match self
                .damage
                .seen(|| Object::Job(record.id.to_string()), life)
            {
                Ok(life) if life.end.is_none() => unended.push(record),
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Data => {}
                Err(error) => return Err(error),
            }
        }
        Ok(unended)
    }

    /// Starts jobs that an earlier server left.
    pub fn go_on(self: &Arc<Self>, unended: Vec<JobRecord>) {
        for record in unended {
            tracing::info!(job = %record.id, "goes on");
            self.start(record);
        }
    }

    /// Accepts a job, durably, and starts it; the same submission again attaches to the run.
    ///
    /// Errors: `Conflict` where the id has another submission; whatever refuses the job.
    pub async fn submit(
        self: &Arc<Self>,
        submission: Submission,
        caller: &Caller,
    ) -> Result<Snapshot> {
        submission.check()?;
        let id = submission.id.clone();
        if let Some(record) = self.records.get(&id).await? {
            record.lets(caller)?;
            submission.matches(&record)?;
            return self.get(&id).await;
        }
        if self.records.is_deleted(&id).await? {
            return Err(taken(&id));
        }
        self.check_room()?;
        let record = self.admit(submission.clone(), caller).await?;
        match self.records.create(&record).await? {
            Ok(()) => {
                fault::reach("job.submit.journalled").map_err(injected)?;
                self.start(record);
            }
            Err(there) => {
                there.lets(caller)?;
                submission.matches(&there)?;
            }
        }
        let snapshot = self.get(&id).await;
        fault::reach("job.submit.replied").map_err(injected)?;
        snapshot
    }

    async fn admit(&self, submission: Submission, caller: &Caller) -> Result<JobRecord> {
        let (planner, now_ms) = (self.planner.on_behalf(caller), self.clock.now_ms());
        let admitted = async move { planner.admit(submission, now_ms).await };
        self.while_open(self.planning.spawn(admitted)).await
    }

    /// The plan on one target, in words.
    pub async fn explain(
        &self,
        text: &str,
        on: Target,
        options: &Options,
        caller: &Caller,
    ) -> Result<Explained> {
        let (text, options) = (text.to_owned(), options.clone());
        let planner = self.planner.on_behalf(caller);
        let explained = async move { planner.explain(&text, on, &options).await };
        self.while_open(self.planning.spawn(explained)).await
    }

    /// What was computed, unless the server stops first: then nobody waits for it.
    pub(super) async fn while_open<T>(&self, work: Work<T>) -> Result<T> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            done = work => done,
            _ = closing.wait_for(|closing| *closing) => Err(Error::new(
                Kind::Unavailable,
                "FS0921",
                "the server stops",
            )
            .with_detail("what was being computed for this call was given up")
            .with_hint("call again when it is up")),
        }
    }

    fn check_room(&self) -> Result<()> {
        let jobs = self.lock();
        let at_work = jobs.by_id.values().filter(|job| !job.task.is_finished());
        if at_work.count() < RUNNING_MAX {
            return Ok(());
        }
        Err(
            Error::new(Kind::Unavailable, "FS0907", "too many jobs run at once")
                .with_detail(format!("the limit is {RUNNING_MAX}"))
                .with_hint("stop one with `flinkspark job stop`, or wait until one has ended"),
        )
    }

    /// Refuses a job that is not the caller's to see and to end.
    ///
    /// Errors: `Forbidden` (`FS1103`); where there is no such job, that, to those who may see every job.
    pub async fn allow(&self, id: &JobId, caller: &Caller) -> Result<()> {
        match self.records.get(id).await {
            Ok(Some(record)) => record.lets(caller),
            _ if caller.administers().is_ok() => Ok(()),
            Ok(None) => Err(missing(id)),
            Err(error) => Err(error),
        }
    }

    /// One job.
    pub async fn get(&self, id: &JobId) -> Result<Snapshot> {
        if let Some(running) = self.lock().by_id.get(id) {
            return Ok(running.snapshot.borrow().clone());
        }
        let record = self.records.get(id).await?.ok_or_else(|| missing(id))?;
        let life = self.records.life(id).await?;
        Ok(snapshot(record, life.end))
    }

    /// Every job, the latest submission first.
    pub async fn list(&self) -> Result<(Vec<Snapshot>, Vec<DamagedJob>)> {
        let mut jobs = Vec::new();
        let found = self.records.all().await?;
        let mut damaged = found.damaged;
        for record in found.records {
            match self.get(&record.id).await {
                Ok(job) => jobs.push(job),
                Err(error) if error.kind() == Kind::Data => damaged.push(DamagedJob {
                    id: record.id.to_string(),
                    error,
                }),
                Err(error) => return Err(error),
            }
        }
        jobs.sort_by(|a, b| {
            (b.record.submitted_at_ms, &b.record.id).cmp(&(a.record.submitted_at_ms, &a.record.id))
        });
        Ok((jobs, damaged))
    }

    /// Follows a job: the receiver sees each change; it is closed once the job has ended.
    pub async fn watch(&self, id: &JobId) -> Result<watch::Receiver<Snapshot>> {
        if let Some(running) = self.lock().by_id.get(id) {
            return Ok(running.snapshot.clone());
        }
        Ok(watch::channel(self.get(id).await?).1)
    }

    /// Stops a job for good; with `drain`, after what is open has fired. Idempotent: the first
    /// request says how.
    ///
    /// Errors: `Unavailable` (`FS0919`) where what keeps the job from ending may pass; the request stands.
    pub async fn stop(self: &Arc<Self>, id: &JobId, drain: bool) -> Result<Snapshot> {
        let record = self.records.get(id).await?.ok_or_else(|| missing(id))?;
        let life = self.records.life(id).await?;
        let parked = match &life.end {
            None => false,
            Some(end) if matches!(end.outcome, Outcome::Parked(_)) => true,
            Some(_) => return self.get(id).await,
        };
        let asked = asked(self.records.request_stop(id, drain).await?);
        let what = match asked {
            Signal::Drain => Happened::DrainAsked,
            _ => Happened::StopAsked,
        };
        self.note(id, Event::new(what, self.clock.now_ms())).await;
        if parked {
            self.live_again(record, life.number).await?;
        }
        let watched = self.lock().by_id.get(id).map(|running| {
            let tries = tries(&running.snapshot.borrow());
            running.signal.send_replace(asked);
            (running.snapshot.clone(), tries)
        });
        if let Some((mut snapshot, before)) = watched {
            // The sender goes when the job has ended.
            loop {
                let (state, error) = {
                    let now = snapshot.borrow_and_update();
                    // It waits again: it was tried since it was asked to end.
                    let waits =
                        |retry: &&Retry| retry.tries != before && retry.next_at_ms.is_some();
                    let failed = now.retry.as_ref().filter(waits);
                    (now.state, failed.map(|retry| retry.error.clone()))
                };
                if state != State::Running {
                    break;
                }
                if let Some(error) = error {
                    return Err(not_yet(id, &error));
                }
                if snapshot.changed().await.is_err() {
                    break;
                }
            }
        }
        self.get(id).await
    }

    /// Starts a failed or parked job again from its latest checkpoint; one that runs is left alone.
    ///
    /// Errors: `Conflict` (`FS0920`) where it has finished or was stopped.
    pub async fn resume(self: &Arc<Self>, id: &JobId) -> Result<Snapshot> {
        let record = self.records.get(id).await?.ok_or_else(|| missing(id))?;
        let life = self.records.life(id).await?;
        match &life.end {
            None => return self.get(id).await,
            Some(end) if end.outcome.can_go_on() => {}
            Some(_) => {
                let state = self.get(id).await?.state.name();
                return Err(Error::new(
                    Kind::Conflict,
                    "FS0920",
                    format!("job \"{id}\" has ended for good"),
                )
                .with_detail(format!("it is {state}"))
                .with_hint("submit its text under another --id"));
            }
        }
        self.check_room()?;
        self.live_again(record, life.number).await?;
        self.get(id).await
    }

    /// Begins the life after the one that has ended.
    async fn live_again(self: &Arc<Self>, record: JobRecord, ended: u64) -> Result<()> {
        let id = record.id.clone();
        let now_ms = self.clock.now_ms();
        self.records.resume(&id, ended, now_ms).await?;
        self.note(&id, Event::new(Happened::Resumed, now_ms)).await;
        self.records.came_further(&id).await?;
        let last = self.lock().by_id.remove(&id);
        if let Some(last) = last {
            // Its end is written: nothing is left to do for it.
            let _ = last.task.await;
        }
        self.start(record);
        Ok(())
    }

    /// Suspends every job and waits until each has let go.
    pub async fn suspend(&self) {
        self.closing.send_replace(true);
        let running = {
            let mut jobs = self.lock();
            jobs.closed = true;
            std::mem::take(&mut jobs.by_id)
        };
        for job in running.values() {
            job.signal.send_if_modified(|signal| {
                // A drain is durable, and goes on at the next start.
                let modify = matches!(signal, Signal::Run | Signal::Drain);
                if modify {
                    *signal = Signal::Suspend;
                }
                modify
            });
        }
        for (id, job) in running {
            if let Err(cause) = job.task.await {
                tracing::error!(job = %id, %cause, "a job ended without an answer");
            }
        }
    }

    fn start(self: &Arc<Self>, record: JobRecord) {
        let record = Arc::new(record);
        let signal = watch::Sender::new(Signal::Run);
        let first = snapshot(record.as_ref().clone(), None);
        let (sender, receiver) = watch::channel(Snapshot {
            state: State::Running,
            ..first
        });
        let mut jobs = self.lock();
        let there = jobs.by_id.get(&record.id);
        if jobs.closed || there.is_some_and(|job| !job.task.is_finished()) {
            return;
        }
        let supervisor = Arc::clone(self);
        let id = record.id.clone();
        let told = signal.clone();
        let task = tokio::spawn(async move { supervisor.live(&record, &told, &sender).await });
        jobs.by_id.insert(
            id,
            Running {
                signal,
                snapshot: receiver,
                task,
            },
        );
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Jobs> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn asked(drain: bool) -> Signal {
    if drain { Signal::Drain } else { Signal::Stop }
}

fn not_yet(id: &JobId, error: &Error) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0919",
        format!("job \"{id}\" could not be stopped yet"),
    )
    .with_detail(format!("{}: {}", error.code(), error.message()))
    .with_hint(
        "the request stands: it is carried out once the cause is gone, by the next server too",
    )
}

fn missing(id: &JobId) -> Error {
    Error::new(
        Kind::NotFound,
        "FS0908",
        format!("there is no job \"{id}\""),
    )
    .with_hint("`flinkspark job list` shows every job of this bridge")
}

fn injected(cause: fault::Injected) -> Error {
    Error::new(Kind::Unavailable, "FS0909", "a fault was injected").with_source(cause)
}
