//! Ends transactions that do not commit: by word, or by lease.
//!
//! Invariant: the `Abort` slot is there before anything is deleted.

use super::{Opening, Standing, Transactions, TxnId, id, standing, unknown};
use crate::store::Key;
use crate::store::log::Driver;
use crate::store::names::{self, Owner};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Intent, SegmentName};
use flinkspark_model::{Kind, Result};

impl Transactions {
    /// Makes sure that the transaction never commits, then removes what it staged. Idempotent; a
    /// committed one is `Conflict`.
    pub async fn abort(&self, txn: TxnId) -> Result<()> {
        let driver = self.logs.dataset_driver(txn.dataset)?;
        let (opening, view) = self.facts(&driver, &txn).await?;
        let here = standing(&view, &txn.txn);
        if here == Standing::Unknown || here == Standing::Open && opening.is_none() {
            return Err(unknown(&txn));
        }
        let staged = self.staged(&driver, &txn).await?;
        let abort = Intent::Abort {
            writer: txn.txn.writer(),
            generation: id::GENERATION,
            n: txn.txn.n,
            segments: staged.iter().map(|(name, _)| name.clone()).collect(),
        };
        driver.append(abort).await?;
        for (_, key) in staged {
            if let Err(cause) = self.shared().store.delete(&key).await {
                tracing::warn!(%key, %cause, "an aborted segment stays until garbage is collected");
            }
        }
        self.close(&driver, &txn).await;
        Ok(())
    }

    async fn staged(&self, driver: &Driver, txn: &TxnId) -> Result<Vec<(SegmentName, Key)>> {
        let root = driver.root().join("segments")?;
        let mut staged = Vec::new();
        for listed in self.shared().store.list(&root).await? {
            let Some(name) = names::from_file(&listed.name) else {
                continue;
            };
            if Owner::of(&name) == Some(Owner::Transaction(txn.txn)) {
                staged.push((name, root.join(&listed.name)?));
            }
        }
        Ok(staged)
    }

    /// The dataset's open transactions and when their leases end, in milliseconds since the epoch.
    pub async fn live(&self, dataset: DatasetId) -> Result<Vec<(TxnId, u64)>> {
        let driver = self.logs.dataset_driver(dataset)?;
        let listed = self
            .shared()
            .store
            .list(&driver.root().join("txn")?)
            .await?;
        let view = driver.refresh().await?;
        let mut live = Vec::new();
        for txn in listed
            .iter()
            .filter_map(|listed| TxnId::from_file(dataset, &listed.name))
        {
            if standing(&view, &txn.txn) != Standing::Open {
                self.close(&driver, &txn).await;
            } else if let Some(opening) = self.opening(&driver, &txn).await? {
                live.push((txn, self.expires_at_ms(&opening)));
            }
        }
        Ok(live)
    }

    /// Aborts the dataset's transactions whose leases have ended; which they were.
    pub async fn expire(&self, dataset: DatasetId) -> Result<Vec<TxnId>> {
        let now = self.shared().clock.now_ms();
        let mut expired = Vec::new();
        for (txn, _) in self
            .live(dataset)
            .await?
            .into_iter()
            .filter(|(_, end)| *end <= now)
        {
            match self.abort(txn).await {
                Ok(()) => expired.push(txn),
                // It was committed in the meantime.
                Err(cause) if cause.kind() == Kind::Conflict => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(expired)
    }

    pub(super) fn expires_at_ms(&self, opening: &Opening) -> u64 {
        let used = self.leases.used(&opening.txn).unwrap_or(0);
        let from = opening
            .begun_at_ms
            .max(self.shared().opened_at_ms)
            .max(used);
        from.saturating_add(opening.lease_ms)
    }
}
