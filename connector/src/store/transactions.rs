//! Transactions over a dataset's log, for clients that bring rows from outside.
//!
//! A transaction is a writer of its own, `txn-ID`, that commits once. What it needs to be found
//! again is in its id, how it stands is in the log, and its `begin` is a durable object while it is
//! open. Ending a stream never commits. Invariant: of all puts into a transaction at most one
//! receipt for each partition becomes data, and only by one slot.

mod admission;
mod begin;
mod ending;
mod id;
mod leases;
#[cfg(test)]
mod tests;

pub use admission::{TRANSACTIONS_OPEN_MAX, TRANSACTIONS_OPEN_PEER_MAX};

use super::log::Driver;
use super::logs::Logs;
use super::names::{Owner, Txn};
use super::shared::Shared;
use super::{Key, LogDataset, record};
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use flinkspark_model::access::Principal;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{
    Appended, Commit, Intent, Receipt, Replacement, SegmentFormat, SegmentRef, Slot, SourceOffsets,
    View,
};
use flinkspark_model::port::{
    self, Begin, Mode, OpenTransaction, SegmentSpec, SegmentWriter, State, Transaction, TxnCommit,
    TxnId,
};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result, schema};
use leases::{Leased, Leases};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The durable `begin`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opening {
    txn: TxnId,
    mode: Mode,
    /// The schema that its rows follow, encoded by `model::schema`.
    schema: String,
    schema_version: u32,
    /// The head of the log when it was begun: the last slot that an overwrite replaces.
    read_at: SlotNo,
    begun_at_ms: u64,
    lease_ms: u64,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
}

/// How the log says that a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Unknown,
    Open,
    Committed(SlotNo),
    Aborted(SlotNo),
}

/// What the log says of a transaction.
pub(super) fn standing(view: &View, txn: &Txn) -> Standing {
    match view.writer(&txn.writer()) {
        None => Standing::Unknown,
        Some(state) => match (state.commits.get(&txn.n), state.aborted.get(&txn.n)) {
            (Some(there), _) => Standing::Committed(there.slot),
            (None, Some(slot)) => Standing::Aborted(*slot),
            (None, None) => Standing::Open,
        },
    }
}

/// Transactions over the logs of a store. Cheap to clone.
#[derive(Clone)]
pub struct Transactions {
    logs: Logs,
    leases: Arc<Leases>,
}

impl Transactions {
    /// Transactions over these logs.
    pub fn new(logs: Logs) -> Self {
        Self {
            logs,
            leases: Arc::default(),
        }
    }

    fn shared(&self) -> &Shared {
        self.logs.shared()
    }

    /// The durable `begin` and the log after it. In this order a transaction that ends in between
    /// is seen as ended: its `begin` goes only once the slot that ended it is there.
    async fn facts(&self, driver: &Driver, txn: &TxnId) -> Result<(Option<Opening>, Arc<View>)> {
        let opening = self.opening(driver, txn).await?;
        Ok((opening, driver.refresh().await?))
    }

    async fn opening(&self, driver: &Driver, txn: &TxnId) -> Result<Option<Opening>> {
        let key = opening_key(driver.root(), txn)?;
        let found = self.shared().store.read(&key).await?;
        found.map(|bytes| record::decode(&key, &bytes)).transpose()
    }

