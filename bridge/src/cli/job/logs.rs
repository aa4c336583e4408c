//! `flinkspark job logs`: what became of a job.
//!
//! Invariant: each event is printed once, in the order in which it happened.

use super::of_wire;
use crate::cli::args::Format;
use crate::cli::render::{self, Listing};
use crate::cli::rows::instant;
use crate::client::{Client, answer};
use crate::exit;
use flinkspark_model::Result;
use flinkspark_proto::v1;
use serde_json::{Value, json};
use std::time::Duration;

/// How often a job that is followed is asked about.
const ASKED_EVERY: Duration = Duration::from_millis(500);

const COLUMNS: &[&str] = &[
    "at",
    "event",
    "checkpoint",
    "rows_in",
    "rows_out",
    "rows_late",
    "says",
];

/// Prints what is known; followed, what comes until the job has ended, too.
pub(super) async fn print(
    client: &mut Client,
    output: Format,
    id: String,
    follow: bool,
) -> Result<u8> {
    let mut after = None;
    loop {
        let request = v1::JobEventsRequest {
            id: id.clone(),
            after,
        };
        let answered = answer(client.jobs.events(request).await)?;
        let rows: Vec<Value> = answered.events.iter().map(describe).collect();
        if !follow {
            let mut listing = Listing::new(COLUMNS);
            rows.into_iter().for_each(|row| listing.push(row));
            return render::listing(output, &listing).map(|()| exit::OK);
        }
        rows.iter().try_for_each(|row| line(output, row))?;
        after = answered.events.last().map(|event| event.number).or(after);
        if answered.ended {
            return Ok(exit::OK);
        }
        tokio::time::sleep(ASKED_EVERY).await;
    }
}

/// One event as it comes: a document a line, or words.
fn line(output: Format, row: &Value) -> Result<()> {
    if output != Format::Table {
        return render::text(&format!("{row}\n"));
    }
    let text = |key: &str| match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".into(),
        Some(other) => other.to_string(),
    };
    let counts = ["checkpoint", "rows_in", "rows_out", "rows_late"];
    let counts = counts.map(|key| format!("{} {}", key.replace('_', " "), text(key)));
    let says = match text("says") {
        says if says == "-" => String::new(),
        says => format!(": {says}"),
    };
    let (at, event, counts) = (text("at"), text("event"), counts.join(", "));
    render::text(&format!("{at}  {event} ({counts}){says}\n"))
}

fn describe(event: &v1::JobEvent) -> Value {
    let time = |ms: u64| instant(i64::try_from(ms).unwrap_or(i64::MAX));
    let progress = event.progress.unwrap_or_default();
    let error = event.error.as_ref().map(of_wire);
    let code = error.as_ref().map(|error| error.code().to_owned());
    let retry = event.next_at_ms.map(|at_ms| {
        format!(
            "; it failed {} times in a row and is tried again at {}",
            event.tries,
            time(at_ms)
        )
    });
    let says = error.as_ref().map(|error| {
        let detail = error.detail().map(|detail| format!(": {detail}"));
        let (detail, retry) = (detail.unwrap_or_default(), retry.unwrap_or_default());
        format!("{}: {}{detail}{retry}", error.code(), error.message())
    });
    json!({
        "number": event.number,
        "at": time(event.at_ms),
        "event": event.event,
        "generation": event.generation,
        "checkpoint": progress.checkpoint,
        "rows_in": progress.rows_in,
        "rows_out": progress.rows_out,
        "rows_late": progress.late_rows,
        "code": code,
        "says": says,
    })
}
