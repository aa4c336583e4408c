//! A plain put: what its headers state, and the transaction that it makes for itself.
//!
//! Invariant: with a key, the transaction is the same at every repetition; a header that is there
//! and says nothing is refused, never passed over.

use super::{Components, End};
use flinkspark_model::dataset::Dataset;
use flinkspark_model::digest::Digester;
use flinkspark_model::port::{Begin, IdempotencyKey, KeyScope, Mode, State, Transaction};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;
use tonic::metadata::MetadataMap;

/// The header by which a plain put states its rows.
const ROWS_HEADER: &str = "x-flinkspark-rows";

/// The header by which a plain put can be repeated.
const KEY_HEADER: &str = "x-flinkspark-idempotency-key";

/// What a plain put states in its headers, and who says so.
#[derive(Debug, Clone, Default)]
pub(in crate::flight::server) struct Stated {
    rows: Vec<Vec<u8>>,
    keys: Vec<Vec<u8>>,
    peer: Option<String>,
}

impl Stated {
    pub(in crate::flight::server) fn from_headers(
        headers: &MetadataMap,
        peer: Option<String>,
    ) -> Self {
        let all = |name| {
            let values = headers.get_all(name).iter();
            values.map(|value| value.as_bytes().to_vec()).collect()
        };
        Self {
            rows: all(ROWS_HEADER),
            keys: all(KEY_HEADER),
            peer,
        }
    }

    /// The rows that were stated.
    fn rows(&self) -> Result<Option<u64>> {
        let Some(text) = once(ROWS_HEADER, &self.rows)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(text);
        text.parse()
            .map(Some)
            .map_err(|cause: std::num::ParseIntError| {
                not_understood(ROWS_HEADER)
                    .with_source(cause)
                    .with_hint("give the number of rows that the put will send, in decimal digits")
            })
    }

    /// The key, as the bytes that were sent.
    fn key(&self) -> Result<Option<IdempotencyKey>> {
        let key = once(KEY_HEADER, &self.keys)?;
        key.map(|key| IdempotencyKey::new(KeyScope::Put, key.as_slice()))
            .transpose()
    }
}

/// The one value of a header.
fn once<'a>(name: &str, values: &'a [Vec<u8>]) -> Result<Option<&'a Vec<u8>>> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        more => Err(not_understood(name)
            .with_detail(format!("it came {} times", more.len()))
            .with_hint("send it once")),
    }
}

fn not_understood(header: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0411",
        format!("the header {header} was not understood"),
    )
}

/// Opens the put's transaction, or finds the one that its key made.
pub(super) async fn begin(
    components: &Components,
    dataset: &Arc<Dataset>,
    stated: &Stated,
) -> Result<(Transaction, End)> {
    let rows = stated.rows()?;
    let key = stated.key()?;
    let repeatable = key.is_some();
    let begin = Begin {
        dataset: dataset.id,
        schema: Arc::clone(&dataset.schema),
        key,
        mode: Mode::Append,
        peer: stated.peer.clone(),
        principal: components.acting(),
    };
    let transaction = components.transactions.begin(begin).await?;
    // A key that somebody else has used finds their transaction.
    components.owned(transaction.txn).await?;
    let end = match transaction.state {
        State::Committed { .. } => End::Replay {
            transaction,
            stated: rows,
            digester: Box::new(Digester::new(&dataset.schema)?),
        },
        State::Open { .. } | State::Aborted => End::Commit {
            txn: transaction.txn,
            stated: rows,
            repeatable,
        },
    };
    Ok((transaction, end))
}
