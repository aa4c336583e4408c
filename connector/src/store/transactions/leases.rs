//! When transactions were used last.
//!
//! Kept in memory only: after a restart a lease counts from the start of the process. Invariant: a
//! transaction that somebody writes into does not expire.

use super::TxnId;
use arrow_array::RecordBatch;
use async_trait::async_trait;
use flinkspark_model::Result;
use flinkspark_model::log::Receipt;
use flinkspark_model::port::{Clock, SegmentWriter};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last use of each open transaction, in milliseconds since the epoch.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<TxnId, u64>>);

impl Leases {
    fn lock(&self) -> MutexGuard<'_, HashMap<TxnId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn touch(&self, txn: TxnId, now_ms: u64) {
        self.lock().insert(txn, now_ms);
    }

    pub(super) fn used(&self, txn: &TxnId) -> Option<u64> {
        self.lock().get(txn).copied()
    }

    pub(super) fn forget(&self, txn: &TxnId) {
        self.lock().remove(txn);
    }
}

/// A writer that keeps its transaction's lease.
pub(super) struct Leased {
    writer: Box<dyn SegmentWriter>,
    txn: TxnId,
    leases: Arc<Leases>,
    clock: Arc<dyn Clock>,
}

impl Leased {
    pub(super) fn new(
        writer: Box<dyn SegmentWriter>,
        txn: TxnId,
        leases: Arc<Leases>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            writer,
            txn,
            leases,
            clock,
        }
    }
}

#[async_trait]
impl SegmentWriter for Leased {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.leases.touch(self.txn, self.clock.now_ms());
        self.writer.write(batch).await
    }

    async fn seal(self: Box<Self>) -> Result<Receipt> {
        let receipt = self.writer.seal().await?;
        self.leases.touch(self.txn, self.clock.now_ms());
        Ok(receipt)
    }
}
