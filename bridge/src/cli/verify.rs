//! `flinkspark dataset verify`: reads every row of a dataset again and compares it with what was committed.
//!
//! Invariant: one damaged segment does not hide another.

use super::args::Format;
use super::render;
use crate::client::Client;
use flinkspark_connector::flight::body::{ReadCommand, SplitBy, Splits};
use flinkspark_connector::flight::client::{Endpoint, Info};
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::{Error, Kind, Result};
use futures::TryStreamExt;
use serde_json::json;

/// The most damaged segments that an error names.
const NAMED_MAX: usize = 10;

/// Reads the dataset whole, segment after segment.
///
/// Errors: `FS0436` with the segments whose rows are not those that were committed.
pub(super) async fn run(client: &Client, output: Format, reference: &str) -> Result<()> {
    let command = ReadCommand {
        dataset: reference.into(),
        splits: Some(Splits {
            by: SplitBy::Segment,
            ..Splits::default()
        }),
        ..ReadCommand::default()
    };
    let info = client.flight.info(&command).await?;
    let mut damaged = Vec::new();
    for endpoint in &info.endpoints {
        let committed = &endpoint.metadata;
        let why = match digest(client, &info, endpoint).await {
            Ok(found) if Some(found) == committed.digest => continue,
            Ok(found) => {
                let committed = committed.digest.unwrap_or_default();
                format!("holds {found}, committed {committed}")
            }
            Err(error) if error.kind() == Kind::Data => {
                format!("{}: {}", error.code(), error.message())
            }
            Err(error) => return Err(error),
        };
        let name = committed.name.as_ref().map_or("", |name| name.as_str());
        let slot = committed.from.0.slot;
        damaged.push(format!("segment {name} of slot {slot} {why}"));
    }
    if damaged.is_empty() {
        let verified = json!({
            "id": info.metadata.id,
            "name": info.metadata.name,
            "head": info.metadata.head,
            "segments": info.endpoints.len(),
            "rows": info.metadata.rows,
            "digest": info.metadata.digest,
        });
        return render::object(output, &verified);
    }
    let count = damaged.len();
    damaged.truncate(NAMED_MAX);
    Err(Error::new(
        Kind::Data,
        "FS0436",
        format!(
            "{count} of {} segments of dataset {} do not hold the rows that were committed",
            info.endpoints.len(),
            info.metadata.name
        ),
    )
    .with_detail(damaged.join("; "))
    .with_hint(
        "restore these segments from a backup: they never change, a copy of any age is good",
    ))
}

async fn digest(client: &Client, info: &Info, endpoint: &Endpoint) -> Result<Digest> {
    let mut digester = Digester::new(&info.schema)?;
    let mut rows = client.flight.read(endpoint).await?;
    while let Some((batch, _)) = rows.try_next().await? {
        digester.update(&batch)?;
    }
    Ok(digester.finish())
}
