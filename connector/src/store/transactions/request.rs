//! What is asked of transactions, and what they answer.

use super::TxnId;
use arrow_schema::SchemaRef;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::digest::Digest;
use flinkspark_model::lineage::SlotRange;
use flinkspark_model::log::{Receipt, SourceOffsets};
use flinkspark_model::position::SlotNo;

/// What a commit does with the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They stay.
    #[default]
    Append,
    /// They go, in the same write: everything up to the head of the log at `begin`.
    Replace,
}

/// What is asked of [`Transactions::begin`].
#[derive(Debug, Clone)]
pub struct Begin {
    /// The dataset.
    pub dataset: DatasetId,
    /// Its registered schema.
    pub schema: SchemaRef,
    /// Makes the transaction repeatable: one key commits once into one dataset, ever.
    pub key: Option<String>,
    /// What its commit does with the rows that are there.
    pub mode: Mode,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It accepts puts, a commit or an abort.
    Open {
        /// When its lease ends unless it is used, in milliseconds since the epoch.
        expires_at_ms: u64,
    },
    /// Its rows are data.
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
    Aborted {
        /// The slot that says so.
        slot: SlotNo,
    },
}

/// What was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The transaction.
    pub txn: TxnId,
    /// How it stands: a key that was used before finds what became of it.
    pub status: Status,
    /// What its commit does with the rows that are there; nobody knows it of an aborted one.
    pub mode: Option<Mode>,
    /// Whether it was there before this call.
    pub replayed: bool,
}
