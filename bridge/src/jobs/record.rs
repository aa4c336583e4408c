//! What is kept of a job: its record, made once when it is submitted.
//!
//! Invariant: a record never changes; how far a job came is in its own log.

use flinkspark_adapter::plan::Home;
use flinkspark_engine::stream;
use flinkspark_model::access::{Caller, Principal, Verb};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::LogId;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::Pinned;
use flinkspark_model::{Error, Kind, Result};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The format of records that this build writes.
pub(super) const RECORD_FORMAT: u32 = 2;
/// The format of a job's record that names a principal, and the newest that this build reads.
pub(super) const RECORD_FORMAT_NEWEST: u32 = 3;
/// The longest job text, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// The longest job id, in bytes.
const ID_BYTES_MAX: usize = 128;

/// A job's id as the user knows it: `[A-Za-z0-9_.-]+`, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(Arc<str>);

impl JobId {
    /// Parses an id.
    pub fn new(id: &str) -> Result<Self> {
        let good = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.chars().all(good) {
            return Err(Error::new(
                Kind::Invalid,
                "FS0901",
                format!("\"{}\" is not a job id", id.escape_debug()),
            )
            .with_detail(format!(
                "an id has 1 to {ID_BYTES_MAX} letters, digits, '_', '-' and '.'"
            ))
            .with_hint("leave --id out and one is made"));
        }
        Ok(Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The job's own log: derived from the id, so that it is found without an index.
    pub fn log(&self) -> LogId {
        LogId::of_job(&self.0)
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for JobId {
    type Error = Error;

    fn try_from(id: String) -> Result<Self> {
        Self::new(&id)
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0.as_ref().into()
    }
}

/// What a job runs on here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The bundled streaming engine.
    Stream,
    /// The bundled batch engine.
    Batch,
}

impl Target {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Batch => "batch",
        }
    }
}

/// How a job runs; what is absent has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Options {
    /// Whose answers count: kept as `dialect/mode`.
    #[serde(serialize_with = "home_name")]
    pub home: Home,
    /// Subtasks of an operator, or partitions of a plan.
    pub parallelism: Option<u32>,
    /// Rows a second of the whole source.
    pub rate_rows_per_second: Option<u64>,
    /// How often a checkpoint is taken.
    pub checkpoint_interval_ms: Option<u64>,
    /// Watermark delays in place of the registered ones, by dataset name.
    pub watermark_delay_ms: BTreeMap<String, u64>,
    /// Where late rows are kept.
    pub late_to: Option<String>,
    /// How often in a row, without a checkpoint between, the job is tried again after trouble that may
    /// pass; `None` for without an end.
    pub retries_max: Option<u32>,
}

/// Options as any format of a record has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Stored {
    home: Option<String>,
    /// Format 1: `flink/batch` or `flink/streaming`.
    batch_home: Option<bool>,
    parallelism: Option<u32>,
    rate_rows_per_second: Option<u64>,
    checkpoint_interval_ms: Option<u64>,
    watermark_delay_ms: BTreeMap<String, u64>,
    late_to: Option<String>,
    retries_max: Option<u32>,
}

impl TryFrom<Stored> for Options {
    type Error = String;

    fn try_from(stored: Stored) -> std::result::Result<Self, String> {
        let home = match (stored.home, stored.batch_home) {
            (Some(name), None) => [Home::FlinkStreaming, Home::FlinkBatch]
                .into_iter()
                .find(|home| home.name() == name)
                .ok_or_else(|| format!("it has the home \"{}\"", name.escape_debug()))?,
            (None, Some(true)) => Home::FlinkBatch,
            (None, _) => Home::FlinkStreaming,
            (Some(_), Some(_)) => return Err("it has two homes".into()),
        };
        Ok(Self {
            home,
            parallelism: stored.parallelism,
            rate_rows_per_second: stored.rate_rows_per_second,
            checkpoint_interval_ms: stored.checkpoint_interval_ms,
            watermark_delay_ms: stored.watermark_delay_ms,
            late_to: stored.late_to,
            retries_max: stored.retries_max,
        })
    }
}

fn home_name<S: Serializer>(home: &Home, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(home.name())
}

