//! A plain put: what its headers state, and the transaction that it makes for itself.
//!
//! Invariant: with a key, the transaction is the same at every repetition.

use super::{Components, End};
use crate::flight::transactions::{Begin, Mode, State, Transaction};
use flinkspark_model::dataset::Dataset;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;
use tonic::metadata::MetadataMap;

/// The header by which a plain put states its rows.
const ROWS_HEADER: &str = "x-flinkspark-rows";

/// The header by which a plain put can be repeated.
const KEY_HEADER: &str = "x-flinkspark-idempotency-key";

/// What a plain put states in its headers.
#[derive(Debug, Clone, Default)]
pub(in crate::flight::server) struct Stated {
    rows: Option<String>,
    key: Option<String>,
}

impl Stated {
    pub(in crate::flight::server) fn from_headers(headers: &MetadataMap) -> Self {
        let text = |name| {
            headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            rows: text(ROWS_HEADER),
            key: text(KEY_HEADER),
        }
    }

    fn rows(&self) -> Result<Option<u64>> {
        let parse = |text: &String| {
            text.parse().map_err(|cause: std::num::ParseIntError| {
                Error::new(
                    Kind::Invalid,
                    "FS0411",
                    format!("the header {ROWS_HEADER} was not understood"),
                )
                .with_source(cause)
                .with_hint("give the number of rows that the put will send, in decimal digits")
            })
        };
        self.rows.as_ref().map(parse).transpose()
    }
}

/// Opens the put's transaction, or finds the one that its key made.
pub(super) async fn begin(
    components: &Components,
    dataset: &Arc<Dataset>,
    stated: &Stated,
) -> Result<(Transaction, End)> {
    let rows = stated.rows()?;
    let id = stated.key.as_ref().map(|key| format!("put.{key}"));
    let repeatable = id.is_some();
    let begin = Begin {
        dataset: Arc::clone(dataset),
        id,
        mode: Mode::Append,
    };
    let transaction = components.transactions.begin(begin).await?;
    let end = match transaction.state {
        State::Committed { .. } => End::Replay(transaction.clone()),
        State::Open { .. } | State::Aborted => End::Commit {
            stated: rows,
            repeatable,
        },
    };
    Ok((transaction, end))
}
