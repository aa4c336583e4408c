//! Sends rows of one partition to a reader that may be slow.
//!
//! A reader that takes nothing holds a message or two, for which memory was admitted when it came: what was
//! read ahead for it is given up and read again when it goes on. Blocks are read in turns, as many at a time
//! as their memory admits. Invariant: rows are sent in stored order, none twice, those that the filter leaves, and the
//! metadata of each batch says where a reader that was cut off after it goes on.

use super::filtered::{Filtered, Piece, SILENT_ROWS_MAX};
use super::incoming::admit;
use super::{Answers, Components, selection};
use crate::fit;
use crate::flight::body::{self, BatchMetadata, Place};
use crate::flight::encode::{self, Encoder};
use crate::flight::limits;
use crate::flight::peer::Peer;
use crate::flight::ticket::Shape;
use crate::store::STORED_BATCH_BYTES_MAX;
use arrow_array::RecordBatch;
use arrow_flight::FlightData;
use bytes::Bytes;
use flinkspark_model::access::Verb;
use flinkspark_model::budget::{Reservation, Share};
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::log::{SegmentRef, View};
use flinkspark_model::port::{self, Extent, ReadOptions, Reference};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::to_status;
use futures::stream::{self, StreamExt};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, OwnedPermit};

/// How long a reader may take nothing before what was read ahead for it is given up.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// The same while others wait for their turn to read.
const STALL_CROWDED: Duration = Duration::from_millis(50);

/// Blocks of one segment that are there at once: one is read, one waits, one is sent.
const BLOCKS_AHEAD: u64 = 3;

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
pub(super) struct Part {
    pub(super) from: Position,
    pub(super) rows: u64,
    /// What one of its blocks takes, in bytes.
    block: u64,
}

impl Part {
    /// The rows of a segment from a position within it on.
    pub(super) fn of(from: Position, segment: &SegmentRef) -> Self {
        Self {
            from,
            rows: segment.rows - from.row.min(segment.rows),
            block: segment.bytes.min(STORED_BATCH_BYTES_MAX),
        }
    }

    /// Goes on behind so many rows.
    fn pass(&mut self, rows: u64) {
        self.from.row += rows;
        self.rows -= rows;
    }

    /// The first position behind the segment.
    pub(super) fn behind(&self) -> Position {
        Position {
            slot: self.from.slot,
            segment: self.from.segment.saturating_add(1),
            row: 0,
        }
    }
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

pub(super) type Message = std::result::Result<FlightData, tonic::Status>;

/// Sends the rows of one partition to one reader.
pub(super) struct Sender {
    held: Held,
    messages: mpsc::Sender<Message>,
    components: Components,
    pub(super) dataset: Arc<Dataset>,
    pub(super) log: Arc<dyn port::Dataset>,
    peer: Peer,
    filtered: Filtered,
    partition: u32,
    encoder: Encoder,
    /// Stored rows that the reader knows behind it.
    sent: u64,
    /// The first position behind what was read.
    position: Option<Position>,
}

/// The reader has gone.
pub(super) struct Gone;

impl Sender {
    /// A sender, the log as it is, and what the reader gets.
    ///
    /// Errors: `FS0421` where the dataset has another schema than the ticket's.
    pub(super) async fn open(
        components: &Components,
        dataset: DatasetId,
        partition: u32,
        shape: &Shape,
    ) -> Result<(Self, Arc<View>, Answers<FlightData>)> {
        components.mine(shape.principal.as_ref())?;
        let dataset = components
            .known(&Reference::Id(dataset), Verb::Read)
            .await?;
        let dataset = components.agreed(dataset).await?;
        if dataset.schema_version != shape.schema_version {
            return Err(stale(&dataset, "the dataset has a new schema".into()));
        }
        let log = components.open(&dataset).await?;
        let view = log.refresh().await?;
        let columns = shape.columns.as_deref();
        let peer = selection::peer(&dataset.schema, columns, shape.profile, shape.lossy)?;
        let filtered = Filtered::new(columns, shape.filter.as_ref(), &dataset.schema)?;
        components.unchanged(&dataset, &*log).await?;
        let held = Held::admit(&components.memory.gets).await?;
        let (messages, mut queue) = mpsc::channel(limits::GET_MESSAGES_QUEUED);
        let sender = Self {
            held,
            messages,
            components: components.clone(),
            dataset,
            log,
            peer,
            filtered,
            partition,
            encoder: Encoder::new(),
            sent: 0,
            position: None,
        };
        let answers = stream::poll_fn(move |context| queue.poll_recv(context)).boxed();
        Ok((sender, view, answers))
    }

