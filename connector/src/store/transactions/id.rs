//! A transaction's identity.
//!
//! Invariant: the id alone says in which log and by which writer and number the transaction
//! commits, so nothing has to be kept of a transaction that has ended.

use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Generation, Ordinal, View, WriterName};
use flinkspark_model::{Error, Kind};
use std::fmt;
use std::str::FromStr;
use uuid::{Builder, Uuid};

/// The generation of every transaction's writer: it is fenced once, when it begins.
pub(super) const GENERATION: Generation = 1;

/// A transaction within its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Txn {
    pub(in crate::store) id: Uuid,
    pub(in crate::store) n: Ordinal,
}

impl Txn {
    pub(in crate::store) fn writer(&self) -> WriterName {
        format!("txn-{}", self.id.simple()).into()
    }
}

/// A transaction: `DATASET.ID.N`, the first two as 32 hexadecimal digits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct TxnId {
    pub(super) dataset: DatasetId,
    pub(super) txn: Txn,
}

impl TxnId {
    /// Which dataset it writes.
    pub fn dataset(&self) -> DatasetId {
        self.dataset
    }

    /// The transaction of a writer that can still commit, or the one that did.
    pub(super) fn next(dataset: DatasetId, id: Uuid, view: &View) -> Self {
        let writer = Txn { id, n: 1 }.writer();
        let n = view.writer(&writer).map_or(1, |state| match state.last() {
            0 => state.aborted.last_key_value().map_or(1, |(n, _)| n + 1),
            committed => committed,
        });
        Self {
            dataset,
            txn: Txn { id, n },
        }
    }

    /// The name of the object that says that it was begun.
    pub(super) fn file(&self) -> String {
        format!("{}.{}.json", self.txn.id.simple(), self.txn.n)
    }

    pub(super) fn from_file(dataset: DatasetId, file: &str) -> Option<Self> {
        let (id, n) = file.strip_suffix(".json")?.split_once('.')?;
        Some(Self {
            dataset,
            txn: Txn {
                id: Uuid::try_parse(id).ok()?,
                n: n.parse().ok()?,
            },
        })
    }
}

/// The id of the transaction that a key names in a dataset.
pub(super) fn from_key(dataset: DatasetId, key: &str) -> Uuid {
    let named = [dataset.0.as_bytes().as_slice(), key.as_bytes()].concat();
    Builder::from_custom_bytes(xxhash_rust::xxh3::xxh3_128(&named).to_be_bytes()).into_uuid()
}

impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.dataset.0.simple(),
            self.txn.id.simple(),
            self.txn.n
        )
    }
}

impl FromStr for TxnId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (dataset, file) = text.split_once('.')?;
            let dataset = DatasetId(Uuid::try_parse(dataset).ok()?);
            let parsed = Self::from_file(dataset, &format!("{file}.json"))?;
            (parsed.to_string() == text).then_some(parsed)
        };
        parse().ok_or_else(|| {
            Error::new(Kind::Invalid, "FS1013", "there is no such transaction")
                .with_detail(format!(
                    "\"{}\" is not a transaction's id",
                    text.escape_debug()
                ))
                .with_hint("begin one, and pass its id on unchanged")
        })
    }
}

impl TryFrom<String> for TxnId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<TxnId> for String {
    fn from(txn: TxnId) -> Self {
        txn.to_string()
    }
}
