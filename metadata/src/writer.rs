//! The one thread that changes the catalogue.
//!
//! Takes requests from a bounded channel, decides all that wait as one group, makes them durable with
//! one sync, applies them to the index and answers. Invariant: nobody is answered before the sync that
//! covers every change which the answer rests on.

use crate::cache::Cache;
use crate::disk::Disk;
use crate::documents::Documents;
use crate::error;
use crate::index::{Applied, Batch, Index, MemoryIndex};
use crate::journal::{Feed, GROUP_RECORDS_MAX, Journal, Place, Stall};
use crate::open::{Lock, derive};
use crate::record::{Event, Record};
use crate::registry::{self, Command, Decision, Fresh, View};
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::port::{Clock, Entropy, EventKind};
use flinkspark_model::{Error, Result, fault};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

/// What readers and the writer share.
pub(crate) struct Shared {
    /// Written only by the writer's thread; the lock keeps a reader from seeing half a change.
    pub(crate) index: RwLock<Box<dyn Index>>,
    pub(crate) cache: Cache,
    pub(crate) feed: Arc<Feed>,
    pub(crate) documents: Documents,
    /// What is damaged, where the journal is: nothing changes then.
    pub(crate) damage: Option<Error>,
    /// Why no changes are taken, as of the last one that was tried.
    pub(crate) stalled: RwLock<Option<Error>>,
    /// The index failed: it is derived again when there is a chance.
    pub(crate) index_failed: AtomicBool,
    pub(crate) _lock: Lock,
}

/// What a command answers.
pub(crate) type Answer = Result<Option<Arc<Dataset>>>;

/// What the writer is asked for, and where its answer goes.
pub(crate) enum Request {
    /// A change.
    Change(Command, oneshot::Sender<Answer>),
    /// To take up again what is stalled; one attempt.
    Reopen(oneshot::Sender<Result<()>>),
}

/// The writer's state.
pub(crate) struct Writer {
    pub(crate) journal: Journal,
    pub(crate) identity: [u8; 16],
    pub(crate) shared: Arc<Shared>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// The last sequence that readers of the index see.
    pub(crate) head: watch::Sender<u64>,
}

/// An event and its payload.
type Encoded = (Event, Vec<u8>);

/// A group that is decided and not yet durable.
struct Prepared {
    payloads: Vec<Vec<u8>>,
    batch: Batch,
    changed: Vec<DatasetId>,
    answers: Vec<Answer>,
}

