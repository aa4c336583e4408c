//! `DoAction`: JSON in, JSON out.
//!
//! Invariant: each action but `begin` without an id can be repeated with the same effect and the
//! same answer.

use super::{Answers, Components, catalogue, consumers, live, to_its_end, writers};
use crate::flight::body::{
    self, BeginRequest, CommitRequest, OpenTransactions, Renewal, TransactionRequest,
    TransactionsRequest,
};
use crate::flight::limits;
use crate::flight::ticket;
use arrow_flight::{Action, ActionType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkspark_model::access::{Principal, Verb};
use flinkspark_model::port::{Begin, IdempotencyKey, KeyScope, TxnCommit, TxnId};
use flinkspark_model::{Error, Kind, Result};
use futures::stream::{self, StreamExt};
use std::sync::Arc;

const ACTIONS: [(&str, &str); 18] = [
    (
        "begin",
        "{dataset, id?, mode?} opens a transaction, or returns the one with that id",
    ),
    (
        "commit",
        "{txn, receipts} publishes exactly these receipts, once; {dataset, writer, generation, n, token, receipts} likewise",
    ),
    (
        "abort",
        "{txn} makes sure that the transaction never commits; {dataset, writer, receipts} lets puts go",
    ),
    (
        "status",
        "{txn} says how the transaction stands, {dataset, writer} how the writer does",
    ),
    (
        "open_writer",
        "{dataset, writer, incarnation, after?, restored_n?, rewind?} gives the generation in which to commit",
    ),
    (
        "part",
        "{dataset, writer, key, receipts} keeps receipts that a commit names by the key",
    ),
    (
        "transactions",
        "{dataset} lists the dataset's open transactions, the oldest first",
    ),
    (
        "renew",
        "{ticket} returns the ticket (base64) with a new expiry",
    ),
    (
        "ticket",
        "{dataset, partition, from?, ...} makes a ticket of one partition from a position",
    ),
    (
        "head",
        "{dataset, after?, wait_ms?} says where the log stands, once it is beyond a slot",
    ),
    (
        "epochs",
        "{dataset, after?, wait_ms?, limit?} lists slots with their kinds",
    ),
    (
        "consume",
        "{dataset, consumer, slot} records the last slot that a consumer has wholly done",
    ),
    (
        "consumers",
        "{dataset} lists the dataset's consumers and how far each is behind",
    ),
    (
        "register",
        "{name, schema, traits?, handles?} gives a dataset its record",
    ),
    (
        "lookup",
        "{dataset} returns the record of a dataset, with its schema",
    ),
    (
        "alter",
        "{dataset, version?, rename or traits or handle or schema} changes a record",
    ),
    ("drop", "{dataset, version?} forgets a dataset"),
    (
        "list",
        "{prefix?, after?, limit?} returns a page of records, by name",
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
    components: &Arc<Components>,
    action: Action,
    peer: Option<String>,
) -> Result<Answers<arrow_flight::Result>> {
    let body = match action.r#type.as_str() {
        "begin" => begin(components, &action.body, peer).await?,
        "open_writer" => writers::open(components, &action.body).await?,
        "part" => writers::part(components, &action.body).await?,
        "commit" if body::names_writer(&action.body) => {
            writers::commit(components, &action.body).await?
        }
        "abort" if body::names_writer(&action.body) => {
            writers::release(components, &action.body).await?
        }
        "status" if body::names_writer(&action.body) => {
            writers::status(components, &action.body).await?
        }
        "commit" => commit(components, &action.body).await?,
        "abort" => abort(components, &action.body).await?,
        "status" => {
            let request: TransactionRequest = body::parse("body of status", &action.body)?;
            let txn = request.txn.parse()?;
            components.owned(txn).await?;
            body::write(&components.transactions.status(txn).await?)?
        }
        "transactions" => transactions(components, &action.body).await?,
        "renew" => renew(components, &action.body)?,
        "ticket" => live::ticket(components, &action.body).await?,
        "head" => live::head(components, &action.body).await?,
        "epochs" => live::epochs(components, &action.body).await?,
        "consume" => consumers::consume(components, &action.body).await?,
        "consumers" => consumers::list(components, &action.body).await?,
        "register" => catalogue::register(components, &action.body).await?,
        "lookup" => catalogue::lookup(components, &action.body).await?,
        "alter" => catalogue::alter(components, &action.body).await?,
        "drop" => catalogue::forget(components, &action.body).await?,
        "list" => catalogue::list(components, &action.body).await?,
        other => return Err(unknown(other)),
    };
    Ok(stream::iter([Ok(arrow_flight::Result::new(body))]).boxed())
}

async fn begin(components: &Arc<Components>, json: &[u8], peer: Option<String>) -> Result<Bytes> {
    let request: BeginRequest = body::parse("body of begin", json)?;
    let key = request
        .id
        .map(|id| IdempotencyKey::new(KeyScope::Begin, id));
    let key = key.transpose()?;
    let dataset = components.lookup(&request.dataset, Verb::Write).await?;
    let begin = Begin {
        dataset: dataset.id,
        schema: Arc::clone(&dataset.schema),
        key,
        mode: request.mode,
        peer,
        principal: components.acting(),
    };
    let components = Arc::clone(components);
    let begun = async move {
        let begun = components.transactions.begin(begin).await?;
        // A key that somebody else has used finds their transaction.
        components.owned(begun.txn).await.map(|()| begun)
    };
    body::write(&to_its_end(begun).await?)
}

async fn commit(components: &Arc<Components>, json: &[u8]) -> Result<Bytes> {
    let request: CommitRequest = body::parse("body of commit", json)?;
    let txn: TxnId = request.txn.parse()?;
    let commit = TxnCommit {
        receipts: request.receipts,
        ..TxnCommit::default()
    };
    let components = Arc::clone(components);
    let committed = to_its_end(async move { components.commit(txn, commit).await });
    body::write(&committed.await?)
}

async fn abort(components: &Arc<Components>, json: &[u8]) -> Result<Bytes> {
    let request: TransactionRequest = body::parse("body of abort", json)?;
    let txn = request.txn.parse()?;
    components.owned(txn).await?;
    let transactions = Arc::clone(&components.transactions);
    body::write(&to_its_end(async move { transactions.abort(txn).await }).await?)
}

async fn transactions(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: TransactionsRequest = body::parse("body of transactions", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Write).await?;
    let transactions = components.transactions.open(dataset.id).await?;
    body::write(&OpenTransactions { transactions })
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
    let expires_at_ms = components
        .clock
        .now_ms()
        .saturating_add(limits::TICKET_LIFE_MS);
    let mine = |principal: Option<&Principal>| components.mine(principal);
    let renewed = ticket::renewed(&bytes, &components.key, expires_at_ms, mine)?;
    let ticket = STANDARD.encode(renewed);
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