impl Options {
    /// Refuses what no engine can keep to, before anything is kept: batch has the same bounds.
    ///
    /// Errors: `Invalid` with the option, its value and its range.
    pub fn check(&self) -> Result<()> {
        self.stream(&JobId("".into())).check()
    }

    /// How the streaming engine is to run this job.
    pub(super) fn stream(&self, id: &JobId) -> stream::Options {
        let defaults = stream::Options::new(id.to_string(), id.log());
        stream::Options {
            parallelism: self
                .parallelism
                .map_or(defaults.parallelism, |count| count as usize),
            checkpoint_interval: self
                .checkpoint_interval_ms
                .map_or(defaults.checkpoint_interval, Duration::from_millis),
            rate: self.rate_rows_per_second,
            ..defaults
        }
    }
}

/// A job as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRecord {
    format: u32,
    /// Its id.
    pub id: JobId,
    /// Its SQL.
    pub text: String,
    /// What it runs on.
    pub target: Target,
    /// How it runs.
    pub options: Options,
    /// What it reads; and the dataset that it overwrites, up to the slot whose rows it takes out.
    pub inputs: Vec<Pinned>,
    /// The dataset that it writes.
    pub output: DatasetId,
    /// That dataset's name then.
    pub output_name: DatasetName,
    /// Where late rows go.
    pub late: Option<DatasetId>,
    /// What a reader should know, such as that it appends to rows that were there.
    pub notes: Vec<String>,
    /// When it was submitted, in milliseconds since the epoch.
    pub submitted_at_ms: u64,
    /// Who submitted it; nobody while the bridge was open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
}

impl JobRecord {
    /// The same, of who submitted it.
    pub(super) fn of(self, principal: Option<Principal>) -> Self {
        let format = match principal {
            Some(_) => RECORD_FORMAT_NEWEST,
            None => RECORD_FORMAT,
        };
        Self {
            format,
            principal,
            ..self
        }
    }

    /// Allows whoever submitted the job, and an admin of its output, to see and to end it.
    ///
    /// Errors: `Forbidden` (`FS1103`) for anybody else.
    pub fn lets(&self, caller: &Caller) -> Result<()> {
        match &self.principal {
            Some(principal) if principal == caller.principal() => Ok(()),
            _ => caller.may(Verb::Admin, &self.output_name),
        }
    }
}

/// What a submission says of a job, before its datasets are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The id.
    pub id: JobId,
    /// The SQL.
    pub text: String,
    /// What it runs on.
    pub target: Target,
    /// How it runs.
    pub options: Options,
}

impl Submission {
    /// Whether a record is of this very submission; `Conflict` says what differs.
    pub fn matches(&self, record: &JobRecord) -> Result<()> {
        let differs = if self.text != record.text {
            "another job text"
        } else if self.target != record.target {
            "another target"
        } else if self.options != record.options {
            "other options"
        } else {
            return Ok(());
        };
        Err(Error::new(
            Kind::Conflict,
            "FS0902",
            format!("job id \"{}\" is taken", self.id),
        )
        .with_detail(format!("it was submitted before with {differs}"))
        .with_hint("choose another --id, or repeat the first command to attach to that run"))
    }

    /// The record of this submission.
    pub fn record(
        self,
        inputs: Vec<Pinned>,
        output: (DatasetId, DatasetName),
        late: Option<DatasetId>,
        notes: Vec<String>,
        submitted_at_ms: u64,
    ) -> JobRecord {
        JobRecord {
            format: RECORD_FORMAT,
            id: self.id,
            text: self.text,
            target: self.target,
            options: self.options,
            inputs,
            output: output.0,
            output_name: output.1,
            late,
            notes,
            submitted_at_ms,
            principal: None,
        }
    }

    /// Refuses options that no engine can keep to, and a text that is too long to be kept.
    pub fn check(&self) -> Result<()> {
        self.options.check()?;
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(
                Error::new(Kind::Invalid, "FS0903", "the job's text is too long")
                    .with_detail(format!(
                        "it has {} bytes; the limit is {TEXT_BYTES_MAX}",
                        self.text.len()
                    ))
                    .with_hint("move its data into a dataset"),
            );
        }
        Ok(())
    }
}
