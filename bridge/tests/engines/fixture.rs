//! One dataset in memory and a statement over it, on either engine.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_adapter::front::flink::{self, TableInfo, Tables};
use flinkspark_adapter::plan::{Home, Job};
use flinkspark_adapter::target;
use flinkspark_bridge::system::{SystemClock, SystemEntropy};
use flinkspark_connector::store::{Logs, Settings, object::Objects};
use flinkspark_engine::batch::{self, Rdd, RddTable};
use flinkspark_engine::stream;
use flinkspark_model::Result;
use flinkspark_model::dataset::{Dataset, DatasetId, TimeAttribute, Traits};
use flinkspark_model::digest::Digest;
use flinkspark_model::log::{
    Commit, Intent, LogId, SegmentFormat, SegmentRef, SourceOffsets, WriterName,
};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{self, Datasets, ReadOptions, SegmentSpec};
use flinkspark_model::position::Position;
use futures::TryStreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The name under which statements read the dataset.
pub(crate) const NAME: &str = "t";

/// What a statement gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) digest: Digest,
    pub(crate) rows_late: u64,
    /// The partitions of the output that have rows.
    pub(crate) partitions: Vec<u32>,
}

/// How a statement is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) home: Home,
    pub(crate) parallelism: usize,
    /// Stream only: the job is killed after each of so many milliseconds, and goes on.
    pub(crate) killed_every_ms: Option<u64>,
}

impl How {
    pub(crate) fn at(parallelism: usize) -> Self {
        Self {
            home: Home::FlinkStreaming,
            parallelism,
            killed_every_ms: None,
        }
    }
}

/// A dataset in a store of its own.
pub(crate) struct Fixture {
    logs: Arc<dyn Datasets>,
    input: Dataset,
    through: u64,
    next: AtomicU64,
}

impl Tables for Fixture {
    fn table(&self, name: &DatasetName) -> Result<Option<TableInfo>> {
        let time = self.input.traits.time.as_ref();
        let info = TableInfo {
            schema: Arc::clone(&self.input.schema),
            time_attribute: time.map(|time| time.column.clone()),
            time_precision: time.map_or_else(Default::default, |time| time.precision),
            watermark_delay_ms: time.map(|time| time.watermark_delay_ms as i64),
            bounded: true,
        };
        Ok((name.as_str() == NAME).then_some(info))
    }
}

fn record(number: u64, name: &str, schema: SchemaRef, time: Option<TimeAttribute>) -> Dataset {
    Dataset {
        id: DatasetId::from_parts(number, [7; 10]),
        name: DatasetName::new(name).unwrap(),
        version: 1,
        schema_version: 1,
        schema,
        traits: Traits {
            time,
            ..Traits::default()
        },
        handles: Vec::new(),
        created_at_ms: 0,
    }
}

