//! When transactions were used last, by whom, and what was put into them.
//!
//! Kept in memory only: after a restart a lease counts from the start of the process. Invariant: a
//! transaction that somebody writes into does not expire.

use arrow_array::RecordBatch;
use async_trait::async_trait;
use flinkspark_model::Result;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::Receipt;
use flinkspark_model::port::{Clock, SegmentWriter, TxnId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What this process has seen of an open transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Use {
    /// When it was used last, in milliseconds since the epoch.
    pub(super) used_ms: u64,
    /// Who began it.
    pub(super) peer: Option<String>,
    /// Whether this process began it, and so has seen every put into it.
    pub(super) fresh: bool,
    /// Whether a put into it has begun.
    pub(super) put: bool,
    /// Puts that are going on.
    pub(super) putting: u32,
    /// Segments that were sealed.
    pub(super) sealed: u64,
    /// Rows in them.
    pub(super) rows: u64,
}

/// The uses of open transactions, and the places that are taken by begins under way.
#[derive(Default)]
pub(super) struct Leases {
    uses: Mutex<HashMap<TxnId, Use>>,
    reserved: Mutex<HashMap<DatasetId, usize>>,
    /// Held while a place is looked for.
    pub(super) gate: tokio::sync::Mutex<()>,
}

impl Leases {
    fn lock(&self) -> MutexGuard<'_, HashMap<TxnId, Use>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, txn: TxnId, now_ms: u64, change: impl FnOnce(&mut Use)) {
        let mut uses = self.lock();
        let used = uses.entry(txn).or_default();
        used.used_ms = now_ms;
        change(used);
    }

    /// It was begun, or found again by its key.
    pub(super) fn begun(&self, txn: TxnId, now_ms: u64, peer: Option<String>, fresh: bool) {
        self.update(txn, now_ms, |used| {
            used.fresh |= fresh;
            if peer.is_some() {
                used.peer = peer;
            }
        });
    }

    pub(super) fn of(&self, txn: &TxnId) -> Option<Use> {
        self.lock().get(txn).cloned()
    }

    pub(super) fn forget(&self, txn: &TxnId) {
        self.lock().remove(txn);
    }

    /// Takes a place among a dataset's open transactions until the guard is dropped.
    pub(super) fn reserve(self: &Arc<Self>, dataset: DatasetId) -> Reserved {
        *self.reservations().entry(dataset).or_default() += 1;
        Reserved {
            leases: Arc::clone(self),
            dataset,
        }
    }

    /// The places that are taken.
    pub(super) fn reserved(&self, dataset: DatasetId) -> usize {
        self.reservations().get(&dataset).copied().unwrap_or(0)
    }

    fn reservations(&self) -> MutexGuard<'_, HashMap<DatasetId, usize>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among a dataset's open transactions.
pub(super) struct Reserved {
    leases: Arc<Leases>,
    dataset: DatasetId,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut reserved = self.leases.reservations();
        if let Some(count) = reserved.get_mut(&self.dataset) {
            *count -= 1;
            if *count == 0 {
                reserved.remove(&self.dataset);
            }
        }
    }
}

/// A put that is going on; its transaction is not idle.
struct Putting {
    txn: TxnId,
    leases: Arc<Leases>,
    clock: Arc<dyn Clock>,
}

impl Drop for Putting {
    fn drop(&mut self) {
        // A transaction that has ended meanwhile is not remembered again.
        if let Some(used) = self.leases.lock().get_mut(&self.txn) {
            used.putting = used.putting.saturating_sub(1);
            used.used_ms = self.clock.now_ms();
        }
    }
}

/// A writer that keeps its transaction's lease.
pub(super) struct Leased {
    writer: Box<dyn SegmentWriter>,
    putting: Putting,
}

impl Leased {
    pub(super) fn new(
        writer: Box<dyn SegmentWriter>,
        txn: TxnId,
        leases: Arc<Leases>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        leases.update(txn, clock.now_ms(), |used| {
            used.put = true;
            used.putting += 1;
        });
        let putting = Putting { txn, leases, clock };
        Self { writer, putting }
    }

    fn touch(&self, change: impl FnOnce(&mut Use)) {
        let Putting { txn, leases, clock } = &self.putting;
        if let Some(used) = leases.lock().get_mut(txn) {
            used.used_ms = clock.now_ms();
            change(used);
        }
    }
}

#[async_trait]
impl SegmentWriter for Leased {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.touch(|_| {});
        self.writer.write(batch).await
    }

    async fn seal(self: Box<Self>) -> Result<Receipt> {
        let Self { writer, putting } = *self;
        let receipt = writer.seal().await?;
        if let Some(used) = putting.leases.lock().get_mut(&putting.txn) {
            used.sealed += 1;
            used.rows += receipt.segment.rows;
        }
        Ok(receipt)
    }
}