    /// Opens a segment, at the schema that was in force when the transaction began.
    async fn stage_one(
        &self,
        txn: TxnId,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>> {
        let driver = self.logs.dataset_driver(txn.dataset)?;
        let (opening, view) = self.facts(&driver, &txn).await?;
        match standing(&view, &txn.into()) {
            Standing::Open => {}
            Standing::Unknown => return Err(unknown(&txn)),
            Standing::Committed(slot) => {
                return Err(ended(&txn, &format!("it was committed in slot {slot}")));
            }
            Standing::Aborted(slot) => {
                return Err(ended(&txn, &format!("it was aborted in slot {slot}")));
            }
        }
        let opening = opening.ok_or_else(|| unknown(&txn))?;
        if opening.schema_version != view.schema_version() {
            return Err(Error::new(
                Kind::Conflict,
                "FS1022",
                "the dataset's schema changed during the transaction",
            )
            .with_detail(format!(
                "transaction {txn} began at schema version {}, version {} is in force",
                opening.schema_version,
                view.schema_version()
            ))
            .with_hint("abort it and begin again"));
        }
        let schema: SchemaRef = Arc::new(schema::from_json(&opening.schema)?);
        let spec = SegmentSpec {
            partition,
            attempt,
            format: SegmentFormat::Arrow,
            schema: Arc::clone(&schema),
            job: None,
        };
        let dataset = LogDataset::new(driver, schema);
        let writer = dataset
            .stage_as(&Owner::Transaction(txn.into()), spec)
            .await?;
        Ok(Box::new(Leased::new(
            writer,
            txn,
            Arc::clone(&self.leases),
            Arc::clone(&self.shared().clock),
        )))
    }

    async fn commit_one(&self, txn: TxnId, request: TxnCommit) -> Result<Appended> {
        let driver = self.logs.dataset_driver(txn.dataset)?;
        let (opening, view) = self.facts(&driver, &txn).await?;
        if opening.is_none()
            && matches!(
                standing(&view, &txn.into()),
                Standing::Unknown | Standing::Open
            )
        {
            return Err(unknown(&txn));
        }
        let commit = Commit {
            writer: Txn::from(txn).writer(),
            generation: id::GENERATION,
            n: txn.n,
            token: None,
            run: txn.to_string(),
            source_offsets: request
                .source_offsets
                .unwrap_or_else(|| SourceOffsets::of("transaction", txn.id)),
            schema_version: opening
                .as_ref()
                .map_or(view.schema_version(), |opening| opening.schema_version),
            watermark_ms: request.watermark_ms,
            checkpoint_ref: None,
            lineage: request.lineage,
            segments: self.segments(&txn, request.receipts)?,
            manifest: None,
        };
        let intent = match &opening {
            Some(Opening {
                mode: Mode::Replace,
                read_at,
                ..
            }) => Intent::Replace {
                read_at: *read_at,
                serializable: false,
                first: view.horizon() + 1,
                last: *read_at,
                with: Replacement::Overwrite(commit.clone()),
            },
            _ => Intent::Commit(commit.clone()),
        };
        let principal = opening
            .as_ref()
            .and_then(|opening| opening.principal.as_ref());
        let appended = driver.propose(intent, principal).await??;
        self.close(&driver, &txn).await;
        Ok(driver.view().strictly(&commit, appended)?)
    }

    /// The receipts' segments in partition order, each checked.
    fn segments(&self, txn: &TxnId, receipts: Vec<Receipt>) -> Result<Vec<SegmentRef>> {
        let mut by_partition: BTreeMap<u32, SegmentRef> = BTreeMap::new();
        for receipt in receipts {
            self.logs
                .signer()
                .verify_receipt(txn.dataset.into(), &receipt)?;
            let segment = receipt.segment;
            if Owner::of(&segment.name) != Some(Owner::Transaction((*txn).into())) {
                return Err(
                    Error::new(Kind::Invalid, "FS1008", "a receipt was not given here")
                        .with_detail(format!(
                            "segment {} was not put into transaction {txn}",
                            segment.name
                        ))
                        .with_hint("commit the receipts of this transaction's own puts"),
                );
            }
            let partition = segment.partition;
            if let Some(other) = by_partition.insert(partition, segment.clone())
                && other.name != segment.name
            {
                return Err(Error::new(
                    Kind::Invalid,
                    "FS1015",
                    "two receipts are for one partition",
                )
                .with_detail(format!(
                    "partition {partition} has segments {} (attempt {}) and {} (attempt {})",
                    other.name, other.attempt, segment.name, segment.attempt
                ))
                .with_hint("commit the receipt of one finished attempt for each partition"));
            }
        }
        Ok(by_partition.into_values().collect())
    }

    /// Removes the durable `begin` of a transaction whose end is in the log.
    async fn close(&self, driver: &Driver, txn: &TxnId) {
        self.leases.forget(txn);
        let closed = match opening_key(driver.root(), txn) {
            Ok(key) => self.shared().store.delete(&key).await,
            Err(cause) => Err(cause),
        };
        if let Err(cause) = closed {
            tracing::warn!(%txn, %cause, "the record of an ended transaction stays until the next sweep");
        }
    }

    /// How it stands, and what its commit does; of an aborted one nobody knows the mode any more.
    async fn describe(&self, txn: TxnId) -> Result<Transaction> {
        let driver = self.logs.dataset_driver(txn.dataset)?;
        let (opening, view) = self.facts(&driver, &txn).await?;
        let (state, mode) = match standing(&view, &txn.into()) {
            Standing::Unknown => return Err(unknown(&txn)),
            Standing::Aborted(_) => (State::Aborted, None),
            Standing::Open => {
                let opening = opening.ok_or_else(|| unknown(&txn))?;
                let expires_at_ms = self.expires_at_ms(&opening, false);
                (State::Open { expires_at_ms }, Some(opening.mode))
            }
            Standing::Committed(slot) => match &driver.slot(slot).await?.body {
                Slot::Epoch(commit) => (committed(slot, &commit.segments), Some(Mode::Append)),
                Slot::Replace {
                    with: Replacement::Overwrite(commit),
                    ..
                } => (committed(slot, &commit.segments), Some(Mode::Replace)),
                _ => return Err(unknown(&txn)),
            },
        };
        Ok(Transaction {
            txn,
            dataset: txn.dataset,
            mode,
            state,
            replayed: false,
            same_rows: None,
        })
    }
}

#[async_trait]
impl port::Transactions for Transactions {
    async fn begin(&self, begin: Begin) -> Result<Transaction> {
        self.begin_one(begin).await
    }

