//! The JSON bodies of descriptors, actions, acknowledgements and app metadata.
//!
//! `docs/flight.md` documents each of them with an example; any Flight client can write and read
//! them with nothing of ours installed. Invariant: a field that is not known is refused, so that a
//! misspelt option never means its default.

mod catalogue;
mod columns;
mod consumers;
mod live;
mod place;
mod writers;

pub use catalogue::{
    AlterRequest, DamagedRecord, DatasetRecord, DropRequest, Dropped, ListRequest, Listed,
    LookupRequest, RegisterRequest,
};
pub(super) use columns::{Columns, parse_put};
pub use consumers::{
    ConsumeAnswer, ConsumeRequest, ConsumerEntry, ConsumersAnswer, ConsumersRequest,
};
pub use live::{
    BorderMetadata, EpochSummary, EpochsAnswer, EpochsRequest, HeadAnswer, HeadRequest,
    IdleMetadata, TicketAnswer,
};
pub use place::{From, Place, Point};
pub(super) use writers::names_writer;
pub use writers::{
    OpenWriterRequest, PartRequest, ReleaseRequest, WriterCommitRequest, WriterPutCommand,
    WriterRequest,
};

use super::limits;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use flinkspark_model::digest::Digest;
use flinkspark_model::filter::{Filter, Split};
use flinkspark_model::log::{KindRun, Receipt, SegmentName};
use flinkspark_model::port::{Extent, Mode, OpenTransaction, Pinned, Query, Transaction};
use flinkspark_model::position::SlotNo;
use flinkspark_model::profile::{Lossy, Profile};
use flinkspark_model::{Error, Kind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A range of slots, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// The first slot; 1 is the first of the log.
    pub first: SlotNo,
    /// The last slot.
    pub last: SlotNo,
}

/// How the rows of a read are spread over endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splits {
    /// What an endpoint is.
    #[serde(default)]
    pub by: SplitBy,
    /// The bytes that an endpoint has about, in the store; only by bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_bytes: Option<u64>,
    /// The most endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
}

/// What an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// A range of one partition by bytes, whatever the segments.
    #[default]
    Bytes,
    /// A whole partition.
    Partition,
    /// A segment; several of one partition where there would be too many endpoints.
    Segment,
}

/// What a reader that goes on from a position does about rows that were overwritten behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changes {
    /// It knows of them: it reads what there is from its position on.
    Allow,
}

/// `GetFlightInfo` and `GetSchema` with a command instead of a path: which rows, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadCommand {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// Columns by name, in the order in which they are wanted; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Slots to read; none for everything up to the head of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<Slots>,
    /// What the reader can hold.
    #[serde(default)]
    pub profile: Profile,
    /// What happens to values that it cannot hold whole.
    #[serde(default)]
    pub lossy: Lossy,
    /// Only this partition; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// Where to begin; none for the first row that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// The last slot to read, as the dataset stood at it; none for the head of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<SlotNo>,
    /// The same in other words: the dataset as it stood at this slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_slot: Option<SlotNo>,
    /// The same by the checkpoint whose last slot it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_checkpoint: Option<String>,
    /// The most rows; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How the rows are spread over endpoints; none for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splits: Option<Splits>,
    /// Whether rows that were read before may have been overwritten; none for not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// Whether the read goes on with what is committed later, without an end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follow: bool,
    /// Which rows are wanted; what of it is not answered is in the flight's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
}

/// The app metadata of a question's `FlightInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryMetadata {
    /// The datasets that it reads, and how far.
    pub reads: Vec<Pinned>,
}

/// `DoPut` inside a transaction: the descriptor's command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutCommand {
    /// The transaction.
    pub txn: String,
    /// The partition whose rows follow, from 0.
    #[serde(default)]
    pub partition: u32,
    /// The attempt, from 0; a repeated put of a partition takes the next.
    #[serde(default)]
    pub attempt: u32,
}

/// The closing message of a put: app metadata without data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// Rows that were sent.
    pub rows: u64,
    /// Their digest, if the client can compute it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// A receipt as it is given out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Given {
    /// Of a put into a transaction.
    Transaction(Receipt),
    /// Of a put under a named writer.
    Writer(String),
}

/// An acknowledgement of a put: the app metadata of a `PutResult`.
///
/// Acknowledgements are cumulative and may be merged; the last one has a receipt or a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// Rows received so far; durable where the message holds a receipt or a commit.
    pub rows: u64,
    /// The segment is durable: `commit` takes this as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Given>,
    /// A plain put was committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<Transaction>,
}

/// The app metadata of a `FlightInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfoMetadata {
    /// The dataset's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The schema's version.
    pub schema_version: u32,
    /// The slots that the endpoints cover; none where the log is empty.
    pub slots: Option<Slots>,
    /// The last slot of the log.
    pub head: SlotNo,
    /// Rows in those slots.
    pub rows: u64,
    /// Their size in the store.
    pub bytes: u64,
    /// Of those rows, whole, before columns were chosen or types cast; none where a segment is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The greatest watermark among those slots, in milliseconds since the epoch.
    pub watermark_ms: Option<i64>,
    /// The last slot that changed rows or the watermark; 0 for none.
    #[serde(default)]
    pub data_head: SlotNo,
    /// What the slots of the range did, the newest [`limits::KIND_RUNS_MAX`] runs of one kind.
    #[serde(default)]
    pub kinds: Vec<KindRun>,
    /// What becomes of the filter that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Split>,
}

