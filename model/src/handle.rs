//! Handles: how each engine knows a dataset.
//!
//! Invariant: two handles are the same for their engine exactly when their [`Handle::key`]s are
//! equal. Flink compares names with case, Spark without; a key keeps its engine's rule.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The engines that give handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Apache Flink.
    Flink,
    /// Apache Spark.
    Spark,
    /// The engines in this repository.
    Bundled,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 3] = [Self::Flink, Self::Spark, Self::Bundled];

    /// The engine's name in `engine:handle`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flink => "flink",
            Self::Spark => "spark",
            Self::Bundled => "bundled",
        }
    }
}

/// Which of Flink's APIs a handle is seen through.
///
/// The DataSet API left Flink in 2.0: a "DataSet" is a bounded DataStream or Table, and the word
/// stays as an alias of [`FlinkMode::DataStream`] when it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlinkMode {
    /// A DataStream.
    #[serde(alias = "data_set")]
    DataStream,
    /// A Table.
    Table,
}

/// How Flink names a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlinkHandle {
    /// `catalog.database.table`, or `job-id/operator-uid`.
    pub identifier: String,
    /// Through which API.
    pub mode: FlinkMode,
}

/// How long a batch engine keeps partitions, in Spark's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageLevel {
    /// Not kept.
    #[default]
    None,
    /// In memory; recomputed when dropped.
    MemoryOnly,
    /// In memory, then on disk.
    MemoryAndDisk,
    /// On disk.
    DiskOnly,
}

/// How rows are assigned to partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partitioner {
    /// The key columns; empty for round robin.
    pub keys: Vec<String>,
    /// The hash's stable name, such as `flinkspark-keygroup-v1`.
    pub hash: String,
    /// The number of partitions.
    pub count: u32,
}

/// One partition of an RDD-like handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RddPartition {
    /// Its index, from 0.
    pub index: u32,
    /// Rows in it.
    pub rows: u64,
    /// Where it is cheapest to read: bridge addresses, best first.
    pub preferred_locations: Vec<String>,
}

/// How Spark names a dataset: a table identifier and what an RDD would say of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparkHandle {
    /// `catalog.namespace.table`.
    pub identifier: String,
    /// How rows are spread, where it is known.
    #[serde(default)]
    pub partitioner: Option<Partitioner>,
    /// How long partitions are kept.
    #[serde(default)]
    pub storage_level: StorageLevel,
}

/// How a bundled engine names a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundledHandle {
    /// The job that makes it.
    pub job: String,
    /// The operator in that job.
    pub operator: String,
}

/// One engine's handle of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "engine", rename_all = "snake_case")]
pub enum Handle {
    /// Flink's.
    Flink(FlinkHandle),
    /// Spark's.
    Spark(SparkHandle),
    /// A bundled engine's.
    Bundled(BundledHandle),
}

impl Handle {
    /// A Flink table `catalog.database.table`.
    pub fn flink_table(identifier: &str) -> Result<Self> {
        dotted(Engine::Flink, identifier)?;
        Ok(Self::Flink(FlinkHandle {
            identifier: identifier.into(),
            mode: FlinkMode::Table,
        }))
    }

    /// A Spark table `catalog.namespace.table`.
    pub fn spark_table(identifier: &str) -> Result<Self> {
        dotted(Engine::Spark, identifier)?;
        Ok(Self::Spark(SparkHandle {
            identifier: identifier.into(),
            partitioner: None,
            storage_level: StorageLevel::None,
        }))
    }

    /// The engine that knows the dataset by this handle.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Flink(_) => Engine::Flink,
            Self::Spark(_) => Engine::Spark,
            Self::Bundled(_) => Engine::Bundled,
        }
    }

    /// The handle as its engine writes it.
    pub fn identifier(&self) -> String {
        match self {
            Self::Flink(handle) => handle.identifier.clone(),
            Self::Spark(handle) => handle.identifier.clone(),
            Self::Bundled(handle) => format!("{}/{}", handle.job, handle.operator),
        }
    }

    /// Refuses a handle that nobody could look up, because its key has no text form.
    pub fn check(&self) -> Result<()> {
        self.key().to_string().parse::<HandleKey>().map(|_| ())
    }

    /// What lookups compare.
    pub fn key(&self) -> HandleKey {
        HandleKey::fold(self.engine(), &self.identifier())
    }
}

/// The key by which a handle is looked up; written `engine:identifier`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HandleKey {
    engine: Engine,
    identifier: String,
}

impl HandleKey {
    fn fold(engine: Engine, identifier: &str) -> Self {
        let identifier = match engine {
            Engine::Spark => identifier.to_lowercase(),
            Engine::Flink | Engine::Bundled => identifier.into(),
        };
        Self { engine, identifier }
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The identifier, folded by the engine's rule.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }
}

impl fmt::Display for HandleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.engine.name(), self.identifier)
    }
}

impl FromStr for HandleKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (engine, identifier) = text.split_once(':').unwrap_or((text, ""));
        let engine = Engine::ALL.into_iter().find(|known| known.name() == engine);
        match engine {
            Some(engine) if !identifier.is_empty() => Ok(Self::fold(engine, identifier)),
            _ => Err(refuse(
                text,
                "it is not flink:NAME, spark:NAME or bundled:JOB/OPERATOR".into(),
            )),
        }
    }
}

impl TryFrom<String> for HandleKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<HandleKey> for String {
    fn from(key: HandleKey) -> Self {
        key.to_string()
    }
}

fn dotted(engine: Engine, identifier: &str) -> Result<()> {
    let parts = identifier.split('.').count();
    if identifier.len() > crate::name::NAME_BYTES_MAX {
        return Err(refuse(
            identifier,
            format!("it has {} bytes", identifier.len()),
        ));
    }
    if parts != 3 || identifier.split('.').any(str::is_empty) {
        let form = if engine == Engine::Flink {
            "catalog.database.table"
        } else {
            "catalog.namespace.table"
        };
        return Err(refuse(
            identifier,
            format!("a {} table is written {form}", engine.name()),
        ));
    }
    Ok(())
}

fn refuse(text: &str, why: String) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0102",
        format!("\"{}\" is not an engine's handle", text.escape_debug()),
    )
    .with_detail(why)
    .with_hint("for example flink:default_catalog.default_database.flights")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spark_compares_without_case_and_flink_with_it() {
        let key = |text: &str| text.parse::<HandleKey>().unwrap();
        assert_eq!(
            key("spark:A.b.C"),
            Handle::spark_table("a.B.c").unwrap().key()
        );
        assert_ne!(
            key("flink:A.b.C"),
            Handle::flink_table("a.b.c").unwrap().key()
        );
    }

    #[test]
    fn a_handle_that_no_engine_would_write_is_refused() {
        for text in ["", "flink", "flink:", "hive:a.b.c"] {
            assert_eq!(
                text.parse::<HandleKey>().unwrap_err().code(),
                "FS0102",
                "{text}"
            );
        }
        assert!(Handle::flink_table("a.b").is_err());
        assert!(Handle::spark_table("a..c").is_err());
    }

    #[test]
    fn a_dataset_handle_is_an_alias_of_a_bounded_stream() {
        let handle: FlinkHandle =
            serde_json::from_str(r#"{"identifier":"a.b.c","mode":"data_set"}"#).unwrap();
        assert_eq!(handle.mode, FlinkMode::DataStream);
    }
}
