//! `DoGet`: the rows of one ticket.
//!
//! A reader that takes nothing holds a message or two, for which memory was admitted when it came: what was
//! read ahead for it is given up and read again when it goes on. Blocks are read in turns, as many at a time
//! as their memory admits. Invariant: a stream that ends without an error carried exactly the ticket's rows, in stored
//! order, those that its filter leaves; the metadata of each batch counts stored rows, so a reader that was cut off
//! knows where to go on.

mod filtered;

use self::filtered::{Filtered, SILENT_ROWS_MAX};
use super::incoming::admit;
use super::{Answers, Components, read};
use crate::fit;
use crate::flight::body::{self, BatchMetadata};
use crate::flight::encode::{self, Encoder};
use crate::flight::ticket::{Signed, Ticket};
use crate::flight::{limits, wire};
use crate::store::STORED_BATCH_BYTES_MAX;
use arrow_array::RecordBatch;
use arrow_flight::FlightData;
use arrow_schema::SchemaRef;
use flinkspark_model::budget::{Reservation, Share};
use flinkspark_model::dataset::Dataset;
use flinkspark_model::log::View;
use flinkspark_model::port::{self, Extent, ReadOptions, Reference};
use flinkspark_model::position::Position;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::to_status;
use futures::stream::{self, StreamExt};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, OwnedPermit};

/// How long a reader may take nothing before what was read ahead for it is given up.
const STALL: Duration = Duration::from_secs(1);

/// The same while others wait for their turn to read.
const STALL_CROWDED: Duration = Duration::from_millis(50);

/// Blocks of one segment that are there at once: one is read, one waits, one is sent.
const BLOCKS_AHEAD: u64 = 3;

/// `DoGet`.
pub(in crate::flight) async fn get(
    components: &Components,
    ticket: &[u8],
) -> Result<Answers<FlightData>> {
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
    let parts = parts(&view, &dataset, &ticket)?;
    let columns = ticket.columns.as_deref();
    let schema = read::result_schema(&dataset.schema, columns, ticket.profile, ticket.lossy)?;
    let filtered = Filtered::new(columns, ticket.filter.as_ref(), &dataset.schema)?;
    components.unchanged(&dataset, &*log).await?;
    let held = Held::admit(&components.memory.gets).await?;
    let (messages, mut queue) = mpsc::channel(limits::GET_MESSAGES_QUEUED);
    let mut sender = Sender {
        held,
        messages,
        components: components.clone(),
        dataset,
        log,
        schema,
        filtered,
        ticket,
        encoder: Encoder::new(),
        sent: 0,
    };
    tokio::spawn(async move {
        if let Err(error) = sender.send(parts).await {
            // The reader may be gone; then nobody is left to tell.
            let _ = sender.messages.send(Err(to_status(&error))).await;
        }
    });
    Ok(stream::poll_fn(move |context| queue.poll_recv(context)).boxed())
}

/// The messages that a reader has not taken.
pub(super) struct Held {
    memory: Reservation,
    /// What a message stays below unless a single row is larger, in bytes.
    target: usize,
}

impl Held {
    /// Large messages while few read, small ones beside many.
    pub(super) async fn admit(gets: &Share) -> Result<Self> {
        let of = |target: usize| (limits::GET_MESSAGES_QUEUED as u64 + 1) * target as u64;
        let large = of(limits::GET_BYTES_TARGET);
        if gets.used().saturating_add(large) <= gets.limit() / 4
            && let Ok(memory) = gets.try_reserve(large)
        {
            let target = limits::GET_BYTES_TARGET;
            return Ok(Self { memory, target });
        }
        let target = limits::GET_BYTES_TARGET_CROWDED;
        let memory = admit(gets, of(target)).await?;
        Ok(Self { memory, target })
    }

    /// What a message stays below unless a single row is larger, in bytes.
    pub(super) fn target(&self) -> usize {
        self.target
    }

    /// Holds what messages of this size take, where a single row makes one that large.
    pub(super) fn fit(&mut self, bytes: usize) {
        let largest = self.target.max(bytes) as u64;
        self.memory
            .hold(largest + limits::GET_MESSAGES_QUEUED as u64 * self.target as u64);
    }
}

/// Rows of one segment that are to be sent.
struct Part {
    partition: u32,
    from: Position,
    rows: u64,
    /// What one of its blocks takes, in bytes.
    block: u64,
}

impl Part {
    /// Takes stored rows from its beginning.
    fn pass(&mut self, rows: u64) {
        self.from.row += rows;
        self.rows -= rows;
    }
}

