//! What the service needs of transactions; `connector::store` has them.

use async_trait::async_trait;
use flinkspark_model::Result;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::digest::Digest;
use flinkspark_model::log::Receipt;
use flinkspark_model::port::SegmentWriter;
use flinkspark_model::position::SlotNo;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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

/// What is asked of `begin`.
#[derive(Debug, Clone)]
pub struct Begin {
    /// The dataset, as the catalogue has it now.
    pub dataset: Arc<Dataset>,
    /// The transaction's id, given by a caller who wants to repeat it; made up where there is none.
    pub id: Option<String>,
    /// What its commit does with the rows that are there.
    pub mode: Mode,
}

/// A transaction, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its id.
    pub txn: String,
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
}

/// Durable transactions over dataset logs.
#[async_trait]
pub trait Transactions: Send + Sync {
    /// Opens a transaction, durably. An id that exists in the dataset returns that transaction, open or
    /// committed, `replayed`; in another mode it is `Conflict`, and after an abort it opens the next one.
    async fn begin(&self, begin: Begin) -> Result<Transaction>;

    /// Opens a segment of an open transaction, of rows in the dataset's schema.
    /// A transaction that is not open is `Conflict`, one that does not exist is `Invalid`.
    async fn stage(
        &self,
        txn: &str,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>>;

    /// Commits exactly these receipts. Idempotent: a committed transaction returns where it stands,
    /// `replayed`. A receipt of another log or with a wrong signature is `Invalid`; an aborted
    /// transaction is `Conflict`.
    async fn commit(&self, txn: &str, receipts: Vec<Receipt>) -> Result<Transaction>;

    /// Makes sure that it never commits. Idempotent; a committed transaction is `Conflict`.
    async fn abort(&self, txn: &str) -> Result<Transaction>;

    /// How it stands. One that does not exist is `Invalid`.
    async fn status(&self, txn: &str) -> Result<Transaction>;
}
