//! Transactions as siblings speak of them: the one vocabulary of the store, of Flight and of clients.
//!
//! A transaction is a writer of its own that commits once. Its JSON form is what `docs/flight.md`
//! documents. Invariant: an [`IdempotencyKey`] that exists is neither blank nor longer than
//! [`KEY_BYTES_MAX`], and two keys are one only if they have the same scope and the same bytes.

use super::SegmentWriter;
use crate::access::Principal;
use crate::dataset::DatasetId;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::lineage::SlotRange;
use crate::log::{Ordinal, Receipt, SourceOffsets};
use crate::position::SlotNo;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The longest idempotency key, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;

/// What a commit does with the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They stay.
    #[default]
    Append,
    /// They go, in the same write: everything up to the head of the log at `begin`.
    Replace,
}

/// A transaction: `DATASET.ID.N`, the first two as 32 hexadecimal digits.
///
/// It alone says in which log and by which writer and number the transaction commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TxnId {
    /// The dataset that it writes.
    pub dataset: DatasetId,
    /// Its writer: the same for each try under one key.
    pub id: Uuid,
    /// The number of the try, from 1: one more after each abort.
    pub n: Ordinal,
}

impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dataset, id) = (self.dataset.0.simple(), self.id.simple());
        write!(f, "{dataset}.{id}.{}", self.n)
    }
}

impl FromStr for TxnId {
    type Err = Error;

    /// Only what [`Display`](fmt::Display) writes; anything else is `FS1013`.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut parts = text.splitn(3, '.');
            let parsed = Self {
                dataset: DatasetId(Uuid::try_parse(parts.next()?).ok()?),
                id: Uuid::try_parse(parts.next()?).ok()?,
                n: parts.next()?.parse().ok()?,
            };
            (parsed.to_string() == text).then_some(parsed)
        };
        parse().ok_or_else(|| {
            let shown: String = text.chars().take(120).collect();
            Error::new(Kind::NotFound, "FS1013", "there is no such transaction")
                .with_detail(format!(
                    "\"{}\" is not a transaction's id",
                    shown.escape_debug()
                ))
                .with_hint("begin one, and pass its id on unchanged")
        })
    }
}

impl TryFrom<String> for TxnId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<TxnId> for String {
    fn from(txn: TxnId) -> Self {
        txn.to_string()
    }
}

/// Where a key was given: keys of different scopes never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// The id of a `begin`.
    Begin,
    /// The idempotency key of a plain put.
    Put,
}

/// Makes a transaction repeatable: one key commits once into one dataset, ever.
///
/// Keys are compared by their bytes: no case, no normal form and no encoding is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    scope: KeyScope,
    bytes: Vec<u8>,
}

impl IdempotencyKey {
    /// A key. A blank one is `FS0441`, one that is too long `FS0442`.
    pub fn new(scope: KeyScope, bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        let what = match scope {
            KeyScope::Begin => "the transaction's id",
            KeyScope::Put => "the idempotency key",
        };
        check_key(what, &bytes)?;
        Ok(Self { scope, bytes })
    }

    /// Where it was given.
    pub fn scope(&self) -> KeyScope {
        self.scope
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Refuses bytes that cannot be told from a key that nobody gave (`FS0441`), or that are too long
/// (`FS0442`); `what` names them.
pub fn check_key(what: &str, bytes: &[u8]) -> Result<()> {
    if bytes.len() > KEY_BYTES_MAX {
        return Err(
            Error::new(Kind::Invalid, "FS0442", format!("{what} is too long"))
                .with_detail(format!(
                    "it has {} bytes; the limit is {KEY_BYTES_MAX}",
                    bytes.len()
                ))
                .with_hint("give a shorter one, such as the hex digits of its SHA-256"),
        );
    }
    if std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(invisible)) {
        return Err(
            Error::new(Kind::Invalid, "FS0441", format!("{what} is empty"))
                .with_detail(
                    "nothing that can be seen is in it; every load that forgot to set one would be taken for the same",
                )
                .with_hint("set the variable that it comes from, or leave the option out"),
        );
    }
    Ok(())
}

/// Spaces, controls, and the marks without width.
pub(super) fn invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What is asked of [`Transactions::begin`].
#[derive(Debug, Clone)]
pub struct Begin {
    /// The dataset.
    pub dataset: DatasetId,
    /// Its registered schema.
    pub schema: SchemaRef,
    /// Makes the transaction repeatable.
    pub key: Option<IdempotencyKey>,
    /// What its commit does with the rows that are there.
    pub mode: Mode,
    /// Tells callers apart where their open transactions are counted.
    pub peer: Option<String>,
    /// Whose it is; absent while the bridge is open.
    pub principal: Option<Principal>,
}

/// What is asked of [`Transactions::commit`].
#[derive(Debug, Clone, Default)]
pub struct TxnCommit {
    /// Exactly the segments to commit: at most one for each partition.
    pub receipts: Vec<Receipt>,
    /// Where the sources stood; the transaction's id where there are none.
    pub source_offsets: Option<SourceOffsets>,
    /// No row with an earlier event time follows, in milliseconds since the epoch.
    pub watermark_ms: Option<i64>,
    /// What the rows were computed from.
    pub lineage: Vec<SlotRange>,
}

/// How a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It accepts puts, a commit or an abort.
    Open {
        /// When its lease ends unless it is used, in milliseconds since the epoch.
        expires_at_ms: u64,
    },
    /// Its rows are part of the dataset.
    Committed {
        /// Where.
        slot: SlotNo,
        /// Rows committed.
        rows: u64,
        /// Their size in the store.
        bytes: u64,
        /// Of those rows.
        digest: Digest,
    },
    /// It will never commit.
    Aborted,
}

