//! `flinkspark transaction` and `flinkspark dataset transactions`: what is open, and how to end it.

use super::args::{Format, TransactionCommand};
use super::render::{self, Listing};
use super::rows;
use crate::client::{Address, Client};
use crate::exit;
use flinkspark_model::port::{OpenTransaction, Transaction, TxnId};
use flinkspark_model::{Error, Kind, Result};
use serde_json::{Value, json};

/// Runs one of the commands.
pub(super) async fn run(url: &Address, output: Format, command: TransactionCommand) -> Result<u8> {
    let transaction = match command {
        TransactionCommand::Show { id } => {
            let id = id.parse::<TxnId>()?.to_string();
            Client::connect(url).await?.flight.status(&id).await?
        }
        TransactionCommand::Abort { id } => {
            let id = id.parse::<TxnId>()?.to_string();
            Client::connect(url).await?.flight.abort(&id).await?
        }
    };
    render::object(output, &describe(&transaction)?).map(|()| exit::OK)
}

fn describe(transaction: &Transaction) -> Result<Value> {
    serde_json::to_value(transaction).map_err(|cause| {
        Error::new(Kind::Internal, "FS0008", "the result could not be printed").with_source(cause)
    })
}

/// Lists a dataset's open transactions.
pub(super) async fn list(client: &Client, output: Format, dataset: &str) -> Result<()> {
    let mut listing = Listing::new(&[
        "id",
        "mode",
        "age",
        "lease_ends",
        "puts",
        "segments",
        "rows",
    ]);
    for open in client.flight.transactions(dataset).await? {
        listing.push(line(&open)?);
    }
    render::listing(output, &listing)
}

fn line(open: &OpenTransaction) -> Result<Value> {
    let mode = serde_json::to_value(open.mode).map_err(|cause| {
        Error::new(Kind::Internal, "FS0008", "the result could not be printed").with_source(cause)
    })?;
    let instant = |ms: u64| rows::instant(i64::try_from(ms).unwrap_or(i64::MAX));
    Ok(json!({
        "id": open.txn, "mode": mode,
        "age": format!("{} s", open.age_ms / 1000), "age_ms": open.age_ms,
        "begun_at": instant(open.begun_at_ms), "lease_ends": instant(open.expires_at_ms),
        "expires_at_ms": open.expires_at_ms, "puts": open.putting,
        "segments": open.segments, "bytes": open.bytes, "rows": open.rows,
    }))
}
