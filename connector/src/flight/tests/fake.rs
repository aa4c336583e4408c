//! A bridge in memory: catalogue, logs and transactions behind the ports, without durability.

use crate::flight::{Begin, Mode, State, Transaction, Transactions};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::lineage::Edge;
use flinkspark_model::log::{
    Appended, Commit, Decision, Intent, LogId, Receipt, Replacement, SegmentFormat, SegmentRef,
    SlotRecord, SourceOffsets, View, WriterName,
};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{
    self, BatchStream, Catalog, Change, ChangeEvent, Clock, Datasets, Log, Page, PositionedBatch,
    ReadOptions, Reference, Registration, SegmentSpec, SegmentWriter,
};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use futures::stream::{self, StreamExt};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) now_ms: AtomicU64,
    counter: AtomicU64,
    datasets: Mutex<BTreeMap<DatasetName, Arc<Dataset>>>,
    logs: Mutex<BTreeMap<DatasetId, Arc<FakeLog>>>,
    transactions: Mutex<BTreeMap<String, Transaction>>,
    pub(crate) advanced: Mutex<Vec<(DatasetId, u64, u64)>>,
}

pub(crate) struct FakeLog {
    id: DatasetId,
    schema: SchemaRef,
    view: Mutex<Arc<View>>,
    rows: Mutex<BTreeMap<String, Vec<RecordBatch>>>,
}

fn missing(what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, "FS0501", format!("{what} does not exist"))
}

impl Fake {
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

    pub(crate) fn log(&self, dataset: &Dataset) -> Arc<FakeLog> {
        let mut logs = self.logs.lock().unwrap();
        Arc::clone(logs.entry(dataset.id).or_insert_with(|| {
            Arc::new(FakeLog {
                id: dataset.id,
                schema: Arc::clone(&dataset.schema),
                view: Mutex::new(Arc::new(View::empty())),
                rows: Mutex::default(),
            })
        }))
    }

    /// Rows and digest of everything committed.
    pub(crate) fn totals(&self, dataset: &Dataset) -> (u64, Digest) {
        let (rows, _, digest) = self.log(dataset).view.lock().unwrap().totals();
        (rows, digest)
    }

    pub(crate) fn open_transactions(&self) -> usize {
        let transactions = self.transactions.lock().unwrap();
        transactions
            .values()
            .filter(|t| matches!(t.state, State::Open { .. }))
            .count()
    }

    fn unique(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    fn transaction(&self, txn: &str) -> Result<Transaction> {
        self.transactions
            .lock()
            .unwrap()
            .get(txn)
            .cloned()
            .ok_or_else(|| missing(txn))
    }
}

impl Clock for Fake {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Catalog for Fake {
    async fn register(&self, registration: Registration) -> Result<Arc<Dataset>> {
        let dataset = Arc::new(Dataset {
            id: DatasetId::from_parts(self.unique(), [7; 10]),
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
            next,
        })
    }

    async fn update(&self, _: DatasetId, _: u64, _: Change) -> Result<Arc<Dataset>> {
        Err(missing("update"))
    }

    async fn drop_dataset(&self, _: DatasetId, _: u64) -> Result<()> {
        Err(missing("drop"))
    }

    async fn advance(&self, id: DatasetId, head: u64, rows: u64, _: Option<i64>) -> Result<()> {
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
    async fn dataset(&self, id: DatasetId, _: SchemaRef) -> Result<Arc<dyn port::Dataset>> {
        let dataset = self.lookup(&Reference::Id(id)).await?;
        Ok(self.log(&dataset))
    }

    async fn job(&self, _: LogId) -> Result<Arc<dyn Log>> {
        Err(missing("job"))
    }
}

#[async_trait]
impl Transactions for Fake {
    async fn begin(&self, begin: Begin) -> Result<Transaction> {
        self.log(&begin.dataset);
        let txn = begin.id.unwrap_or_else(|| format!("txn-{}", self.unique()));
        let mut transactions = self.transactions.lock().unwrap();
        if let Some(there) = transactions.get(&txn) {
            return Ok(Transaction {
                replayed: true,
                ..there.clone()
            });
        }
        let state = State::Open { expires_at_ms: 1 };
        let transaction = Transaction {
            txn: txn.clone(),
            dataset: begin.dataset.id,
            mode: begin.mode,
            state,
            replayed: false,
        };
        transactions.insert(txn, transaction.clone());
        Ok(transaction)
    }

