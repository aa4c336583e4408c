//! How far the consumers of datasets have come.
//!
//! A durable object in the dataset's folder, `consumers/ID.SLOT.MS.json`, made anew with each slot that a consumer has
//! done; the older ones go then. It never looks at rows and keeps none: what is recorded is a reader's word.
//! Invariant: of a consumer's objects the one with the greatest slot counts, so that none that comes late, or
//! that a loss of power brings back, takes a consumer back.

#[cfg(test)]
mod tests;

use super::log::Driver;
use super::logs::Logs;
use super::{Key, record};
use async_trait::async_trait;
use flinkspark_model::access::Principal;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::port::{
    self, CONSUMER_SILENT_MS, CONSUMERS_MAX, Consume, Consumed, check_writer_text,
};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;
use uuid::{Builder, Uuid};

/// A record that is so old is renewed though its slot is the same, in milliseconds: an hour.
const RENEWED_AFTER_MS: u64 = 60 * 60 * 1000;
/// Consumers of so many groups of datasets are recorded at once, those of one dataset after each other.
const TURNS: usize = 64;

/// A consumer, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    consumer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    slot: SlotNo,
    at_ms: u64,
}

impl Stored {
    fn said(self, replayed: bool) -> Consumed {
        Consumed {
            consumer: self.consumer,
            slot: self.slot,
            at_ms: self.at_ms,
            principal: self.principal,
            replayed,
        }
    }
}

/// What the name of an object says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    id: Uuid,
    slot: SlotNo,
    at_ms: u64,
}

impl Place {
    fn of(file: &str) -> Option<Self> {
        let mut parts = file.strip_suffix(".json")?.splitn(3, '.');
        Some(Self {
            id: Uuid::try_parse(parts.next()?).ok()?,
            slot: parts.next()?.parse().ok()?,
            at_ms: parts.next()?.parse().ok()?,
        })
    }

    fn key(&self, root: &Key) -> Result<Key> {
        let Self { id, slot, at_ms } = self;
        root.join(format_args!("{}.{slot}.{at_ms}.json", id.simple()))
    }
}

fn id_of(consumer: &str) -> Uuid {
    let hash = xxhash_rust::xxh3::xxh3_128(consumer.as_bytes());
    Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid()
}

/// Consumers over the logs of a store. Cheap to clone.
#[derive(Clone)]
pub struct Consumers {
    logs: Logs,
    turns: Arc<[Mutex<()>; TURNS]>,
}

impl Consumers {
    /// Consumers over these logs.
    pub fn new(logs: Logs) -> Self {
        Self {
            logs,
            turns: Arc::new(std::array::from_fn(|_| Mutex::default())),
        }
    }

    async fn folder(&self, dataset: DatasetId) -> Result<(Arc<Driver>, Key)> {
        let driver = self.logs.dataset_driver(dataset)?;
        driver.refresh().await?;
        let root = driver.root().join("consumers")?;
        Ok((driver, root))
    }

    /// Every object below the folder.
    async fn places(&self, root: &Key) -> Result<Vec<Place>> {
        let listed = self.logs.shared().store.list(root).await?;
        Ok(listed
            .iter()
            .filter_map(|file| Place::of(&file.name))
            .collect())
    }

    async fn read(&self, root: &Key, place: &Place) -> Result<Option<Stored>> {
        let key = place.key(root)?;
        let found = self.logs.shared().store.read(&key).await?;
        found.map(|bytes| record::decode(&key, &bytes)).transpose()
    }

    async fn record(&self, consume: Consume) -> Result<Consumed> {
        check_writer_text("consumer's name", &consume.consumer)?;
        let (driver, root) = self.folder(consume.dataset).await?;
        let head = driver.view().head();
        if consume.slot == 0 || consume.slot > head {
            return Err(no_slot(consume.slot, head));
        }
        let _turn = self.turn(consume.dataset).lock().await;
        let id = id_of(&consume.consumer);
        let places = self.places(&root).await?;
        let known = match places.iter().filter(|place| place.id == id).max() {
            Some(place) => self.read(&root, place).await?,
            None => None,
        };
        let now_ms = self.logs.shared().clock.now_ms();
        let slot = consume.slot;
        let next = match known {
            Some(known) => {
                check_owner(&known, &consume)?;
                match after(known, consume, now_ms) {
                    Next::Stays(known) => return Ok(known.said(true)),
                    Next::Goes(next) => next,
                }
            }
            None => {
                self.make_way(&root, &places, now_ms).await?;
                Stored {
                    consumer: consume.consumer,
                    principal: consume.principal,
                    slot,
                    at_ms: now_ms,
                }
            }
        };
        self.store(&root, id, &next).await?;
        let older = Place {
            id,
            slot: next.slot,
            at_ms: next.at_ms,
        };
        self.delete(&root, &places, |place| place.id == id && *place < older)
            .await?;
        let replayed = slot < next.slot;
        Ok(next.said(replayed))
    }

