//! Logs in memory, over the real slot machine; each incarnation has its own view of them, which
//! can die at any operation, be held up at one, or be slow by a seed.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::log::{
    Appended, Commit, Intent, LogId, Proposer, Receipt, SegmentFormat, SegmentName, SegmentRef,
    Slot, SlotRecord, Step, View,
};
use flinkspark_model::port::{
    BatchStream, Dataset, Datasets, Extent, Log, PositionedBatch, ReadOptions, SegmentSpec,
    SegmentWriter,
};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

#[derive(Clone)]
enum Stored {
    Rows(Vec<RecordBatch>),
    Bytes(Bytes),
}

#[derive(Clone)]
pub(super) struct LogState {
    pub(super) view: View,
    pub(super) slots: Vec<Slot>,
    schema: Option<SchemaRef>,
}

#[derive(Default)]
struct Content {
    logs: HashMap<LogId, LogState>,
    segments: HashMap<SegmentName, Stored>,
}

/// The durable store that all incarnations share.
#[derive(Clone, Default)]
pub(super) struct Store(Arc<Mutex<Content>>);

/// What happens to one incarnation.
#[derive(Default)]
pub(super) struct Fate {
    pub(super) operations: AtomicU64,
    /// It dies at this operation: before it, or after it but before it hears of it.
    pub(super) dies_at: Option<(u64, bool)>,
    pub(super) dead: AtomicBool,
    pub(super) died: Notify,
    /// It is held up before this operation until it is released.
    pub(super) held_at: Option<u64>,
    pub(super) held: Notify,
    pub(super) released: Notify,
    /// How slow operations are.
    pub(super) seed: u64,
    /// Reads give batches of at most this many rows, 0 for what was asked.
    pub(super) batch_rows: usize,
}

impl Fate {
    async fn before(&self) -> u64 {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let operation = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        for _ in 0..mix(self.seed, operation) % 4 * u64::from(self.seed != 0) {
            tokio::task::yield_now().await;
        }
        if self.held_at == Some(operation) {
            self.held.notify_one();
            self.released.notified().await;
        }
        self.die_if(operation, false).await;
        operation
    }

    async fn after(&self, operation: u64) {
        self.die_if(operation, true).await;
    }

