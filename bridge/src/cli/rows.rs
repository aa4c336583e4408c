//! Prints rows.

mod printer;

use super::args::Format;
use super::render;
use crate::client::Client;
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, SecondsFormat};
use flinkspark_connector::flight::body::ReadCommand;
use flinkspark_model::{Error, Kind, Result};
use futures::TryStreamExt;
pub(super) use printer::Printer;
use serde_json::Value;

/// Prints the first rows, those of one partition after the other.
pub(super) async fn head(
    client: &Client,
    output: Format,
    reference: &str,
    rows: usize,
) -> Result<()> {
    render::text(&text(output, &first(client, reference, rows).await?)?)
}

/// The first rows, those of one partition after the other.
pub(crate) async fn first(
    client: &Client,
    reference: &str,
    rows: usize,
) -> Result<Vec<RecordBatch>> {
    let mut info = client
        .flight
        .info(&ReadCommand {
            dataset: reference.into(),
            limit: Some(rows as u64),
            ..ReadCommand::default()
        })
        .await?;
    let mut batches = vec![RecordBatch::new_empty(std::sync::Arc::clone(&info.schema))];
    let mut left = rows;
    for endpoint in std::mem::take(&mut info.endpoints) {
        if left == 0 {
            break;
        }
        info.endpoints = vec![endpoint];
        let mut stream = client.flight.get(&info);
        while let Some(batch) = stream.try_next().await?
            && left > 0
        {
            let batch = batch.slice(0, batch.num_rows().min(left));
            left -= batch.num_rows();
            batches.push(batch);
        }
    }
    Ok(batches)
}

/// Batches of one schema as text; none without any.
pub(crate) fn text(output: Format, batches: &[RecordBatch]) -> Result<String> {
    let Some(first) = batches.first() else {
        return Ok(String::new());
    };
    let mut printer = Printer::new(output, first.schema());
    Ok(printer.rows(batches)? + &printer.end()?)
}

/// Numbers and truth values as JSON has them, everything else as its text.
fn value(column: &ArrayFormatter<'_>, array: &dyn Array, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let text = column.value(row).try_to_string().map_err(failed)?;
    let kind = array.data_type();
    if kind.is_integer() || kind.is_floating() || *kind == arrow_schema::DataType::Boolean {
        // NaN and infinities have no JSON number and stay text.
        return Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)));
    }
    Ok(Value::String(text))
}

fn formatters(batch: &RecordBatch) -> Result<Vec<ArrayFormatter<'_>>> {
    let format = |array| ArrayFormatter::try_new(array, &OPTIONS);
    batch
        .columns()
        .iter()
        .map(|array| format(array.as_ref()))
        .collect::<std::result::Result<_, _>>()
        .map_err(failed)
}

static OPTIONS: FormatOptions<'static> = FormatOptions::new().with_null("NULL");

fn failed(cause: arrow_schema::ArrowError) -> Error {
    Error::new(Kind::Internal, "FS0008", "the result could not be printed").with_source(cause)
}

/// Milliseconds since the epoch as text; the least and the greatest time by name.
pub(crate) fn instant(ms: i64) -> String {
    match DateTime::from_timestamp_millis(ms) {
        _ if ms == i64::MAX => "end".into(),
        _ if ms == i64::MIN => "none".into(),
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => format!("{ms} ms"),
    }
}
