//! The bundled streaming engine as a target of probes.
//!
//! A probe's VALUES are written to a dataset in memory by the batch engine; the job reads them from
//! there and its output is read back. Invariant: rows reach the verdict through the same source, sink,
//! checkpoints and commits as those of a user's job.

use crate::jobs::output_schema;
use crate::system::{SystemClock, SystemEntropy};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_adapter::plan::{Column, Job};
use flinkspark_adapter::probe::{Materialised, Target, materialise};
use flinkspark_adapter::target;
use flinkspark_connector::store::object::Objects;
use flinkspark_connector::store::{Logs, Settings};
use flinkspark_engine::stream::program::Program;
use flinkspark_engine::{batch, stream};
use flinkspark_model::Result;
use flinkspark_model::dataset::{Dataset, DatasetId, Traits};
use flinkspark_model::log::LogId;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{self, Datasets, ReadOptions};
use flinkspark_model::position::Position;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The dataset that is read, the one that is written, and the job's own log.
const IDS: [u64; 3] = [1, 2, 3];

/// The streaming engine over a store in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream;

impl Target for Stream {
    fn name(&self) -> &'static str {
        "stream"
    }

    fn check(&self, job: &Job) -> Result<()> {
        Probe::new(job).map(drop)
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Vec<RecordBatch>>> {
        Box::pin(async move { Probe::new(job)?.run().await })
    }
}

/// A probe as the engines run it.
struct Probe {
    values: Option<Job>,
    input: Dataset,
    output: Dataset,
    program: Program,
}

impl Probe {
    fn new(job: &Job) -> Result<Self> {
        let Materialised { values, job } = materialise(job)?;
        let none: &[Column] = &[];
        let columns = values.as_ref().map_or(none, |values| &values.columns);
        let input = dataset(IDS[0], output_schema(columns))?;
        let output = dataset(IDS[1], output_schema(&job.columns))?;
        let binding = target::stream::Binding {
            dataset: &|_| Ok(input.clone()),
            sink: &output,
            late: None,
            through: None,
        };
        let program = target::stream::lower(&job, &binding)?;
        Ok(Self {
            values,
            input,
            output,
            program,
        })
    }

    async fn run(self) -> Result<Vec<RecordBatch>> {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let store = Arc::new(Objects::memory());
        let settings = Settings::default();
        let logs = Logs::open(store, clock.clone(), entropy.clone(), settings).await?;
        let logs: Arc<dyn Datasets> = Arc::new(logs);
        if let Some(values) = &self.values {
            write(values, &opened(&logs, &self.input).await?).await?;
        }
        let options = stream::Options::new("probe", LogId(id(IDS[2]).0));
        let job = options.build(self.program, Arc::clone(&logs), clock, entropy)?;
        job.run(std::future::pending()).await?;
        read(&*opened(&logs, &self.output).await?).await
    }
}

/// The batch engine commits the VALUES as one epoch.
async fn write(values: &Job, into: &Arc<dyn port::Dataset>) -> Result<()> {
    let plan = target::batch::lower(values, &target::batch::Providers::default())?;
    let run = batch::Run {
        id: "values".into(),
        incarnation: "values".into(),
        plan: plan.logical,
        rows_late: plan.rows_late,
        inputs: Vec::new(),
        overwrites: None,
        rows_out: Arc::new(AtomicU64::new(0)),
    };
    let session = batch::session(&batch::Options {
        parallelism: 1,
        ..batch::Options::default()
    })?;
    run.execute(&session, into).await.map(drop)
}

/// Every row that is committed.
async fn read(from: &dyn port::Dataset) -> Result<Vec<RecordBatch>> {
    let head = from.refresh().await?.head();
    let rows = from
        .read(0, Position::START, head, ReadOptions::default())
        .await?;
    rows.map_ok(|read| read.batch).try_collect().await
}

async fn opened(logs: &Arc<dyn Datasets>, dataset: &Dataset) -> Result<Arc<dyn port::Dataset>> {
    logs.dataset(dataset.id, Arc::clone(&dataset.schema)).await
}

fn id(number: u64) -> DatasetId {
    DatasetId::from_parts(number, [0; 10])
}

fn dataset(number: u64, schema: SchemaRef) -> Result<Dataset> {
    Ok(Dataset {
        id: id(number),
        name: DatasetName::new(&format!("probe-{number}"))?,
        version: 1,
        schema_version: 1,
        schema,
        traits: Traits::default(),
        handles: Vec::new(),
        created_at_ms: 0,
    })
}