    async fn stage(
        &self,
        txn: &str,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>> {
        let transaction = self.transaction(txn)?;
        if !matches!(transaction.state, State::Open { .. }) {
            return Err(Error::new(
                Kind::Conflict,
                "FS1050",
                "the transaction is not open",
            ));
        }
        let log = Arc::clone(&self.logs.lock().unwrap()[&transaction.dataset]);
        let digester = Digester::new(&log.schema)?;
        let name = format!("{partition:05}-{attempt}-{}", self.unique());
        Ok(Box::new(FakeWriter {
            log,
            name,
            partition,
            attempt,
            batches: vec![],
            digester,
        }))
    }

    async fn commit(&self, txn: &str, receipts: Vec<Receipt>) -> Result<Transaction> {
        let transaction = self.transaction(txn)?;
        match transaction.state {
            State::Committed { .. } => {
                return Ok(Transaction {
                    replayed: true,
                    ..transaction
                });
            }
            State::Aborted => {
                return Err(Error::new(
                    Kind::Conflict,
                    "FS1050",
                    "the transaction is not open",
                ));
            }
            State::Open { .. } => {}
        }
        if receipts.iter().any(|receipt| receipt.signature != "signed") {
            return Err(Error::new(
                Kind::Invalid,
                "FS1051",
                "a receipt was not signed by this bridge",
            ));
        }
        let log = Arc::clone(&self.logs.lock().unwrap()[&transaction.dataset]);
        let segments: Vec<SegmentRef> = receipts
            .into_iter()
            .map(|receipt| receipt.segment)
            .collect();
        let slot = log.commit(txn, transaction.mode, segments.clone()).await?;
        let digest: Digest = segments.iter().map(|segment| segment.digest).sum();
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        let state = State::Committed {
            slot,
            rows: digest.rows,
            bytes,
            digest,
        };
        let transaction = Transaction {
            state,
            ..transaction
        };
        self.transactions
            .lock()
            .unwrap()
            .insert(txn.into(), transaction.clone());
        Ok(transaction)
    }

    async fn abort(&self, txn: &str) -> Result<Transaction> {
        let transaction = Transaction {
            state: State::Aborted,
            ..self.transaction(txn)?
        };
        self.transactions
            .lock()
            .unwrap()
            .insert(txn.into(), transaction.clone());
        Ok(transaction)
    }

    async fn status(&self, txn: &str) -> Result<Transaction> {
        self.transaction(txn)
    }
}

impl FakeLog {
    async fn commit(&self, writer: &str, mode: Mode, segments: Vec<SegmentRef>) -> Result<SlotNo> {
        let writer = WriterName::from(writer);
        let fence = Intent::Fence {
            writer: writer.clone(),
            generation: 1,
            restored: 0,
            rewind: false,
            incarnation: "test".into(),
        };
        self.append(fence).await?;
        let commit = Commit {
            writer,
            generation: 1,
            n: 1,
            run: "test".into(),
            source_offsets: SourceOffsets::default(),
            schema_version: 1,
            watermark_ms: None,
            checkpoint_ref: None,
            lineage: vec![],
            segments,
            manifest: None,
        };
        let head = self.view.lock().unwrap().head();
        let intent = match mode {
            Mode::Append => Intent::Commit(commit),
            Mode::Replace => Intent::Replace {
                read_at: head,
                first: 1,
                last: head,
                with: Replacement::Overwrite(commit),
            },
        };
        Ok(self.append(intent).await?.slot)
    }

