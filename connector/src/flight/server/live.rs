//! Actions for readers that live with a log: where it stands, what its slots did, tickets from positions.
//!
//! A waiter holds a place of [`limits::WAITERS_MAX`] and nothing else. Invariant: an answer says what is durable, and a
//! wait ends at its time at the latest, with what there is.

use super::{Components, read};
use crate::flight::body::{
    self, EpochSummary, EpochsAnswer, EpochsRequest, HeadAnswer, HeadRequest, ReadCommand,
    TicketAnswer,
};
use crate::flight::limits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkspark_model::access::Verb;
use flinkspark_model::log::{Commit, Replacement, Slot, SlotKind, SlotRecord, View};

use flinkspark_model::port;
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The places of those who wait.
static WAITERS: Semaphore = Semaphore::const_new(limits::WAITERS_MAX);

/// Action `head`.
pub(super) async fn head(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: HeadRequest = body::parse("body of head", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Read).await?;
    let log = components.open(&dataset).await?;
    let view = wait(components, &*log, request.after, request.wait_ms).await?;
    body::write(&HeadAnswer {
        head: view.head(),
        data_head: view.kinds().data_head(),
        watermark_ms: view.watermark_ms(),
        schema_version: view.schema_version(),
    })
}

/// Action `epochs`.
pub(super) async fn epochs(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: EpochsRequest = body::parse("body of epochs", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Read).await?;
    let log = components.open(&dataset).await?;
    let view = wait(components, &*log, request.after, request.wait_ms).await?;
    let limit = request.limit.unwrap_or(limits::EPOCHS_DEFAULT);
    let limit = limit.clamp(1, limits::EPOCHS_MAX);
    let (head, data_head) = (view.head(), view.kinds().data_head());
    drop(view);
    let last = head.min(request.after.saturating_add(limit));
    let mut epochs = Vec::new();
    for slot in request.after.saturating_add(1)..=last {
        epochs.push(summary(log.slot(slot).await?));
    }
    body::write(&EpochsAnswer {
        epochs,
        head,
        data_head,
    })
}

/// Action `ticket`.
pub(super) async fn ticket(components: &Components, json: &[u8]) -> Result<Bytes> {
    let command: ReadCommand = body::parse("body of ticket", json)?;
    let whole = || {
        Error::new(
            Kind::Invalid,
            "FS0447",
            "the range that was asked for cannot be read",
        )
        .with_detail("a ticket is of one partition, and the body of ticket names none")
        .with_hint("add \"partition\": 0, or call get_flight_info for all partitions")
    };
    let command = match command.partition {
        None => return Err(whole()),
        Some(_) => ReadCommand {
            splits: Some(body::Splits {
                by: body::SplitBy::Partition,
                ..body::Splits::default()
            })
            .filter(|_| !command.follow),
            ..command
        },
    };
    let planned = read::plan(components, command).await?;
    let endpoint = planned.endpoints.into_iter().next().ok_or_else(whole)?;
    let ticket = endpoint.ticket.unwrap_or_default().ticket;
    let expires_at_ms = endpoint.expiration_time.map_or(0, |at| {
        let ms = at.seconds.saturating_mul(1000) + i64::from(at.nanos) / 1_000_000;
        u64::try_from(ms).unwrap_or(0)
    });
    body::write(&TicketAnswer {
        ticket: STANDARD.encode(ticket),
        expires_at_ms,
        endpoint: body::parse("metadata of an endpoint", &endpoint.app_metadata)?,
    })
}

/// The view once its head is beyond a slot, or when the time is over or the server stops.
async fn wait(
    components: &Components,
    log: &dyn port::Dataset,
    after: SlotNo,
    wait_ms: u64,
) -> Result<Arc<View>> {
    let view = log.refresh().await?;
    if view.head() > after || wait_ms == 0 {
        return Ok(view);
    }
    drop(view);
    let _place = WAITERS.try_acquire().map_err(|_| crowded())?;
    let time = Duration::from_millis(wait_ms.min(limits::WAIT_MS_MAX));
    tokio::select! {
        view = log.beyond(after) => view,
        // Another process may have written meanwhile.
        () = tokio::time::sleep(time) => log.refresh().await,
        () = components.rests() => log.refresh().await,
    }
}

fn crowded() -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0450",
        "too many callers wait for slots",
    )
    .with_detail(format!(
        "{} wait, as many as may; nothing was waited for",
        limits::WAITERS_MAX
    ))
    .with_hint("ask again after a pause, with wait_ms 0, or follow the dataset with one DoGet")
}

/// What a slot did, without its segments.
fn summary(record: SlotRecord) -> EpochSummary {
    let kind = SlotKind::of(&record.body);
    let mut summary = EpochSummary::new(record.slot, kind, record.committed_at_ms);
    match record.body {
        Slot::Epoch(commit) => summarise(&mut summary, commit),
        Slot::Fence {
            writer, generation, ..
        } => {
            summary.writer = Some(writer);
            summary.generation = Some(generation);
        }
        Slot::Abort { writer, n, .. } => (summary.writer, summary.n) = (Some(writer), Some(n)),
        Slot::Schema { version, .. } => summary.schema_version = Some(version),
        Slot::Replace {
            first, last, with, ..
        } => {
            (summary.first, summary.last) = (Some(first), Some(last));
            match with {
                Replacement::Overwrite(commit) => summarise(&mut summary, commit),
                Replacement::Compaction { segments } => summary.segments = segments.len() as u64,
            }
        }
        Slot::Expire { through, .. } => summary.last = Some(through),
    }
    summary
}

fn summarise(summary: &mut EpochSummary, commit: Commit) {
    let segments = &commit.segments;
    let sum = |of: fn(&flinkspark_model::log::SegmentRef) -> u64| {
        segments.iter().map(of).fold(0, u64::saturating_add)
    };
    summary.rows = sum(|segment| segment.rows);
    summary.bytes = sum(|segment| segment.bytes);
    summary.segments = segments.len() as u64;
    let partitions: BTreeSet<u32> = segments.iter().map(|segment| segment.partition).collect();
    summary.partitions = partitions.into_iter().collect();
    summary.digest = Some(commit.digest());
    summary.schema_version = Some(commit.schema_version);
    summary.watermark_ms = commit.watermark_ms;
    summary.generation = Some(commit.generation);
    summary.n = Some(commit.n);
    summary.writer = Some(commit.writer);
    summary.checkpoint_ref = commit.checkpoint_ref;
}