impl Fixture {
    /// The dataset whose epochs hold these batches, each with its partition.
    pub(crate) async fn new(
        schema: SchemaRef,
        time: Option<TimeAttribute>,
        epochs: &[Vec<(u32, Vec<RecordBatch>)>],
    ) -> Self {
        let store = Arc::new(Objects::memory());
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let logs = Logs::open(store, clock, entropy, Settings::default())
            .await
            .unwrap();
        let input = record(1, NAME, Arc::clone(&schema), time);
        let log = logs.dataset(input.id, Arc::clone(&schema)).await.unwrap();
        let writer = WriterName::from("input");
        let fence = Intent::Fence {
            writer: writer.clone(),
            generation: 1,
            restored: 0,
            rewind: false,
            drops: false,
            incarnation: "test".into(),
        };
        log.append(fence).await.unwrap();
        for (n, epoch) in (1..).zip(epochs) {
            let mut segments = Vec::new();
            for (partition, batches) in epoch {
                segments.push(segment(&*log, *partition, batches).await);
            }
            let commit = Commit {
                writer: writer.clone(),
                generation: 1,
                n,
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
            log.append(Intent::Commit(commit)).await.unwrap();
        }
        Self {
            through: log.refresh().await.unwrap().head(),
            logs: Arc::new(logs),
            input,
            next: AtomicU64::new(2),
        }
    }

    pub(crate) fn bind(&self, sql: &str, home: Home) -> Result<Job> {
        let mut job = flink::bind(&flink::parse(sql)?, self)?;
        job.home = home;
        Ok(job)
    }

    fn output(&self, job: &Job) -> Dataset {
        let field = |(index, column): (usize, &flinkspark_adapter::plan::Column)| {
            Field::new(format!("c{index}"), column.ty.root.arrow(), true)
        };
        let fields: Vec<Field> = job.columns.iter().enumerate().map(field).collect();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        record(number, "output", Arc::new(Schema::new(fields)), None)
    }

    /// The rows of a statement on the streaming engine.
    pub(crate) async fn stream(&self, sql: &str, how: How) -> Result<Answer> {
        self.stream_job(&self.bind(sql, how.home)?, how).await
    }

    /// The same of a job that was bound.
    pub(crate) async fn stream_job(&self, job: &Job, how: How) -> Result<Answer> {
        let output = self.output(job);
        let binding = target::stream::Binding {
            dataset: &|_| Ok(self.input.clone()),
            sink: &output,
            late: None,
            through: Some(self.through),
        };
        let program = target::stream::lower(job, &binding)?;
        let mut lives = 0_usize;
        let rows_late = loop {
            let options = stream::Options {
                parallelism: 1 + (how.parallelism - 1 + lives) % 4,
                checkpoint_interval: Duration::from_millis(1),
                rate: how.killed_every_ms.map(|_| 20_000),
                ..stream::Options::new("run", LogId(output.id.0))
            };
            let options = match how.killed_every_ms {
                Some(_) => options,
                None => stream::Options {
                    parallelism: how.parallelism,
                    ..options
                },
            };
            let job = options.build(
                program.clone(),
                Arc::clone(&self.logs),
                Arc::new(SystemClock),
                Arc::new(SystemEntropy),
            )?;
            let handle = job.handle();
            let life = how.killed_every_ms.unwrap_or(u64::from(u32::MAX)) + 3 * lives as u64;
            match tokio::time::timeout(Duration::from_millis(life), job.run(std::future::pending()))
                .await
            {
                Ok(ended) => {
                    ended?;
                    break handle.status().totals.rows_late;
                }
                Err(_) => lives += 1,
            }
        };
        self.answer(&output, rows_late).await
    }

    /// The rows of a statement on the batch engine.
    pub(crate) async fn batch(&self, sql: &str, how: How) -> Result<Answer> {
        self.batch_job(&self.bind(sql, how.home)?, how).await
    }

    /// The same of a job that was bound.
    pub(crate) async fn batch_job(&self, job: &Job, how: How) -> Result<Answer> {
        let output = self.output(job);
        let log = self
            .logs
            .dataset(self.input.id, Arc::clone(&self.input.schema))
            .await?;
        let rdd = Rdd::of_slots(log, 1, self.through).await?;
        let inputs = vec![rdd.range()];
        let mut tables = target::batch::Providers::default();
        tables.insert(self.input.name.clone(), Arc::new(RddTable::new(rdd)));
        let plan = target::batch::lower(job, &tables)?;
        let session = batch::session(&batch::Options {
            parallelism: how.parallelism,
            keeps_row_order: plan.keeps_row_order,
            ..batch::Options::default()
        })?;
        let run = batch::Run {
            id: "run".into(),
            incarnation: "run".into(),
            plan: plan.logical,
            inputs,
            overwrites: None,
            rows_out: Arc::new(AtomicU64::new(0)),
            rows_late: plan.rows_late.clone(),
        };
        let log = self
            .logs
            .dataset(output.id, Arc::clone(&output.schema))
            .await?;
        run.execute(&session, &log).await?;
        self.answer(&output, plan.rows_late.count()).await
    }

    async fn answer(&self, output: &Dataset, rows_late: u64) -> Result<Answer> {
        let log = self
            .logs
            .dataset(output.id, Arc::clone(&output.schema))
            .await?;
        let view = log.refresh().await?;
        let (_, _, digest) = view.totals();
        let segments = view.live().flat_map(|epoch| &epoch.segments);
        let mut partitions: Vec<u32> = segments.map(|segment| segment.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        Ok(Answer {
            digest,
            rows_late,
            partitions,
        })
    }

    /// The rows of the latest output.
    pub(crate) async fn latest(&self, job: &Job) -> Result<Vec<RecordBatch>> {
        let number = self.next.load(Ordering::Relaxed) - 1;
        let fields: Vec<Field> = job
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let ty: DataType = column.ty.root.arrow();
                Field::new(format!("c{index}"), ty, true)
            })
            .collect();
        let id = DatasetId::from_parts(number, [7; 10]);
        let log = self.logs.dataset(id, Arc::new(Schema::new(fields))).await?;
        let view = log.refresh().await?;
        let segments = view.live().flat_map(|epoch| &epoch.segments);
        let last = segments.map(|segment| segment.partition).max().unwrap_or(0);
        let mut rows = Vec::new();
        for partition in 0..=last {
            let read = log
                .read(
                    partition,
                    Position::START,
                    view.head(),
                    ReadOptions::default(),
                )
                .await?;
            rows.extend(
                read.map_ok(|read| read.batch)
                    .try_collect::<Vec<_>>()
                    .await?,
            );
        }
        Ok(rows)
    }
}

async fn segment(log: &dyn port::Dataset, partition: u32, batches: &[RecordBatch]) -> SegmentRef {
    let spec = SegmentSpec {
        partition,
        attempt: 0,
        format: SegmentFormat::Arrow,
        schema: log.schema(),
        job: None,
    };
    let mut writer = log.stage(spec).await.unwrap();
    for batch in batches {
        writer.write(batch).await.unwrap();
    }
    writer.seal().await.unwrap().segment
}
