//! `DoGet`: the rows of one ticket.
//!
//! Invariant: a stream that ends without an error carried exactly the ticket's rows, in stored
//! order; the metadata of each batch counts stored rows, so a reader that was cut off knows where
//! to go on.

use super::{Answers, Components, read};
use crate::flight::body::{self, BatchMetadata};
use crate::flight::encode::{self, Encoder};
use crate::flight::ticket::Ticket;
use crate::flight::{limits, wire};
use arrow_array::RecordBatch;
use arrow_flight::FlightData;
use arrow_schema::SchemaRef;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::log::{LiveEpoch, SegmentRef};
use flinkspark_model::port::{BatchStream, ReadOptions, Reference};
use flinkspark_model::position::Position;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::to_status;
use futures::stream::{self, StreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;

/// `DoGet`.
pub(super) async fn get(components: &Components, ticket: &[u8]) -> Result<Answers<FlightData>> {
    let ticket = Ticket::redeem(ticket, &components.key, components.clock.now_ms())?;
    let reference = Reference::Id(ticket.dataset);
    let dataset = components.catalog.lookup(&reference).await?;
    let dataset = components.agreed(dataset).await?;
    if dataset.schema_version != ticket.schema_version {
        return Err(stale(
            &dataset,
            &ticket,
            "the dataset has a new schema".into(),
        ));
    }
    let log = components.open(&dataset).await?;
    let view = log.refresh().await?;
    let held = (ticket.slot > view.horizon()).then(|| view.as_of(ticket.slot, ticket.slot));
    let epoch = held.as_ref().and_then(|epochs| epochs.first());
    let partition = segment(epoch, &dataset, &ticket)?.partition;
    let columns = ticket.columns.as_deref();
    let schema = read::result_schema(&dataset.schema, columns, ticket.profile, ticket.lossy)?;
    let from = Position {
        slot: ticket.slot,
        segment: ticket.segment,
        row: ticket.first_row,
    };
    let (columns, order) = sorted(ticket.columns.as_deref());
    let options = ReadOptions {
        columns,
        batch_rows_max: limits::GET_ROWS_MAX,
    };
    let rows = log.read(partition, from, ticket.slot, options).await?;
    components.unchanged(&dataset, &*log).await?;
    let (messages, mut queue) = mpsc::channel(limits::GET_MESSAGES_QUEUED);
    tokio::spawn(async move {
        let mut sender = Sender {
            messages,
            schema,
            order,
            ticket,
            encoder: Encoder::new(),
        };
        if let Err(error) = sender.send(rows).await {
            // The reader may be gone; then nobody is left to tell.
            let _ = sender.messages.send(Err(to_status(&error))).await;
        }
    });
    Ok(stream::poll_fn(move |context| queue.poll_recv(context)).boxed())
}

/// The segment that the ticket names, as long as the log holds it.
fn segment<'a>(
    epoch: Option<&'a Arc<LiveEpoch>>,
    dataset: &Dataset,
    ticket: &Ticket,
) -> Result<&'a SegmentRef> {
    let index = usize::try_from(ticket.segment).unwrap_or(usize::MAX);
    let segment = epoch
        .and_then(|epoch| epoch.segments.get(index))
        .filter(|segment| segment.name == ticket.name);
    let Some(segment) = segment else {
        return Err(stale(dataset, ticket, "its slot has expired".into()));
    };
    let end = ticket.first_row.checked_add(ticket.rows);
    if end.is_none_or(|end| end > segment.rows) {
        return Err(stale(
            dataset,
            ticket,
            format!("the segment has {} rows", segment.rows),
        ));
    }
    Ok(segment)
}

fn stale(dataset: &Dataset, ticket: &Ticket, why: String) -> Error {
    Error::new(
        Kind::Conflict,
        "FS0421",
        format!(
            "segment {} of slot {} is no longer there",
            ticket.segment, ticket.slot
        ),
    )
    .with_detail(format!("{why} (dataset {})", dataset.name))
    .with_hint("call get_flight_info again and read from the beginning of what it returns")
}

/// Columns in schema order for the store, and where each stands in the order that was asked for.
fn sorted(columns: Option<&[usize]>) -> (Option<Vec<usize>>, Option<Vec<usize>>) {
    let Some(columns) = columns else {
        return (None, None);
    };
    let mut sorted = columns.to_vec();
    sorted.sort_unstable();
    let order = columns
        .iter()
        .map(|column| sorted.partition_point(|other| other < column))
        .collect();
    (Some(sorted), Some(order))
}

struct Sender {
    messages: mpsc::Sender<Result<FlightData, tonic::Status>>,
    schema: SchemaRef,
    order: Option<Vec<usize>>,
    ticket: Ticket,
    encoder: Encoder,
}

impl Sender {
    async fn send(&mut self, mut rows: BatchStream) -> Result<()> {
        if !self.push(encode::schema(&self.schema, None)).await {
            return Ok(());
        }
        let mut left = self.ticket.rows;
        while left > 0 {
            let Some(next) = rows.next().await.transpose()? else {
                return Err(self.short(left));
            };
            // The partition may go on beyond the segment that the ticket names.
            let keep = next
                .batch
                .num_rows()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let batch = self.shape(&next.batch.slice(0, keep))?;
            for piece in encode::pieces(&batch) {
                left -= piece.num_rows() as u64;
                let mut message = self.encoder.encode(&piece)?;
                let row = self.ticket.first_row + self.ticket.rows - left;
                message.app_metadata = body::write(&BatchMetadata {
                    row,
                    rows: piece.num_rows() as u64,
                })?;
                if !self.push(message).await {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The columns in the order that was asked for, cast to what the reader holds.
    fn shape(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match &self.order {
            None => wire::conform(batch, &self.schema),
            Some(order) => {
                let batch = batch.project(order).map_err(|cause| {
                    Error::new(Kind::Internal, "FS0499", "columns could not be chosen")
                        .with_source(cause)
                })?;
                wire::conform(&batch, &self.schema)
            }
        }
    }

    /// False when the reader has gone away.
    async fn push(&self, message: FlightData) -> bool {
        self.messages.send(Ok(message)).await.is_ok()
    }

    fn short(&self, left: u64) -> Error {
        Error::new(
            Kind::Data,
            "FS0419",
            format!(
                "segment \"{}\" holds fewer rows than its slot says",
                self.ticket.name
            ),
        )
        .with_detail(format!(
            "{left} of {} rows are missing (slot {})",
            self.ticket.rows, self.ticket.slot
        ))
        .with_hint("run `flinkspark dataset verify NAME`")
    }
}
