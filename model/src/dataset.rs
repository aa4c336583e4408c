//! Datasets: one stable identity, one name, a versioned schema, traits and handles.
//!
//! A [`Dataset`] is the catalogue's record of a dataset; its data is in its log. Invariants: the
//! time attribute and the keys name columns of the schema, and there is at most one handle per
//! engine.

use crate::error::{Error, Kind, Result};
use crate::handle::{Engine, Handle};
use crate::name::DatasetName;
use arrow_schema::{DataType, SchemaRef};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A dataset's stable identity: a UUIDv7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatasetId(pub Uuid);

impl DatasetId {
    /// The id made at `millis` since the epoch from 10 bytes of randomness.
    pub fn from_parts(millis: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DatasetId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Uuid::parse_str(text).map(Self).map_err(|cause| {
            Error::new(
                Kind::Invalid,
                "FS0103",
                format!("\"{}\" is not a dataset id", text.escape_debug()),
            )
            .with_source(cause)
            .with_hint("copy the id from `flinkspark dataset list`")
        })
    }
}

/// Whether a dataset ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundedness {
    /// What is committed now is all of it.
    #[default]
    Bounded,
    /// More may come.
    Unbounded,
}

/// What rows mean over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changelog {
    /// Rows are only added.
    #[default]
    Append,
    /// A row replaces the one with its primary key.
    Upsert,
    /// Rows are added and taken back, in four row kinds.
    Retract,
}

/// What happens to a time value finer than Flink's milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimePrecision {
    /// It is refused.
    #[default]
    Exact,
    /// It is rounded down.
    Floor,
}

/// The column that carries event time, and how late it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeAttribute {
    /// A timestamp column of the schema.
    pub column: String,
    /// The watermark is the greatest time seen, less this many milliseconds.
    pub watermark_delay_ms: u64,
    /// What happens to finer values.
    #[serde(default)]
    pub precision: TimePrecision,
}

/// What the catalogue promises about a dataset besides its schema.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traits {
    /// Whether it ends.
    #[serde(default)]
    pub boundedness: Boundedness,
    /// Event time, where it has one.
    #[serde(default)]
    pub time: Option<TimeAttribute>,
    /// Primary key columns; empty for none.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// What rows mean over time.
    #[serde(default)]
    pub changelog: Changelog,
    /// How rows are spread over partitions, where it is known.
    #[serde(default)]
    pub partitioning: Option<crate::handle::Partitioner>,
}

/// The catalogue's record of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its identity, which nothing changes.
    pub id: DatasetId,
    /// Its name.
    pub name: DatasetName,
    /// The record's version: 1 when registered, one more at each change.
    pub version: u64,
    /// The schema's version, from 1.
    pub schema_version: u32,
    /// The schema: canonical for every engine.
    pub schema: SchemaRef,
    /// What is promised besides.
    pub traits: Traits,
    /// At most one handle per engine.
    pub handles: Vec<Handle>,
    /// When it was registered, in milliseconds since the epoch.
    pub created_at_ms: u64,
}

impl Dataset {
    /// Checks the record's invariants; constructors and decoders call it, nothing else needs to.
    pub fn validate(self) -> Result<Self> {
        let refuse = |why: String| {
            Error::new(
                Kind::Invalid,
                "FS0104",
                format!("dataset \"{}\" contradicts itself", self.name),
            )
            .with_detail(why)
            .with_hint("compare the traits with the columns of the schema")
        };
        for engine in Engine::ALL {
            if self
                .handles
                .iter()
                .filter(|handle| handle.engine() == engine)
                .count()
                > 1
            {
                return Err(refuse(format!("it has two {} handles", engine.name())));
            }
        }
        let keys = self.traits.partitioning.iter().flat_map(|p| &p.keys);
        for column in self.traits.primary_key.iter().chain(keys) {
            if self.schema.index_of(column).is_err() {
                return Err(refuse(format!(
                    "key column \"{column}\" is not in the schema"
                )));
            }
        }
        if let Some(time) = &self.traits.time {
            match self
                .schema
                .field_with_name(&time.column)
                .map(|field| field.data_type())
            {
                Ok(DataType::Timestamp(_, _)) => {}
                Ok(other) => {
                    return Err(refuse(format!(
                        "time attribute \"{}\" is {other}, not a timestamp",
                        time.column
                    )));
                }
                Err(_) => {
                    return Err(refuse(format!(
                        "time attribute \"{}\" is not in the schema",
                        time.column
                    )));
                }
            }
        }
        Ok(self)
    }

    /// The handle of one engine.
    pub fn handle(&self, engine: Engine) -> Option<&Handle> {
        self.handles.iter().find(|handle| handle.engine() == engine)
    }
}