    /// The first message.
    pub(super) async fn begin(&mut self) -> std::result::Result<(), Gone> {
        let schema = encode::schema(self.peer.schema(), None);
        self.message(schema).await
    }

    /// Ends after so many rows that match.
    pub(super) fn limit(&mut self, rows_max: Option<u64>) {
        self.filtered.limit = rows_max;
    }

    /// Whether as many rows were sent as there were to be at most.
    pub(super) fn is_done(&self) -> bool {
        self.filtered.limit == Some(0)
    }

    /// Says what was read and what was passed over, where there was a choice.
    pub(super) async fn finish(&mut self) -> Result<()> {
        if self.filtered.filter.is_some()
            && let Ok(permit) = self.messages.clone().reserve_owned().await
        {
            permit.send(Ok(self.silence(true)?));
        }
        Ok(())
    }

    /// A message of metadata alone.
    pub(super) async fn say(&mut self, metadata: Bytes) -> std::result::Result<(), Gone> {
        self.message(FlightData::new().with_app_metadata(metadata))
            .await
    }

    async fn message(&mut self, message: FlightData) -> std::result::Result<(), Gone> {
        self.messages.send(Ok(message)).await.map_err(|_| Gone)
    }

    /// The last message. The reader may be gone; then nobody is left to tell.
    pub(super) async fn fail(self, error: Error) {
        let _ = self.messages.send(Err(to_status(&error))).await;
    }

    /// Waits until the reader has gone.
    pub(super) async fn closed(&self) {
        self.messages.closed().await;
    }

    /// Sends the part's rows, as they are when slot `through` is the head.
    pub(super) async fn send(
        &mut self,
        mut part: Part,
        through: SlotNo,
    ) -> Result<std::result::Result<(), Gone>> {
        let reads = self.components.memory.reads.clone();
        while part.rows > 0 && !self.is_done() {
            // Alone it reads ahead; beside others it has one block at a time.
            let one = part.block * self.filtered.copies();
            let ahead = BLOCKS_AHEAD * one;
            let (turn, batches_max) = match reads.try_reserve(ahead) {
                Ok(turn) if !reads.is_waited_for() => (turn, usize::MAX),
                _ => tokio::select! {
                    turn = reads.reserve(one.min(reads.limit())) => (turn?, 1),
                    () = self.messages.closed() => return Ok(Err(Gone)),
                },
            };
            match self
                .send_turn(&mut part, through, turn, batches_max)
                .await?
            {
                Ended::Sent | Ended::Turn => {}
                Ended::Gone => return Ok(Err(Gone)),
                // Nothing is held while it waits; what comes next is read again.
                Ended::Stalled if self.messages.reserve().await.is_err() => return Ok(Err(Gone)),
                Ended::Stalled => {}
            }
        }
        Ok(Ok(()))
    }

    /// Sends rows of the part, and takes from it those that were sent. What is read is held in `turn`.
    async fn send_turn(
        &mut self,
        part: &mut Part,
        through: SlotNo,
        mut turn: Reservation,
        batches_max: usize,
    ) -> Result<Ended> {
        let options = ReadOptions {
            columns: self.filtered.columns.clone(),
            batch_rows_max: limits::GET_ROWS_MAX,
            batches_max,
            rows_max: part.rows,
            filter: self.filtered.filter.clone(),
        };
        let rows = self.log.read(self.partition, part.from, through, options);
        let mut rows = rows.await?;
        // It may be a while since the columns were looked up.
        self.components.unchanged(&self.dataset, &*self.log).await?;
        let mut batches = 0;
        while part.rows > 0 && !self.is_done() {
            let next = tokio::select! {
                next = rows.next() => next.transpose()?,
                () = self.messages.closed() => return Ok(Ended::Gone),
            };
            let Some(next) = next else {
                if batches == batches_max {
                    return Ok(Ended::Turn);
                }
                return Err(self.short(part));
            };
            batches += 1;
            // What one block could have taken is held until it is there: others may read what it does not take. A
            // block of a single large row is larger than others.
            let block = fit::bytes_of(&next.batch) * self.filtered.copies();
            turn.hold(match batches_max {
                1 => block,
                _ => turn.bytes().max(block),
            });
            // What a damaged segment lacks is not taken from the next one.
            if (next.next.slot, next.next.segment) != (part.from.slot, part.from.segment) {
                return Err(self.short(part));
            }
            self.count(part, next.read, next.skipped);
            let keep = usize::try_from(part.rows).unwrap_or(usize::MAX);
            let batch = next.batch.slice(0, next.batch.num_rows().min(keep));
            if let Some(ended) = self.send_batch(&batch, part).await? {
                return Ok(ended);
            }
            if self.components.memory.reads.is_waited_for() {
                return Ok(Ended::Turn);
            }
        }
        Ok(Ended::Sent)
    }