    /// Breaks a promise: the slot's segment loses its last batch.
    pub(crate) fn lose_rows(&self) {
        self.rows.lock().unwrap().values_mut().for_each(|batches| {
            batches.pop();
        });
    }
}

#[async_trait]
impl Log for FakeLog {
    fn id(&self) -> LogId {
        self.id.into()
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        Ok(Arc::clone(&self.view.lock().unwrap()))
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        let mut view = self.view.lock().unwrap();
        match view.decide(&intent) {
            Decision::Create(attempt) => {
                Arc::make_mut(&mut view).apply(attempt.slot, &attempt.body)?;
                Ok(Appended {
                    slot: attempt.slot,
                    replayed: false,
                    same_rows: true,
                })
            }
            Decision::Done(done) => Ok(done),
            Decision::Refuse(refusal) => panic!("{refusal:?}"),
        }
    }

    async fn slot(&self, _: SlotNo) -> Result<SlotRecord> {
        Err(missing("slot"))
    }

    async fn stage_bytes(&self, _: u32, _: bytes::Bytes) -> Result<Receipt> {
        Err(missing("bytes"))
    }

    async fn read_bytes(&self, _: &SegmentRef) -> Result<bytes::Bytes> {
        Err(missing("bytes"))
    }
}

#[async_trait]
impl port::Dataset for FakeLog {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn stage(&self, _: SegmentSpec) -> Result<Box<dyn SegmentWriter>> {
        Err(missing("stage"))
    }

    async fn read(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
        options: ReadOptions,
    ) -> Result<BatchStream> {
        let view = Arc::clone(&self.view.lock().unwrap());
        let rows = self.rows.lock().unwrap();
        let mut out = Vec::new();
        for epoch in view.live_between(from.slot.max(1), through) {
            for (index, segment) in (0..)
                .zip(&epoch.segments)
                .filter(|(_, s)| s.partition == partition)
            {
                let mut row = 0;
                for batch in &rows[segment.name.as_str()] {
                    for first in (0..batch.num_rows()).step_by(options.batch_rows_max) {
                        let count = options.batch_rows_max.min(batch.num_rows() - first);
                        let at = Position {
                            slot: epoch.slot,
                            segment: index,
                            row,
                        };
                        row += count as u64;
                        let skip = if at >= from {
                            0
                        } else if (at.slot, at.segment) == (from.slot, from.segment) {
                            usize::try_from(from.row - at.row).unwrap().min(count)
                        } else {
                            count
                        };
                        let mut piece = batch.slice(first + skip, count - skip);
                        if let Some(columns) = &options.columns {
                            piece = piece.project(columns).unwrap();
                        }
                        out.push(Ok(PositionedBatch {
                            batch: piece,
                            next: Position { row, ..at },
                        }));
                    }
                }
            }
        }
        Ok(stream::iter(out).boxed())
    }
}

struct FakeWriter {
    log: Arc<FakeLog>,
    name: String,
    partition: u32,
    attempt: u32,
    batches: Vec<RecordBatch>,
    digester: Digester,
}

#[async_trait]
impl SegmentWriter for FakeWriter {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        assert_eq!(
            batch.schema(),
            self.log.schema,
            "the service conforms before it writes"
        );
        self.digester.update(batch)?;
        self.batches.push(batch.clone());
        Ok(())
    }

    async fn seal(self: Box<Self>) -> Result<Receipt> {
        let digest = self.digester.finish();
        self.log
            .rows
            .lock()
            .unwrap()
            .insert(self.name.clone(), self.batches);
        let segment = SegmentRef {
            name: self.name.into(),
            partition: self.partition,
            attempt: self.attempt,
            format: SegmentFormat::Arrow,
            rows: digest.rows,
            bytes: digest.rows * 8,
            digest,
        };
        Ok(Receipt {
            segment,
            signature: "signed".into(),
        })
    }
}
