//! The Rust client: what the command line and other bridges use.
//!
//! It speaks the same public protocol as any other Flight client, with the limits of
//! [`limits`](super::limits) set. It never retries by itself but to renew an expired ticket.
//! Invariant: rows that were read are counted against their endpoint, and rows that were put are
//! stated with their digest, so that neither direction can fall short silently.
//!
//! ```no_run
//! use flinkspark_connector::flight::{Client, body::ReadCommand};
//! use futures::TryStreamExt;
//!
//! # async fn example() -> flinkspark_model::Result<()> {
//! let client = Client::connect("http://127.0.0.1:7070").await?;
//! let info = client.info(&ReadCommand { dataset: "flights".into(), ..ReadCommand::default() }).await?;
//! let batches: Vec<_> = client.get(&info).try_collect().await?;
//! assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), info.metadata.rows);
//! # Ok(())
//! # }
//! ```

mod connection;
mod follow;
mod get;
mod put;
mod query;
mod writers;

pub use connection::{Bearer, Connection, Target, connect};
pub use follow::Followed;
pub use query::{Asked, Item};

use super::body::{
    self, BeginRequest, CommitRequest, ConsumeAnswer, ConsumeRequest, ConsumersAnswer,
    ConsumersRequest, EndpointMetadata, InfoMetadata, OpenTransactions, ReadCommand, Renewal,
    TransactionRequest, TransactionsRequest,
};
use super::{decode, limits};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Criteria, Empty, FlightDescriptor, FlightInfo};
use arrow_schema::SchemaRef;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkspark_model::log::Receipt;
use flinkspark_model::port::{OpenTransaction, Transaction};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

/// A connection to a bridge; clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    inner: FlightServiceClient<Connection>,
}

/// What can be read at one pinned range of slots.
#[derive(Debug, Clone)]
pub struct Info {
    /// The schema of what is read.
    pub schema: SchemaRef,
    /// Which rows they are.
    pub metadata: InfoMetadata,
    /// Its splits, partition by partition, those of a partition in its order.
    pub endpoints: Vec<Endpoint>,
}

/// One split of an [`Info`].
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The signed ticket.
    pub ticket: Bytes,
    /// Which rows it is of.
    pub metadata: EndpointMetadata,
}

impl Client {
    /// Connects to `http://HOST:PORT`, or as the target says. `FS0401` is `Unavailable`: nothing answers there.
    pub async fn connect(target: impl Into<Target>) -> Result<Self> {
        Ok(Self::through(connect(target).await?))
    }

    /// A client over a channel of the caller's own, which presents no token.
    pub fn over(channel: Channel) -> Self {
        Self::through(InterceptedService::new(channel, Bearer::default()))
    }

    /// A client over what [`connect`] has made.
    pub fn through(connection: Connection) -> Self {
        let inner = FlightServiceClient::new(connection)
            .max_decoding_message_size(limits::MESSAGE_BYTES_MAX)
            .max_encoding_message_size(limits::MESSAGE_BYTES_MAX);
        Self { inner }
    }

    /// Every dataset whose name begins with `prefix`, as the server reads them.
    pub async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<InfoMetadata>>> {
        let criteria = Criteria {
            expression: Bytes::copy_from_slice(prefix.as_bytes()),
        };
        let flights = self
            .inner
            .clone()
            .list_flights(criteria)
            .await
            .map_err(|status| from_status(&status))?;
        let read = |info: FlightInfo| async move {
            body::parse("app metadata of a flight", &info.app_metadata)
        };
        Ok(flights
            .into_inner()
            .map_err(|status| from_status(&status))
            .and_then(read)
            .boxed())
    }

