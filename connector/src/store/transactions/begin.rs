//! Opens transactions.
//!
//! Invariant: the fence and the durable `begin` are there before the id is given out.

use super::{
    Begin, Begun, Mode, Opening, Standing, Status, TRANSACTIONS_OPEN_MAX, Transactions, TxnId,
};
use super::{id, opening_key, standing};
use crate::store::log::Driver;
use crate::store::{Created, LogDataset, names, record};
use flinkspark_model::log::Intent;
use flinkspark_model::port::Dataset;
use flinkspark_model::{Error, Kind, Result, schema};
use std::sync::Arc;

impl Transactions {
    /// Opens a transaction, durably. A key that was used before returns the same transaction in
    /// whatever state it is; after an abort it opens the next one. Another mode is `Conflict`.
    pub async fn begin(&self, begin: Begin) -> Result<Begun> {
        let dataset = self
            .logs
            .open_dataset(begin.dataset, Arc::clone(&begin.schema))
            .await?;
        let driver = self.logs.dataset_driver(begin.dataset)?;
        let id = match &begin.key {
            Some(key) => id::from_key(begin.dataset, key),
            None => names::unique(&*self.shared().clock, &*self.shared().entropy),
        };
        let view = driver.refresh().await?;
        let txn = TxnId::next(begin.dataset, id, &view);
        if let Standing::Committed(_) = standing(&view, &txn.txn) {
            let (status, mode) = self.describe(txn).await?;
            if let Some(mode) = mode {
                same_mode(&txn, begin.mode, mode)?;
            }
            return Ok(Begun {
                txn,
                status,
                mode,
                replayed: true,
            });
        }
        self.fence(&driver, &txn).await?;
        let (opening, replayed) = self
            .write_opening(&driver, &dataset, txn, begin.mode)
            .await?;
        same_mode(&txn, begin.mode, opening.mode)?;
        self.leases.touch(txn, self.shared().clock.now_ms());
        let status = Status::Open {
            expires_at_ms: self.expires_at_ms(&opening),
        };
        Ok(Begun {
            txn,
            status,
            mode: Some(opening.mode),
            replayed,
        })
    }

    /// The writer's only fence; whoever wrote it, it is this transaction's.
    async fn fence(&self, driver: &Driver, txn: &TxnId) -> Result<()> {
        let writer = txn.txn.writer();
        if driver
            .view()
            .writer(&writer)
            .is_some_and(|state| state.generation >= id::GENERATION)
        {
            return Ok(());
        }
        let fence = Intent::Fence {
            incarnation: writer.to_string(),
            writer: writer.clone(),
            generation: id::GENERATION,
            restored: 0,
            rewind: false,
        };
        match driver.append(fence).await {
            Err(cause) if driver.view().writer(&writer).is_none() => Err(cause),
            _ => Ok(()),
        }
    }

    async fn write_opening(
        &self,
        driver: &Driver,
        dataset: &LogDataset,
        txn: TxnId,
        mode: Mode,
    ) -> Result<(Opening, bool)> {
        let key = opening_key(driver.root(), &txn)?;
        let store = &self.shared().store;
        if let Some(bytes) = store.read(&key).await? {
            return Ok((record::decode(&key, &bytes)?, true));
        }
        if store.list(&driver.root().join("txn")?).await?.len() >= TRANSACTIONS_OPEN_MAX {
            return Err(
                Error::new(Kind::Unavailable, "FS1018", "a limit was reached")
                    .with_detail(format!(
                        "dataset {} has {TRANSACTIONS_OPEN_MAX} open transactions",
                        txn.dataset
                    ))
                    .with_hint("commit or abort some, or wait until their leases end"),
            );
        }
        let view = driver.view();
        let opening = Opening {
            txn,
            mode,
            schema: schema::to_json(&dataset.schema())?,
            schema_version: view.schema_version(),
            read_at: view.head(),
            begun_at_ms: self.shared().clock.now_ms(),
            lease_ms: self.shared().settings.lease_ms,
        };
        match store.create(&key, record::encode(&key, &opening)?).await? {
            Created::New => Ok((opening, false)),
            Created::Exists(other) => Ok((record::decode(&key, &other)?, true)),
        }
    }
}

fn same_mode(txn: &TxnId, wanted: Mode, there: Mode) -> Result<()> {
    if wanted == there {
        return Ok(());
    }
    Err(Error::new(
        Kind::Conflict,
        "FS1028",
        "the transaction was begun in another mode",
    )
    .with_detail(format!(
        "transaction {txn}: a commit replaces rows in one mode and adds to them in the other"
    ))
    .with_hint("repeat it in the same mode, or take another id"))
}