    async fn die_if(&self, operation: u64, after: bool) {
        if self.dies_at == Some((operation, after)) {
            self.dead.store(true, Ordering::SeqCst);
            self.died.notify_one();
        }
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

pub(super) fn mix(seed: u64, n: u64) -> u64 {
    let mut z = (seed ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Store {
    /// The store as one incarnation sees it.
    pub(super) fn incarnation(&self, fate: Arc<Fate>) -> Arc<dyn Datasets> {
        Arc::new(View_ {
            store: self.clone(),
            fate,
        })
    }

    pub(super) fn log(&self, id: LogId) -> LogState {
        self.with(id, |log, _| log.clone())
    }

    fn with<T>(
        &self,
        id: LogId,
        run: impl FnOnce(&mut LogState, &mut HashMap<SegmentName, Stored>) -> T,
    ) -> T {
        let mut content = self.0.lock().unwrap();
        let Content { logs, segments } = &mut *content;
        let log = logs.entry(id).or_insert_with(|| LogState {
            view: View::empty(),
            slots: vec![],
            schema: None,
        });
        run(log, segments)
    }

    /// All committed rows of a dataset.
    pub(super) fn batches(&self, id: LogId) -> Vec<RecordBatch> {
        self.with(id, |log, segments| {
            let live = log.view.live().flat_map(|epoch| &epoch.segments);
            live.flat_map(|segment| match &segments[&segment.name] {
                Stored::Rows(rows) => rows.clone(),
                Stored::Bytes(_) => panic!("a dataset holds bytes"),
            })
            .collect()
        })
    }

    /// Commits rows as one epoch of an input.
    pub(super) fn put(
        &self,
        id: DatasetId,
        n: u64,
        rows: Vec<(u32, RecordBatch)>,
        schema: SchemaRef,
    ) {
        let id = LogId::from(id);
        let segments: Vec<SegmentRef> = rows
            .into_iter()
            .map(|(partition, batch)| self.stage(Stored::Rows(vec![batch]), partition, 0))
            .collect();
        self.with(id, |log, _| {
            log.schema = Some(schema);
            if n == 1 {
                let fence = Slot::Fence {
                    writer: "input".into(),
                    generation: 1,
                    restored: 0,
                    rewind: false,
                    drops: false,
                    incarnation: String::new(),
                };
                push(log, fence);
            }
            push(
                log,
                Slot::Epoch(Commit {
                    writer: "input".into(),
                    generation: 1,
                    n,
                    token: None,
                    run: "input".into(),
                    source_offsets: Default::default(),
                    schema_version: 1,
                    watermark_ms: None,
                    checkpoint_ref: None,
                    lineage: vec![],
                    segments,
                    manifest: None,
                }),
            );
        });
    }

    fn stage(&self, stored: Stored, partition: u32, attempt: u32) -> SegmentRef {
        let mut content = self.0.lock().unwrap();
        let name = SegmentName::from(format!("segment-{}", content.segments.len()));
        let (digest, bytes) = match &stored {
            Stored::Rows(rows) => {
                let mut digester = Digester::new(&rows[0].schema()).unwrap();
                rows.iter()
                    .for_each(|batch| digester.update(batch).unwrap());
                (digester.finish(), 0)
            }
            Stored::Bytes(bytes) => (
                Digest {
                    rows: 0,
                    sum: bytes.len() as u128,
                },
                bytes.len() as u64,
            ),
        };
        content.segments.insert(name.clone(), stored);
        SegmentRef {
            name,
            partition,
            attempt,
            format: SegmentFormat::Arrow,
            rows: digest.rows,
            bytes,
            digest,
        }
    }
}

fn push(log: &mut LogState, slot: Slot) {
    log.view.apply(log.view.head() + 1, &slot).unwrap();
    log.slots.push(slot);
}

struct View_ {
    store: Store,
    fate: Arc<Fate>,
}

#[async_trait]
impl Datasets for View_ {
    async fn dataset(&self, id: DatasetId, schema: SchemaRef) -> Result<Arc<dyn Dataset>> {
        self.store
            .with(id.into(), |log, _| log.schema.get_or_insert(schema).clone());
        Ok(Arc::new(MemoryLog {
            id: id.into(),
            store: self.store.clone(),
            fate: Arc::clone(&self.fate),
        }))
    }

    async fn job(&self, id: LogId) -> Result<Arc<dyn Log>> {
        Ok(Arc::new(MemoryLog {
            id,
            store: self.store.clone(),
            fate: Arc::clone(&self.fate),
        }))
    }
}

struct MemoryLog {
    id: LogId,
    store: Store,
    fate: Arc<Fate>,
}

#[async_trait]
impl Log for MemoryLog {
    fn id(&self) -> LogId {
        self.id
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        Ok(Arc::new(self.store.log(self.id).view))
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        let operation = self.fate.before().await;
        let appended = self.store.with(self.id, |log, _| {
            let mut proposer = Proposer::new(intent);
            match proposer.next(&log.view) {
                Step::Create(attempt) => {
                    assert_eq!(attempt.slot, log.view.head() + 1);
                    push(log, attempt.body);
                    match proposer.created() {
                        Step::Done(done) => Ok(done),
                        other => panic!("{other:?}"),
                    }
                }
                Step::Done(done) => Ok(done),
                Step::Refuse(refusal) => Err(refusal.into()),
                Step::CatchUp => panic!("the view is the tail"),
            }
        });
        self.fate.after(operation).await;
        appended
    }

    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        let body = self
            .store
            .log(self.id)
            .slots
            .get(slot as usize - 1)
            .cloned();
        let body = body.ok_or_else(|| Error::new(Kind::Invalid, "FS0200", "no such slot"))?;
        Ok(SlotRecord {
            format: 1,
            log: self.id,
            slot,
            committed_at_ms: 0,
            principal: None,
            lists: Vec::new(),
            body,
        })
    }

    async fn stage_bytes(&self, partition: u32, bytes: Bytes) -> Result<Receipt> {
        let operation = self.fate.before().await;
        let segment = self.store.stage(Stored::Bytes(bytes), partition, 0);
        self.fate.after(operation).await;
        Ok(Receipt {
            segment,
            signature: String::new(),
        })
    }

    async fn read_bytes(&self, segment: &SegmentRef) -> Result<Bytes> {
        self.store
            .with(self.id, |_, segments| match segments.get(&segment.name) {
                Some(Stored::Bytes(bytes)) => Ok(bytes.clone()),
                _ => Err(Error::new(Kind::Data, "FS0200", "no such segment")),
            })
    }
}

#[async_trait]
impl Dataset for MemoryLog {
    fn schema(&self) -> SchemaRef {
        self.store.log(self.id).schema.unwrap()
    }

    async fn stage(&self, spec: SegmentSpec) -> Result<Box<dyn SegmentWriter>> {
        Ok(Box::new(MemoryWriter {
            spec,
            rows: vec![],
            store: self.store.clone(),
            fate: Arc::clone(&self.fate),
        }))
    }

    async fn read(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
        options: ReadOptions,
    ) -> Result<BatchStream> {
        let mut all = Vec::new();
        self.store.with(self.id, |log, segments| {
            for epoch in log.view.as_of(1, through) {
                for (index, segment) in epoch
                    .segments
                    .iter()
                    .enumerate()
                    .filter(|(_, segment)| segment.partition == partition)
                {
                    let Some(Stored::Rows(rows)) = segments.get(&segment.name) else {
                        panic!()
                    };
                    let (mut row, index) = (0, index as u32);
                    for batch in rows {
                        let mut first = 0;
                        while first < batch.num_rows() {
                            let asked = options.batch_rows_max;
                            let most = if self.fate.batch_rows == 0 {
                                asked
                            } else {
                                asked.min(self.fate.batch_rows)
                            };
                            let count = most.min(batch.num_rows() - first);
                            let at = Position {
                                slot: epoch.slot,
                                segment: index,
                                row,
                            };
                            let part = if at >= from {
                                Some(batch.slice(first, count))
                            } else if at.slot == from.slot
                                && at.segment == from.segment
                                && at.row + count as u64 > from.row
                            {
                                let skip = (from.row - at.row) as usize;
                                Some(batch.slice(first + skip, count - skip))
                            } else {
                                None
                            };
                            row += count as u64;
                            first += count;
                            if let Some(part) = part {
                                let part = match &options.columns {
                                    Some(columns) => part.project(columns).unwrap(),
                                    None => part,
                                };
                                all.push(PositionedBatch {
                                    batch: part,
                                    next: Position {
                                        slot: epoch.slot,
                                        segment: index,
                                        row,
                                    },
                                    read: Extent::default(),
                                    skipped: Extent::default(),
                                });
                            }
                        }
                    }
                }
            }
        });
        let seed = self.fate.seed;
        let slow = move |(index, batch)| async move {
            for _ in 0..mix(seed, index as u64) % 3 * u64::from(seed != 0) {
                tokio::task::yield_now().await;
            }
            Ok(batch)
        };
        Ok(futures::stream::iter(all.into_iter().enumerate())
            .then(slow)
            .boxed())
    }
}

struct MemoryWriter {
    spec: SegmentSpec,
    rows: Vec<RecordBatch>,
    store: Store,
    fate: Arc<Fate>,
}

#[async_trait]
impl SegmentWriter for MemoryWriter {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        assert_eq!(batch.schema(), self.spec.schema);
        self.rows.push(batch.clone());
        Ok(())
    }

    async fn seal(self: Box<Self>) -> Result<Receipt> {
        let operation = self.fate.before().await;
        let segment = self.store.stage(
            Stored::Rows(self.rows),
            self.spec.partition,
            self.spec.attempt,
        );
        self.fate.after(operation).await;
        Ok(Receipt {
            segment,
            signature: String::new(),
        })
    }
}
