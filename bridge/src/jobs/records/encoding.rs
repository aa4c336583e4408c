//! How a record is written down: one line of JSON and one with its CRC32C.
//!
//! Invariant: a record that is not whole, or of a newer format, is refused.

use crate::jobs::record::RECORD_FORMAT_NEWEST;
use flinkspark_model::checksum;
use flinkspark_model::{Error, Kind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value).map_err(|cause| {
        Error::new(
            Kind::Internal,
            "FS0904",
            "a job's record could not be encoded",
        )
        .with_source(cause)
    })?;
    let checksum = checksum::crc32c(&bytes);
    bytes.extend_from_slice(format!("\ncrc32c {checksum:08x}\n").as_bytes());
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(bytes).map_err(|cause| damaged(cause.to_string()))?;
    let parts = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once('\n'));
    let (json, trailer) = parts.ok_or_else(|| damaged("it ends early".into()))?;
    if trailer != format!("crc32c {:08x}", checksum::crc32c(json.as_bytes())) {
        return Err(damaged("its checksum does not match its content".into()));
    }
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let versioned: Versioned =
        serde_json::from_str(json).map_err(|cause| damaged(cause.to_string()))?;
    if versioned.format > RECORD_FORMAT_NEWEST {
        return Err(Error::new(
            Kind::Invalid,
            "FS0906",
            "a job's record was written by a newer FlinkSpark",
        )
        .with_detail(format!(
            "it has format {}; this build reads up to {RECORD_FORMAT_NEWEST}",
            versioned.format
        ))
        .with_hint("start a build at least as new as the one that wrote it"));
    }
    serde_json::from_str(json).map_err(|cause| damaged(cause.to_string()))
}

pub(super) fn damaged(why: String) -> Error {
    Error::new(Kind::Data, "FS0905", "a job's record is damaged")
        .with_detail(why)
        .with_hint("restore the file below jobs/ from a backup")
}
