//! Handles and how rows are spread.

use super::{enumeration, refuse, required};
use crate::v1;
use flinkspark_model::handle::{self as model, Partitioner};
use flinkspark_model::{Error, Result};

enumeration!(encode_mode, decode_mode, "mode", FlinkMode { DataStream, Table }, else Table);
enumeration!(
    encode_level,
    decode_level,
    "storage_level",
    StorageLevel { None, MemoryOnly, MemoryAndDisk, DiskOnly },
    else None
);

impl From<&Partitioner> for v1::Partitioner {
    fn from(partitioner: &Partitioner) -> Self {
        Self {
            keys: partitioner.keys.clone(),
            hash: partitioner.hash.clone(),
            count: partitioner.count,
        }
    }
}

impl From<v1::Partitioner> for Partitioner {
    fn from(wire: v1::Partitioner) -> Self {
        Self {
            keys: wire.keys,
            hash: wire.hash,
            count: wire.count,
        }
    }
}

impl From<&model::RddPartition> for v1::RddPartition {
    fn from(partition: &model::RddPartition) -> Self {
        Self {
            index: partition.index,
            rows: partition.rows,
            preferred_locations: partition.preferred_locations.clone(),
        }
    }
}

impl From<v1::RddPartition> for model::RddPartition {
    fn from(wire: v1::RddPartition) -> Self {
        Self {
            index: wire.index,
            rows: wire.rows,
            preferred_locations: wire.preferred_locations,
        }
    }
}

impl From<&model::Handle> for v1::Handle {
    fn from(handle: &model::Handle) -> Self {
        let engine = match handle {
            model::Handle::Flink(flink) => v1::handle::Engine::Flink(v1::FlinkHandle {
                identifier: flink.identifier.clone(),
                mode: encode_mode(flink.mode),
            }),
            model::Handle::Spark(spark) => v1::handle::Engine::Spark(v1::SparkHandle {
                identifier: spark.identifier.clone(),
                partitioner: spark.partitioner.as_ref().map(Into::into),
                storage_level: encode_level(spark.storage_level),
            }),
            model::Handle::Bundled(bundled) => v1::handle::Engine::Bundled(v1::BundledHandle {
                job: bundled.job.clone(),
                operator: bundled.operator.clone(),
            }),
        };
        Self {
            engine: Some(engine),
        }
    }
}

impl TryFrom<v1::Handle> for model::Handle {
    type Error = Error;

    fn try_from(wire: v1::Handle) -> Result<Self> {
        let handle = match required(wire.engine, "handle.engine")? {
            v1::handle::Engine::Flink(flink) => Self::Flink(model::FlinkHandle {
                identifier: flink.identifier,
                mode: decode_mode(flink.mode)?,
            }),
            v1::handle::Engine::Spark(spark) => Self::Spark(model::SparkHandle {
                identifier: spark.identifier,
                partitioner: spark.partitioner.map(Into::into),
                storage_level: decode_level(spark.storage_level)?,
            }),
            v1::handle::Engine::Bundled(bundled) => Self::Bundled(model::BundledHandle {
                job: bundled.job,
                operator: bundled.operator,
            }),
        };
        handle.check()?;
        Ok(handle)
    }
}