    /// Counts what was read, and takes from the part what was passed over unread.
    fn count(&mut self, part: &mut Part, read: Extent, skipped: Extent) {
        let rows = skipped.rows.min(part.rows);
        self.pass(part, rows);
        self.filtered.skipped += Extent { rows, ..skipped };
        let rows = read.rows.min(part.rows);
        self.filtered.read += Extent { rows, ..read };
    }

    /// Stored rows of the part that are behind the reader without a message.
    fn pass(&mut self, part: &mut Part, rows: u64) {
        part.pass(rows);
        self.position = Some(part.from);
        self.filtered.silent += rows;
    }

    /// Sends what matches of the part's rows in messages; says where that ended before all were sent.
    async fn send_batch(&mut self, batch: &RecordBatch, part: &mut Part) -> Result<Option<Ended>> {
        let pieces = self.filtered.pieces(batch, self.held.target).await?;
        if pieces.is_empty() {
            self.pass(part, batch.num_rows() as u64);
        }
        for piece in pieces {
            let permit = match self.permit().await {
                Ok(permit) => permit,
                Err(ended) => return Ok(Some(ended)),
            };
            self.pass(part, piece.stored);
            self.filtered.sent(piece.batch.num_rows());
            let rows = self.shape(&piece)?;
            permit.send(Ok(self.rows(&rows, false)?));
        }
        if self.filtered.silent >= SILENT_ROWS_MAX {
            match self.permit().await {
                Ok(permit) => drop(permit.send(Ok(self.silence(false)?))),
                Err(ended) => return Ok(Some(ended)),
            }
        }
        Ok(None)
    }

    /// Rows as a message, with what lies behind the reader after it; the last one says what was read and what was not.
    fn rows(&mut self, rows: &RecordBatch, last: bool) -> Result<FlightData> {
        let mut message = self.encoder.encode(rows)?;
        let rows = std::mem::take(&mut self.filtered.silent);
        self.sent += rows;
        message.app_metadata = body::write(&BatchMetadata {
            row: self.sent,
            rows,
            position: self.position.map(Place),
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
        let none = RecordBatch::new_empty(Arc::clone(self.peer.schema()));
        self.rows(&none, last)
    }

    /// The columns in the order that was asked for, cast to what the reader holds.
    fn shape(&self, piece: &Piece) -> Result<RecordBatch> {
        let Some(order) = &self.filtered.order else {
            return self.peer.take(&piece.batch);
        };
        let batch = piece.batch.project(order).map_err(|cause| {
            Error::new(Kind::Internal, "FS0499", "columns could not be chosen").with_source(cause)
        })?;
        self.peer.take(&batch)
    }

    /// Room for a message; else the reader takes nothing, or has gone.
    async fn permit(&self) -> std::result::Result<OwnedPermit<Message>, Ended> {
        let mut reserved = pin!(self.messages.clone().reserve_owned());
        let since = tokio::time::Instant::now();
        while since.elapsed() < STALL {
            if let Ok(permit) = tokio::time::timeout(STALL_CROWDED, &mut reserved).await {
                return permit.map_err(|_| Ended::Gone);
            }
            if self.components.memory.reads.is_waited_for() {
                break;
            }
        }
        Err(Ended::Stalled)
    }

    fn short(&self, part: &Part) -> Error {
        Error::new(
            Kind::Data,
            "FS0419",
            format!(
                "segment {} of slot {} holds fewer rows than its slot says",
                part.from.segment, part.from.slot
            ),
        )
        .with_detail(format!(
            "{} rows of partition {} are missing from position {} on (dataset {})",
            part.rows, self.partition, part.from, self.dataset.name
        ))
        .with_hint("run `flinkspark dataset verify NAME`")
    }
}

/// The ticket's rows are not what they were.
pub(super) fn stale(dataset: &Dataset, why: String) -> Error {
    Error::new(
        Kind::Conflict,
        "FS0421",
        "the ticket's rows are not there any more",
    )
    .with_detail(format!("{why} (dataset {})", dataset.name))
    .with_hint(
        "call get_flight_info again, and go on from the last position or read from the beginning",
    )
}
