//! Admits a submission: its text and options become a record with pinned inputs.
//!
//! Invariant: whatever refuses a job refuses it here, before a dataset is made for it, a record is kept
//! or anything starts.

use super::bind::{Bound, Planner, misfit, output_schema};
use super::build::{planned, scratch};
use super::record::{JobRecord, Submission, Target};
use arrow_schema::SchemaRef;
use flinkspark_model::access::Verb;
use flinkspark_model::dataset::{Dataset, Traits};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Pinned, Reference, Registration};
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

impl Planner {
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
        let there = self.named(&sink).await?;
        self.writes(there.as_ref(), &sink)?;
        let (sink, bound) = match there {
            Some(dataset) => (dataset.name.clone(), bound.into_sink(&dataset)?),
            None => (sink, bound.without_sink()?),
        };
        let late = late_dataset(&bound, &submission)?;
        if let Some((name, _)) = &late {
            let there = self.find(&Reference::Name(name.clone())).await?;
            self.writes(there.as_ref(), name)?;
        }
        let mut pins = self.pin(&bound).await?;
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
        let schema = output_schema(&bound.job.columns);
        let output = self
            .ensure(&sink, &schema, bound.job.overwrites, &mut notes)
            .await?;
        if bound.job.overwrites && pins.iter().all(|pin| pin.dataset != output.id) {
            pins.push(self.pin_one(output.name.clone(), &output).await?);
        }
        let late = match late {
            Some((name, schema)) => Some(self.ensure(&name, &schema, false, &mut notes).await?.id),
            None => None,
        };
        let output = (output.id, output.name.clone());
        let record = submission.record(pins, output, late, notes, now_ms);
        Ok(record.of((!self.caller.is_open()).then(|| self.caller.principal().clone())))
    }

    /// Refuses a dataset that the caller may not write, or not make where there is none.
    fn writes(&self, there: Option<&Arc<Dataset>>, name: &DatasetName) -> Result<()> {
        match there {
            Some(dataset) => self.caller.may(Verb::Write, &dataset.name),
            None => {
                self.caller.may(Verb::Create, name)?;
                self.caller.may(Verb::Write, name)
            }
        }
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
        overwrites: bool,
        notes: &mut Vec<String>,
    ) -> Result<Arc<Dataset>> {
        if let Some(dataset) = self.existing(name, wanted).await? {
            let log = self
                .datasets
                .dataset(dataset.id, Arc::clone(&dataset.schema))
                .await?;
            let (rows, _, _) = log.refresh().await?.totals();
            if rows > 0 {
                notes.push(match overwrites {
                    true => format!("replaces the {rows} rows of dataset {name}"),
                    false => format!("appends to dataset {name}, which has {rows} rows"),
                });
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

/// Where late rows go and the schema that they have there; refused where there can be none.
fn late_dataset(
    bound: &Bound,
    submission: &Submission,
) -> Result<Option<(DatasetName, SchemaRef)>> {
    let Some(name) = &submission.options.late_to else {
        return Ok(None);
    };
    if submission.target == Target::Batch {
        return Err(no_late("a batch run counts late rows and keeps none"));
    }
    let input = bound
        .only_input()
        .ok_or_else(|| no_late("it reads more than one dataset"))?;
    Ok(Some((DatasetName::new(name)?, Arc::clone(&input.schema))))
}

fn check_schema(dataset: &Dataset, wanted: &SchemaRef) -> Result<()> {
    let text = |schema: &SchemaRef| -> Vec<String> {
        let fields = schema.fields().iter();
        let texts =
            fields.map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
        texts.collect()
    };
    match text(&dataset.schema) == text(wanted) {
        true => Ok(()),
        false => Err(misfit(dataset, wanted, None)),
    }
}

fn no_late(why: &str) -> Error {
    Error::new(Kind::Invalid, "FS0914", "late rows cannot be kept here")
        .with_detail(why)
        .with_hint("leave --late-to out, or run a job over one dataset on stream")
}
