//! `FlightService`, implemented by hand over the model's ports.
//!
//! arrow-flight's blanket service leaves listing, schemas and polling unimplemented, so each method
//! is here; the work is in the modules below. Invariant: every failure leaves as one
//! [`flinkspark_model::Error`] through `flinkspark_proto::error::to_status`.

mod action;
mod catalogue;
mod consumers;
mod endpoints;
mod filtered;
mod follow;
mod get;
mod handshake;
mod incoming;
mod live;
mod put;
mod query;
mod range;
mod read;
mod selection;
mod sending;
mod writers;

#[cfg(test)]
pub(in crate::flight) use get::get as get_directly;

use super::limits;
use super::ticket::{self, Key, Purpose};
use crate::evolution;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use flinkspark_model::access::{Caller, Principal, Verb};
use flinkspark_model::budget::Share;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{
    self, Catalog, Clock, Consumers, Datasets, Queries, Reference, Transactions, Writers,
};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::to_status;
use futures::stream::BoxStream;
use incoming::Aside;
pub use incoming::{Admitted, admitted};
use read::Asked;
use std::sync::Arc;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

type Answer<T> = std::result::Result<Response<T>, Status>;
type Answers<T> = BoxStream<'static, std::result::Result<T, Status>>;

/// What the service is made of.
#[derive(Clone)]
pub struct Components {
    /// Knows the datasets.
    pub catalog: Arc<dyn Catalog>,
    /// Opens their logs.
    pub datasets: Arc<dyn Datasets>,
    /// Writes them, a set at a time.
    pub transactions: Arc<dyn Transactions>,
    /// Writes them, checkpoint after checkpoint.
    pub writers: Arc<dyn Writers>,
    /// Records how far their readers have come.
    pub consumers: Arc<dyn Consumers>,
    /// Answers questions over them.
    pub queries: Arc<dyn Queries>,
    /// Says when tickets expire.
    pub clock: Arc<dyn Clock>,
    /// Signs tickets.
    pub key: Key,
    /// Admits what is put and sent.
    pub memory: Memory,
    /// Who makes a call that does not say so in its extensions.
    pub caller: Caller,
    /// Where endpoints say that they are; absent where a reader goes on where it asked.
    pub location: Option<String>,
    /// True once the server comes to rest: whoever follows or waits is sent away then.
    pub closing: watch::Receiver<bool>,
}

/// The parts of the memory budget that rows on their way through the service take.
#[derive(Clone)]
pub struct Memory {
    /// Messages that arrive, each until its rows are with their segment's writer.
    pub puts: Share,
    /// What those writers keep between messages.
    pub writers: Share,
    /// Messages that readers have not taken yet.
    pub gets: Share,
    /// Blocks of segments that are being read for readers.
    pub reads: Share,
}

impl Components {
    /// The same parts for who makes this call.
    fn on_behalf<T>(self: &Arc<Self>, request: &Request<T>) -> Arc<Self> {
        match request.extensions().get::<Caller>() {
            Some(caller) if *caller != self.caller => Arc::new(Self {
                caller: caller.clone(),
                ..Self::clone(self)
            }),
            _ => Arc::clone(self),
        }
    }

    /// Waits until the server comes to rest.
    async fn rests(&self) {
        let mut closing = self.closing.clone();
        if closing.wait_for(|closing| *closing).await.is_err() {
            // Nobody is left to say so.
            std::future::pending::<()>().await;
        }
    }

    /// The dataset at the schema that its log has in force, if the caller may do this with it.
    async fn lookup(&self, reference: &str, verb: Verb) -> Result<Arc<Dataset>> {
        let dataset = self.known(&reference.parse()?, verb).await?;
        self.agreed(dataset).await
    }

    /// The dataset's record, if the caller may do this with it. A name that the caller may not is refused
    /// before anybody looks whether it is there.
    async fn known(&self, reference: &Reference, verb: Verb) -> Result<Arc<Dataset>> {
        self.found(reference, |name| self.caller.may(verb, name))
            .await
    }

