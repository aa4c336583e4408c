//! The records of jobs, of their lives and of their ends, in a store.
//!
//! A job lives from its submission to an end, and again each time it is resumed. Every object is made by
//! a conditional create, so that two submissions of one id, or two ends of one life, have one winner; only
//! the marks of starts, old events, and all of a job that was deleted go. Invariant: what cannot be read whole is an error, never a job
//! that is left out.

mod deletion;
mod encoding;
mod events;
mod lives;

#[cfg(test)]
mod tests;

pub(super) use deletion::taken;
pub use events::{Event, Happened};
pub use lives::Life;

use super::record::{JobId, JobRecord};
use encoding::{damaged, decode, encode};
use flinkspark_connector::store::{Created, Key, Store};
use flinkspark_model::log::LogId;
use flinkspark_model::{Error, Kind, Result};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// The list of submissions: made before a record, so that every record is found.
const INDEX: &str = "jobs-index";

/// The list of accepted jobs: made after a record, so that a lost one is missed.
const KEPT: &str = "jobs-kept";

/// A job that is there and whose record cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct DamagedJob {
    /// Its id; where nothing says it any more, its log's.
    pub id: String,
    /// What is damaged.
    pub error: Error,
}

/// Every job that was accepted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The records that are whole, in no particular order.
    pub records: Vec<JobRecord>,
    /// The others.
    pub damaged: Vec<DamagedJob>,
}

/// The records of all jobs, in a store.
#[derive(Clone)]
pub struct Records {
    store: Arc<dyn Store>,
}

impl Records {
    /// The records in this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Makes a record durable; `Err` holds the one that was there.
    pub async fn create(&self, record: &JobRecord) -> Result<std::result::Result<(), JobRecord>> {
        // The listing finds a job by this marker; a marker without a record is a submission that
        // was never acknowledged.
        let log = record.id.log();
        self.store
            .create(
                &Key::new(INDEX)?.join(log.0)?,
                record.id.as_str().to_owned().into(),
            )
            .await?;
        let created = self
            .store
            .create(&key(log, "record")?, encode(record)?.into())
            .await?;
        let there = match created {
            Created::New => Ok(()),
            Created::Exists(bytes) => Err(decode(&bytes)?),
        };
        self.mark_kept(record).await?;
        Ok(there)
    }

    /// Says that a record was made, apart from the record: one that vanishes later is missed.
    async fn mark_kept(&self, record: &JobRecord) -> Result<()> {
        let key = Key::new(KEPT)?.join(record.id.log().0)?;
        let id = record.id.as_str().to_owned();
        self.store.create(&key, id.into()).await.map(drop)
    }

    /// The record of an id, unless the job was deleted.
    pub async fn get(&self, id: &JobId) -> Result<Option<JobRecord>> {
        if self.is_deleted(id).await? {
            return Ok(None);
        }
        self.read(id.log(), "record").await
    }

    /// Every job that was accepted and not deleted. Two lists know of them, so that no lost file takes a job from both.
    ///
    /// Errors: what may pass; a damaged record is one job's.
    pub async fn all(&self) -> Result<Found> {
        let kept = self.logs_in(KEPT).await?;
        let submitted = self.logs_in(INDEX).await?;
        let deleted = self.deleted().await?;
        let mut found = Found::default();
        for log in submitted.union(&kept).copied() {
            if deleted.contains(&log) {
                continue;
            }
            match self.read::<JobRecord>(log, "record").await {
                Ok(Some(record)) if record.id.log() == log => {
                    if !kept.contains(&log)
                        && let Err(error) = self.mark_kept(&record).await
                    {
                        tracing::debug!(job = %record.id, %error, "the next start marks it");
                    }
                    found.records.push(record);
                }
                Ok(Some(record)) => {
                    let why = format!("it is the record of job {}", record.id);
                    found.damaged.push(self.broken(log, damaged(why)).await);
                }
                Ok(None) if kept.contains(&log) => {
                    let gone = damaged("it is gone, and the job was accepted".into());
                    found.damaged.push(self.broken(log, gone).await);
                }
                // A submission that was never acknowledged.
                Ok(None) => {}
                Err(error) if error.kind() == Kind::Data => {
                    found.damaged.push(self.broken(log, error).await);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn logs_in(&self, list: &str) -> Result<BTreeSet<LogId>> {
        let mut logs = BTreeSet::new();
        for entry in self.store.list(&Key::new(list)?).await? {
            match Uuid::parse_str(&entry.name) {
                Ok(log) => {
                    logs.insert(LogId(log));
                }
                Err(_) => tracing::warn!(list, name = entry.name, "not a job: left alone"),
            }
        }
        Ok(logs)
    }

    /// A damaged job by the id that its marks still say.
    async fn broken(&self, log: LogId, error: Error) -> DamagedJob {
        let mut id = log.0.to_string();
        for list in [KEPT, INDEX] {
            let Ok(key) = Key::new(list).and_then(|list| list.join(log.0)) else {
                continue;
            };
            let Ok(Some(bytes)) = self.store.read(&key).await else {
                continue;
            };
            let said = std::str::from_utf8(&bytes).ok().map(JobId::new);
            if let Some(Ok(said)) = said
                && said.log() == log
            {
                id = said.to_string();
                break;
            }
        }
        let detail = format!(
            "jobs/{}/record: {}",
            log.0,
            error.detail().unwrap_or_default()
        );
        DamagedJob {
            id,
            error: error.with_detail(detail),
        }
    }

    async fn read<T: DeserializeOwned>(&self, log: LogId, what: &str) -> Result<Option<T>> {
        self.store
            .read(&key(log, what)?)
            .await?
            .map(|bytes| decode(&bytes))
            .transpose()
    }
}

fn key(log: LogId, what: &str) -> Result<Key> {
    Key::new(&format!("jobs/{}/{what}", log.0))
}
