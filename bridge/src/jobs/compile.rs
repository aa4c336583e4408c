//! From a job's text to what an engine runs: names are resolved, inputs pinned, refusals raised.
//!
//! Decides nothing about plans: the adapter does. Invariant: whatever refuses a job refuses it
//! here, before a record is kept and before anything starts.

use super::record::{JobRecord, Options, Pinned, Submission, Target};
use arrow_schema::{Field, Schema, SchemaRef};
use flinkspark_adapter::front::flink::{self, Statement, TableInfo, Tables};
use flinkspark_adapter::plan::{Column, Home, Job};
use flinkspark_adapter::{semantics, target};
use flinkspark_engine::batch::{self, Rdd, RddTable};
use flinkspark_engine::stream::JobGraph;
use flinkspark_engine::stream::program::Program;
use flinkspark_model::dataset::{Boundedness, Dataset, TimePrecision, Traits};
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Catalog, Datasets, Reference, Registration};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result, schema};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Compiles jobs against the catalogue.
#[derive(Clone)]
pub struct Compiler {
    catalog: Arc<dyn Catalog>,
    datasets: Arc<dyn Datasets>,
    batch_memory: batch::Memory,
}

/// A job that an engine can run.
pub enum Compiled {
    /// On the streaming engine.
    Stream(Program),
    /// On the batch engine.
    Batch {
        /// The session in which the plan was made.
        session: datafusion::prelude::SessionContext,
        /// What is computed.
        plan: datafusion::logical_expr::LogicalPlan,
        /// What it reads.
        inputs: Vec<SlotRange>,
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

/// A statement with everything that its names mean.
pub(super) struct Bound {
    pub(super) job: Job,
    inputs: BTreeMap<DatasetName, Arc<Dataset>>,
}

impl Compiler {
    /// A compiler over these datasets, for batch runs that share this memory.
    pub fn new(
        catalog: Arc<dyn Catalog>,
        datasets: Arc<dyn Datasets>,
        batch_memory: batch::Memory,
    ) -> Self {
        Self {
            catalog,
            datasets,
            batch_memory,
        }
    }

    /// Admits a submission: binds it, pins its inputs, makes sure that its target exists, and
    /// raises whatever the target refuses.
    pub(super) async fn admit(&self, submission: Submission, now_ms: u64) -> Result<JobRecord> {
        let options = &submission.options;
        let bound = self.bind(&submission.text, options).await?;
        let sink = bound.job.sink.clone().ok_or_else(|| {
            Error::new(Kind::Invalid, "FS0912", "the job writes nowhere")
                .with_detail("its text is a bare query")
                .with_hint("begin it with INSERT INTO and the dataset's name")
        })?;
        let late = late_dataset(&bound, &submission)?;
        let pins = self.pin(&bound).await?;
        self.check_target(&bound, &pins, &submission, late.as_ref())
            .await?;
        if let Some((name, schema)) = &late {
            self.existing(name, schema).await?;
        }
        let mut notes = Vec::new();
        if submission.target == Target::Batch
            && (options.rate_rows_per_second.is_some() || options.checkpoint_interval_ms.is_some())
        {
            notes.push(
                "a batch run has no rate and no checkpoints: those options do nothing".into(),
            );
        }
        let output = self
            .ensure(&sink, &output_schema(&bound.job.columns), &mut notes)
            .await?;
        let late = match late {
            Some((name, schema)) => Some(self.ensure(&name, &schema, &mut notes).await?.id),
            None => None,
        };
        let output = (output.id, output.name.clone());
        Ok(submission.record(pins, output, late, notes, now_ms))
    }

    /// What a record runs as: the same inputs, whatever has been committed since.
    pub(super) async fn compile_record(&self, record: &JobRecord) -> Result<Compiled> {
        let bound = self
            .resolve(&record.text, &record.options, Some(&record.inputs))
            .await?;
        let output = self.catalog.lookup(&Reference::Id(record.output)).await?;
        match record.target {
            Target::Batch => self.batch(&bound, &record.inputs, &record.options).await,
            Target::Stream => {
                let late = match record.late {
                    Some(id) => Some(self.catalog.lookup(&Reference::Id(id)).await?),
                    None => None,
                };
                self.stream(&bound, &record.inputs, &output, late.as_ref())
                    .map(Compiled::Stream)
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
                Compiled::Batch { plan, .. } => plan.display_indent().to_string(),
                Compiled::Stream(program) => program.to_string(),
            },
        };
        let entry = |id: &&'static str| ((*id).to_owned(), semantics::ledger::text(id).to_owned());
        Ok(Explained {
            plan: format!("{}\n{plan}", bound.job),
            ledger: bound.job.relied_on.iter().map(entry).collect(),
        })
    }

    /// Parses and binds a text as its names stand now.
    pub(super) async fn bind(&self, text: &str, options: &Options) -> Result<Bound> {
        let bound = self.resolve(text, options, None).await?;
        check_watermarks(&bound, options)?;
        Ok(bound)
    }

    /// Parses and binds a text, looking its datasets up as the binder asks for them. Names mean what
    /// the pins say, where there are any: a dataset that has been renamed since is the same, another
    /// one under its name is not.
    async fn resolve(
        &self,
        text: &str,
        options: &Options,
        pins: Option<&[Pinned]>,
    ) -> Result<Bound> {
        let statement = flink::parse(text)?;
        let mut known: BTreeMap<DatasetName, Option<Arc<Dataset>>> = BTreeMap::new();
        loop {
            let tables = Known {
                datasets: &known,
                options,
                asked: Mutex::default(),
            };
            let bound = bind(&statement, &tables, options);
            let asked = tables
                .asked
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner);
            let unknown: Vec<DatasetName> = asked
                .into_iter()
                .filter(|name| !known.contains_key(name))
                .collect();
            if unknown.is_empty() {
                let job = bound?;
                let inputs = known
                    .into_iter()
                    .filter_map(|(name, dataset)| Some((name, dataset?)))
                    .collect();
                return Ok(Bound { job, inputs });
            }
            for name in unknown {
                let reference = match pins {
                    None => Some(Reference::Name(name.clone())),
                    Some(pins) => {
                        let pin = pins.iter().find(|pin| pin.name == name);
                        pin.map(|pin| Reference::Id(pin.dataset))
                    }
                };
                let found = match reference {
                    None => None,
                    Some(reference) => self.find(&reference).await?,
                };
                known.insert(name, found);
            }
        }
    }

    async fn find(&self, reference: &Reference) -> Result<Option<Arc<Dataset>>> {
        match self.catalog.lookup(reference).await {
            Ok(dataset) => Ok(Some(dataset)),
            Err(error) if error.kind() == Kind::Invalid => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every input as it is committed now.
    pub(super) async fn pin(&self, bound: &Bound) -> Result<Vec<Pinned>> {
        let mut pins = Vec::new();
        for (name, dataset) in &bound.inputs {
            let log = self
                .datasets
                .dataset(dataset.id, Arc::clone(&dataset.schema))
                .await?;
            let through = log.refresh().await?.head();
            pins.push(Pinned {
                dataset: dataset.id,
                name: name.clone(),
                through,
            });
        }
        Ok(pins)
    }

    async fn check_target(
        &self,
        bound: &Bound,
        pins: &[Pinned],
        submission: &Submission,
        late: Option<&(DatasetName, SchemaRef)>,
    ) -> Result<()> {
        match submission.target {
            Target::Batch => self.batch(bound, pins, &submission.options).await.map(drop),
            Target::Stream => {
                let output = scratch(&bound.job)?;
                let late = late.map(|(name, schema)| planned(name.clone(), schema));
                self.stream(bound, pins, &output, late.as_ref()).map(drop)
            }
        }
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
    ) -> Result<Compiled> {
        let parallelism = options.parallelism.unwrap_or(2) as usize;
        let session = batch::session(&batch::Options {
            parallelism,
            memory: self.batch_memory.clone(),
        })?;
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
        Ok(Compiled::Batch {
            session,
            plan,
            inputs,
        })
    }

    /// The dataset of this name, where there is one; it must have this schema.
    async fn existing(
        &self,
        name: &DatasetName,
        wanted: &SchemaRef,
    ) -> Result<Option<Arc<Dataset>>> {
        let found = self.find(&Reference::Name(name.clone())).await?;
        if let Some(dataset) = &found {
            check_schema(dataset, wanted)?;
        }
        Ok(found)
    }

    /// The dataset of this name, made with this schema where there is none.
    async fn ensure(
        &self,
        name: &DatasetName,
        wanted: &SchemaRef,
        notes: &mut Vec<String>,
    ) -> Result<Arc<Dataset>> {
        if let Some(dataset) = self.existing(name, wanted).await? {
            let log = self
                .datasets
                .dataset(dataset.id, Arc::clone(&dataset.schema))
                .await?;
            let (rows, _, _) = log.refresh().await?.totals();
            if rows > 0 {
                notes.push(format!("appends to dataset {name}, which has {rows} rows"));
            }
            return Ok(dataset);
        }
        let registration = Registration {
            name: name.clone(),
            schema: Arc::clone(wanted),
            traits: Traits::default(),
            handles: Vec::new(),
        };
        match self.catalog.register(registration).await {
            Err(error) if error.kind() == Kind::Conflict => {
                let dataset = self.catalog.lookup(&Reference::Name(name.clone())).await?;
                check_schema(&dataset, wanted).map(|()| dataset)
            }
            registered => registered,
        }
    }
}

impl Bound {
    fn only_input(&self) -> Option<&Arc<Dataset>> {
        let mut inputs = self.inputs.values();
        inputs.next().filter(|_| inputs.next().is_none())
    }

    /// The schema of the job's rows.
    pub(super) fn schema(&self) -> SchemaRef {
        output_schema(&self.job.columns)
    }
}

struct Known<'a> {
    datasets: &'a BTreeMap<DatasetName, Option<Arc<Dataset>>>,
    options: &'a Options,
    asked: Mutex<BTreeSet<DatasetName>>,
}

impl Tables for Known<'_> {
    fn table(&self, name: &DatasetName) -> Result<Option<TableInfo>> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone());
        let Some(dataset) = self.datasets.get(name).cloned().flatten() else {
            return Ok(None);
        };
        let time = dataset.traits.time.as_ref();
        Ok(Some(TableInfo {
            schema: Arc::clone(&dataset.schema),
            time_attribute: time.map(|time| time.column.clone()),
            time_precision: time.map_or(TimePrecision::Exact, |time| time.precision),
            watermark_delay_ms: delay_ms(name, &dataset, self.options)
                .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            bounded: dataset.traits.boundedness == Boundedness::Bounded,
        }))
    }
}