    /// The same for whatever is allowed.
    async fn found(
        &self,
        reference: &Reference,
        allow: impl Fn(&DatasetName) -> Result<()>,
    ) -> Result<Arc<Dataset>> {
        if let Reference::Name(name) = reference {
            allow(name)?;
        }
        let dataset = self.catalog.lookup(reference).await?;
        allow(&dataset.name)?;
        Ok(dataset)
    }

    /// Refuses a transaction that is not the caller's own to go on with, unless an admin of its dataset asks.
    async fn owned(&self, txn: port::TxnId) -> Result<()> {
        let dataset = match self.known(&Reference::Id(txn.dataset), Verb::Write).await {
            Ok(dataset) => dataset,
            // What is left of a dataset that is gone is for whoever may everything.
            Err(error) if error.kind() == Kind::NotFound => {
                return self.caller.administers();
            }
            Err(error) => return Err(error),
        };
        let owner = self.transactions.owner(txn).await?;
        match owner.filter(|owner| Some(owner) != self.acting().as_ref()) {
            Some(_) if self.caller.may(Verb::Admin, &dataset.name).is_err() => Err(Error::new(
                Kind::Forbidden,
                "FS1105",
                "the transaction belongs to another principal",
            )
            .with_detail(format!(
                "transaction {txn} was not begun by {}",
                self.caller.principal()
            ))
            .with_hint("begin one of your own")),
            _ => Ok(()),
        }
    }

    /// Whom tickets and transactions of this call belong to; nobody while the bridge is open.
    fn acting(&self) -> Option<Principal> {
        (!self.caller.is_open()).then(|| self.caller.principal().clone())
    }

    /// Refuses a ticket that was given to somebody else.
    fn mine(&self, principal: Option<&Principal>) -> Result<()> {
        if principal == self.acting().as_ref() {
            return Ok(());
        }
        Err(Error::new(
            Kind::Forbidden,
            "FS1105",
            "the ticket belongs to another principal",
        )
        .with_detail(format!("it was not given to {}", self.caller.principal()))
        .with_hint("call get_flight_info again and use the tickets that it returns"))
    }

    async fn agreed(&self, dataset: Arc<Dataset>) -> Result<Arc<Dataset>> {
        let agreed = evolution::agree(&*self.catalog, &*self.datasets, dataset).await?;
        Ok(agreed.dataset)
    }

    /// Refuses what was read beside a change of schema: column indexes mean nothing then.
    async fn unchanged(&self, dataset: &Dataset, log: &dyn port::Dataset) -> Result<()> {
        if log.refresh().await?.schema_version() == dataset.schema_version {
            return Ok(());
        }
        Err(Error::new(
            Kind::Conflict,
            "FS0421",
            "the ticket's rows are not there any more",
        )
        .with_detail(format!(
            "the schema of dataset {} changed while they were being looked for",
            dataset.name
        ))
        .with_hint("call get_flight_info again"))
    }

    async fn open(&self, dataset: &Dataset) -> Result<Arc<dyn port::Dataset>> {
        self.datasets
            .dataset(dataset.id, Arc::clone(&dataset.schema))
            .await
    }

    /// Commits, then tells the catalogue. A dataset that was dropped meanwhile takes no commit:
    /// nobody would find its rows.
    async fn commit(&self, txn: port::TxnId, commit: port::TxnCommit) -> Result<port::Transaction> {
        self.owned(txn).await?;
        let dataset = self.catalog.lookup(&Reference::Id(txn.dataset)).await?;
        let transaction = self.transactions.commit(txn, commit).await?;
        self.advance(&dataset).await;
        Ok(transaction)
    }

    /// Tells the catalogue that a log has grown. It catches up by itself at the next start, so a
    /// failure is only reported.
    async fn advance(&self, dataset: &Dataset) {
        let told = async {
            let view = self.open(dataset).await?.refresh().await?;
            let (rows, _, _) = view.totals();
            self.catalog
                .advance(dataset.id, view.head(), rows, view.watermark_ms())
                .await
        };
        if let Err(error) = told.await {
            tracing::warn!(dataset = %dataset.name, %error, "the catalogue could not be told of a commit");
        }
    }
}

