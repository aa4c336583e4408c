//! What the tests share: a clock and randomness that they set, rows, and short ways to commit them.

use crate::store::local::Local;
use crate::store::object::Objects;
use crate::store::{LogDataset, Logs, Settings, Store};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_model::budget::Share;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::digest::Digest;
use flinkspark_model::log::{
    Appended, Commit, Generation, Intent, KnownHead, Ordinal, Receipt, SegmentFormat, SourceOffsets,
};
use flinkspark_model::port::{
    Clock, Dataset, Entropy, Heads, PositionedBatch, ReadOptions, SegmentSpec,
};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Result, digest};
use futures::TryStreamExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// A clock that stands until it is moved.
#[derive(Default)]
pub(crate) struct Hand(pub(crate) AtomicU64);

impl Clock for Hand {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Different bytes each time, the same in each process that starts from the same seed.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut x = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(x ^ x >> 31).to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn id() -> DatasetId {
    DatasetId(Uuid::from_u128(1))
}

pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]))
}

/// Rows whose numbers are the range.
pub(crate) fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(range.clone()));
    let text = range.map(|n| (n % 3 != 0).then(|| format!("row {n}")));
    let text: ArrayRef = Arc::new(text.collect::<StringArray>());
    RecordBatch::try_new(schema(), vec![numbers, text]).unwrap()
}

pub(crate) fn digest_of(batches: &[RecordBatch]) -> Digest {
    digest::digest(&schema(), batches).unwrap()
}

pub(crate) async fn logs_on(store: Arc<dyn Store>, seed: u64) -> Result<Logs> {
    logs_at(store, seed, Arc::new(Hand::default())).await
}

pub(crate) async fn logs_at(store: Arc<dyn Store>, seed: u64, clock: Arc<Hand>) -> Result<Logs> {
    let settings = Settings {
        backoff_min: Duration::ZERO,
        backoff_max: Duration::ZERO,
        ..Settings::default()
    };
    Logs::open(store, clock, Arc::new(Seeded::new(seed)), settings).await
}

/// A catalogue that knows of nothing.
struct Nobody;

impl Heads for Nobody {
    fn known_head(&self, _: DatasetId) -> Result<Option<KnownHead>> {
        Ok(None)
    }
}

/// Logs in memory, whose writers keep no more than the share has.
pub(crate) async fn memory_within(writers: Share) -> Logs {
    let (clock, entropy) = (Arc::new(Hand::default()), Arc::new(Seeded::new(1)));
    let store = Arc::new(Objects::memory());
    let settings = Settings::default();
    Logs::open_known(store, clock, entropy, settings, Arc::new(Nobody), writers)
        .await
        .unwrap()
}

pub(crate) async fn memory() -> Logs {
    logs_on(Arc::new(Objects::memory()), 1).await.unwrap()
}

pub(crate) async fn local(root: &Path, seed: u64) -> Logs {
    logs_on(Arc::new(Local::open(root).await.unwrap()), seed)
        .await
        .unwrap()
}

pub(crate) async fn dataset(logs: &Logs) -> LogDataset {
    logs.open_dataset(id(), schema()).await.unwrap()
}

pub(crate) fn spec(partition: u32) -> SegmentSpec {
    SegmentSpec {
        partition,
        attempt: 0,
        format: SegmentFormat::Arrow,
        schema: schema(),
        job: None,
    }
}

pub(crate) async fn seal(
    dataset: &dyn Dataset,
    partition: u32,
    batches: &[RecordBatch],
) -> Result<Receipt> {
    let mut writer = dataset.stage(spec(partition)).await?;
    for batch in batches {
        writer.write(batch).await?;
    }
    writer.seal().await
}

pub(crate) fn fence(generation: Generation, restored: Ordinal) -> Intent {
    Intent::Fence {
        writer: "w".into(),
        generation,
        restored,
        rewind: false,
        drops: false,
        incarnation: format!("process {generation}"),
    }
}

pub(crate) fn commit(generation: Generation, n: Ordinal, receipts: &[Receipt]) -> Commit {
    Commit {
        writer: "w".into(),
        generation,
        n,
        token: None,
        run: "test".into(),
        source_offsets: SourceOffsets::of("in", n),
        schema_version: 1,
        watermark_ms: None,
        checkpoint_ref: None,
        lineage: Vec::new(),
        segments: receipts
            .iter()
            .map(|receipt| receipt.segment.clone())
            .collect(),
        manifest: None,
    }
}

/// Seals the rows as one segment of partition 0 and commits it as `n`.
pub(crate) async fn put(dataset: &dyn Dataset, n: Ordinal, batch: RecordBatch) -> Result<Appended> {
    let receipt = seal(dataset, 0, &[batch]).await?;
    dataset
        .append(Intent::Commit(commit(1, n, &[receipt])))
        .await
}

pub(crate) async fn read(
    dataset: &dyn Dataset,
    partition: u32,
    from: Position,
    through: SlotNo,
    options: ReadOptions,
) -> Result<Vec<PositionedBatch>> {
    dataset
        .read(partition, from, through, options)
        .await?
        .try_collect()
        .await
}

/// Everything that partition 0 holds.
pub(crate) async fn read_all(dataset: &dyn Dataset) -> Result<Vec<RecordBatch>> {
    let head = dataset.refresh().await?.head();
    let batches = read(dataset, 0, Position::START, head, ReadOptions::default()).await?;
    Ok(batches
        .into_iter()
        .map(|positioned| positioned.batch)
        .collect())
}
