//! A bridge in memory: a catalogue without durability over the real logs and transactions.

use crate::store::object::Objects;
use crate::store::{Logs, Settings, Transactions, Writers};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use async_trait::async_trait;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::digest::Digest;
use flinkspark_model::lineage::Edge;
use flinkspark_model::log::{
    Appended, Intent, LiveEpoch, LogId, Receipt, SegmentRef, SlotRecord, View,
};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{
    self, BatchStream, Catalog, Change, ChangeEvent, Clock, Datasets, Entropy, Log, Page,
    ReadOptions, Reference, Registration, SegmentSpec, SegmentWriter, Transactions as _,
};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use futures::stream::StreamExt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The catalogue, and what the tests turn.
pub(crate) struct Fake {
    pub(crate) clock: Arc<Hand>,
    pub(crate) logs: Logs,
    pub(crate) transactions: Transactions,
    pub(crate) writers: Writers,
    /// What happens to every read from now on.
    pub(crate) damage: Mutex<Option<Damage>>,
    pub(crate) advanced: Mutex<Vec<(DatasetId, u64, u64)>>,
    /// Permits of `advance`, where a test holds it up.
    pub(crate) held: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
    /// Whether no record can be changed.
    pub(crate) down: AtomicBool,
    /// What every lookup and listing ends with from now on.
    pub(crate) fails: Mutex<Option<Error>>,
    counter: AtomicU64,
    datasets: Mutex<BTreeMap<DatasetName, Arc<Dataset>>>,
}

/// What a read does wrong, without an error.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Damage {
    /// It ends one batch early.
    Short,
    /// Its last batch repeats one row.
    Altered,
    /// Nothing; reads are counted.
    Counted(&'static AtomicU64),
}

/// A clock that stands until it is moved.
#[derive(Default)]
pub(crate) struct Hand(pub(crate) AtomicU64);

impl Clock for Hand {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Counts where others draw.
#[derive(Default)]
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self
                .0
                .fetch_add(1, Ordering::SeqCst)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&next.to_le_bytes()[..chunk.len()]);
        }
    }
}

fn missing(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::NotFound, "FS0501", format!("{what} does not exist"))
}

impl Fake {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(Hand::default());
        let entropy = Arc::new(Counted::default());
        let store = Arc::new(Objects::memory());
        let logs = Logs::open(store, clock.clone(), entropy, Settings::default())
            .await
            .unwrap();
        Self {
            clock,
            transactions: Transactions::new(logs.clone()),
            writers: Writers::new(logs.clone()),
            logs,
            damage: Mutex::default(),
            advanced: Mutex::default(),
            held: Mutex::default(),
            down: AtomicBool::default(),
            fails: Mutex::default(),
            counter: AtomicU64::default(),
            datasets: Mutex::default(),
        }
    }

    pub(crate) async fn dataset_named(&self, name: &str, schema: SchemaRef) -> Arc<Dataset> {
        let name = name.parse().unwrap();
        self.register(Registration {
            name,
            schema,
            traits: Default::default(),
            handles: vec![],
        })
        .await
        .unwrap()
    }

    /// Rows and digest of everything committed.
    pub(crate) async fn totals(&self, dataset: &Dataset) -> (u64, Digest) {
        let log = self
            .logs
            .open_dataset(dataset.id, Arc::clone(&dataset.schema))
            .await
            .unwrap();
        let (rows, _, digest) = log.refresh().await.unwrap().totals();
        (rows, digest)
    }

    fn fail(&self) -> Result<()> {
        self.fails.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    pub(crate) async fn open_transactions(&self, dataset: &Dataset) -> usize {
        self.transactions.open(dataset.id).await.unwrap().len()
    }
}

#[async_trait]
impl Catalog for Fake {
    async fn register(&self, registration: Registration) -> Result<Arc<Dataset>> {
        let dataset = Arc::new(Dataset {
            id: DatasetId::from_parts(self.counter.fetch_add(1, Ordering::SeqCst), [7; 10]),
            name: registration.name.clone(),
            version: 1,
            schema_version: 1,
            schema: registration.schema,
            traits: registration.traits,
            handles: registration.handles,
            created_at_ms: 0,
        });
        self.datasets
            .lock()
            .unwrap()
            .insert(registration.name, Arc::clone(&dataset));
        Ok(dataset)
    }

    async fn lookup(&self, reference: &Reference) -> Result<Arc<Dataset>> {
        self.fail()?;
        let datasets = self.datasets.lock().unwrap();
        let is = |dataset: &&Arc<Dataset>| match reference {
            Reference::Id(id) => dataset.id == *id,
            Reference::Name(name) => dataset.name == *name,
            Reference::Handle(key) => dataset.handles.iter().any(|handle| handle.key() == *key),
        };
        datasets
            .values()
            .find(is)
            .cloned()
            .ok_or_else(|| missing(reference))
    }

