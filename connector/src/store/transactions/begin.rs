//! Opens transactions.
//!
//! Invariant: the fence and the durable `begin` are there before the id is given out, and whatever
//! can be refused is refused before either is written.

use super::admission::{Admission, Candidate, admit};
use super::leases::Reserved;
use super::{Opening, Standing, Transactions, id, opening_key, standing};
use crate::store::log::Driver;
use crate::store::names::{self, Txn};
use crate::store::{Created, LogDataset, record};
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Intent, View};
use flinkspark_model::port::{Begin, Dataset, Mode, State, Transaction, TxnId};
use flinkspark_model::{Error, Kind, Result, schema};
use std::sync::Arc;

impl Transactions {
    pub(super) async fn begin_one(&self, begin: Begin) -> Result<Transaction> {
        let dataset = self
            .logs
            .open_dataset(begin.dataset, Arc::clone(&begin.schema))
            .await?;
        let driver = self.logs.dataset_driver(begin.dataset)?;
        let view = driver.refresh().await?;
        let id = match &begin.key {
            Some(key) => id::of_key(self.logs.signer(), begin.dataset, key, &view),
            None => names::unique(&*self.shared().clock, &*self.shared().entropy),
        };
        let txn = id::next(begin.dataset, id, &view);
        if let Standing::Committed(_) = standing(&view, &txn.into()) {
            let there = self.describe(txn).await?;
            if let Some(mode) = there.mode {
                same_mode(&txn, begin.mode, mode)?;
            }
            return Ok(Transaction {
                replayed: true,
                ..there
            });
        }
        let (opening, replayed) = match self.opening(&driver, &txn).await? {
            Some(opening) => {
                same_mode(&txn, begin.mode, opening.mode)?;
                self.fence(&driver, &txn).await?;
                (opening, true)
            }
            None => {
                let _place = self.place(&driver, begin.peer.as_deref()).await?;
                self.fence(&driver, &txn).await?;
                self.write_opening(&driver, &dataset, txn, &begin).await?
            }
        };
        same_mode(&txn, begin.mode, opening.mode)?;
        let now_ms = self.shared().clock.now_ms();
        self.leases.begun(txn, now_ms, begin.peer, !replayed);
        Ok(Transaction {
            txn,
            dataset: txn.dataset,
            mode: Some(opening.mode),
            state: State::Open {
                expires_at_ms: self.expires_at_ms(&opening, false),
            },
            replayed,
            same_rows: None,
        })
    }

    /// A place for one more transaction; at a limit an idle one ends for it.
    async fn place(&self, driver: &Driver, peer: Option<&str>) -> Result<Reserved> {
        let dataset = DatasetId(driver.id().0);
        let _turn = self.leases.gate.lock().await;
        let mut swept = false;
        loop {
            let open = self.candidates(driver).await?;
            match admit(&open, self.leases.reserved(dataset), peer) {
                Admission::Admit => return Ok(self.leases.reserve(dataset)),
                Admission::End(txn) => {
                    tracing::info!(%txn, "ended: it was idle, and a newcomer needed its place");
                    match self.abort_one(txn).await {
                        Ok(()) => {}
                        // It has ended by itself; its record goes with the next look.
                        Err(cause)
                            if matches!(
                                cause.kind(),
                                Kind::Conflict | Kind::Invalid | Kind::NotFound
                            ) =>
                        {
                            self.close(driver, &txn).await;
                        }
                        Err(cause) => return Err(cause),
                    }
                }
                Admission::Refuse { .. } if !swept => {
                    swept = true;
                    self.expire(dataset).await?;
                }
                Admission::Refuse { limit, of_peer } => {
                    return Err(crowded(dataset, limit, of_peer));
                }
            }
        }
    }

    async fn candidates(&self, driver: &Driver) -> Result<Vec<Candidate>> {
        let dataset = DatasetId(driver.id().0);
        let listed = self
            .shared()
            .store
            .list(&driver.root().join("txn")?)
            .await?;
        let known: Vec<_> = listed
            .iter()
            .filter_map(|listed| id::from_file(dataset, &listed.name))
            .map(|txn| (txn, self.leases.of(&txn).unwrap_or_default()))
            .collect();
        // Only of those that an earlier process began has this one to look for segments.
        let sealed = if known.iter().all(|(_, used)| used.fresh) {
            Default::default()
        } else {
            self.sealed(driver).await?
        };
        let candidate = |(txn, used): (TxnId, super::leases::Use)| Candidate {
            idle: used.putting == 0 && used.sealed == 0 && !sealed.contains_key(&Txn::from(txn)),
            txn,
            peer: used.peer,
            used_ms: used.used_ms,
        };
        Ok(known.into_iter().map(candidate).collect())
    }

    /// The writer's only fence; whoever wrote it, it is this transaction's.
    async fn fence(&self, driver: &Driver, txn: &TxnId) -> Result<()> {
        let writer = Txn::from(*txn).writer();
        let fenced = |view: &View| {
            view.writer(&writer)
                .is_some_and(|state| state.generation >= id::GENERATION)
        };
        if fenced(&driver.view()) {
            return Ok(());
        }
        let fence = Intent::Fence {
            incarnation: writer.to_string(),
            writer: writer.clone(),
            generation: id::GENERATION,
            restored: 0,
            rewind: false,
            drops: false,
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
        begin: &Begin,
    ) -> Result<(Opening, bool)> {
        let key = opening_key(driver.root(), &txn)?;
        let view = driver.view();
        let opening = Opening {
            txn,
            mode: begin.mode,
            schema: schema::to_json(&dataset.schema())?,
            schema_version: view.schema_version(),
            read_at: view.head(),
            begun_at_ms: self.shared().clock.now_ms(),
            lease_ms: self.shared().settings.lease_ms,
            principal: begin.principal.clone(),
        };
        let bytes = record::encode(&key, &opening)?;
        match self.shared().store.create(&key, bytes).await? {
            Created::New => Ok((opening, false)),
            Created::Exists(other) => Ok((record::decode(&key, &other)?, true)),
        }
    }
}

fn crowded(dataset: DatasetId, limit: usize, of_peer: bool) -> Error {
    let whose = if of_peer {
        format!("this connection holds {limit} open transactions of dataset {dataset}")
    } else {
        format!("dataset {dataset} has {limit} open transactions")
    };
    Error::new(Kind::Unavailable, "FS1018", "a limit was reached")
        .with_detail(format!("{whose}, and each of them holds rows"))
        .with_hint(
            "`flinkspark dataset transactions NAME` lists them; commit some, or end them with \
             `flinkspark transaction abort ID`",
        )
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
