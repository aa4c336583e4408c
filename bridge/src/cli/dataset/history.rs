//! What has happened to datasets: epochs, lineage, and the catalogue's change feed.
//!
//! Invariant: what was dropped keeps its place in a history, by its id.

use super::describe::record;
use crate::cli::args::Format;
use crate::cli::render::{self, Listing};
use crate::cli::rows;
use crate::client::{Client, answer, look_up};
use flinkspark_model::port::{ChangeEvent, EventKind, Reference};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use flinkspark_proto::v1;
use serde_json::{Value, json};

pub(super) async fn epochs(
    client: &mut Client,
    output: Format,
    reference: &str,
    after: u64,
) -> Result<()> {
    let mut listing = Listing::new(&[
        "slot",
        "writer",
        "generation",
        "n",
        "rows",
        "watermark",
        "committed_at",
    ]);
    let reference = v1::Reference::from(&reference.parse::<Reference>()?);
    let mut after_slot = after;
    loop {
        let request = v1::EpochsRequest {
            reference: Some(reference.clone()),
            after_slot,
            limit: 0,
        };
        let page = answer(client.catalog.epochs(request).await)?;
        for epoch in page.epochs {
            listing.push(json!({
                "slot": epoch.slot, "writer": epoch.writer, "generation": epoch.generation, "n": epoch.n, "run": epoch.run,
                "rows": epoch.segments.iter().map(|segment| segment.rows).sum::<u64>(),
                "bytes": epoch.segments.iter().map(|segment| segment.bytes).sum::<u64>(),
                "segments": epoch.segments.len(),
                "source_offsets": epoch.source_offsets,
                "watermark_ms": epoch.watermark_ms,
                "watermark": epoch.watermark_ms.map(rows::instant),
                "checkpoint_ref": epoch.checkpoint_ref,
                "committed_at": rows::instant(i64::try_from(epoch.committed_at_ms).unwrap_or(i64::MAX)),
            }));
        }
        match page.next_after_slot {
            Some(next) => after_slot = next,
            None => return render::listing(output, &listing),
        }
    }
}

pub(super) async fn lineage(client: &mut Client, output: Format, reference: &str) -> Result<()> {
    let mut listing = Listing::new(&["from", "from_slots", "to", "to_slots", "run"]);
    let reference = v1::Reference::from(&reference.parse::<Reference>()?);
    let found = answer(
        client
            .catalog
            .lineage(v1::LineageRequest {
                reference: Some(reference),
            })
            .await,
    )?;
    let slots = |range: &v1::SlotRange| format!("{}-{}", range.first, range.last);
    for edge in found.edges {
        let (from, to) = (edge.from.unwrap_or_default(), edge.to.unwrap_or_default());
        listing.push(json!({
            "from": name(client, &from.dataset_id).await, "from_id": from.dataset_id, "from_slots": slots(&from),
            "to": name(client, &to.dataset_id).await, "to_id": to.dataset_id, "to_slots": slots(&to), "run": edge.run,
        }));
    }
    render::listing(output, &listing)
}

/// A dataset's name; its id once it was dropped, for its lineage stays.
async fn name(client: &mut Client, id: &str) -> String {
    let view = look_up(client, id).await;
    view.ok()
        .and_then(|view| view.dataset)
        .map_or_else(|| id.into(), |dataset| dataset.name)
}

pub(super) async fn watch(
    client: &mut Client,
    output: Format,
    since: u64,
    limit: Option<u64>,
) -> Result<()> {
    let mut events = answer(client.catalog.watch(v1::WatchRequest { since }).await)?;
    let mut left = limit.unwrap_or(u64::MAX);
    while left > 0 {
        let event = events
            .message()
            .await
            .map_err(|status| from_status(&status))?;
        let Some(event) = event else {
            return Err(Error::new(
                Kind::Unavailable,
                "FS0014",
                "the bridge closed the change feed",
            )
            .with_hint("run the command again with --since and the last sequence number"));
        };
        let event = ChangeEvent::try_from(event)?;
        let line = change(&event);
        match output {
            Format::Table => render::text(&format!("{}  {}\n", event.sequence, text(&line)))?,
            Format::Json | Format::Jsonl => render::text(&format!("{line}\n"))?,
        }
        left -= 1;
    }
    Ok(())
}

fn change(event: &ChangeEvent) -> Value {
    let mut line = match &event.kind {
        EventKind::Put(dataset) => json!({"change": "put", "dataset": record(dataset)}),
        EventKind::Dropped { id, name } => {
            json!({"change": "dropped", "id": id.to_string(), "name": name.to_string()})
        }
        EventKind::Advanced {
            id,
            head,
            rows,
            watermark_ms,
        } => {
            json!({"change": "advanced", "id": id.to_string(), "slot": head, "rows": rows, "watermark_ms": watermark_ms})
        }
        EventKind::Edge(edge) => {
            json!({"change": "edge", "from": edge.from, "to": edge.to, "run": edge.run})
        }
    };
    if let Value::Object(fields) = &mut line {
        fields.insert("sequence".into(), event.sequence.into());
        fields.insert("at_ms".into(), event.at_ms.into());
    }
    line
}

fn text(line: &Value) -> String {
    let Value::Object(fields) = line else {
        return line.to_string();
    };
    let shown = fields.iter().filter(|(key, _)| *key != "sequence");
    shown
        .map(|(key, value)| {
            format!(
                "{key}={}",
                value.as_str().map_or_else(|| value.to_string(), Into::into)
            )
        })
        .collect::<Vec<_>>()
        .join(" ")
}