    /// What a read would give, pinned at the head of the log or at the command's slots.
    pub async fn info(&self, command: &ReadCommand) -> Result<Info> {
        let descriptor = FlightDescriptor::new_cmd(body::write(command)?);
        let info = self
            .inner
            .clone()
            .get_flight_info(descriptor)
            .await
            .map_err(|status| from_status(&status))?;
        let info = info.into_inner();
        let endpoint = |endpoint: arrow_flight::FlightEndpoint| {
            let metadata = body::parse("app metadata of an endpoint", &endpoint.app_metadata)?;
            Ok(Endpoint {
                ticket: endpoint.ticket.unwrap_or_default().ticket,
                metadata,
            })
        };
        Ok(Info {
            schema: Arc::new(decode::schema_of_info(&info.schema)?),
            metadata: body::parse("app metadata of a flight", &info.app_metadata)?,
            endpoints: info
                .endpoint
                .into_iter()
                .map(endpoint)
                .collect::<Result<_>>()?,
        })
    }

    /// Opens a transaction, or returns the one with the request's id.
    pub async fn begin(&self, request: &BeginRequest) -> Result<Transaction> {
        self.act("begin", request).await
    }

    /// Publishes exactly these receipts. Repeating it is safe.
    pub async fn commit(&self, txn: &str, receipts: Vec<Receipt>) -> Result<Transaction> {
        self.act(
            "commit",
            &CommitRequest {
                txn: txn.into(),
                receipts,
            },
        )
        .await
    }

    /// Makes sure that the transaction never commits.
    pub async fn abort(&self, txn: &str) -> Result<Transaction> {
        self.act("abort", &TransactionRequest { txn: txn.into() })
            .await
    }

    /// How a transaction stands.
    pub async fn status(&self, txn: &str) -> Result<Transaction> {
        self.act("status", &TransactionRequest { txn: txn.into() })
            .await
    }

    /// A dataset's open transactions, the oldest first.
    pub async fn transactions(&self, dataset: &str) -> Result<Vec<OpenTransaction>> {
        let request = TransactionsRequest {
            dataset: dataset.into(),
        };
        let open: OpenTransactions = self.act("transactions", &request).await?;
        Ok(open.transactions)
    }

    /// The same ticket with a new expiry.
    pub async fn renew(&self, ticket: &[u8]) -> Result<Bytes> {
        let request = Renewal {
            ticket: STANDARD.encode(ticket),
            expires_at_ms: None,
        };
        let renewal: Renewal = self.act("renew", &request).await?;
        STANDARD
            .decode(renewal.ticket)
            .map(Bytes::from)
            .map_err(|cause| {
                Error::new(
                    Kind::Data,
                    "FS0411",
                    "the answer of renew was not understood",
                )
                .with_source(cause)
            })
    }

    /// Records the last slot that a consumer has wholly done; the answer says what is recorded.
    pub async fn consume(&self, request: &ConsumeRequest) -> Result<ConsumeAnswer> {
        self.act("consume", request).await
    }

    /// A dataset's consumers, and how far each is behind.
    pub async fn consumers(&self, dataset: &str) -> Result<ConsumersAnswer> {
        let request = ConsumersRequest {
            dataset: dataset.into(),
        };
        self.act("consumers", &request).await
    }

    /// The names of the actions that the server has.
    pub async fn actions(&self) -> Result<Vec<String>> {
        let actions = self.inner.clone().list_actions(Empty {}).await;
        let actions = actions.map_err(|status| from_status(&status))?.into_inner();
        let names = actions.map_ok(|action| action.r#type).try_collect().await;
        names.map_err(|status: tonic::Status| from_status(&status))
    }

    /// Runs an action: a JSON body in, a JSON answer out, as docs/flight.md has them.
    pub async fn act<T: DeserializeOwned>(
        &self,
        name: &str,
        request: &impl Serialize,
    ) -> Result<T> {
        let action = Action::new(name, body::write(request)?);
        let answers = self
            .inner
            .clone()
            .do_action(action)
            .await
            .map_err(|status| from_status(&status))?;
        let answer = answers
            .into_inner()
            .message()
            .await
            .map_err(|status| from_status(&status))?;
        body::parse(
            &format!("answer of {name}"),
            &answer.unwrap_or_default().body,
        )
    }
}
