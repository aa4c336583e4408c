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

mod follow;
mod get;
mod put;
mod query;

pub use follow::Followed;
pub use query::{Asked, Item};

use super::body::{
    self, BeginRequest, CommitRequest, EndpointMetadata, InfoMetadata, OpenTransactions,
    ReadCommand, Renewal, TransactionRequest, TransactionsRequest,
};
use super::{decode, limits};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Criteria, FlightDescriptor, FlightInfo};
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
use tonic::transport::{Channel, Endpoint as Transport};

/// A connection to a bridge; clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    inner: FlightServiceClient<Channel>,
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
    /// Connects to `http://HOST:PORT`. `FS0401` is `Unavailable`: nothing answers there.
    pub async fn connect(url: &str) -> Result<Self> {
        Ok(Self::over(connect(url).await?))
    }

    /// A client over a channel that [`connect`] has made.
    pub fn over(channel: Channel) -> Self {
        let inner = FlightServiceClient::new(channel)
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

    async fn act<T: DeserializeOwned>(&self, name: &str, request: &impl Serialize) -> Result<T> {
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

/// A channel to the bridge at `http://HOST:PORT` or `HOST:PORT`, within this protocol's limits.
///
/// Errors: `Invalid` (`FS0423`) where that is no address, `Unavailable` (`FS0401`) where nothing answers.
pub async fn connect(url: &str) -> Result<Channel> {
    let whole = match url.contains("://") {
        true => String::from(url),
        false => format!("http://{url}"),
    };
    let transport = Transport::from_shared(whole).map_err(|cause| {
        Error::new(
            Kind::Invalid,
            "FS0423",
            format!("\"{}\" is not the address of a bridge", url.escape_debug()),
        )
        .with_source(cause)
        .with_hint("write http://HOST:PORT, for example http://127.0.0.1:7070")
    })?;
    limits::endpoint(transport)
        .connect()
        .await
        .map_err(|cause| unreachable(url, &cause))
}

fn unreachable(url: &str, cause: &tonic::transport::Error) -> Error {
    let mut why = cause.to_string();
    let mut source = std::error::Error::source(cause);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    Error::new(
        Kind::Unavailable,
        "FS0401",
        format!("no bridge answers at {url}"),
    )
    .with_detail(why)
    .with_hint("start one with `flinkspark serve`, or name another by --url or FLINKSPARK_URL")
}