/// Carries a change to its end, though the call that asked for it may be cancelled meanwhile: a slot
/// that was written reaches the catalogue in any case.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(change).await.unwrap_or_else(|cause| {
        Err(Error::new(Kind::Internal, "FS0499", "a change ended unexpectedly").with_source(cause))
    })
}

/// Tells a caller apart where its open transactions are counted: its connection.
fn peer<T>(request: &Request<T>) -> Option<String> {
    request.remote_addr().map(|address| address.to_string())
}

/// The Arrow Flight service.
#[derive(Clone)]
pub struct Service {
    components: Arc<Components>,
}

/// The service with its message limits set, ready for a server built by [`limits::server`].
pub fn service(components: Components) -> Admitted<FlightServiceServer<Service>> {
    let memory = components.memory.clone();
    let service = FlightServiceServer::new(Service {
        components: Arc::new(components),
    })
    .max_decoding_message_size(limits::REQUEST_BYTES_MAX)
    .max_encoding_message_size(limits::MESSAGE_BYTES_MAX);
    admitted(service, &memory)
}

fn answer<T>(result: Result<T>) -> Answer<T> {
    result.map(Response::new).map_err(|error| to_status(&error))
}

/// A part of Flight that this bridge leaves out on purpose.
fn left_out(what: &str, why: &str, instead: &str) -> Status {
    to_status(
        &Error::new(
            Kind::Invalid,
            "FS0402",
            format!("this bridge has no {what}"),
        )
        .with_detail(why)
        .with_hint(instead),
    )
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Self::HandshakeStream> {
        handshake::answer(
            &self.components.on_behalf(&request).caller,
            request.metadata(),
        )
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        let components = self.components.on_behalf(&request);
        answer(read::list(&components, &request.into_inner()))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        let components = self.components.on_behalf(&request);
        let descriptor = request.into_inner();
        answer(match read::asked(&descriptor) {
            Ok(Asked::Rows(command)) => read::info(&components, descriptor, *command).await,
            Ok(Asked::Query(query)) => query::info(&components, descriptor, query).await,
            Err(error) => Err(error),
        })
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<PollInfo> {
        Err(left_out(
            "PollFlightInfo",
            "a dataset's flight is known at once",
            "call get_flight_info",
        ))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        let components = self.components.on_behalf(&request);
        let schema = match read::asked(&request.into_inner()) {
            Ok(Asked::Rows(command)) => read::schema(&components, *command).await,
            Ok(Asked::Query(query)) => query::schema(&components, &query).await,
            Err(error) => Err(error),
        };
        answer(schema.and_then(|schema| read::schema_result(&schema)))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let components = self.components.on_behalf(&request);
        let ticket = request.into_inner().ticket;
        answer(match ticket::purpose(&ticket) {
            Purpose::Rows => get::get(&components, &ticket).await,
            Purpose::Query => query::get(&components, &ticket).await,
            Purpose::Follow => follow::get(&components, &ticket).await,
        })
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        let peer = peer(&request);
        let components = self.components.on_behalf(&request);
        let (metadata, extensions, _) = request.into_parts();
        let stated = put::Stated::from_headers(&metadata, peer);
        let incoming = extensions.get::<Aside>().and_then(Aside::take);
        let incoming = incoming.ok_or_else(|| {
            let bug = Error::new(Kind::Internal, "FS0499", "a put came without its messages");
            to_status(&bug)
        })?;
        answer(put::put(components, stated, incoming).await)
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Answer<Self::DoExchangeStream> {
        Err(left_out(
            "DoExchange",
            "rows go one way in a call",
            "call do_put to write and do_get to read",
        ))
    }

    async fn do_action(&self, request: Request<Action>) -> Answer<Self::DoActionStream> {
        let peer = peer(&request);
        let components = self.components.on_behalf(&request);
        answer(action::run(&components, request.into_inner(), peer).await)
    }

    async fn list_actions(&self, _: Request<Empty>) -> Answer<Self::ListActionsStream> {
        answer(Ok(action::list()))
    }
}
