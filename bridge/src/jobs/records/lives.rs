//! A job's lives, each from a submission or a resumption to an end, and what was asked of it.
//!
//! Invariant: of two ends of one life, and of two requests to stop, the first one stands.

use super::encoding::{damaged, decode, encode};
use super::{Records, key};
use crate::jobs::end::End;
use crate::jobs::record::{JobId, RECORD_FORMAT};
use flinkspark_connector::store::{Created, Listed};
use flinkspark_model::Result;
use serde::{Deserialize, Serialize};

/// The object that holds the first request to stop.
pub(super) const STOP_REQUEST: &str = "stop-request";

/// The folder of the starts that left no trace of progress.
const STARTS: &str = "starts";

/// A job's life: from its submission, or from a resumption, to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Which one, from 1.
    pub number: u64,
    /// How it ended; `None` while it has not.
    pub end: Option<End>,
}

/// An object that says when it was made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    format: u32,
    at_ms: u64,
}

/// How a job was asked to stop.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StopRequest {
    format: u32,
    drain: bool,
}

impl Records {
    /// The latest life of a job that was submitted.
    pub async fn life(&self, id: &JobId) -> Result<Life> {
        let log = id.log();
        let mut number = 1;
        loop {
            let end: Option<End> = self.read(log, &end_of(number)).await?;
            let resumed = match end {
                Some(_) => self.read::<Mark>(log, &resumption_of(number)).await?,
                None => None,
            };
            if resumed.is_none() {
                return Ok(Life { number, end });
            }
            number += 1;
        }
    }

    /// Whether a job has ended and will not be resumed: until then what it may go on with is its own.
    pub async fn ended_for_good(&self, id: &JobId) -> Result<bool> {
        let end = self.life(id).await?.end;
        Ok(end.is_some_and(|end| !end.outcome.can_go_on()))
    }

    /// Says how a life ended; the first one to say so wins, and is returned.
    pub async fn finish(&self, id: &JobId, life: u64, end: &End) -> Result<End> {
        let key = key(id.log(), &end_of(life))?;
        match self.store.create(&key, encode(end)?.into()).await? {
            Created::New => Ok(end.clone()),
            Created::Exists(bytes) => decode(&bytes),
        }
    }

    /// Begins the life after this one, which has ended. Idempotent.
    pub async fn resume(&self, id: &JobId, life: u64, at_ms: u64) -> Result<()> {
        let format = RECORD_FORMAT;
        let mark = encode(&Mark { format, at_ms })?;
        let key = key(id.log(), &resumption_of(life))?;
        self.store.create(&key, mark.into()).await.map(drop)
    }

    /// Marks that an incarnation starts.
    pub async fn started(&self, id: &JobId, at_ms: u64) -> Result<()> {
        let format = RECORD_FORMAT;
        let mark = encode(&Mark { format, at_ms })?;
        let last = self.starts(id).await?.into_iter().max().unwrap_or(0);
        let key = key(id.log(), STARTS)?.join(last + 1)?;
        self.store.create(&key, mark.into()).await.map(drop)
    }

    /// The starts since the job last came further, or was let go in order.
    pub async fn starts(&self, id: &JobId) -> Result<Vec<u64>> {
        let listed = self.store.list(&key(id.log(), STARTS)?).await?;
        let number = |entry: &Listed| {
            entry
                .name
                .parse()
                .map_err(|_| damaged(format!("\"{}\" is not a start", entry.name.escape_debug())))
        };
        listed.iter().map(number).collect()
    }

    /// Forgets the starts: the job came further, or was let go in order.
    pub async fn came_further(&self, id: &JobId) -> Result<()> {
        let starts = key(id.log(), STARTS)?;
        for number in self.starts(id).await? {
            self.store.delete(&starts.join(number)?).await?;
        }
        Ok(())
    }

    /// Asks a job to stop; the request outlives the server. Returns whether the first request that
    /// was made is to drain: it stands.
    pub async fn request_stop(&self, id: &JobId, drain: bool) -> Result<bool> {
        let request = StopRequest {
            format: RECORD_FORMAT,
            drain,
        };
        let key = key(id.log(), STOP_REQUEST)?;
        match self.store.create(&key, encode(&request)?.into()).await? {
            Created::New => Ok(drain),
            Created::Exists(first) => Ok(decode::<StopRequest>(&first)?.drain),
        }
    }

    /// Whether a job was asked to stop, and whether to drain first.
    pub async fn stop_requested(&self, id: &JobId) -> Result<Option<bool>> {
        let request: Option<StopRequest> = self.read(id.log(), STOP_REQUEST).await?;
        Ok(request.map(|request| request.drain))
    }
}

/// The object that holds a life's end; the first has the name that it had before jobs could be resumed.
fn end_of(life: u64) -> String {
    match life {
        1 => "end".into(),
        later => format!("end-{later}"),
    }
}

/// The object that says that a life was followed by another.
fn resumption_of(life: u64) -> String {
    format!("resumed-{life}")
}
