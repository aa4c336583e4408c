//! Builds what an engine runs: a record becomes a program, a plan becomes words.
//!
//! Writes nothing. Invariant: a record is built over the slots that it pinned, whatever has been
//! committed since.

use super::bind::{Bound, Planner, output_schema, through};
use super::record::{JobRecord, Options, Target};
use arrow_schema::SchemaRef;
use flinkspark_adapter::plan::Job;
use flinkspark_adapter::{semantics, target};
use flinkspark_engine::batch::{self, Rdd, RddTable};
use flinkspark_engine::stream::JobGraph;
use flinkspark_engine::stream::program::Program;
use flinkspark_model::dataset::{Dataset, Traits};
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Pinned, Reference};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// A job that an engine can run.
pub(super) enum Built {
    /// On the streaming engine.
    Stream(Program),
    /// On the batch engine.
    Batch {
        /// The session in which the plan was made.
        session: datafusion::prelude::SessionContext,
        /// What is computed.
        plan: target::batch::Plan,
        /// What it reads.
        inputs: Vec<SlotRange>,
        /// The last slot of the output that its rows take the place of.
        overwrites: Option<SlotNo>,
    },
}

/// A plan in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// One operator a line.
    pub plan: String,
    /// Ledger entries that it relies on: id and text.
    pub ledger: Vec<(String, String)>,
}

impl Planner {
    /// What a record runs as: the same inputs, whatever has been committed since.
    pub(super) async fn build(&self, record: &JobRecord) -> Result<Built> {
        let bound = self
            .resolve(&record.text, &record.options, Some(&record.inputs))
            .await?;
        let output = self.catalog.lookup(&Reference::Id(record.output)).await?;
        let bound = bound.into_sink(&output)?;
        match record.target {
            Target::Batch => {
                let mut built = self.batch(&bound, &record.inputs, &record.options).await?;
                if let Built::Batch { overwrites, .. } = &mut built
                    && bound.job.overwrites
                {
                    *overwrites = Some(through(&output, &record.inputs)?);
                }
                Ok(built)
            }
            Target::Stream => {
                let late = match record.late {
                    Some(id) => Some(self.catalog.lookup(&Reference::Id(id)).await?),
                    None => None,
                };
                self.stream(&bound, &record.inputs, &output, late.as_ref())
                    .map(Built::Stream)
            }
        }
    }

    /// The plan on one target, in words.
    pub async fn explain(&self, text: &str, on: Target, options: &Options) -> Result<Explained> {
        options.check()?;
        let bound = self.bind(text, options).await?;
        let pins = self.pin(&bound).await?;
        let plan = match on {
            Target::Stream => {
                let output = scratch(&bound.job)?;
                let program = self.stream(&bound, &pins, &output, None)?;
                let graph = JobGraph::new(&program, options.parallelism.unwrap_or(1) as usize, 1)?;
                format!("{program}\n\n{graph}\n\n{}", graph.execution())
            }
            Target::Batch => match self.batch(&bound, &pins, options).await? {
                Built::Batch { session, plan, .. } => {
                    batch::explain(&session, &plan.logical).await?
                }
                Built::Stream(program) => program.to_string(),
            },
        };
        let entry = |id: &&'static str| ((*id).to_owned(), semantics::ledger::text(id).to_owned());
        Ok(Explained {
            plan: format!("{}\n{plan}", bound.job),
            ledger: bound.job.relied_on.iter().map(entry).collect(),
        })
    }

    pub(super) fn stream(
        &self,
        bound: &Bound,
        pins: &[Pinned],
        output: &Arc<Dataset>,
        late: Option<&Arc<Dataset>>,
    ) -> Result<Program> {
        let find = |name: &DatasetName| {
            let dataset = bound
                .inputs
                .get(name)
                .map(|dataset| dataset.as_ref().clone());
            dataset.ok_or_else(|| {
                Error::new(
                    Kind::Internal,
                    "FS0915",
                    format!("the plan reads \"{name}\", which was not bound"),
                )
            })
        };
        let binding = target::stream::Binding {
            dataset: &find,
            sink: output,
            late: late.map(AsRef::as_ref),
            through: match bound.only_input() {
                Some(input) => Some(through(input, pins)?),
                None => None,
            },
        };
        target::stream::lower(&bound.job, &binding)
    }

    pub(super) async fn batch(
        &self,
        bound: &Bound,
        pins: &[Pinned],
        options: &Options,
    ) -> Result<Built> {
        let parallelism = options.parallelism.unwrap_or(2) as usize;
        let mut tables = target::batch::Providers::default();
        let mut inputs = Vec::new();
        for (name, dataset) in &bound.inputs {
            let through = through(dataset, pins)?;
            let log = self
                .datasets
                .dataset(dataset.id, Arc::clone(&dataset.schema))
                .await?;
            let rdd = Rdd::of_slots(log, 1, through).await?;
            // Nothing is made from a dataset that has no slots yet.
            inputs.extend((through > 0).then(|| rdd.range()));
            tables.insert(name.clone(), Arc::new(RddTable::new(rdd)));
        }
        let plan = target::batch::lower(&bound.job, &tables)?;
        let session = batch::session(&batch::Options {
            parallelism,
            memory: self.batch_memory.clone(),
            keeps_row_order: plan.keeps_row_order,
        })?;
        Ok(Built::Batch {
            session,
            plan,
            inputs,
            overwrites: None,
        })
    }
}

/// What a job writes to while it is only planned.
pub(super) fn scratch(job: &Job) -> Result<Arc<Dataset>> {
    let name = match &job.sink {
        Some(sink) => sink.clone(),
        None => DatasetName::new("scratch")?,
    };
    Ok(planned(name, &output_schema(&job.columns)))
}

/// A dataset that exists only in a plan.
pub(super) fn planned(name: DatasetName, schema: &SchemaRef) -> Arc<Dataset> {
    Arc::new(Dataset {
        id: flinkspark_model::dataset::DatasetId::from_parts(0, [0; 10]),
        name,
        version: 1,
        schema_version: 1,
        schema: Arc::clone(schema),
        traits: Traits::default(),
        handles: Vec::new(),
        created_at_ms: 0,
    })
}
