//! From a text to a plan whose names are datasets, and to the slots that it reads.
//!
//! Decides nothing about plans: the adapter does. Invariant: a text that was pinned means the datasets
//! that its pins name, whatever their names are now.

use super::record::Options;
use arrow_schema::{Field, Schema, SchemaRef};
use flinkspark_adapter::front::flink::{self, Statement, TableInfo, Tables};
use flinkspark_adapter::plan::{Column, Job};
use flinkspark_engine::batch;
use flinkspark_model::access::{Caller, Verb};
use flinkspark_model::dataset::{Boundedness, Dataset, TimePrecision};
use flinkspark_model::handle::Engine;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Catalog, Datasets, Pinned, Reference};
use flinkspark_model::position::SlotNo;
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Plans jobs against the catalogue: binds, admits, builds and explains them.
#[derive(Clone)]
pub struct Planner {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) datasets: Arc<dyn Datasets>,
    pub(super) batch_memory: batch::Memory,
    /// On whose behalf.
    pub(super) caller: Caller,
}

/// A statement with everything that its names mean.
pub(super) struct Bound {
    pub(super) job: Job,
    pub(super) inputs: BTreeMap<DatasetName, Arc<Dataset>>,
}

impl Planner {
    /// A planner over these datasets, for batch runs that share this memory.
    pub fn new(
        catalog: Arc<dyn Catalog>,
        datasets: Arc<dyn Datasets>,
        batch_memory: batch::Memory,
    ) -> Self {
        Self {
            catalog,
            datasets,
            batch_memory,
            caller: Caller::open(),
        }
    }

    /// The same planner for who makes a call: a new one plans on the server's own behalf.
    pub(super) fn on_behalf(&self, caller: &Caller) -> Self {
        Self {
            caller: caller.clone(),
            ..self.clone()
        }
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
    pub(super) async fn resolve(
        &self,
        text: &str,
        options: &Options,
        pins: Option<&[Pinned]>,
    ) -> Result<Bound> {
        self.resolve_statement(flink::parse(text)?, options, pins)
            .await
    }

    /// The same of a statement that was parsed.
    pub(super) async fn resolve_statement(
        &self,
        statement: Statement,
        options: &Options,
        pins: Option<&[Pinned]>,
    ) -> Result<Bound> {
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
                let found = match pins {
                    None => self.named(&name).await?,
                    Some(pins) => match pins.iter().find(|pin| pin.name == name) {
                        Some(pin) => self.find(&Reference::Id(pin.dataset)).await?,
                        None => None,
                    },
                };
                // The same answer whether or not it is there.
                let subject = found.as_ref().map_or(&name, |dataset| &dataset.name);
                self.caller.may(Verb::Read, subject)?;
                known.insert(name, found);
            }
        }
    }

    /// The dataset that a statement calls so: by its name, by Flink's handle, or by Spark's, in this order.
    pub(super) async fn named(&self, name: &DatasetName) -> Result<Option<Arc<Dataset>>> {
        let handle = |engine: Engine| {
            let key = format!("{}:{name}", engine.name()).parse();
            key.ok().map(Reference::Handle)
        };
        let handles = [Engine::Flink, Engine::Spark]
            .into_iter()
            .filter_map(handle);
        for reference in [Reference::Name(name.clone())].into_iter().chain(handles) {
            if let Some(found) = self.find(&reference).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub(super) async fn find(&self, reference: &Reference) -> Result<Option<Arc<Dataset>>> {
        match self.catalog.lookup(reference).await {
            Ok(dataset) => Ok(Some(dataset)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every input as it is committed now.
    pub(super) async fn pin(&self, bound: &Bound) -> Result<Vec<Pinned>> {
        let mut pins = Vec::new();
        for (name, dataset) in &bound.inputs {
            pins.push(self.pin_one(name.clone(), dataset).await?);
        }
        Ok(pins)
    }

    /// One dataset as it is committed now, under a name.
    pub(super) async fn pin_one(&self, name: DatasetName, dataset: &Dataset) -> Result<Pinned> {
        let log = self
            .datasets
            .dataset(dataset.id, Arc::clone(&dataset.schema))
            .await?;
        Ok(Pinned {
            dataset: dataset.id,
            name,
            through: log.refresh().await?.head(),
        })
    }
}

impl Bound {
    /// The same, with the columns of the dataset that it writes to: by position, or as they are listed.
    pub(super) fn into_sink(self, sink: &Dataset) -> Result<Self> {
        let given = output_schema(&self.job.columns);
        let job = self.job.into_columns(&sink.schema, flink::arrow_type);
        let job = job.map_err(|why| misfit(sink, &given, Some(why)))?;
        Ok(Self { job, ..self })
    }

    /// Refuses columns that are listed for a dataset that does not exist: nobody knows the others.
    pub(super) fn without_sink(self) -> Result<Self> {
        match self.job.sink_columns.is_empty() {
            true => Ok(self),
            false => {
                let what = "an INSERT lists columns of a dataset that does not exist";
                Err(Error::new(Kind::NotFound, "FS0804", what)
                    .with_detail("what its other columns would be is not known")
                    .with_hint("leave the list out, or register the dataset first"))
            }
        }
    }

    pub(super) fn only_input(&self) -> Option<&Arc<Dataset>> {
        let mut inputs = self.inputs.values();
        inputs.next().filter(|_| inputs.next().is_none())
    }

    /// The schema of the job's rows.
    pub(super) fn schema(&self) -> SchemaRef {
        output_schema(&self.job.columns)
    }
}

/// The job's rows do not go into the dataset that it writes to.
pub(super) fn misfit(dataset: &Dataset, gives: &Schema, why: Option<String>) -> Error {
    let text = |schema: &Schema| {
        let fields = schema.fields().iter();
        let texts =
            fields.map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
        texts.collect::<Vec<_>>().join(", ")
    };
    let (has, gives) = (text(&dataset.schema), text(gives));
    let message = format!(
        "dataset \"{}\" has another schema than the job's rows",
        dataset.name
    );
    let why = why.map_or_else(String::new, |why| format!("{why}: "));
    Error::new(Kind::Invalid, "FS0913", message)
        .with_detail(format!("{why}it has ({has}), the job gives ({gives})"))
        .with_hint("write to another dataset, or select and cast the columns to match")
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
    let home = options.home;
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

pub(super) fn through(dataset: &Dataset, pins: &[Pinned]) -> Result<SlotNo> {
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

/// The schema of a dataset that holds these columns: every one may be null.
pub(crate) fn output_schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(&column.name, column.ty.root.arrow(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}
