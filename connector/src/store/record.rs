//! Small records of the store's own: one line of JSON and one with its CRC32C.
//!
//! Invariant: a record that is not whole, or of a newer format, is refused.

use super::Key;
use bytes::Bytes;
use flinkspark_model::checksum;
use flinkspark_model::{Error, Kind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The format that this build writes and the newest that it reads.
const FORMAT: u32 = 1;

#[derive(serde::Serialize, serde::Deserialize)]
struct Envelope<T> {
    format: u32,
    record: T,
}

pub(super) fn encode(key: &Key, record: &impl Serialize) -> Result<Bytes> {
    let envelope = Envelope {
        format: FORMAT,
        record,
    };
    let mut bytes =
        serde_json::to_vec(&envelope).map_err(|cause| damaged(key, &cause.to_string()))?;
    let checksum = checksum::crc32c(&bytes);
    bytes.extend_from_slice(format!("\ncrc32c {checksum:08x}\n").as_bytes());
    Ok(bytes.into())
}

pub(super) fn decode<T: DeserializeOwned>(key: &Key, bytes: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(bytes).map_err(|_| damaged(key, "it is not UTF-8"))?;
    let parts = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once('\n'));
    let (json, trailer) = parts.ok_or_else(|| damaged(key, "it ends early"))?;
    if trailer != format!("crc32c {:08x}", checksum::crc32c(json.as_bytes())) {
        return Err(damaged(key, "its checksum does not match its content"));
    }
    let format: Envelope<serde::de::IgnoredAny> =
        serde_json::from_str(json).map_err(|cause| damaged(key, &cause.to_string()))?;
    if format.format > FORMAT {
        let newer = format!(
            "it has format {}; this build reads up to {FORMAT}",
            format.format
        );
        return Err(damaged(key, &newer)
            .with_hint("start a build at least as new as the one that wrote it"));
    }
    let envelope: Envelope<T> =
        serde_json::from_str(json).map_err(|cause| damaged(key, &cause.to_string()))?;
    Ok(envelope.record)
}

fn damaged(key: &Key, why: &str) -> Error {
    Error::new(Kind::Data, "FS1021", "a record of the store is damaged")
        .with_detail(format!("{key}: {why}"))
        .with_hint("`flinkspark explain FS1021` says what can be deleted safely")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_and_every_flip_of_a_record_is_refused() {
        let key = Key::new("k").unwrap();
        let bytes = encode(&key, &("text", 7)).unwrap();
        assert_eq!(
            decode::<(String, u32)>(&key, &bytes).unwrap(),
            ("text".into(), 7)
        );
        for at in 0..bytes.len() {
            assert_eq!(
                decode::<(String, u32)>(&key, &bytes[..at])
                    .unwrap_err()
                    .code(),
                "FS1021"
            );
            let mut bad = bytes.to_vec();
            bad[at] ^= 1;
            assert_eq!(
                decode::<(String, u32)>(&key, &bad).unwrap_err().code(),
                "FS1021"
            );
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let json = r#"{"format":2,"record":{"unknown":[]}}"#;
        let bytes = format!("{json}\ncrc32c {:08x}\n", checksum::crc32c(json.as_bytes()));
        let error = decode::<u32>(&Key::new("k").unwrap(), bytes.as_bytes()).unwrap_err();
        assert!(error.detail().unwrap().contains("format 2"), "{error}");
    }
}
