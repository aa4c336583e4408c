//! The batch engine over real logs in memory: handles, the cache, and runs that commit once.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionContext, col};
use flinkspark_bridge::system::{SystemClock, SystemEntropy};
use flinkspark_connector::store::{Logs, Settings, object::Objects};
use flinkspark_engine::batch::{
    Cache, Event, Memory, Options, Rdd, RddTable, RowsLate, Run, Why, give_up, session,
};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::handle::StorageLevel;
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::log::{
    Appended, Commit, Intent, LogId, Receipt, Replacement, SegmentFormat, SegmentRef, SlotRecord,
    SourceOffsets, View,
};
use flinkspark_model::port::{
    BatchStream, Dataset, Datasets, Log, ReadOptions, SegmentSpec, SegmentWriter,
};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use futures::TryStreamExt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

fn id(number: u64) -> DatasetId {
    DatasetId::from_parts(number, [7; 10])
}

async fn logs() -> Logs {
    let store = Arc::new(Objects::memory());
    Logs::open(
        store,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
        Settings::default(),
    )
    .await
    .unwrap()
}

/// A dataset with partitions 0, 1, .. of these rows.
async fn dataset(logs: &Logs, number: u64, partitions: &[&[i64]]) -> Arc<dyn Dataset> {
    let dataset = logs.dataset(id(number), schema()).await.unwrap();
    let fence = Intent::Fence {
        writer: "input".into(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "test".into(),
    };
    dataset.append(fence).await.unwrap();
    let mut segments = Vec::new();
    for (partition, rows) in (0..).zip(partitions) {
        let spec = SegmentSpec {
            partition,
            attempt: 0,
            format: SegmentFormat::Arrow,
            schema: schema(),
            job: None,
        };
        let mut writer = dataset.stage(spec).await.unwrap();
        let rows = Int64Array::from(rows.to_vec());
        writer
            .write(&RecordBatch::try_new(schema(), vec![Arc::new(rows)]).unwrap())
            .await
            .unwrap();
        segments.push(writer.seal().await.unwrap().segment);
    }
    let commit = Commit {
        writer: "input".into(),
        generation: 1,
        n: 1,
        token: None,
        run: "input".into(),
        source_offsets: SourceOffsets::default(),
        schema_version: 1,
        watermark_ms: None,
        checkpoint_ref: None,
        lineage: Vec::new(),
        segments,
        manifest: None,
    };
    dataset.append(Intent::Commit(commit)).await.unwrap();
    dataset
}

async fn handle(dataset: &Arc<dyn Dataset>) -> Rdd {
    let head = dataset.refresh().await.unwrap().head();
    Rdd::of_slots(Arc::clone(dataset), 1, head).await.unwrap()
}

async fn rows(rdd: &Rdd, partition: u32) -> Vec<i64> {
    let batches: Vec<RecordBatch> = rdd
        .iterate(partition)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    batches
        .iter()
        .flat_map(|batch| {
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        })
        .collect()
}

fn computed(rdd: &Rdd, partition: u32, why: Why) -> Event {
    Event {
        rdd: rdd.id().into(),
        partition,
        why,
    }
}

#[tokio::test]
async fn a_handles_partitions_are_the_slots_rows() {
    let logs = logs().await;
    let rdd = handle(&dataset(&logs, 1, &[&[1, 2, 3], &[4]]).await).await;
    let sizes: Vec<u64> = rdd
        .partitions()
        .iter()
        .map(|partition| partition.rows)
        .collect();
    assert_eq!(sizes, [3, 1]);
    assert_eq!(
        (rows(&rdd, 0).await, rows(&rdd, 1).await),
        (vec![1, 2, 3], vec![4])
    );
}

#[tokio::test]
async fn whatever_byte_of_a_kept_partition_is_damaged_exactly_its_task_runs_again() {
    let logs = logs().await;
    let folder = tempfile::tempdir().unwrap();
    let cache = Arc::new(Cache::new(folder.path(), 1 << 20).unwrap());
    let rdd = handle(&dataset(&logs, 1, &[&[1, 2, 3], &[4, 5]]).await).await;
    let rdd = rdd.persist(Arc::clone(&cache), StorageLevel::DiskOnly);
    let first = (rows(&rdd, 0).await, rows(&rdd, 1).await);
    let mut expected = vec![
        computed(&rdd, 0, Why::Absent),
        computed(&rdd, 1, Why::Absent),
    ];
    assert_eq!(cache.events(), expected);
    let file = cache.file(rdd.id(), 1).unwrap();
    let whole = std::fs::read(&file).unwrap();
    let mut noticed = 0;
    for index in 0..whole.len() {
        damage(&file, &whole, index);
        assert_eq!(
            (rows(&rdd, 0).await, rows(&rdd, 1).await),
            first,
            "byte {index}"
        );
        if cache.events().len() > expected.len() {
            expected.push(computed(&rdd, 1, Why::Corrupt));
            noticed += 1;
        }
        assert_eq!(cache.events(), expected, "byte {index}");
        std::fs::write(&file, &whole).unwrap();
    }
    assert_eq!(noticed, whole.len());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(rows(&rdd, 1).await, first.1);
}

fn damage(file: &Path, whole: &[u8], index: usize) {
    let mut bytes = whole.to_vec();
    bytes[index] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn memory_beyond_its_budget_is_dropped_or_moved_to_disk() {
    let logs = logs().await;
    let folder = tempfile::tempdir().unwrap();
    let rdd = handle(&dataset(&logs, 1, &[&[1], &[2], &[3]]).await).await;
    // Room for one partition, not for two.
    for (level, again) in [
        (StorageLevel::MemoryOnly, 3),
        (StorageLevel::MemoryAndDisk, 0),
    ] {
        let cache = Arc::new(Cache::new(folder.path(), 700).unwrap());
        let kept = rdd.clone().persist(Arc::clone(&cache), level);
        for _ in 0..2 {
            for (partition, row) in [(0, 1), (1, 2), (2, 3)] {
                assert_eq!(rows(&kept, partition).await, [row], "{level:?}");
            }
        }
        assert_eq!(cache.events().len(), 3 + again, "{level:?}");
    }
}

/// A session, and runs in it that sum the rows of an input.
struct Sums {
    session: SessionContext,
    plan: LogicalPlan,
    inputs: Vec<SlotRange>,
}

impl Sums {
    async fn of(input: &Arc<dyn Dataset>) -> Self {
        let session = session(&Options {
            parallelism: 2,
            memory: Memory::alone(1 << 24),
            ..Options::default()
        })
        .unwrap();
        let rdd = handle(input).await;
        let inputs = vec![rdd.range()];
        let plan = session
            .read_table(Arc::new(RddTable::new(rdd)))
            .unwrap()
            .aggregate(vec![], vec![sum(col("n")).alias("n")])
            .unwrap()
            .logical_plan()
            .clone();
        Self {
            session,
            plan,
            inputs,
        }
    }

    fn run(&self, incarnation: &str) -> Run {
        Run {
            id: "run".into(),
            incarnation: incarnation.into(),
            plan: self.plan.clone(),
            inputs: self.inputs.clone(),
            overwrites: None,
            rows_out: Arc::new(AtomicU64::new(0)),
            rows_late: RowsLate::default(),
        }
    }
}

#[tokio::test]
async fn a_run_commits_once_however_often_it_is_tried() {
    let logs = logs().await;
    let sums = Sums::of(&dataset(&logs, 1, &[&[1, 2, 3], &[4]]).await).await;
    let output = logs.dataset(id(2), schema()).await.unwrap();
    let first = sums.run("a").execute(&sums.session, &output).await.unwrap();
    assert_eq!((first.rows, first.replayed), (1, false));
    let second = sums.run("b").execute(&sums.session, &output).await.unwrap();
    assert_eq!(
        (second.slot, second.rows, second.replayed),
        (first.slot, 1, true)
    );
    assert_eq!(rows(&handle(&output).await, 0).await, [10]);
    let view = output.refresh().await.unwrap();
    assert_eq!(view.live().count(), 1);
}

#[tokio::test]
async fn a_run_that_overwrites_takes_out_what_was_pinned_once_and_nothing_else() {
    let logs = logs().await;
    let input = dataset(&logs, 1, &[&[1, 2, 3], &[4]]).await;
    let sums = Sums::of(&input).await;
    let output = dataset(&logs, 2, &[&[7, 8]]).await;
    let pinned = output.refresh().await.unwrap().head();
    let over = |id: &str, incarnation: &str| Run {
        id: id.into(),
        overwrites: Some(pinned),
        ..sums.run(incarnation)
    };
    let count = async || {
        let view = output.refresh().await.unwrap();
        (view.totals().0, view.live().count())
    };
    // What somebody adds after the pin stays.
    let added = sums.run("a").execute(&sums.session, &output).await.unwrap();
    assert_eq!((added.rows, count().await.0), (1, 3));
    let first = over("over", "a").execute(&sums.session, &output).await;
    let first = first.unwrap();
    assert_eq!((first.rows, first.replayed), (1, false));
    assert_eq!(count().await, (2, 2));
    let second = over("over", "b").execute(&sums.session, &output).await;
    let second = second.unwrap();
    assert_eq!((second.slot, second.replayed), (first.slot, true));
    assert_eq!(count().await, (2, 2));
    // Another one that was pinned before is not written over what it has not seen.
    let late = over("late", "a").execute(&sums.session, &output).await;
    let error = late.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0219"));
    assert_eq!(count().await, (2, 2));
    // A dataset without slots has nothing to take out, and is written all the same.
    let empty = logs.dataset(id(3), schema()).await.unwrap();
    let run = Run {
        overwrites: Some(0),
        ..sums.run("a")
    };
    run.execute(&sums.session, &empty).await.unwrap();
    assert_eq!(rows(&handle(&empty).await, 0).await, [10]);
}

/// A dataset that cannot stage a first attempt's partition 1, and notes what it stages.
struct Flaky {
    whole: Arc<dyn Dataset>,
    staged: Mutex<Vec<(u32, u32)>>,
}

#[async_trait]
impl Log for Flaky {
    fn id(&self) -> LogId {
        self.whole.id()
    }

    async fn refresh(&self) -> Result<Arc<View>> {
        self.whole.refresh().await
    }

    async fn append(&self, intent: Intent) -> Result<Appended> {
        self.whole.append(intent).await
    }

    async fn slot(&self, slot: SlotNo) -> Result<SlotRecord> {
        self.whole.slot(slot).await
    }

    async fn stage_bytes(&self, partition: u32, bytes: Bytes) -> Result<Receipt> {
        self.whole.stage_bytes(partition, bytes).await
    }

    async fn read_bytes(&self, segment: &SegmentRef) -> Result<Bytes> {
        self.whole.read_bytes(segment).await
    }
}

#[async_trait]
impl Dataset for Flaky {
    fn schema(&self) -> SchemaRef {
        self.whole.schema()
    }

    async fn stage(&self, spec: SegmentSpec) -> Result<Box<dyn SegmentWriter>> {
        if (spec.partition, spec.attempt) == (1, 0) {
            // The other partition is done by then.
            tokio::time::sleep(Duration::from_millis(200)).await;
            return Err(Error::new(Kind::Unavailable, "FS1001", "a full disk"));
        }
        self.staged
            .lock()
            .unwrap()
            .push((spec.partition, spec.attempt));
        self.whole.stage(spec).await
    }

    async fn read(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
        options: ReadOptions,
    ) -> Result<BatchStream> {
        self.whole.read(partition, from, through, options).await
    }
}

#[tokio::test]
async fn a_run_that_is_tried_again_computes_every_partition_again() {
    let logs = logs().await;
    let input = dataset(&logs, 1, &[&[1, 2, 3], &[4]]).await;
    let session = session(&Options::default()).unwrap();
    let rdd = handle(&input).await;
    let inputs = vec![rdd.range()];
    let table = session.read_table(Arc::new(RddTable::new(rdd))).unwrap();
    let run = Run {
        id: "run".into(),
        incarnation: "a".into(),
        plan: table.logical_plan().clone(),
        inputs,
        overwrites: None,
        rows_out: Arc::new(AtomicU64::new(0)),
        rows_late: RowsLate::default(),
    };
    let flaky = Arc::new(Flaky {
        whole: logs.dataset(id(2), schema()).await.unwrap(),
        staged: Mutex::default(),
    });
    let output: Arc<dyn Dataset> = flaky.clone();
    let done = run.execute(&session, &output).await.unwrap();
    assert_eq!((done.rows, done.retries), (4, 1));
    let mut staged = flaky.staged.lock().unwrap().clone();
    staged.sort_unstable();
    assert_eq!(staged, [(0, 0), (0, 1), (1, 1)]);
    let written = handle(&output).await;
    assert_eq!(rows(&written, 0).await, [1, 2, 3]);
    assert_eq!(rows(&written, 1).await, [4]);
}

#[tokio::test]
async fn a_run_that_was_given_up_has_committed_before_or_never_does() {
    let logs = logs().await;
    let sums = Sums::of(&dataset(&logs, 1, &[&[1, 2, 3], &[4]]).await).await;
    let output = logs.dataset(id(2), schema()).await.unwrap();
    for again in ["a", "b"] {
        assert_eq!(give_up("run", again, &output).await, Ok(None));
    }
    let late = sums.run("c").execute(&sums.session, &output).await;
    assert_eq!(late.unwrap_err().kind(), Kind::Conflict);
    assert_eq!(output.refresh().await.unwrap().live().count(), 0);

    let output = logs.dataset(id(3), schema()).await.unwrap();
    let done = sums.run("a").execute(&sums.session, &output).await.unwrap();
    let told = give_up("run", "b", &output).await.unwrap().unwrap();
    assert_eq!((told.slot, told.digest), (done.slot, done.digest));
}

#[tokio::test]
async fn a_handle_keeps_to_its_slots_through_an_overwrite() {
    let logs = logs().await;
    let input = dataset(&logs, 1, &[&[1, 2, 3], &[4]]).await;
    let rdd = handle(&input).await;
    assert_eq!(rows(&rdd, 0).await, [1, 2, 3]);
    let head = input.refresh().await.unwrap().head();
    let fence = Intent::Fence {
        writer: "other".into(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "test".into(),
    };
    input.append(fence).await.unwrap();
    let commit = Commit {
        writer: "other".into(),
        generation: 1,
        n: 1,
        token: None,
        run: "other".into(),
        source_offsets: SourceOffsets::default(),
        schema_version: 1,
        watermark_ms: None,
        checkpoint_ref: None,
        lineage: Vec::new(),
        segments: Vec::new(),
        manifest: None,
    };
    let overwrite = Intent::Replace {
        read_at: head,
        serializable: false,
        first: 1,
        last: head,
        with: Replacement::Overwrite(commit),
    };
    input.append(overwrite).await.unwrap();
    assert_eq!(
        rows(&rdd, 1).await,
        [4],
        "a partition that was not read yet"
    );
    let again = Rdd::of_slots(Arc::clone(&input), 1, head).await.unwrap();
    assert_eq!(
        (again.id(), rows(&again, 0).await),
        (rdd.id(), vec![1, 2, 3])
    );
    assert_eq!(rows(&handle(&input).await, 0).await, [0; 0]);
}

#[tokio::test]
async fn rows_that_do_not_fit_the_target_commit_nothing() {
    let logs = logs().await;
    let input = dataset(&logs, 1, &[&[1]]).await;
    let narrow = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
    let output = logs.dataset(id(2), narrow).await.unwrap();
    let session = session(&Options::default()).unwrap();
    let rdd = handle(&input).await;
    let (inputs, rows_out) = (vec![rdd.range()], Arc::new(AtomicU64::new(0)));
    let plan = session
        .read_table(Arc::new(RddTable::new(rdd)))
        .unwrap()
        .logical_plan()
        .clone();
    let run = Run {
        id: "run".into(),
        incarnation: "a".into(),
        plan,
        inputs,
        overwrites: None,
        rows_out,
        rows_late: RowsLate::default(),
    };
    let error = run.execute(&session, &output).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0709"));
    assert_eq!(output.refresh().await.unwrap().live().count(), 0);
}
