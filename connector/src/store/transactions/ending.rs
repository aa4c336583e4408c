//! Ends transactions that do not commit: by word, by lease, or for a newcomer.
//!
//! Invariant: the `Abort` slot is there before anything is deleted.

use super::{Opening, Standing, Transactions, id, standing, unknown};
use crate::store::Key;
use crate::store::log::Driver;
use crate::store::names::{self, Owner, Txn};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Intent, SegmentName};
use flinkspark_model::port::{OpenTransaction, TxnId};
use flinkspark_model::{Kind, Result};
use std::collections::BTreeMap;

/// What lies in a dataset's folder of one transaction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sealed {
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

impl Transactions {
    pub(super) async fn abort_one(&self, txn: TxnId) -> Result<()> {
        let driver = self.logs.dataset_driver(txn.dataset)?;
        let (opening, view) = self.facts(&driver, &txn).await?;
        let here = standing(&view, &txn.into());
        if here == Standing::Unknown || here == Standing::Open && opening.is_none() {
            return Err(unknown(&txn));
        }
        let staged = self.staged(&driver, &txn).await?;
        let abort = Intent::Abort {
            writer: Txn::from(txn).writer(),
            generation: id::GENERATION,
            n: txn.n,
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
            if Owner::of(&name) == Some(Owner::Transaction((*txn).into())) {
                staged.push((name, root.join(&listed.name)?));
            }
        }
        Ok(staged)
    }

    /// What was sealed in each transaction, from the names of the dataset's segments.
    pub(super) async fn sealed(&self, driver: &Driver) -> Result<BTreeMap<Txn, Sealed>> {
        let mut sealed: BTreeMap<Txn, Sealed> = BTreeMap::new();
        let root = driver.root().join("segments")?;
        for listed in self.shared().store.list(&root).await? {
            let owner = names::from_file(&listed.name).and_then(|name| Owner::of(&name));
            if let Some(Owner::Transaction(txn)) = owner {
                let there = sealed.entry(txn).or_default();
                there.segments += 1;
                there.bytes += listed.bytes;
            }
        }
        Ok(sealed)
    }

    /// The dataset's open transactions, the oldest first.
    pub(super) async fn listing(&self, dataset: DatasetId) -> Result<Vec<OpenTransaction>> {
        let driver = self.logs.dataset_driver(dataset)?;
        let listed = self
            .shared()
            .store
            .list(&driver.root().join("txn")?)
            .await?;
        if listed.is_empty() {
            return Ok(Vec::new());
        }
        let view = driver.refresh().await?;
        let sealed = self.sealed(&driver).await?;
        let mut open = Vec::new();
        for txn in listed
            .iter()
            .filter_map(|listed| id::from_file(dataset, &listed.name))
        {
            if standing(&view, &txn.into()) != Standing::Open {
                self.close(&driver, &txn).await;
            } else if let Some(opening) = self.opening(&driver, &txn).await? {
                let there = sealed.get(&txn.into()).copied().unwrap_or_default();
                open.push(self.entry(&opening, there));
            }
        }
        open.sort_by_key(|open| (open.begun_at_ms, open.txn));
        Ok(open)
    }

    fn entry(&self, opening: &Opening, there: Sealed) -> OpenTransaction {
        let now_ms = self.shared().clock.now_ms();
        let used = self.leases.of(&opening.txn).unwrap_or_default();
        let seen = used.fresh || used.sealed == there.segments;
        OpenTransaction {
            txn: opening.txn,
            mode: opening.mode,
            begun_at_ms: opening.begun_at_ms,
            age_ms: now_ms.saturating_sub(opening.begun_at_ms),
            expires_at_ms: self.expires_at_ms(opening, there.segments > 0),
            putting: used.putting,
            segments: there.segments,
            bytes: there.bytes,
            rows: seen.then_some(used.rows),
        }
    }

    /// Aborts the dataset's transactions whose leases have ended; which they were.
    pub async fn expire(&self, dataset: DatasetId) -> Result<Vec<TxnId>> {
        let now = self.shared().clock.now_ms();
        let mut expired = Vec::new();
        for open in self.listing(dataset).await? {
            if open.expires_at_ms > now {
                continue;
            }
            match self.abort_one(open.txn).await {
                Ok(()) => expired.push(open.txn),
                // It was committed in the meantime.
                Err(cause) if cause.kind() == Kind::Conflict => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(expired)
    }

    /// When the lease ends: soon where nothing was ever put into it, while a put goes on not before a
    /// whole lease from now.
    pub(super) fn expires_at_ms(&self, opening: &Opening, sealed: bool) -> u64 {
        let settings = &self.shared().settings;
        let used = self.leases.of(&opening.txn).unwrap_or_default();
        let from = opening
            .begun_at_ms
            .max(self.shared().opened_at_ms)
            .max(used.used_ms);
        let lease_ms = if sealed || used.put {
            opening.lease_ms
        } else {
            settings.unused_lease_ms.min(opening.lease_ms)
        };
        from.saturating_add(lease_ms)
    }
}