    async fn list(&self, prefix: &str, after: Option<&DatasetName>, limit: usize) -> Result<Page> {
        self.fail()?;
        let datasets = self.datasets.lock().unwrap();
        let mut names: Vec<Arc<Dataset>> = datasets
            .values()
            .filter(|d| {
                d.name.as_str().starts_with(prefix) && after.is_none_or(|after| d.name > *after)
            })
            .cloned()
            .collect();
        let more = names.len() > limit;
        names.truncate(limit);
        let next = names
            .last()
            .filter(|_| more)
            .map(|dataset| dataset.name.clone());
        Ok(Page {
            datasets: names,
            damaged: vec![],
            next,
        })
    }

    async fn update(&self, id: DatasetId, version: u64, change: Change) -> Result<Arc<Dataset>> {
        if self.down.load(Ordering::SeqCst) {
            let down = Error::new(Kind::Unavailable, "FS0507", "the catalogue cannot write");
            return Err(down);
        }
        let mut datasets = self.datasets.lock().unwrap();
        let found = datasets.values_mut().find(|dataset| dataset.id == id);
        let dataset = found.ok_or_else(|| missing(id))?;
        let Change::Schema {
            schema,
            version: schema_version,
        } = change
        else {
            return Err(missing("that change"));
        };
        if dataset.version != version {
            return Err(Error::new(Kind::Conflict, "FS0513", "another change won"));
        }
        *dataset = Arc::new(Dataset {
            version: version + 1,
            schema,
            schema_version,
            ..dataset.as_ref().clone()
        });
        Ok(Arc::clone(dataset))
    }

    async fn drop_dataset(&self, id: DatasetId, _: u64) -> Result<()> {
        self.datasets
            .lock()
            .unwrap()
            .retain(|_, dataset| dataset.id != id);
        Ok(())
    }

    async fn advance(&self, id: DatasetId, head: u64, rows: u64, _: Option<i64>) -> Result<()> {
        let held = self.held.lock().unwrap().clone();
        if let Some(held) = held {
            held.acquire().await.unwrap().forget();
        }
        self.advanced.lock().unwrap().push((id, head, rows));
        Ok(())
    }

    async fn add_edge(&self, _: Edge) -> Result<()> {
        Ok(())
    }

    async fn edges(&self, _: DatasetId) -> Result<Vec<Edge>> {
        Ok(vec![])
    }

    async fn watch(&self, _: u64, _: usize) -> Result<Vec<ChangeEvent>> {
        Ok(vec![])
    }
}

#[async_trait]
impl Datasets for Fake {
    async fn dataset(&self, id: DatasetId, schema: SchemaRef) -> Result<Arc<dyn port::Dataset>> {
        let log = self.logs.dataset(id, schema).await?;
        let damage = *self.damage.lock().unwrap();
        Ok(damage.map_or(Arc::clone(&log), |damage| Arc::new(Damaged(log, damage))))
    }

    async fn job(&self, id: LogId) -> Result<Arc<dyn Log>> {
        self.logs.job(id).await
    }
}

/// A log whose reads go wrong.
struct Damaged(Arc<dyn port::Dataset>, Damage);

#[async_trait]
impl Log for Damaged {
    fn id(&self) -> LogId {
        self.0.id()
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        self.0.refresh().await
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        self.0.append(intent).await
    }

    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        self.0.slot(slot).await
    }

    async fn stage_bytes(&self, partition: u32, bytes: bytes::Bytes) -> Result<Receipt> {
        self.0.stage_bytes(partition, bytes).await
    }

    async fn read_bytes(&self, segment: &SegmentRef) -> Result<bytes::Bytes> {
        self.0.read_bytes(segment).await
    }
}

#[async_trait]
impl port::Dataset for Damaged {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    async fn put_schema(&self, version: u32, schema: SchemaRef) -> Result<Appended> {
        self.0.put_schema(version, schema).await
    }

    async fn at_schema(&self, epochs: Vec<Arc<LiveEpoch>>) -> Result<Vec<Arc<LiveEpoch>>> {
        self.0.at_schema(epochs).await
    }

    async fn beyond(&self, after: SlotNo) -> Result<Arc<View>> {
        self.0.beyond(after).await
    }

    async fn stage(&self, spec: SegmentSpec) -> Result<Box<dyn SegmentWriter>> {
        self.0.stage(spec).await
    }

    async fn read(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
        options: ReadOptions,
    ) -> Result<BatchStream> {
        if let Damage::Counted(reads) = self.1 {
            reads.fetch_add(1, Ordering::SeqCst);
            return self.0.read(partition, from, through, options).await;
        }
        let mut batches: Vec<_> = self
            .0
            .read(partition, from, through, options)
            .await?
            .collect()
            .await;
        let last = batches.pop();
        if let (Damage::Altered, Some(Ok(mut last))) = (self.1, last) {
            let again = vec![last.batch.slice(0, 1); last.batch.num_rows()];
            last.batch = concat_batches(&last.batch.schema(), &again).unwrap();
            batches.push(Ok(last));
        }
        Ok(futures::stream::iter(batches).boxed())
    }
}
