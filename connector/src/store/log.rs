//! Drives one log: reads it to its tail, and carries intents to their end.
//!
//! Decides nothing: `model::log` does. The locks here only save work between tasks of one process;
//! what makes a log one history is the store's conditional create. Invariant: a view holds exactly
//! slots that are durable, from 1 on without a gap.

use super::error;
use super::names::{self, Owner};
use super::recounted::Recounted;
use super::shared::Shared;
use super::watched::Watched;
use super::{Created, Key};
use bytes::Bytes;
use flinkspark_model::access::Principal;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{
    Appended, Attempt, FoundTail, Intent, ListRef, LogId, Proposer, Refusal, SLOT_FORMAT_VERSION,
    SegmentFormat, SegmentName, Slot, SlotRecord, Step, Tail, View, judge_tail,
};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, watch};

/// How often a create in doubt is repeated before the caller is told so.
pub const DOUBT_ATTEMPTS_MAX: u32 = 8;
/// How many other writers may be first, one after the other, before the caller is told so.
pub const RACES_MAX: u32 = 1000;
/// Slots that are read at once when a log is opened.
const READ_AHEAD_SLOTS: usize = 16;

/// One log in a store.
pub(super) struct Driver {
    id: LogId,
    /// Whose log it is; `None` for a job's.
    dataset: Option<DatasetId>,
    root: Key,
    shared: Arc<Shared>,
    view: RwLock<Arc<View>>,
    /// The view's head, for those who wait for the next slot.
    moved: watch::Sender<SlotNo>,
    /// Whether the log was listed since it was opened; held while slots are read.
    reading: Mutex<bool>,
    appending: Mutex<()>,
    /// Whether a create ended in doubt: it may land later, and what it names must be there then.
    doubtful: AtomicBool,
    /// Whether slots are looked for in the store: somebody else may write them, or a create of this process came to an
    /// end that nobody saw.
    looks: AtomicBool,
    /// Held for reading while staged segments are committed, for writing while some are given up.
    staged: tokio::sync::RwLock<()>,
    recounted: Recounted,
}

impl Driver {
    pub(super) fn new(
        id: LogId,
        dataset: Option<DatasetId>,
        root: Key,
        shared: Arc<Shared>,
    ) -> Self {
        let view = RwLock::new(Arc::new(View::empty()));
        let looks = AtomicBool::new(!shared.settings.alone);
        Self {
            id,
            dataset,
            root,
            shared,
            view,
            moved: watch::Sender::new(0),
            reading: Mutex::new(false),
            appending: Mutex::new(()),
            doubtful: AtomicBool::new(false),
            looks,
            staged: tokio::sync::RwLock::new(()),
            recounted: Recounted::default(),
        }
    }

    pub(super) fn id(&self) -> LogId {
        self.id
    }

    pub(super) fn root(&self) -> &Key {
        &self.root
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Held for reading while staged segments are committed, for writing while some are given up.
    pub(super) fn staged(&self) -> &tokio::sync::RwLock<()> {
        &self.staged
    }

    /// Whether a create of this process may still land that nobody waits for.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful.load(Ordering::Acquire)
    }

    /// Digests at later schemas that were computed before.
    pub(super) fn recounted(&self) -> &Recounted {
        &self.recounted
    }