/// A transaction, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its id.
    pub txn: TxnId,
    /// The dataset that it writes.
    pub dataset: DatasetId,
    /// What its commit does with the rows that are there; nobody knows it of an aborted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
    /// Whether it stood so before this call.
    #[serde(default)]
    pub replayed: bool,
    /// Of a commit or a put that was there before: that this call brought the same rows. Other rows
    /// are an error, so it is never false; absent where no rows were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_rows: Option<bool>,
}

/// An open transaction in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransaction {
    /// Its id.
    pub txn: TxnId,
    /// What its commit will do with the rows that are there.
    pub mode: Mode,
    /// When it was begun, in milliseconds since the epoch.
    pub begun_at_ms: u64,
    /// How long ago that is, in milliseconds.
    pub age_ms: u64,
    /// When its lease ends unless it is used, in milliseconds since the epoch.
    pub expires_at_ms: u64,
    /// Puts into it that are going on.
    pub putting: u32,
    /// Segments that were put into it and sealed.
    pub segments: u64,
    /// Their size in the store.
    pub bytes: u64,
    /// Rows in them; absent where some were sealed before the server was last started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// Durable transactions over dataset logs.
#[async_trait]
pub trait Transactions: Send + Sync {
    /// Opens a transaction, durably. A key that was used before returns that transaction, open or
    /// committed, `replayed`; in another mode it is `Conflict`, and after an abort it opens the next
    /// one. A refused `begin` has written nothing.
    async fn begin(&self, begin: Begin) -> Result<Transaction>;

    /// Opens a segment of an open transaction, of rows in the dataset's schema.
    /// A transaction that is not open is `Conflict`, one that does not exist is `Invalid`.
    async fn stage(
        &self,
        txn: TxnId,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>>;

    /// Commits exactly these receipts. Repeated with the same rows it returns where they stand,
    /// `replayed`; with other rows it is `Conflict` (`FS0440`). A receipt of another log or with a wrong
    /// signature is `Invalid`; an aborted transaction is `Conflict`.
    async fn commit(&self, txn: TxnId, commit: TxnCommit) -> Result<Transaction>;

    /// Makes sure that it never commits. Idempotent; a committed transaction is `Conflict`.
    async fn abort(&self, txn: TxnId) -> Result<Transaction>;

    /// Whose it is. Nobody's where it was begun while the bridge was open, and once it has ended.
    async fn owner(&self, txn: TxnId) -> Result<Option<Principal>>;

    /// How it stands. One that does not exist is `Invalid`.
    async fn status(&self, txn: TxnId) -> Result<Transaction>;

    /// A dataset's open transactions, the oldest first.
    async fn open(&self, dataset: DatasetId) -> Result<Vec<OpenTransaction>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_anything_to_see_is_refused_by_name() {
        for blank in [
            "",
            " ",
            "\t\r\n",
            "\u{a0}",
            "\u{200b}\u{feff}",
            "\0",
            "\u{2003}\u{2060}",
        ] {
            for scope in [KeyScope::Begin, KeyScope::Put] {
                let error = IdempotencyKey::new(scope, blank).unwrap_err();
                assert_eq!(
                    (error.kind(), error.code()),
                    (Kind::Invalid, "FS0441"),
                    "{blank:?}"
                );
            }
        }
    }

    #[test]
    fn a_key_has_a_limit_and_any_bytes_below_it() {
        assert!(IdempotencyKey::new(KeyScope::Put, vec![0xff; KEY_BYTES_MAX]).is_ok());
        for long in [KEY_BYTES_MAX + 1, 64 << 10] {
            let error = IdempotencyKey::new(KeyScope::Put, vec![b'k'; long]).unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0442"));
            assert!(
                error
                    .detail()
                    .is_some_and(|why| why.contains(&long.to_string())),
                "{error}"
            );
        }
        let spaces = IdempotencyKey::new(KeyScope::Put, vec![b' '; KEY_BYTES_MAX + 1]);
        assert_eq!(spaces.unwrap_err().code(), "FS0442");
    }

    #[test]
    fn keys_are_compared_by_their_bytes() {
        let key = |bytes: &[u8]| IdempotencyKey::new(KeyScope::Begin, bytes).unwrap();
        let distinct: [&[u8]; 9] = [
            b"k",
            b"K",
            b" k",
            b"k ",
            "\u{e9}".as_bytes(),
            "e\u{301}".as_bytes(),
            b"../k",
            b"k\xff",
            b"k\xfe",
        ];
        for (index, one) in distinct.iter().enumerate() {
            for other in &distinct[index + 1..] {
                assert_ne!(key(one), key(other));
            }
        }
        let put = IdempotencyKey::new(KeyScope::Put, "k").unwrap();
        assert_ne!(put, key(b"k"));
    }

    #[test]
    fn an_id_is_read_back_only_as_it_was_written() {
        let id = TxnId {
            dataset: DatasetId(Uuid::from_u128(7)),
            id: Uuid::from_u128(9),
            n: 3,
        };
        assert_eq!(id.to_string().parse::<TxnId>().unwrap(), id);
        for bad in [
            "",
            "x",
            &format!("{id}."),
            &format!("{id}.1"),
            &id.to_string().replace(".3", ".03"),
            "../../etc/passwd",
        ] {
            assert_eq!(bad.parse::<TxnId>().unwrap_err().code(), "FS1013", "{bad}");
        }
    }
}