/// The app metadata of an endpoint: a range of one partition's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointMetadata {
    /// The partition.
    pub partition: u32,
    /// The position of its first row.
    pub from: Place,
    /// The position after its last row; none where it follows the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Place>,
    /// The last slot of the read, as of which it sees the log; none where it follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<SlotNo>,
    /// Its rows, before any filter; 0 where it follows the log.
    pub rows: u64,
    /// The most of them that match and are sent; it ends behind the last of these. None for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Their size in the store, in proportion where a segment is cut, in bytes.
    pub bytes: u64,
    /// The segments that hold them.
    pub segments: u64,
    /// The first of these; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<SegmentName>,
    /// Of its rows; none where a segment is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// The app metadata of each batch of a `DoGet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMetadata {
    /// Stored rows of the endpoint that the reader has behind it after this batch.
    pub row: u64,
    /// Stored rows that this batch consumed; with a filter it has fewer rows, or none.
    pub rows: u64,
    /// Where a reader that stops after this batch goes on; none in the answer to a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Place>,
    /// Rows of a question's input that came too late: in a last message without rows, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_late: Option<u64>,
    /// What was read for a filtered endpoint: in its last message, which has no rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Extent>,
    /// What of it was passed over unread, beside that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Extent>,
}

/// Action `begin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
    /// An id of the caller's choice makes `begin` repeatable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `append` or `replace`.
    #[serde(default)]
    pub mode: Mode,
}

/// Action `commit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitRequest {
    /// The transaction.
    pub txn: String,
    /// One for each partition that was put.
    pub receipts: Vec<Receipt>,
}

/// Actions `abort` and `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionRequest {
    /// The transaction.
    pub txn: String,
}

/// Action `transactions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionsRequest {
    /// The dataset's name, its id, or an engine's handle.
    pub dataset: String,
}

/// The answer of `transactions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransactions {
    /// The oldest first.
    pub transactions: Vec<OpenTransaction>,
}

/// Action `renew`, both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// The ticket's bytes, base64.
    pub ticket: String,
    /// When it expires, in milliseconds since the epoch; only in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
}

/// Reads a body; `what` names it in the error.
pub(super) fn parse<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T> {
    let refuse = |why: String| {
        Error::new(
            Kind::Invalid,
            "FS0411",
            format!("the {what} was not understood"),
        )
        .with_detail(why)
        .with_hint("docs/flight.md shows each JSON body with an example")
    };
    if json.len() > limits::BODY_BYTES_MAX {
        return Err(refuse(format!(
            "it has {} bytes; the limit is {}",
            json.len(),
            limits::BODY_BYTES_MAX
        )));
    }
    // serde_json refuses more than 128 levels of nesting by itself.
    serde_json::from_slice(json).map_err(|cause| refuse(cause.to_string()))
}

/// Whether a descriptor's command is a question: whether it has a statement.
pub(super) fn is_query(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Asks {
        query: Option<serde::de::IgnoredAny>,
    }
    let asks = json.len() <= limits::BODY_BYTES_MAX;
    asks && serde_json::from_slice::<Asks>(json).is_ok_and(|asks| asks.query.is_some())
}

/// Writes a body.
pub(super) fn write<T: Serialize>(body: &T) -> Result<bytes::Bytes> {
    serde_json::to_vec(body).map(Into::into).map_err(|cause| {
        Error::new(
            Kind::Internal,
            "FS0499",
            "an answer could not be written as JSON",
        )
        .with_source(cause)
    })
}

/// How many of the kinds of bodies the bytes are.
pub(crate) fn decode_all(json: &[u8]) -> usize {
    fn is<T: DeserializeOwned>(json: &[u8]) -> usize {
        usize::from(parse::<T>("body", json).is_ok())
    }
    let command = parse::<ReadCommand>("body", json).ok();
    if let Some(filter) = command.and_then(|command| command.filter) {
        // A filter that is refused is still a body.
        let _refused = filter.bind(&every_class());
    }
    is::<ReadCommand>(json)
        + is::<Query>(json)
        + usize::from(parse_put::<PutCommand>(json).is_ok())
        + is::<Closing>(json)
        + is::<Ack>(json)
        + is::<BeginRequest>(json)
        + is::<CommitRequest>(json)
        + is::<TransactionRequest>(json)
        + is::<Renewal>(json)
        + usize::from(parse_put::<WriterPutCommand>(json).is_ok())
        + is::<OpenWriterRequest>(json)
        + is::<WriterCommitRequest>(json)
        + is::<PartRequest>(json)
        + is::<WriterRequest>(json)
        + is::<HeadRequest>(json)
        + is::<EpochsRequest>(json)
        + is::<RegisterRequest>(json)
        + is::<LookupRequest>(json)
        + is::<AlterRequest>(json)
        + is::<DropRequest>(json)
        + is::<ListRequest>(json)
}

/// A column of each kind that a literal is read for.
fn every_class() -> Schema {
    let columns = [
        ("integer", DataType::Int16),
        ("decimal", DataType::Decimal256(40, 2)),
        ("text", DataType::Utf8),
        ("binary", DataType::Binary),
        ("date", DataType::Date64),
        ("time", DataType::Time64(TimeUnit::Nanosecond)),
        ("local", DataType::Timestamp(TimeUnit::Second, None)),
        (
            "instant",
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        ),
        ("float", DataType::Float64),
    ];
    let fields = columns.map(|(name, data_type)| Field::new(name, data_type, true));
    Schema::new(fields.to_vec())
}