impl Writer {
    /// Serves requests until every sender is gone.
    pub(crate) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut next = requests.blocking_recv();
        while let Some(request) = next.take() {
            match request {
                Request::Reopen(answer) => {
                    let reopened = self.reopen();
                    self.tell();
                    // Who asked and left will see it in the next answer.
                    let _ = answer.send(reopened);
                }
                Request::Change(command, answer) => {
                    next = self.group(command, answer, &mut requests);
                }
            }
            if next.is_none() {
                next = requests.blocking_recv();
            }
        }
    }

    /// Commits a change with all that wait behind it; returns a request of another sort that came between.
    fn group(
        &mut self,
        command: Command,
        answer: oneshot::Sender<Answer>,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Option<Request> {
        let (mut commands, mut receivers) = (vec![command], vec![answer]);
        let mut other = None;
        while commands.len() < GROUP_RECORDS_MAX && other.is_none() {
            match requests.try_recv() {
                Ok(Request::Change(command, answer)) => {
                    commands.push(command);
                    receivers.push(answer);
                }
                Ok(request) => other = Some(request),
                Err(_) => break,
            }
        }
        let answers = match self.commit(commands) {
            Ok(answers) => answers,
            Err(cause) => receivers.iter().map(|_| Err(cause.clone())).collect(),
        };
        self.tell();
        for (receiver, answer) in receivers.into_iter().zip(answers) {
            // A caller that is gone does not need its answer.
            let _ = receiver.send(answer);
        }
        other
    }

    /// Lets everybody see whether changes are taken.
    fn tell(&self) {
        let why = self.journal.stall().map(|stall| stall.why().clone());
        *self
            .shared
            .stalled
            .write()
            .unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// One attempt to take up again what is stalled.
    fn reopen(&mut self) -> Result<()> {
        self.journal.reopen(&*self.disk)?;
        if self.shared.index_failed.load(Ordering::Acquire) {
            self.derive_in_memory()?;
        }
        Ok(())
    }

    /// Answers from memory from now on: the index on disk failed, and nothing in it cannot be derived. The
    /// next start goes on with the one on disk, or derives that.
    fn derive_in_memory(&mut self) -> Result<()> {
        let fresh = MemoryIndex::default();
        let (feed, documents) = (self.journal.feed(), &self.shared.documents);
        derive(&fresh, self.identity, 0, &feed, documents)?;
        let failed = std::mem::replace(
            &mut *self
                .shared
                .index
                .write()
                .unwrap_or_else(PoisonError::into_inner),
            Box::new(fresh),
        );
        self.shared.index_failed.store(false, Ordering::Release);
        tracing::warn!("the catalogue's index failed; it is kept in memory until the next start");
        // Closing it may wait for the disk that made it fail.
        std::thread::spawn(move || drop(failed));
        Ok(())
    }

    /// Decides and keeps a group. An error concerns the whole group.
    fn commit(&mut self, commands: Vec<Command>) -> Result<Vec<Answer>> {
        // Taking back an unfinished write costs nothing; the rest is tried when somebody asks for it.
        if matches!(self.journal.stall(), Some(Stall::Torn(_))) {
            self.journal.reopen(&*self.disk)?;
        }
        if let Some(stall) = self.journal.stall() {
            return Err(error::read_only(stall.why()));
        }
        if self.shared.index_failed.load(Ordering::Acquire) {
            self.derive_in_memory()?;
        }
        let prepared = self.prepare(commands).inspect_err(|cause| {
            if error::is_index(cause) {
                self.shared.index_failed.store(true, Ordering::Release);
            }
        })?;
        if prepared.payloads.is_empty() {
            return Ok(prepared.answers);
        }
        self.journal.append(&prepared.payloads)?;
        if let Err(cause) = self.apply(&prepared) {
            tracing::warn!(%cause, "a change could not be put into the catalogue's index");
            self.shared.index_failed.store(true, Ordering::Release);
            self.derive_in_memory().map_err(|cause| {
                error::in_doubt("the change is in the journal, but not in the index", cause)
            })?;
            for id in &prepared.changed {
                self.shared.cache.forget(*id);
            }
        }
        self.head.send_replace(self.journal.last());
        Ok(prepared.answers)
    }

    /// Decides a group, each command against those before it. Only large records are written.
    fn prepare(&mut self, commands: Vec<Command>) -> Result<Prepared> {
        let shared = Arc::clone(&self.shared);
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::new(&**index, &shared.documents);
        let now_ms = self.clock.now_ms();
        let (mut payloads, mut changed, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        let mut last: Option<Place> = None;
        for command in commands {
            let answer = match self.decide(&view, now_ms, command) {
                Ok((decision, Some((event, payload)))) => {
                    let place = match last {
                        Some(last) => Place::of(last.sequence + 1, last.end(), &payload),
                        None => self.journal.next_place(&payload),
                    };
                    registry::apply(&mut view, place, event)?;
                    last = Some(place);
                    payloads.push(payload);
                    changed.extend(decision.event.as_ref().and_then(changed_by));
                    Ok(decision.dataset)
                }
                Ok((decision, None)) => Ok(decision.dataset),
                // Not what was decided of this command: nothing can be decided with this index.
                Err(cause) if error::is_index(&cause) => return Err(cause),
                Err(cause) => Err(cause),
            };
            answers.push(answer);
        }
        Ok(Prepared {
            payloads,
            batch: view.into_batch(),
            changed,
            answers,
        })
    }

    /// Decides one command and encodes its event.
    fn decide(
        &mut self,
        view: &View<'_>,
        now_ms: u64,
        command: Command,
    ) -> Result<(Decision, Option<Encoded>)> {
        let fresh = Fresh {
            now_ms,
            entropy: &*self.entropy,
        };
        let decision = registry::decide(view, &fresh, command)?;
        let Some(kind) = &decision.event else {
            return Ok((decision, None));
        };
        let event = Event::store(kind, &self.shared.documents.blobs)?;
        let record = Record::new(now_ms, event);
        let payload = record.encode()?;
        Ok((decision, Some((record.event, payload))))
    }

    fn apply(&self, prepared: &Prepared) -> Result<()> {
        let index = self
            .shared
            .index
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        index.apply(
            &prepared.batch,
            Applied {
                journal: self.identity,
                sequence: self.journal.last(),
            },
        )?;
        for id in &prepared.changed {
            self.shared.cache.forget(*id);
        }
        fault::reach("catalog.index.applied").map_err(error::injected)
    }
}

/// The dataset whose record an event changes.
fn changed_by(event: &EventKind) -> Option<DatasetId> {
    match event {
        EventKind::Put(dataset) => Some(dataset.id),
        EventKind::Dropped { id, .. } => Some(*id),
        EventKind::Advanced { .. } | EventKind::Edge(_) => None,
    }
}
