//! The catalogue itself: the port's implementation over journal, index and writer.
//!
//! Owns the hand-over between async callers, the writer's thread and blocking reads. Never holds a
//! lock across an await. Invariant: a lookup sees every change that was acknowledged before it began.

use crate::answers::Found;
use crate::disk::{Disk, LocalDisk};
use crate::error;
use crate::open::{Options, Parts, open, open_damaged};
use crate::registry::{self, Command, View};
use crate::writer::{Answer, Request, Shared, Writer};
use async_trait::async_trait;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::lineage::Edge;
use flinkspark_model::log::KnownHead;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{
    Catalog, Change, ChangeEvent, Clock, Entropy, Heads, Page, Reference, Registration,
};
use flinkspark_model::{Error, Kind, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that wait for the writer; more wait in their callers.
const REQUESTS_MAX: usize = 1024;
/// The most datasets on one page of a listing.
pub const PAGE_DATASETS_MAX: usize = 1000;
/// The most events in one answer of the change feed.
pub const WATCH_EVENTS_MAX: usize = 1000;
/// An open catalogue. Dropping it waits for the change that is under way and gives the folder free.
pub struct Catalogue {
    pub(crate) shared: Arc<Shared>,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
    head: watch::Receiver<u64>,
}

impl Catalogue {
    /// Opens the catalogue in `options.dir`, or makes an empty one.
    ///
    /// Blocks on file work: milliseconds for a small catalogue, seconds where a large index has to be
    /// derived again. A folder held by another process is `Unavailable` (`FS0501`), a newer format
    /// `Invalid` (`FS0502`), a journal that cannot be trusted `Data` (`FS0503`, `FS0504`).
    pub fn open(
        options: &Options,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        Self::open_on(options, Arc::new(LocalDisk), clock, entropy)
    }

    /// Like [`Catalogue::open`]; where the journal is damaged the catalogue is opened all the same. It takes
    /// no changes then (`FS0221`). An index that knows every record answers, and only what a damaged
    /// record says is `Data`; without one every answer is. [`Catalogue::damage`] says what is wrong.
    pub fn open_even_damaged(
        options: &Options,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
        match open(options, Arc::clone(&disk), &*entropy) {
            Err(cause) if cause.kind() == Kind::Data => {
                let parts = open_damaged(options, Arc::clone(&disk), &cause)?;
                Self::with(parts, options, disk, clock, entropy)
            }
            opened => Self::with(opened?, options, disk, clock, entropy),
        }
    }

    pub(crate) fn open_on(
        options: &Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let parts = open(options, Arc::clone(&disk), &*entropy)?;
        Self::with(parts, options, disk, clock, entropy)
    }

    fn with(
        parts: Parts,
        options: &Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let Parts {
            journal,
            identity,
            index,
            documents,
            damage,
            lock,
        } = parts;
        let stalled = journal.stall().map(|stall| stall.why().clone());
        let shared = Arc::new(Shared {
            damage,
            stalled: RwLock::new(stalled),
            index_failed: AtomicBool::new(false),
            index: RwLock::new(index),
            cache: Default::default(),
            feed: journal.feed(),
            documents,
            _lock: lock,
        });
        let (head_sender, head) = watch::channel(journal.last());
        let writer = Writer {
            journal,
            identity,
            shared: Arc::clone(&shared),
            disk,
            clock,
            entropy,
            head: head_sender,
        };
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        let thread = std::thread::Builder::new()
            .name("catalogue".into())
            .spawn(move || writer.run(receiver));
        let thread =
            thread.map_err(|cause| error::file("start its writer", &options.dir, cause))?;
        Ok(Self {
            shared,
            requests: Some(requests),
            writer: Some(thread),
            head,
        })
    }

    /// The sequence of the last change; 0 in an empty catalogue.
    pub fn sequence(&self) -> u64 {
        self.shared.feed.last()
    }

    /// What is damaged, where the journal is (`FS0221`): nothing changes until it is restored.
    pub fn damage(&self) -> Option<Error> {
        self.shared.damage.clone()
    }

    /// Why no changes are taken at the moment; `None` where they are.
    pub fn stalled(&self) -> Option<Error> {
        let stalled = self.shared.stalled.read();
        let stalled = stalled.unwrap_or_else(PoisonError::into_inner).clone();
        let failed = || error::index("it failed and is about to be derived again");
        stalled.or_else(|| {
            self.shared
                .index_failed
                .load(Ordering::Acquire)
                .then(failed)
        })
    }

    /// One attempt to take changes again after a failed write or sync. What was acknowledged stays,
    /// what was in doubt is taken back; a failed sync is never repeated on the same file.
    pub async fn reopen(&self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.send(Request::Reopen(answer)).await?;
        answered.await.map_err(|_| error::stopped())?
    }

    async fn send(&self, request: Request) -> Result<()> {
        let requests = self.requests.as_ref().ok_or_else(error::stopped)?;
        let sent = requests.send(request).await;
        sent.map_err(|_| error::stopped())
    }

    async fn change(&self, command: Command) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.send(Request::Change(command, answer)).await?;
        answered.await.map_err(|_| error::stopped())?
    }

    async fn change_dataset(&self, command: Command) -> Result<Arc<Dataset>> {
        self.change(command)
            .await?
            .ok_or_else(|| error::bug("a change of a dataset answered without it"))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        done.map_err(|cause| error::bug(format!("a read ended early: {cause}")))?
    }
}