    /// Held while a consumer of the dataset is recorded.
    fn turn(&self, dataset: DatasetId) -> &Mutex<()> {
        let [.., last] = *dataset.0.as_bytes();
        // A power of two: every byte has its turn.
        let [first, ..] = &*self.turns;
        self.turns.get(usize::from(last) % TURNS).unwrap_or(first)
    }

    async fn store(&self, root: &Key, id: Uuid, next: &Stored) -> Result<()> {
        let (slot, at_ms) = (next.slot, next.at_ms);
        let key = Place { id, slot, at_ms }.key(root)?;
        let bytes = record::encode(&key, next)?;
        self.logs.shared().store.create(&key, bytes).await.map(drop)
    }

    /// Sees to it that one more consumer has a place.
    async fn make_way(&self, root: &Key, places: &[Place], now_ms: u64) -> Result<()> {
        let mut heard: BTreeMap<Uuid, u64> = BTreeMap::new();
        for place in places {
            let at_ms = heard.entry(place.id).or_default();
            *at_ms = place.at_ms.max(*at_ms);
        }
        if heard.len() < CONSUMERS_MAX {
            return Ok(());
        }
        let silent = heard.into_iter().min_by_key(|(_, at_ms)| *at_ms);
        match silent.filter(|(_, at_ms)| now_ms >= at_ms.saturating_add(CONSUMER_SILENT_MS)) {
            Some((gone, _)) => self.delete(root, places, |place| place.id == gone).await,
            None => Err(crowded()),
        }
    }

    async fn delete(
        &self,
        root: &Key,
        places: &[Place],
        goes: impl Fn(&Place) -> bool,
    ) -> Result<()> {
        for place in places.iter().filter(|place| goes(place)) {
            self.logs.shared().store.delete(&place.key(root)?).await?;
        }
        Ok(())
    }

    async fn all(&self, dataset: DatasetId) -> Result<Vec<Consumed>> {
        let (_, root) = self.folder(dataset).await?;
        let mut newest: BTreeMap<Uuid, Place> = BTreeMap::new();
        for place in self.places(&root).await? {
            let known = newest.entry(place.id).or_insert(place);
            *known = place.max(*known);
        }
        let mut consumers = Vec::new();
        for place in newest.values() {
            match self.read(&root, place).await {
                Ok(stored) => consumers.extend(stored.map(|stored| stored.said(false))),
                Err(error) if error.kind() == Kind::Data => {
                    tracing::warn!(%error, "a damaged consumer is left out of the list");
                }
                Err(error) => return Err(error),
            }
        }
        consumers.sort_by(|a, b| a.consumer.cmp(&b.consumer));
        Ok(consumers)
    }
}

/// What becomes of a record.
enum Next {
    /// It says enough.
    Stays(Stored),
    /// This takes its place.
    Goes(Stored),
}

/// Decides what is recorded of a consumer that is known.
fn after(known: Stored, consume: Consume, now_ms: u64) -> Next {
    let fresh = now_ms < known.at_ms.saturating_add(RENEWED_AFTER_MS);
    let owned = known.principal.is_some() || consume.principal.is_none();
    if consume.slot <= known.slot && fresh && owned {
        return Next::Stays(known);
    }
    Next::Goes(Stored {
        principal: known.principal.or(consume.principal),
        slot: consume.slot.max(known.slot),
        at_ms: now_ms.max(known.at_ms),
        consumer: known.consumer,
    })
}

fn check_owner(known: &Stored, consume: &Consume) -> Result<()> {
    let other = known.principal.is_some() && known.principal != consume.principal;
    if !other || consume.admin {
        return Ok(());
    }
    Err(Error::new(
        Kind::Forbidden,
        "FS1105",
        "the consumer belongs to another principal",
    )
    .with_detail(format!(
        "consumer \"{}\" was first heard from somebody else",
        known.consumer
    ))
    .with_hint("consume under a name of your own"))
}

fn no_slot(slot: SlotNo, head: SlotNo) -> Error {
    Error::new(Kind::NotFound, "FS1011", format!("there is no slot {slot}"))
        .with_detail(format!("the log has slots 1 to {head}"))
        .with_hint("give the last slot whose rows are wholly done")
}

fn crowded() -> Error {
    Error::new(Kind::Unavailable, "FS1018", "a limit was reached")
        .with_detail(format!(
            "the dataset has {CONSUMERS_MAX} consumers, and each of them was heard within {} days",
            CONSUMER_SILENT_MS / (24 * 60 * 60 * 1000)
        ))
        .with_hint("use the names of consumers that are gone: the action \"consumers\" lists them")
}

#[async_trait]
impl port::Consumers for Consumers {
    async fn consume(&self, consume: Consume) -> Result<Consumed> {
        self.record(consume).await
    }

    async fn consumers(&self, dataset: DatasetId) -> Result<Vec<Consumed>> {
        self.all(dataset).await
    }
}