    async fn stage(
        &self,
        txn: TxnId,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>> {
        self.stage_one(txn, partition, attempt).await
    }

    async fn commit(&self, txn: TxnId, commit: TxnCommit) -> Result<Transaction> {
        let appended = self.commit_one(txn, commit).await?;
        Ok(Transaction {
            replayed: appended.replayed,
            same_rows: appended.replayed.then_some(appended.same_rows),
            ..self.describe(txn).await?
        })
    }

    async fn abort(&self, txn: TxnId) -> Result<Transaction> {
        self.abort_one(txn).await?;
        self.describe(txn).await
    }

    async fn owner(&self, txn: TxnId) -> Result<Option<Principal>> {
        let driver = self.logs.dataset_driver(txn.dataset)?;
        let opening = self.opening(&driver, &txn).await?;
        Ok(opening.and_then(|opening| opening.principal))
    }

    async fn status(&self, txn: TxnId) -> Result<Transaction> {
        self.describe(txn).await
    }

    async fn open(&self, dataset: DatasetId) -> Result<Vec<OpenTransaction>> {
        self.listing(dataset).await
    }
}

fn committed(slot: SlotNo, segments: &[SegmentRef]) -> State {
    State::Committed {
        slot,
        rows: segments.iter().map(|segment| segment.rows).sum(),
        bytes: segments.iter().map(|segment| segment.bytes).sum(),
        digest: segments.iter().map(|segment| segment.digest).sum(),
    }
}

fn opening_key(root: &Key, txn: &TxnId) -> Result<Key> {
    root.join(format_args!("txn/{}", id::file(txn)))
}

fn unknown(txn: &TxnId) -> Error {
    Error::new(Kind::NotFound, "FS1013", "there is no such transaction")
        .with_detail(format!("transaction {txn}"))
        .with_hint("begin one, and pass its id on unchanged")
}

fn ended(txn: &TxnId, how: &str) -> Error {
    Error::new(Kind::Conflict, "FS1014", "the transaction has ended")
        .with_detail(format!("transaction {txn}: {how}"))
        .with_hint("begin another one")
}
