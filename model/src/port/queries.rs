//! Questions over datasets: rows for whoever asks, kept nowhere.
//!
//! Invariant: a question that was planned reads the slots that were committed then, whenever it is run and however
//! often.

use crate::access::Caller;
use crate::dataset::DatasetId;
use crate::error::Result;
use crate::name::DatasetName;
use crate::position::SlotNo;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

/// A question; its JSON form is what `docs/flight.md` documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// One statement that writes nothing.
    pub query: String,
    /// The most rows that are wanted; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Which engine answers; left out, the batch engine does.
    #[serde(default, skip_serializing_if = "Answerer::is_default")]
    pub on: Answerer,
}

/// The engine that answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answerer {
    /// The batch engine.
    #[default]
    Batch,
    /// The streaming engine: what it takes is less, and rows come while it reads.
    Stream,
}

impl Answerer {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a statement reads of one dataset, as it stood when the statement was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The dataset.
    pub dataset: DatasetId,
    /// Its name then.
    pub name: DatasetName,
    /// The last slot that is read.
    pub through: SlotNo,
}

/// What a question comes to.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The schema of its rows.
    pub schema: SchemaRef,
    /// What it reads.
    pub pins: Vec<Pinned>,
}

/// The rows of a question, as they are computed. Dropped, it computes no more.
pub struct Answer {
    /// Of every batch.
    pub schema: SchemaRef,
    /// In no order but one that the statement gives; an error is the last item.
    pub rows: BoxStream<'static, Result<RecordBatch>>,
    /// How many rows of the input came too late for their window: known once the rows have ended.
    pub rows_late: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// Answers questions.
#[async_trait]
pub trait Queries: Send + Sync {
    /// The schema of a question's rows, and what it reads of what is committed now, of datasets that the caller
    /// may read.
    ///
    /// Errors: whatever refuses the statement or the caller.
    async fn plan(&self, query: &Query, caller: &Caller) -> Result<Planned>;

    /// Computes the rows over what was pinned.
    ///
    /// Errors: `Unavailable` where too many are being answered; whatever refuses the statement.
    async fn run(&self, query: &Query, pins: &[Pinned]) -> Result<Answer>;
}
