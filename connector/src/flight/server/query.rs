//! Questions: `GetFlightInfo` plans one, `DoGet` answers it.
//!
//! Nothing is stored on the way: rows go from the engine to the reader, which has them as they come. Invariant: a
//! stream that ends without an error carried every row of the question, or as many as it wanted; a reader that leaves,
//! or takes nothing for long, ends the computation.

use super::endpoints::at;
use super::sending::{Held, Message};
use super::{Answers, Components};
use crate::flight::body::{self, BatchMetadata, QueryMetadata};
use crate::flight::encode::{self, Encoder};
use crate::flight::ticket::{QueryTicket, Signed};
use crate::flight::{limits, wire};
use arrow_flight::{FlightData, FlightDescriptor, FlightInfo};
use arrow_schema::SchemaRef;
use flinkspark_model::access::Verb;
use flinkspark_model::port::{Answer, Planned, Query, Reference};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::to_status;
use futures::stream::{self, StreamExt};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::time::timeout;

/// The plan of a question over datasets that the caller may read.
async fn planned(components: &Components, query: &Query) -> Result<Planned> {
    components.queries.plan(query, &components.caller).await
}

/// The schema of a question's rows as they are sent.
pub(super) async fn schema(components: &Components, query: &Query) -> Result<SchemaRef> {
    wire::plain(&planned(components, query).await?.schema)
}

/// `GetFlightInfo`: one endpoint, whose rows nobody has counted.
pub(super) async fn info(
    components: &Components,
    descriptor: FlightDescriptor,
    query: Query,
) -> Result<FlightInfo> {
    let Planned { schema, pins } = planned(components, &query).await?;
    let schema = wire::plain(&schema)?;
    let expires_at_ms = components
        .clock
        .now_ms()
        .saturating_add(limits::TICKET_LIFE_MS);
    let metadata = body::write(&QueryMetadata {
        reads: pins.clone(),
    })?;
    let ticket = QueryTicket {
        query,
        pins,
        principal: components.acting(),
        expires_at_ms,
    };
    let ticket = ticket.sign(&components.key)?;
    if ticket.len() > limits::TICKET_BYTES_MAX {
        return Err(long(ticket.len()));
    }
    let endpoint = at(components, ticket, expires_at_ms);
    Ok(FlightInfo::new()
        .try_with_schema(&schema)
        .map_err(super::selection::not_written)?
        .with_descriptor(descriptor)
        .with_total_records(-1)
        .with_total_bytes(-1)
        .with_app_metadata(metadata)
        .with_endpoint(endpoint))
}

/// `DoGet` of a question's ticket.
pub(super) async fn get(components: &Components, ticket: &[u8]) -> Result<Answers<FlightData>> {
    let now_ms = components.clock.now_ms();
    let ticket = QueryTicket::redeem(ticket, &components.key, now_ms)?;
    components.mine(ticket.principal())?;
    let QueryTicket { query, pins, .. } = ticket;
    for pin in &pins {
        components
            .known(&Reference::Id(pin.dataset), Verb::Read)
            .await?;
    }
    let held = Held::admit(&components.memory.gets).await?;
    let answer = components.queries.run(&query, &pins).await?;
    let (messages, mut queue) = mpsc::channel(limits::GET_MESSAGES_QUEUED);
    let mut sender = Sender {
        held,
        messages,
        encoder: Encoder::new(),
        sent: 0,
    };
    tokio::spawn(async move {
        if let Err(error) = sender.send(answer).await {
            // The reader may be gone; then nobody is left to tell.
            let _ = sender.messages.send(Err(to_status(&error))).await;
        }
    });
    Ok(stream::poll_fn(move |context| queue.poll_recv(context)).boxed())
}

struct Sender {
    held: Held,
    messages: mpsc::Sender<Message>,
    encoder: Encoder,
    sent: u64,
}

impl Sender {
    async fn send(&mut self, mut answer: Answer) -> Result<()> {
        let schema = wire::plain(&answer.schema)?;
        match self.permit().await? {
            Some(permit) => drop(permit.send(Ok(encode::schema(&schema, None)))),
            None => return Ok(()),
        }
        loop {
            let next = tokio::select! {
                next = answer.rows.next() => next.transpose()?,
                () = self.messages.closed() => return Ok(()),
            };
            let Some(batch) = next else { break };
            for piece in encode::pieces(&batch, self.held.target()) {
                let Some(permit) = self.permit().await? else {
                    return Ok(());
                };
                let rows = piece.num_rows() as u64;
                self.sent += rows;
                let mut message = self.encoder.encode(&wire::conform(&piece, &schema)?)?;
                message.app_metadata = self.metadata(rows, None)?;
                self.held
                    .fit(message.data_header.len() + message.data_body.len());
                permit.send(Ok(message));
            }
        }
        match (answer.rows_late)() {
            0 => {}
            late => {
                let closing = FlightData::new().with_app_metadata(self.metadata(0, Some(late))?);
                if let Some(permit) = self.permit().await? {
                    permit.send(Ok(closing));
                }
            }
        }
        Ok(())
    }

    fn metadata(&self, rows: u64, rows_late: Option<u64>) -> Result<bytes::Bytes> {
        body::write(&BatchMetadata {
            row: self.sent,
            rows,
            position: None,
            rows_late,
            read: None,
            skipped: None,
        })
    }

    /// Room for a message; none where the reader has gone.
    async fn permit(&self) -> Result<Option<OwnedPermit<Message>>> {
        let reserved = timeout(
            limits::QUERY_IDLE_MAX,
            self.messages.clone().reserve_owned(),
        );
        match reserved.await {
            Ok(permit) => Ok(permit.ok()),
            Err(_) => Err(idle()),
        }
    }
}

fn long(bytes: usize) -> Error {
    let what = "the statement is too long for a query";
    Error::new(Kind::Invalid, "FS0411", what)
        .with_detail(format!(
            "its ticket would have {bytes} bytes; the limit is {}",
            limits::TICKET_BYTES_MAX
        ))
        .with_hint("run it as a job")
}

fn idle() -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0444",
        "a query's reader took nothing for too long",
    )
    .with_detail(format!(
        "the limit is {} s: what computes holds memory meanwhile",
        limits::QUERY_IDLE_MAX.as_secs()
    ))
    .with_hint("run it again, or as a job whose dataset can be read at any pace")
}