/// The ticket's segments, as long as the log holds them, without the rows that are not wanted.
fn parts(view: &View, dataset: &Dataset, ticket: &Ticket) -> Result<Vec<Part>> {
    let (mut skip, mut left) = (ticket.first_row, ticket.rows);
    let mut parts = Vec::with_capacity(1 + ticket.more.len());
    let first = (ticket.slot, ticket.segment);
    for (slot, index) in [first].iter().chain(&ticket.more).copied() {
        let expired = || stale(dataset, ticket, format!("slot {slot} has expired"));
        let held = (slot > view.horizon()).then(|| view.as_of(slot, slot));
        let epoch = held.as_ref().and_then(|epochs| epochs.first());
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let segment = epoch.and_then(|epoch| epoch.segments.get(at));
        let segment = segment.ok_or_else(expired)?;
        if (slot, index) == first && segment.name != ticket.name {
            return Err(expired());
        }
        let row = skip.min(segment.rows);
        let rows = left.min(segment.rows - row);
        (skip, left) = (skip - row, left - rows);
        let partition = segment.partition;
        let block = segment.bytes.min(STORED_BATCH_BYTES_MAX);
        let from = Position {
            slot,
            segment: index,
            row,
        };
        parts.push(Part {
            partition,
            from,
            rows,
            block,
        });
    }
    if left > 0 {
        let why = format!("its segments have {left} rows less than it names");
        return Err(stale(dataset, ticket, why));
    }
    Ok(parts)
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

/// How sending a part of the rows ended.
enum Ended {
    Sent,
    /// The reader takes nothing for now.
    Stalled,
    /// Others wait for their turn.
    Turn,
    /// The reader has gone.
    Gone,
}

/// The reader takes nothing.
struct Stalled;

pub(super) type Message = std::result::Result<FlightData, tonic::Status>;

struct Sender {
    held: Held,
    messages: mpsc::Sender<Message>,
    components: Components,
    dataset: Arc<Dataset>,
    log: Arc<dyn port::Dataset>,
    schema: SchemaRef,
    filtered: Filtered,
    ticket: Ticket,
    encoder: Encoder,
    /// Of the ticket's rows.
    sent: u64,
}

impl Sender {
    async fn send(&mut self, parts: Vec<Part>) -> Result<()> {
        let schema = encode::schema(&self.schema, None);
        if self.messages.send(Ok(schema)).await.is_err() {
            return Ok(());
        }
        let reads = self.components.memory.reads.clone();
        for mut part in parts {
            while part.rows > 0 {
                // Alone it reads ahead; beside others it has one block at a time.
                let one = part.block * self.filtered.copies();
                let ahead = BLOCKS_AHEAD * one;
                let (turn, batches_max) = match reads.try_reserve(ahead) {
                    Ok(turn) if !reads.is_waited_for() => (turn, usize::MAX),
                    _ => tokio::select! {
                        turn = reads.reserve(one.min(reads.limit())) => (turn?, 1),
                        () = self.messages.closed() => return Ok(()),
                    },
                };
                match self.send_part(&mut part, turn, batches_max).await? {
                    Ended::Sent | Ended::Turn => {}
                    Ended::Gone => return Ok(()),
                    // Nothing is held while it waits; what comes next is read again.
                    Ended::Stalled if self.messages.reserve().await.is_err() => return Ok(()),
                    Ended::Stalled => {}
                }
            }
        }
        if self.filtered.filter.is_some()
            && let Ok(permit) = self.messages.clone().reserve_owned().await
        {
            permit.send(Ok(self.silence(true)?));
        }
        Ok(())
    }

    /// Sends rows of the part, and takes from it those that were sent. What is read is held in `turn`.
    async fn send_part(
        &mut self,
        part: &mut Part,
        mut turn: Reservation,
        batches_max: usize,
    ) -> Result<Ended> {
        let options = ReadOptions {
            columns: self.filtered.columns.clone(),
            batch_rows_max: limits::GET_ROWS_MAX,
            batches_max,
            filter: self.filtered.filter.clone(),
        };
        let rows = self
            .log
            .read(part.partition, part.from, part.from.slot, options);
        let mut rows = rows.await?;
        // It may be a while since the columns were looked up.
        self.components.unchanged(&self.dataset, &*self.log).await?;
        let mut batches = 0;
        while part.rows > 0 {
            let next = tokio::select! {
                next = rows.next() => next.transpose()?,
                () = self.messages.closed() => return Ok(Ended::Gone),
            };
            let Some(next) = next else {
                if batches == batches_max {
                    return Ok(Ended::Turn);
                }
                return Err(self.short(self.ticket.rows - self.sent - self.filtered.silent));
            };
            batches += 1;
            // What one block could have taken is held until it is there: others may read what it does not take. A
            // block of a single large row is larger than others.
            let block = fit::bytes_of(&next.batch) * self.filtered.copies();
            turn.hold(match batches_max {
                1 => block,
                _ => turn.bytes().max(block),
            });
            self.count(part, next.read, next.skipped);
            // The partition may go on beyond the segment that the ticket names.
            let keep = usize::try_from(part.rows).unwrap_or(usize::MAX);
            let batch = next.batch.slice(0, next.batch.num_rows().min(keep));
            let pieces = self.filtered.pieces(&batch, self.held.target).await?;
            if pieces.is_empty() {
                part.pass(batch.num_rows() as u64);
                self.filtered.silent += batch.num_rows() as u64;
            }
            for piece in pieces {
                let permit = match self.permit().await {
                    Ok(Some(permit)) => permit,
                    Ok(None) => return Ok(Ended::Gone),
                    Err(Stalled) => return Ok(Ended::Stalled),
                };
                part.pass(piece.stored);
                let rows = shape(&piece.batch, &self.filtered.order, &self.schema)?;
                permit.send(Ok(self.message(&rows, piece.stored, false)?));
            }
            if self.filtered.silent >= SILENT_ROWS_MAX {
                match self.permit().await {
                    Ok(Some(permit)) => drop(permit.send(Ok(self.silence(false)?))),
                    Ok(None) => return Ok(Ended::Gone),
                    Err(Stalled) => return Ok(Ended::Stalled),
                }
            }
            if self.components.memory.reads.is_waited_for() {
                return Ok(Ended::Turn);
            }
        }
        Ok(Ended::Sent)
    }

    /// Counts what was read, and takes what was passed over unread from the part, as far as it is the part's.
    fn count(&mut self, part: &mut Part, read: Extent, skipped: Extent) {
        let rows = skipped.rows.min(part.rows);
        part.pass(rows);
        self.filtered.silent += rows;
        self.filtered.skipped += Extent { rows, ..skipped };
        let rows = read.rows.min(part.rows);
        self.filtered.read += Extent { rows, ..read };
    }

    /// Rows as a message that consumes so many stored ones; the last one says what was read and what was not.
    fn message(&mut self, rows: &RecordBatch, stored: u64, last: bool) -> Result<FlightData> {
        let mut message = self.encoder.encode(rows)?;
        let rows = stored + std::mem::take(&mut self.filtered.silent);
        self.sent += rows;
        message.app_metadata = body::write(&BatchMetadata {
            row: self.ticket.first_row + self.sent,
            rows,
            rows_late: None,
            read: last.then_some(self.filtered.read),
            skipped: last.then_some(self.filtered.skipped),
        })?;
        self.held
            .fit(message.data_header.len() + message.data_body.len());
        Ok(message)
    }

    /// A message without rows: an empty batch, because some clients take one without data for the end.
    fn silence(&mut self, last: bool) -> Result<FlightData> {
        let none = RecordBatch::new_empty(Arc::clone(&self.schema));
        self.message(&none, 0, last)
    }

    /// Room for a message; none where the reader has gone.
    async fn permit(&self) -> std::result::Result<Option<OwnedPermit<Message>>, Stalled> {
        let mut reserved = pin!(self.messages.clone().reserve_owned());
        let since = tokio::time::Instant::now();
        while since.elapsed() < STALL {
            if let Ok(permit) = tokio::time::timeout(STALL_CROWDED, &mut reserved).await {
                return Ok(permit.ok());
            }
            if self.components.memory.reads.is_waited_for() {
                break;
            }
        }
        Err(Stalled)
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

/// The columns in the order that was asked for, cast to what the reader holds.
fn shape(
    batch: &RecordBatch,
    order: &Option<Vec<usize>>,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let Some(order) = order else {
        return wire::conform(batch, schema);
    };
    let batch = batch.project(order).map_err(|cause| {
        Error::new(Kind::Internal, "FS0499", "columns could not be chosen").with_source(cause)
    })?;
    wire::conform(&batch, schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::tests::fake::Damage;
    use crate::flight::tests::{bridge, rows, whole};
    use futures::{FutureExt, TryStreamExt};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn a_reader_that_takes_nothing_holds_little_and_is_read_for_again() {
        static READS: AtomicU64 = AtomicU64::new(0);
        let bridge = bridge().await;
        bridge
            .fake
            .dataset_named("slow", crate::flight::tests::schema())
            .await;
        bridge.commit("slow", &[rows(0, 200_000)]).await;
        let info = bridge.client.info(&whole("slow")).await.unwrap();
        *bridge.fake.damage.lock().unwrap() = Some(Damage::Counted(&READS));
        let ticket = &info.endpoints[0].ticket;
        let mut answers = get(&bridge.components, ticket).await.unwrap();
        tokio::time::sleep(STALL + STALL / 2).await;
        assert_eq!(READS.load(Ordering::SeqCst), 1);
        let mut messages = Vec::new();
        while let Some(Some(message)) = answers.next().now_or_never() {
            messages.push(message.unwrap());
        }
        let held = messages.len();
        assert_eq!(held, limits::GET_MESSAGES_QUEUED, "messages wait for it");
        messages.extend(answers.try_collect::<Vec<_>>().await.unwrap());
        assert_eq!(READS.load(Ordering::SeqCst), 2, "it was given up once");
        let largest = messages.iter().map(|message| message.data_body.len()).max();
        let two = largest.map(|bytes| 2 * bytes).unwrap();
        assert!(
            messages.len() > 10 && two <= 1 << 20,
            "two have {two} bytes"
        );
    }
}
