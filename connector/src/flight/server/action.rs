//! `DoAction`: JSON in, JSON out.
//!
//! Invariant: each action but `begin` without an id can be repeated with the same effect and the
//! same answer.

use super::{Answers, Components};
use crate::flight::body::{self, BeginRequest, CommitRequest, Renewal, TransactionRequest};
use crate::flight::limits;
use crate::flight::ticket::Ticket;
use crate::flight::transactions::Begin;
use arrow_flight::{Action, ActionType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkspark_model::port::Reference;
use flinkspark_model::{Error, Kind, Result};
use futures::stream::{self, StreamExt};

const ACTIONS: [(&str, &str); 5] = [
    (
        "begin",
        "{dataset, id?, mode?} opens a transaction, or returns the one with that id",
    ),
    (
        "commit",
        "{txn, receipts} publishes exactly these receipts, once",
    ),
    (
        "abort",
        "{txn} makes sure that the transaction never commits",
    ),
    ("status", "{txn} says how the transaction stands"),
    (
        "renew",
        "{ticket} returns the ticket (base64) with a new expiry",
    ),
];

/// `ListActions`.
pub(super) fn list() -> Answers<ActionType> {
    let action = |(name, description): (&str, &str)| {
        Ok(ActionType {
            r#type: name.to_string(),
            description: description.to_string(),
        })
    };
    stream::iter(ACTIONS.map(action)).boxed()
}

/// `DoAction`.
pub(super) async fn run(
    components: &Components,
    action: &Action,
) -> Result<Answers<arrow_flight::Result>> {
    let body = match action.r#type.as_str() {
        "begin" => begin(components, &action.body).await?,
        "commit" => commit(components, &action.body).await?,
        "abort" => {
            let request: TransactionRequest = body::parse("body of abort", &action.body)?;
            body::write(&components.transactions.abort(&request.txn).await?)?
        }
        "status" => {
            let request: TransactionRequest = body::parse("body of status", &action.body)?;
            body::write(&components.transactions.status(&request.txn).await?)?
        }
        "renew" => renew(components, &action.body)?,
        other => return Err(unknown(other)),
    };
    Ok(stream::iter([Ok(arrow_flight::Result::new(body))]).boxed())
}

async fn begin(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: BeginRequest = body::parse("body of begin", json)?;
    let dataset = components.lookup(&request.dataset).await?;
    let begin = Begin {
        dataset,
        id: request.id,
        mode: request.mode,
    };
    body::write(&components.transactions.begin(begin).await?)
}

async fn commit(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: CommitRequest = body::parse("body of commit", json)?;
    let transaction = components
        .transactions
        .commit(&request.txn, request.receipts)
        .await?;
    let dataset = components
        .catalog
        .lookup(&Reference::Id(transaction.dataset))
        .await;
    if let Ok(dataset) = dataset {
        components.advance(&dataset).await;
    }
    body::write(&transaction)
}

fn renew(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: Renewal = body::parse("body of renew", json)?;
    let bytes = STANDARD
        .decode(request.ticket.as_bytes())
        .map_err(|cause| {
            Error::new(
                Kind::Invalid,
                "FS0411",
                "the body of renew was not understood",
            )
            .with_detail(format!("its ticket is not base64: {cause}"))
            .with_hint("encode endpoint.ticket.ticket with base64.b64encode")
        })?;
    let mut ticket = Ticket::open(&bytes, &components.key)?;
    let expires_at_ms = components
        .clock
        .now_ms()
        .saturating_add(limits::TICKET_LIFE_MS);
    ticket.expires_at_ms = expires_at_ms;
    let ticket = STANDARD.encode(ticket.sign(&components.key)?);
    body::write(&Renewal {
        ticket,
        expires_at_ms: Some(expires_at_ms),
    })
}

fn unknown(name: &str) -> Error {
    let names: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
    Error::new(
        Kind::Invalid,
        "FS0402",
        format!("this bridge has no action \"{}\"", name.escape_debug()),
    )
    .with_detail(format!("it has {}", names.join(", ")))
    .with_hint("list_actions says what each of them takes")
}
