//! Bodies of the actions on records of datasets. Schemas are Arrow IPC messages in base64, as `Schema.serialize()` gives
//! them.

use flinkspark_model::dataset::{DatasetId, Traits};
use flinkspark_model::handle::Handle;
use flinkspark_model::name::DatasetName;
use flinkspark_model::schema::Compatibility;
use serde::{Deserialize, Serialize};

/// Action `register`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// Its name, which must be free.
    pub name: String,
    /// Its schema.
    pub schema: String,
    /// What is promised besides.
    #[serde(default)]
    pub traits: Traits,
    /// At most one for each engine.
    #[serde(default)]
    pub handles: Vec<Handle>,
}

/// Action `lookup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
}

/// Action `alter`: exactly one change.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlterRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The version of the record that is changed; none for the one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Its new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<String>,
    /// What is promised from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<Traits>,
    /// A handle, in place of the one that its engine has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// Its new schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What must stay readable beside a new schema; none for `backward`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<Compatibility>,
}

/// Action `drop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// The version of the record that is dropped; none for the one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// The answer of `drop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// What was dropped.
    pub id: DatasetId,
    /// What its rows take in the store until they leave it, in bytes.
    pub bytes: u64,
    /// When that is, in milliseconds since the epoch.
    pub until_ms: u64,
}

/// Action `list`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRequest {
    /// Only names that begin with this.
    #[serde(default)]
    pub prefix: String,
    /// Only names after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many; none for the most that there are on a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The answer of `list`: a page in the order of names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Without their schemas.
    pub datasets: Vec<DatasetRecord>,
    /// Those whose record cannot be read.
    pub damaged: Vec<DamagedRecord>,
    /// Where the next page begins, as its `after`; none on the last.
    pub next: Option<DatasetName>,
}

/// A dataset's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// Its identity, which nothing changes.
    pub id: DatasetId,
    /// Its name.
    pub name: DatasetName,
    /// The record's version: 1 when registered, one more at each change.
    pub version: u64,
    /// The schema's version, from 1.
    pub schema_version: u32,
    /// Its schema; absent in a listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What is promised besides.
    pub traits: Traits,
    /// At most one for each engine.
    pub handles: Vec<Handle>,
    /// When it was registered, in milliseconds since the epoch.
    pub created_at_ms: u64,
}

/// A dataset that is there and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedRecord {
    /// Its identity.
    pub id: DatasetId,
    /// Its name.
    pub name: DatasetName,
    /// The error's code.
    pub code: String,
    /// What is damaged.
    pub message: String,
}
