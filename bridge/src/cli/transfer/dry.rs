//! `flinkspark transfer --dry-run`: everything is read, and nothing is written.

use super::{Meter, NO_DATASET};
use crate::client::Client;
use flinkspark_connector::flight::body::ReadCommand;
use flinkspark_connector::flight::client::Info;
use flinkspark_connector::transfer::{Change, End, Transfer};
use flinkspark_model::Result;
use flinkspark_model::port::Mode;
use flinkspark_model::schema::type_name;
use serde_json::{Value, json};

/// What the transfer would do.
pub(super) async fn run(
    client: &mut Client,
    transfer: &Transfer,
    may_create: bool,
    meter: &Meter,
) -> Result<Value> {
    match (&transfer.source, &transfer.target) {
        (End::Dataset(dataset), End::File(_) | End::Standard(_)) => {
            let info = info(client, dataset, transfer.options.columns.clone()).await?;
            Ok(json!({
                "source": transfer.source.to_string(), "target": transfer.target.to_string(),
                "would": "write", "rows": info.metadata.rows, "columns": columns(&info.schema),
            }))
        }
        (End::File(_) | End::Standard(_), End::Dataset(dataset)) => {
            let known = match info(client, dataset, None).await {
                Err(error) if may_create && error.code() == NO_DATASET => None,
                other => Some(other?),
            };
            let schema = match &known {
                Some(info) => info.schema.clone(),
                None => transfer.source.open(&transfer.options.read)?.schema(),
            };
            let tried = transfer.try_reading(dataset, &schema, meter)?;
            let would = match (&known, transfer.options.mode) {
                (None, _) => "register and append",
                (Some(_), Mode::Replace) => "replace",
                (Some(_), Mode::Append) => "append",
            };
            Ok(json!({
                "source": transfer.source.to_string(), "target": transfer.target.to_string(),
                "would": would, "rows": tried.rows, "digest": tried.digest.to_string(),
                "rows_before": known.map_or(0, |info| info.metadata.rows),
                "columns": columns(&schema), "changes": changes(&tried.changes),
            }))
        }
        _ => Err(transfer.wrong_ends()),
    }
}

async fn info(client: &Client, dataset: &str, columns: Option<Vec<String>>) -> Result<Info> {
    let command = ReadCommand {
        dataset: dataset.into(),
        columns,
        ..ReadCommand::default()
    };
    client.flight.info(&command).await
}

fn columns(schema: &arrow_schema::Schema) -> String {
    let fields = schema.fields().iter();
    let texts = fields.map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
    texts.collect::<Vec<_>>().join(", ")
}

fn changes(changes: &[Change]) -> String {
    let text = |change: &Change| match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("{} {from} -> {to}", change.column),
        _ => format!("{} is null", change.column),
    };
    changes.iter().map(text).collect::<Vec<_>>().join(", ")
}