fn bind(statement: &Statement, tables: &dyn Tables, options: &Options) -> Result<Job> {
    let home = if options.batch_home {
        Home::FlinkBatch
    } else {
        Home::FlinkStreaming
    };
    flink::bind(statement, tables).map(|job| Job { home, ..job })
}

fn delay_ms(name: &DatasetName, dataset: &Dataset, options: &Options) -> Option<u64> {
    let registered = dataset
        .traits
        .time
        .as_ref()
        .map(|time| time.watermark_delay_ms);
    options
        .watermark_delay_ms
        .get(name.as_str())
        .copied()
        .or(registered)
}

fn through(dataset: &Dataset, pins: &[Pinned]) -> Result<SlotNo> {
    let pin = pins.iter().find(|pin| pin.dataset == dataset.id);
    pin.map(|pin| pin.through).ok_or_else(|| {
        let what = format!("the plan reads \"{}\", which was not pinned", dataset.name);
        Error::new(Kind::Internal, "FS0915", what)
    })
}

/// Refuses a watermark's delay for what the job does not read by time: it would do nothing.
fn check_watermarks(bound: &Bound, options: &Options) -> Result<()> {
    for name in options.watermark_delay_ms.keys() {
        let mut inputs = bound.inputs.iter();
        let why = match inputs.find(|(input, _)| input.as_str() == name) {
            None => "the job does not read it",
            Some((_, dataset)) if dataset.traits.time.is_none() => "it has no time attribute",
            Some(_) => continue,
        };
        return Err(Error::new(
            Kind::Invalid,
            "FS0917",
            format!("there is no watermark of \"{name}\" to delay"),
        )
        .with_detail(why)
        .with_hint(
            "name a dataset that the job reads and that was registered with a time attribute",
        ));
    }
    Ok(())
}

