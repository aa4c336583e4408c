//! Parts: durable bundles of receipts, for sets that one message cannot carry.
//!
//! An object `parts/WRITER.KEY.json` in the dataset's folder, made once. Invariant: a part completes nothing;
//! it is read where a commit names it, and its content never changes.

use super::{Writers, is_data, stored};
use crate::store::log::Driver;
use crate::store::names::{Owner, WriterId};
use crate::store::{Created, Key, receipt, record};
use flinkspark_model::log::View;
use flinkspark_model::port::{PartStored, WriterPart, check_writer_text};
use flinkspark_model::{Error, Kind, Result};

/// The most receipts in one part.
pub const PART_SEGMENTS_MAX: usize = 64 << 10;

/// A part, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    key: String,
    receipts: Vec<String>,
}

fn key_of(root: &Key, writer: WriterId, key: &str) -> Result<Key> {
    let hash = xxhash_rust::xxh3::xxh3_128(key.as_bytes());
    root.join(format_args!("parts/{writer}.{hash:032x}.json"))
}

impl Writers {
    pub(super) async fn keep_part(&self, request: WriterPart) -> Result<PartStored> {
        check_writer_text("part's key", &request.key)?;
        let writer = stored(&request.of.writer)?;
        if request.receipts.len() > PART_SEGMENTS_MAX {
            return Err(Error::new(Kind::Invalid, "FS0202", "a part is too large")
                .with_detail(format!(
                    "it has {} receipts; the limit is {PART_SEGMENTS_MAX}",
                    request.receipts.len()
                ))
                .with_hint("divide it, and name each of its keys in the commit"));
        }
        let driver = self.driver(request.of.dataset).await?;
        self.heard
            .note(&driver, &writer, request.of.principal.as_ref(), None)
            .await?;
        let id = WriterId::from(&writer);
        let sealed = self.read(driver.id(), id, &request.receipts)?;
        let place = key_of(driver.root(), id, &request.key)?;
        let part = Part {
            key: request.key,
            receipts: request.receipts,
        };
        let bytes = record::encode(&place, &part)?;
        let replayed = match self.shared().store.create(&place, bytes).await? {
            Created::New => false,
            Created::Exists(other) if record::decode::<Part>(&place, &other)? == part => true,
            Created::Exists(_) => return Err(other_receipts(&part.key)),
        };
        Ok(PartStored {
            key: part.key,
            segments: sealed.len() as u64,
            rows: sealed.iter().map(|sealed| sealed.segment.rows).sum(),
            replayed,
        })
    }

    /// The receipts of a part. One that is not there is `Conflict`.
    pub(super) async fn part_receipts(
        &self,
        driver: &Driver,
        writer: WriterId,
        key: &str,
    ) -> Result<Vec<String>> {
        check_writer_text("part's key", key)?;
        let place = key_of(driver.root(), writer, key)?;
        let found = self.shared().store.read(&place).await?;
        let bytes = found.ok_or_else(|| {
            Error::new(
                Kind::Conflict,
                "FS1038",
                "a part of the commit is not there",
            )
            .with_detail(format!("nothing is kept under the key \"{key}\""))
            .with_hint("send the part again, then commit")
        })?;
        Ok(record::decode::<Part>(&place, &bytes)?.receipts)
    }
}

fn other_receipts(key: &str) -> Error {
    Error::new(
        Kind::Conflict,
        "FS1036",
        "the part is there with other receipts",
    )
    .with_detail(format!("its key is \"{key}\""))
    .with_hint("a part's content never changes: take another key for another set")
}

/// Deletes the parts of which every segment is data or gone: no commit that brings them can come, but one that
/// is known by its token. `there` says whether a staged segment's file still lies in the store.
pub(in crate::store) async fn sweep(
    driver: &Driver,
    view: &View,
    there: impl Fn(&flinkspark_model::log::SegmentName) -> bool,
) -> Result<u64> {
    let store = &driver.shared().store;
    let root = driver.root().join("parts")?;
    let mut deleted = 0;
    for file in store.list(&root).await? {
        let key = root.join(&file.name)?;
        let writer = file.name.split_once('.').map(|(writer, _)| writer);
        let writer = writer.and_then(|writer| uuid::Uuid::try_parse(writer).ok());
        let (Some(writer), Some(bytes)) = (writer.map(WriterId), store.read(&key).await?) else {
            continue;
        };
        let Ok(part) = record::decode::<Part>(&key, &bytes) else {
            tracing::warn!(%key, "a damaged part is left alone");
            continue;
        };
        let signer = &driver.shared().signer;
        let waits = part.receipts.iter().any(|text| {
            let sealed = receipt::read(signer, driver.id(), writer, text);
            sealed.is_ok_and(|sealed| {
                let name = &sealed.segment.name;
                !is_data(view, name) && there(name)
            })
        });
        if !waits {
            store.delete(&key).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// The writer that a segment's name says, if it is a named one.
pub(in crate::store) fn writer_of(name: &flinkspark_model::log::SegmentName) -> Option<WriterId> {
    match Owner::of(name) {
        Some(Owner::Writer(writer)) => Some(writer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_any_characters_is_a_place() {
        let root = Key::new("datasets/x").unwrap();
        let writer = WriterId::from(&"w".into());
        let mut places = std::collections::BTreeSet::new();
        for key in ["a", "../a", "a/b", "\u{e9}", "A", "a "] {
            assert!(places.insert(key_of(&root, writer, key).unwrap().as_str().to_string()));
        }
    }
}
