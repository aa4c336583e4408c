//! Accepts jobs, keeps one incarnation of each running, and hands them over to the next server.
//!
//! Invariant: a job has at most one incarnation in this process, and an end only once its
//! engine said that all output is committed or that it cannot be. What may pass never ends a job
//! that the server is about to let go.

use super::bind::Planner;
use super::record::{Counts, End, JobId, JobRecord, Outcome, Submission};
use super::records::Records;
use super::run::{self, Ended, Engines, Progress, Signal};
use flinkspark_model::port::Clock;
use flinkspark_model::{Error, Kind, Result, fault};
use futures::FutureExt;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often a job is started again without a new checkpoint in between.
const RESTARTS_MAX: u32 = 10;
/// The pause before a restart.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// The most jobs that run at once.
const RUNNING_MAX: usize = 64;

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// An incarnation is at work, or is about to be.
    Running,
    /// Checkpointed; goes on when the server starts again.
    Suspended,
    /// All input was read and all output is committed.
    Finished,
    /// It failed.
    Failed,
    /// Stopped by request.
    Stopped,
}

impl State {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// A job as of now.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What was submitted.
    pub record: Arc<JobRecord>,
    /// How it stands.
    pub state: State,
    /// How far it came.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<Error>,
    /// When it ended, in milliseconds since the epoch.
    pub ended_at_ms: Option<u64>,
}