/// Where late rows go and the schema that they have there; refused where there can be none.
fn late_dataset(
    bound: &Bound,
    submission: &Submission,
) -> Result<Option<(DatasetName, SchemaRef)>> {
    let Some(name) = &submission.options.late_to else {
        return Ok(None);
    };
    if submission.target == Target::Batch {
        return Err(no_late("a batch run has no late rows"));
    }
    let input = bound
        .only_input()
        .ok_or_else(|| no_late("it reads more than one dataset"))?;
    Ok(Some((DatasetName::new(name)?, Arc::clone(&input.schema))))
}

/// The schema of a dataset that holds these columns: every one may be null.
pub(crate) fn output_schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(&column.name, column.ty.root.arrow(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// What a job writes to while it is only planned.
fn scratch(job: &Job) -> Result<Arc<Dataset>> {
    let name = match &job.sink {
        Some(sink) => sink.clone(),
        None => DatasetName::new("scratch")?,
    };
    Ok(planned(name, &output_schema(&job.columns)))
}

/// A dataset that exists only in a plan.
fn planned(name: DatasetName, schema: &SchemaRef) -> Arc<Dataset> {
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

fn check_schema(dataset: &Dataset, wanted: &SchemaRef) -> Result<()> {
    let text = |schema: &SchemaRef| -> Vec<String> {
        schema
            .fields()
            .iter()
            .map(|f| format!("{} {}", f.name(), schema::type_name(f.data_type())))
            .collect()
    };
    let (has, gives) = (text(&dataset.schema), text(wanted));
    if has == gives {
        return Ok(());
    }
    Err(Error::new(
        Kind::Invalid,
        "FS0913",
        format!(
            "dataset \"{}\" has another schema than the job's rows",
            dataset.name
        ),
    )
    .with_detail(format!(
        "it has ({}), the job gives ({})",
        has.join(", "),
        gives.join(", ")
    ))
    .with_hint("write to another dataset, or select and cast the columns to match"))
}

fn no_late(why: &str) -> Error {
    Error::new(Kind::Invalid, "FS0914", "late rows cannot be kept here")
        .with_detail(why)
        .with_hint("leave --late-to out, or run a job over one dataset on stream")
}