impl Heads for Catalogue {
    /// What is known of a dataset's log; `None` before the first [`Catalog::advance`].
    fn known_head(&self, id: DatasetId) -> Result<Option<KnownHead>> {
        let known = self
            .shared
            .read(|index| registry::head(&View::new(index, &self.shared.documents), id))?;
        Ok(known.map(|known| KnownHead {
            head: known.head,
            rows: known.rows,
            watermark_ms: known.watermark_ms,
        }))
    }
}

impl Drop for Catalogue {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so on stderr; there is nobody left to tell.
            let _ = writer.join();
        }
    }
}

fn check_limit(limit: usize) -> Result<()> {
    if limit > 0 {
        return Ok(());
    }
    Err(error::limit(
        "nothing was asked for",
        "the limit is 0; it counts from 1",
    ))
}

#[async_trait]
impl Catalog for Catalogue {
    async fn register(&self, registration: Registration) -> Result<Arc<Dataset>> {
        self.change_dataset(Command::Register(registration)).await
    }

    async fn lookup(&self, reference: &Reference) -> Result<Arc<Dataset>> {
        let found = self.shared.read(|index| {
            let id = registry::find(index, reference)?;
            id.map_or(Ok(None), |id| self.shared.find(index, id))
        })?;
        match found.ok_or_else(|| error::missing(reference))? {
            Found::Dataset(dataset) => Ok(dataset),
            large @ Found::Large(_) => self.blocking(move |shared| shared.resolve(large)).await,
        }
    }

    async fn list(&self, prefix: &str, after: Option<&DatasetName>, limit: usize) -> Result<Page> {
        check_limit(limit)?;
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        let limit = limit.min(PAGE_DATASETS_MAX);
        self.blocking(move |shared| shared.list(&prefix, after.as_ref(), limit))
            .await
    }

    async fn update(&self, id: DatasetId, version: u64, change: Change) -> Result<Arc<Dataset>> {
        self.change_dataset(Command::Update {
            id,
            version,
            change,
        })
        .await
    }

    async fn drop_dataset(&self, id: DatasetId, version: u64) -> Result<()> {
        self.change(Command::Drop { id, version }).await.map(drop)
    }

    async fn advance(
        &self,
        id: DatasetId,
        head: u64,
        rows: u64,
        watermark_ms: Option<i64>,
    ) -> Result<()> {
        self.change(Command::Advance {
            id,
            head,
            rows,
            watermark_ms,
        })
        .await
        .map(drop)
    }

    async fn add_edge(&self, edge: Edge) -> Result<()> {
        self.change(Command::AddEdge(edge)).await.map(drop)
    }

    async fn edges(&self, id: DatasetId) -> Result<Vec<Edge>> {
        self.blocking(move |shared| shared.read(|index| registry::edges(index, id)))
            .await
    }

    async fn watch(&self, sequence: u64, limit: usize) -> Result<Vec<ChangeEvent>> {
        check_limit(limit)?;
        let limit = limit.min(WATCH_EVENTS_MAX);
        let feed = &self.shared.feed;
        if let Some(damage) = self.damage().filter(|_| sequence >= feed.last()) {
            return Err(damage);
        }
        if sequence > feed.last() {
            return Err(error::outside_feed(sequence, feed.first(), feed.last()));
        }
        let mut head = self.head.clone();
        // The journal may be ahead of the index; what a watcher sees, a lookup answers.
        let seen = *head
            .wait_for(|head| *head > sequence)
            .await
            .map_err(|_| error::stopped())?;
        let limit = limit.min(usize::try_from(seen - sequence).unwrap_or(limit));
        self.blocking(move |shared| shared.events(sequence, limit))
            .await
    }
}