/// The jobs of one server.
pub struct Supervisor {
    records: Records,
    planner: Planner,
    engines: Engines,
    clock: Arc<dyn Clock>,
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
    pub fn new(
        records: Records,
        planner: Planner,
        engines: Engines,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            records,
            planner,
            engines,
            clock,
            running: Mutex::default(),
        })
    }

    /// The planner, for `explain` and `verify`.
    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// The engines, for `verify`.
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// Starts every job that has no end.
    pub async fn resume(self: &Arc<Self>) -> Result<usize> {
        let mut resumed = 0;
        for record in self.records.all().await? {
            if self.records.end(&record.id).await?.is_none() {
                tracing::info!(job = %record.id, "resumes");
                self.start(record);
                resumed += 1;
            }
        }
        Ok(resumed)
    }

    /// Accepts a job, durably, and starts it; the same submission again attaches to the run.
    ///
    /// Errors: `Conflict` where the id has another submission; whatever refuses the job.
    pub async fn submit(self: &Arc<Self>, submission: Submission) -> Result<Snapshot> {
        submission.check()?;
        let id = submission.id.clone();
        if let Some(record) = self.records.get(&id).await? {
            submission.matches(&record)?;
            return self.get(&id).await;
        }
        if self
            .lock()
            .by_id
            .values()
            .filter(|job| !job.task.is_finished())
            .count()
            >= RUNNING_MAX
        {
            return Err(
                Error::new(Kind::Unavailable, "FS0907", "too many jobs run at once")
                    .with_detail(format!("the limit is {RUNNING_MAX}"))
                    .with_hint("stop one with `flinkspark job stop`, or wait until one has ended"),
            );
        }
        let record = self
            .planner
            .admit(submission.clone(), self.clock.now_ms())
            .await?;
        match self.records.create(&record).await? {
            Ok(()) => {
                fault::reach("job.submit.journalled").map_err(injected)?;
                self.start(record);
            }
            Err(there) => submission.matches(&there)?,
        }
        let snapshot = self.get(&id).await;
        fault::reach("job.submit.replied").map_err(injected)?;
        snapshot
    }

    /// One job.
    pub async fn get(&self, id: &JobId) -> Result<Snapshot> {
        if let Some(running) = self.lock().by_id.get(id) {
            return Ok(running.snapshot.borrow().clone());
        }
        let record = self.records.get(id).await?.ok_or_else(|| missing(id))?;
        let end = self.records.end(id).await?;
        Ok(snapshot(record, end))
    }

    /// Every job, the latest submission first.
    pub async fn list(&self) -> Result<Vec<Snapshot>> {
        let mut jobs = Vec::new();
        for record in self.records.all().await? {
            jobs.push(self.get(&record.id).await?);
        }
        jobs.sort_by(|a, b| {
            (b.record.submitted_at_ms, &b.record.id).cmp(&(a.record.submitted_at_ms, &a.record.id))
        });
        Ok(jobs)
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
    pub async fn stop(&self, id: &JobId, drain: bool) -> Result<Snapshot> {
        let record = self.records.get(id).await?.ok_or_else(|| missing(id))?;
        if self.records.end(id).await?.is_some() {
            return self.get(id).await;
        }
        let asked = asked(self.records.request_stop(&record.id, drain).await?);
        let watched = self.lock().by_id.get(id).map(|running| {
            running.signal.send_replace(asked);
            running.snapshot.clone()
        });
        if let Some(mut snapshot) = watched {
            // The sender goes when the incarnation has ended.
            while snapshot.borrow().state == State::Running && snapshot.changed().await.is_ok() {}
        }
        self.get(id).await
    }

    /// Suspends every job and waits until each has let go.
    pub async fn suspend(&self) {
        let running = {
            let mut jobs = self.lock();
            jobs.closed = true;
            std::mem::take(&mut jobs.by_id)
        };
        for job in running.values() {
            job.signal.send_if_modified(|signal| {
                let modify = *signal == Signal::Run;
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
        let task =
            tokio::spawn(async move { supervisor.incarnations(&record, &told, &sender).await });
        jobs.by_id.insert(
            id,
            Running {
                signal,
                snapshot: receiver,
                task,
            },
        );
    }

    /// Runs a job until it has ended, starting it again where what stopped it may pass.
    async fn incarnations(
        &self,
        record: &JobRecord,
        told: &watch::Sender<Signal>,
        sender: &watch::Sender<Snapshot>,
    ) {
        let mut restarts = 0;
        let mut checkpoint = 0;
        loop {
            let incarnation = self.incarnation(record, told, sender);
            // A defect in one job is that job's failure: nobody waits for it for ever.
            let ended = AssertUnwindSafe(incarnation)
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            let reached = sender.borrow().progress.counts.checkpoint;
            if reached > checkpoint {
                (checkpoint, restarts) = (reached, 0);
            }
            let closed = self.lock().closed;
            match after(ended, closed, restarts) {
                Next::End(outcome) => return self.end(record, outcome, sender).await,
                Next::Suspend => {
                    sender.send_modify(|snapshot| snapshot.state = State::Suspended);
                    return;
                }
                Next::Again(error) => {
                    restarts += 1;
                    tracing::warn!(job = %record.id, %error, restarts, "starts again");
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
            }
        }
    }

    async fn incarnation(
        &self,
        record: &JobRecord,
        told: &watch::Sender<Signal>,
        sender: &watch::Sender<Snapshot>,
    ) -> Result<Ended> {
        // From here on who asks finds the job; this is for who asked before, perhaps another server.
        if let Some(drain) = self.records.stop_requested(&record.id).await? {
            told.send_replace(asked(drain));
        }
        let built = self.planner.build(record).await?;
        let report =
            |progress: Progress| sender.send_modify(|snapshot| snapshot.progress = progress);
        run::run(&self.engines, record, built, told.subscribe(), &report).await
    }

    async fn end(&self, record: &JobRecord, outcome: Outcome, sender: &watch::Sender<Snapshot>) {
        let counts = sender.borrow().progress.counts;
        let end = End::new(outcome, counts, self.clock.now_ms());
        let written = self.records.finish(&record.id, &end).await;
        let end = written.unwrap_or_else(|error| {
            // The job's work is committed or not whatever this file says; the next start tries again.
            tracing::error!(job = %record.id, %error, "the end of a job could not be written");
            end
        });
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Jobs> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot(record: JobRecord, end: Option<End>) -> Snapshot {
    let (state, counts, error, ended_at_ms) = match &end {
        None => (State::Suspended, Counts::default(), None, None),
        Some(end) => {
            let state = match &end.outcome {
                Outcome::Finished => State::Finished,
                Outcome::Stopped => State::Stopped,
                Outcome::Failed { .. } => State::Failed,
            };
            (
                state,
                end.counts,
                end.outcome.error(),
                Some(end.ended_at_ms),
            )
        }
    };
    let progress = Progress {
        counts,
        ..Progress::default()
    };
    Snapshot {
        record: Arc::new(record),
        state,
        progress,
        error,
        ended_at_ms,
    }
}

/// What follows when an incarnation has ended.
enum Next {
    /// The job has ended.
    End(Outcome),
    /// It goes on at the next start.
    Suspend,
    /// It starts again: what stopped it may pass.
    Again(Error),
}

fn asked(drain: bool) -> Signal {
    if drain { Signal::Drain } else { Signal::Stop }
}

fn after(ended: Result<Ended>, closed: bool, restarts: u32) -> Next {
    match ended {
        Ok(Ended::Finished) => Next::End(Outcome::Finished),
        Ok(Ended::Stopped) => Next::End(Outcome::Stopped),
        Ok(Ended::Suspended) => Next::Suspend,
        Err(error) if may_pass(&error) && closed => {
            tracing::warn!(%error, "let go without a last checkpoint");
            Next::Suspend
        }
        // Asked to stop, it comes back to commit what its last checkpoint promised.
        Err(error) if may_pass(&error) && restarts < RESTARTS_MAX => Next::Again(error),
        Err(error) => Next::End(Outcome::failed(&error)),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Error::new(Kind::Internal, "FS0916", "the job's engine panicked")
        .with_detail(text.unwrap_or("the panic has no text").to_owned())
        .with_hint("report it, with the job's text and the server's log")
}

fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::InDoubt)
}

fn missing(id: &JobId) -> Error {
    Error::new(Kind::Invalid, "FS0908", format!("there is no job \"{id}\""))
        .with_hint("`flinkspark job list` shows every job of this bridge")
}

fn injected(cause: fault::Injected) -> Error {
    Error::new(Kind::Unavailable, "FS0909", "a fault was injected").with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_ends_no_job_that_the_server_lets_go() {
        let lost = || Error::new(Kind::Unavailable, "FS1001", "a full disk");
        for restarts in [0, RESTARTS_MAX] {
            assert!(matches!(after(Err(lost()), true, restarts), Next::Suspend));
        }
        assert!(matches!(after(Err(lost()), false, 0), Next::Again(_)));
        let ended = after(Err(lost()), false, RESTARTS_MAX);
        assert!(matches!(ended, Next::End(Outcome::Failed { .. })));
        let broken = Error::new(Kind::Data, "FS1005", "a segment is missing");
        let ended = after(Err(broken), true, 0);
        assert!(matches!(ended, Next::End(Outcome::Failed { .. })));
    }

    #[test]
    fn a_panic_is_told_with_its_text() {
        let panic = std::panic::catch_unwind(|| panic!("row {} is odd", 3)).unwrap_err();
        assert_eq!(panicked(panic.as_ref()).detail(), Some("row 3 is odd"));
    }
}
