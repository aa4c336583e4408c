//! Transactions as the Flight service needs them: named by text.
//!
//! An id that a caller gives is the transaction's key; what callers pass on is the id that comes
//! back. Invariant: nothing is decided here.

use super::{Begin, Begun, Mode, Status, Transactions, TxnCommit, TxnId};
use crate::flight;
use async_trait::async_trait;
use flinkspark_model::Result;
use flinkspark_model::log::Receipt;
use flinkspark_model::port::SegmentWriter;
use std::sync::Arc;

#[async_trait]
impl flight::Transactions for Transactions {
    async fn begin(&self, begin: flight::Begin) -> Result<flight::Transaction> {
        let begin = Begin {
            dataset: begin.dataset.id,
            schema: Arc::clone(&begin.dataset.schema),
            key: begin.id,
            mode: match begin.mode {
                flight::Mode::Append => Mode::Append,
                flight::Mode::Replace => Mode::Replace,
            },
        };
        Transactions::begin(self, begin).await.map(transaction)
    }

    async fn stage(
        &self,
        txn: &str,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>> {
        Transactions::stage(self, txn.parse()?, partition, attempt).await
    }

    async fn commit(&self, txn: &str, receipts: Vec<Receipt>) -> Result<flight::Transaction> {
        let txn: TxnId = txn.parse()?;
        let commit = TxnCommit {
            receipts,
            ..TxnCommit::default()
        };
        let appended = Transactions::commit(self, txn, commit).await?;
        self.transaction(txn, appended.replayed).await
    }

    async fn abort(&self, txn: &str) -> Result<flight::Transaction> {
        let txn = txn.parse()?;
        Transactions::abort(self, txn).await?;
        self.transaction(txn, false).await
    }

    async fn status(&self, txn: &str) -> Result<flight::Transaction> {
        self.transaction(txn.parse()?, false).await
    }
}

impl Transactions {
    async fn transaction(&self, txn: TxnId, replayed: bool) -> Result<flight::Transaction> {
        let (status, mode) = self.describe(txn).await?;
        Ok(transaction(Begun {
            txn,
            status,
            mode,
            replayed,
        }))
    }
}

fn transaction(begun: Begun) -> flight::Transaction {
    flight::Transaction {
        txn: begun.txn.to_string(),
        dataset: begun.txn.dataset(),
        mode: begun.mode.map(|mode| match mode {
            Mode::Append => flight::Mode::Append,
            Mode::Replace => flight::Mode::Replace,
        }),
        state: match begun.status {
            Status::Open { expires_at_ms } => flight::State::Open { expires_at_ms },
            Status::Committed {
                slot,
                rows,
                bytes,
                digest,
            } => flight::State::Committed {
                slot,
                rows,
                bytes,
                digest,
            },
            Status::Aborted { .. } => flight::State::Aborted,
        },
        replayed: begun.replayed,
    }
}
