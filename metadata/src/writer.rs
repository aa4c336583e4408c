//! The one thread that changes the catalogue.
//!
//! Takes requests from a bounded channel, decides all that wait as one group, makes them durable with
//! one sync, applies them to the index and answers. Invariant: nobody is answered before the sync that
//! covers every change which the answer rests on.

use crate::cache::Cache;
use crate::documents::Documents;
use crate::error;
use crate::index::{Applied, Batch, Index};
use crate::journal::{Feed, GROUP_RECORDS_MAX, Journal, Place};
use crate::open::Lock;
use crate::record::{Event, Record};
use crate::registry::{self, Command, Decision, Fresh, View};
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::port::{Clock, Entropy, EventKind};
use flinkspark_model::{Kind, Result, fault};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

/// What readers and the writer share.
pub(crate) struct Shared {
    /// Written only by the writer's thread; the lock keeps a reader from seeing half a change.
    pub(crate) index: RwLock<Box<dyn Index>>,
    pub(crate) cache: Cache,
    pub(crate) feed: Arc<Feed>,
    pub(crate) documents: Documents,
    pub(crate) _lock: Lock,
}

/// What a command answers.
pub(crate) type Answer = Result<Option<Arc<Dataset>>>;

/// A command and where its answer goes.
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// The writer's state.
pub(crate) struct Writer {
    pub(crate) journal: Journal,
    pub(crate) identity: [u8; 16],
    pub(crate) shared: Arc<Shared>,
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
        while let Some(first) = requests.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP_RECORDS_MAX {
                let Ok(next) = requests.try_recv() else { break };
                group.push(next);
            }
            let (commands, receivers): (Vec<_>, Vec<_>) = group
                .into_iter()
                .map(|request| (request.command, request.answer))
                .unzip();
            let answers = match self.commit(commands) {
                Ok(answers) => answers,
                Err(cause) => receivers.iter().map(|_| Err(cause.clone())).collect(),
            };
            for (receiver, answer) in receivers.into_iter().zip(answers) {
                // A caller that is gone does not need its answer.
                let _ = receiver.send(answer);
            }
        }
    }

    /// Decides and keeps a group. An error concerns the whole group.
    fn commit(&mut self, commands: Vec<Command>) -> Result<Vec<Answer>> {
        if self.journal.is_poisoned() {
            return Err(error::read_only());
        }
        let prepared = self.prepare(commands)?;
        if prepared.payloads.is_empty() {
            return Ok(prepared.answers);
        }
        self.journal.append(&prepared.payloads)?;
        if let Err(cause) = self.apply(&prepared) {
            self.journal.poison();
            return Err(error::in_doubt(
                "the change is in the journal, but not in the index",
                cause,
            ));
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
        let event = Event::store(kind, &self.shared.documents.blobs).inspect_err(|cause| {
            // A large record whose sync failed: the disk is not to be trusted with another one.
            if cause.kind() == Kind::Unavailable {
                self.journal.poison();
            }
        })?;
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