    /// What was read last, without any I/O.
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Folds the next slot in; the view is copied only while somebody else looks at it.
    fn apply(&self, slot: SlotNo, body: &Slot) -> Result<()> {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut view).apply(slot, body)?;
        drop(view);
        self.moved.send_replace(slot);
        Ok(())
    }

    /// Waits until the view's head is at a slot.
    pub(super) async fn reaches(&self, slot: SlotNo) {
        // The sender is the driver's own: it is there as long as somebody waits.
        let _ = self.moved.subscribe().wait_for(|head| *head >= slot).await;
    }

    fn head(&self) -> SlotNo {
        self.view
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .head()
    }

    /// The view, with every slot in it that was acknowledged before.
    pub(super) async fn refresh(&self) -> Result<Arc<View>> {
        let mut listed = self.reading.lock().await;
        if !*listed {
            self.read_all().await?;
            self.reaches_what_is_known()?;
            *listed = true;
        } else if !self.looks.load(Ordering::Acquire) {
            return Ok(self.view());
        }
        while let Some(record) = self.read_slot(self.head() + 1).await? {
            self.apply(record.slot, &record.body)?;
        }
        Ok(self.view())
    }

    async fn read_all(&self) -> Result<()> {
        let mut slots = Vec::new();
        for listed in self.shared.store.list(&self.root.join("log")?).await? {
            match listed
                .name
                .strip_suffix(".slot")
                .and_then(|number| number.parse::<SlotNo>().ok())
            {
                Some(slot) => slots.push(slot),
                None => {
                    tracing::warn!(log = %self.id, name = listed.name, "not a slot: left alone")
                }
            }
        }
        for (slot, expected) in slots.iter().zip(1..) {
            if *slot != expected {
                return Err(Error::new(Kind::Data, "FS1017", format!("slot {expected} of a log is missing"))
                    .with_detail(format!("log {}: slot {slot} is there, and slots have no gaps", self.id))
                    .with_hint("restore the data directory from a backup: commits after the gap are not safe to read"));
            }
        }
        let from = self.head();
        let mut records = stream::iter(slots.into_iter().filter(|slot| *slot > from))
            .map(|slot| async move { self.read_slot(slot).await.map(|record| (slot, record)) })
            .buffered(READ_AHEAD_SLOTS);
        while let Some((slot, record)) = records.try_next().await? {
            let record = record
                .ok_or_else(|| self.foreign(slot, "it was removed while the log was read"))?;
            self.apply(slot, &record.body)?;
        }
        Ok(())
    }

    /// A log that lost its last slots looks whole: only who knew of them can tell.
    fn reaches_what_is_known(&self) -> Result<()> {
        let (Some(dataset), Some(heads)) = (self.dataset, &self.shared.heads) else {
            return Ok(());
        };
        let Some(known) = heads.known_head(dataset)? else {
            return Ok(());
        };
        let why = match judge_tail(&known, &FoundTail::of(&self.view(), known.head)) {
            Tail::Same | Tail::Ahead => return Ok(()),
            Tail::Lost { known, found } => {
                format!("the catalogue knows of slot {known}, the log ends at slot {found}")
            }
            Tail::Differs {
                head,
                known_rows,
                found_rows,
            } => format!(
                "at slot {head} the catalogue knows of {known_rows} rows, the log has {found_rows} or another watermark"
            ),
        };
        Err(error::tail_lost(dataset, &why))
    }

    fn slot_key(&self, slot: SlotNo) -> Result<Key> {
        self.root.join(format_args!("log/{slot:020}.slot"))
    }

    async fn read_slot(&self, slot: SlotNo) -> Result<Option<SlotRecord>> {
        match self.shared.store.read(&self.slot_key(slot)?).await? {
            Some(bytes) => self.decode(slot, &bytes).await.map(Some),
            None => Ok(None),
        }
    }

    async fn decode(&self, slot: SlotNo, bytes: &[u8]) -> Result<SlotRecord> {
        let here = |cause: Error| {
            let detail = format!(
                "slot {slot} of log {}: {}",
                self.id,
                cause.detail().unwrap_or_default()
            );
            cause.with_detail(detail)
        };
        let record = SlotRecord::decode(bytes).map_err(here)?;
        if record.log != self.id || record.slot != slot {
            return Err(self.foreign(
                slot,
                &format!("it holds slot {} of log {}", record.slot, record.log),
            ));
        }
        let mut lists = Vec::with_capacity(record.lists.len());
        for list in &record.lists {
            let found = self.shared.store.read(&self.list_key(list)?).await?;
            let gone =
                || self.foreign(slot, &format!("its list of segments {} is gone", list.name));
            lists.push(found.ok_or_else(gone)?);
        }
        record.inlined(&lists).map_err(here)
    }

    fn list_key(&self, list: &ListRef) -> Result<Key> {
        self.root.join(format_args!("lists/{}.json", list.name))
    }

    fn foreign(&self, slot: SlotNo, why: &str) -> Error {
        Error::new(
            Kind::Data,
            "FS1016",
            "a slot of the log is not what its name says",
        )
        .with_detail(format!("slot {slot} of log {}: {why}", self.id))
        .with_hint("restore the data directory from a backup")
    }

    pub(super) async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        let head = if slot <= self.head() {
            self.head()
        } else {
            self.refresh().await?.head()
        };
        if slot == 0 || slot > head {
            return Err(
                Error::new(Kind::NotFound, "FS1011", format!("there is no slot {slot}"))
                    .with_detail(format!("log {} has slots 1 to {head}", self.id))
                    .with_hint("`flinkspark dataset epochs NAME` lists them"),
            );
        }
        self.read_slot(slot)
            .await?
            .ok_or_else(|| self.foreign(slot, "it is gone"))
    }

    pub(super) async fn append(&self, intent: Intent) -> Result<Appended> {
        Ok(self.propose(intent, None).await??)
    }

    /// Like [`append`](Self::append) in somebody's name, with the machine's refusal as it said it.
    pub(super) async fn propose(
        &self,
        intent: Intent,
        principal: Option<&Principal>,
    ) -> Result<Result<Appended, Refusal>> {
        let _turn = self.appending.lock().await;
        let mut proposer = Proposer::new(intent);
        for _ in 0..RACES_MAX {
            let step = proposer.next(&*self.refresh().await?);
            let attempt = match step {
                Step::Create(attempt) => attempt,
                Step::Done(appended) => return Ok(Ok(appended)),
                Step::Refuse(refusal) => return Ok(Err(refusal)),
                Step::CatchUp => continue,
            };
            match self.carry_out(&mut proposer, attempt, principal).await? {
                Step::Done(appended) => return Ok(Ok(appended)),
                Step::Refuse(refusal) => return Ok(Err(refusal)),
                Step::CatchUp | Step::Create(_) => {}
            }
        }
        Err(
            Error::new(Kind::Unavailable, "FS1018", "a limit was reached")
                .with_detail(format!(
                    "{RACES_MAX} other commits to log {} were first",
                    self.id
                ))
                .with_hint("repeat the commit"),
        )
    }

    /// Carries one create to its end; its bytes are fixed before the first try.
    async fn carry_out(
        &self,
        proposer: &mut Proposer,
        attempt: Attempt,
        principal: Option<&Principal>,
    ) -> Result<Step> {
        let record = SlotRecord {
            format: SLOT_FORMAT_VERSION,
            log: self.id,
            slot: attempt.slot,
            committed_at_ms: self.shared.clock.now_ms(),
            principal: principal.map(ToString::to_string),
            lists: Vec::new(),
            body: attempt.body,
        };
        let (stored, lists) = record.outlined()?;
        for (list, bytes) in lists {
            self.shared
                .store
                .create(&self.list_key(&list)?, bytes.into())
                .await?;
        }
        let bytes = Bytes::from(stored.encode()?);
        let key = self.slot_key(record.slot)?;
        let settings = &self.shared.settings;
        let mut pause = settings.backoff_min;
        let mut doubt = None;
        for _ in 0..DOUBT_ATTEMPTS_MAX {
            let mut watched = Watched::new(&self.looks);
            let step = match self.shared.store.create(&key, bytes.clone()).await {
                Ok(Created::New) => {
                    self.fold(record.slot, &record.body).await?;
                    watched.is_known();
                    proposer.created()
                }
                Ok(Created::Exists(winner)) => {
                    proposer.exists(&self.decode(record.slot, &winner).await?.body)
                }
                Err(cause) if cause.kind() == Kind::InDoubt => {
                    doubt = Some(cause);
                    proposer.in_doubt()
                }
                // This try did nothing; an earlier one may have.
                Err(cause) => match doubt {
                    Some(_) => return Err(self.left_in_doubt(error::in_doubt(&key, cause))),
                    None => {
                        watched.is_known();
                        return Err(cause);
                    }
                },
            };
            if !matches!(step, Step::Create(_)) {
                return Ok(step);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(settings.backoff_max);
        }
        let doubt = doubt.unwrap_or_else(|| error::in_doubt(&key, "no answer"));
        Err(self.left_in_doubt(doubt))
    }

    fn left_in_doubt(&self, doubt: Error) -> Error {
        self.doubtful.store(true, Ordering::Release);
        doubt
    }

    /// Takes a slot that was just created into the view, where nothing lies between.
    async fn fold(&self, slot: SlotNo, body: &Slot) -> Result<()> {
        let _listed = self.reading.lock().await;
        if self.head() + 1 == slot {
            self.apply(slot, body)?;
        }
        Ok(())
    }

    /// A name for a new segment, and its place.
    pub(super) fn new_segment(
        &self,
        owner: &Owner,
        format: SegmentFormat,
    ) -> Result<(SegmentName, Key)> {
        let name = owner.name(names::unique(&*self.shared.clock, &*self.shared.entropy));
        let key = names::key(&self.root, &name, format)?;
        Ok((name, key))
    }
}
