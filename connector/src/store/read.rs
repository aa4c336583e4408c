//! Streams the rows of one partition in log order, in bounded memory.
//!
//! Invariant: each batch carries the position after its last row, so that a reader who stops there
//! and begins again there sees every row exactly once; what a filter lets pass over cannot match it.

use super::blocking::blocking;
use super::log::Driver;
use super::names;
use super::segment::{SegmentFile, check_digest, missing, read_bytes};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::digest::Digest;
use flinkspark_model::filter::Bound;
use flinkspark_model::log::{SegmentFormat, SegmentRef, View};
use flinkspark_model::port::{BatchStream, Extent, PositionedBatch, ReadOptions};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use futures::stream;
use std::mem::take;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Batches that are read ahead of the consumer, for each stream.
const BATCHES_AHEAD_MAX: usize = 1;

/// Segments that are looked up in the log at once: a reader of a long range holds no list of it.
const PIECES_AT_ONCE: usize = 64;

/// What to read.
pub(super) struct Request {
    pub(super) partition: u32,
    pub(super) from: Position,
    pub(super) through: SlotNo,
    pub(super) options: ReadOptions,
    /// The schema in force.
    pub(super) schema: SchemaRef,
}

/// One segment on the way.
struct Piece {
    slot: SlotNo,
    index: u32,
    segment: SegmentRef,
    /// Stored rows to pass over.
    skip: u64,
}

impl Piece {
    fn at(&self, row: u64) -> Position {
        Position {
            slot: self.slot,
            segment: self.index,
            row,
        }
    }
}

/// Streams a partition's rows.
pub(super) fn partition(driver: Arc<Driver>, view: &View, request: Request) -> Result<BatchStream> {
    check(&driver, view, &request)?;
    let output = project(&request)?;
    let most = Most {
        batch_rows: request.options.batch_rows_max.max(1),
        batches: request.options.batches_max,
        rows: request.options.rows_max,
    };
    let wanted = Wanted::new(output, &request);
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD_MAX);
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = send_pieces(&driver, &request, &wanted, most, &sender) => ended,
            // The consumer has gone: a block that is being read is read to its end and dropped.
            () = sender.closed() => return,
        };
        // Where the consumer has gone nobody is left to tell.
        let _gone = sender.send(ended.map(|()| None)).await;
    });
    Ok(Box::pin(stream::try_unfold(
        receiver,
        |mut receiver| async {
            match receiver.recv().await {
                Some(Ok(Some(batch))) => Ok(Some((batch, receiver))),
                Some(Ok(None)) => Ok(None),
                Some(Err(cause)) => Err(cause),
                // Only a reader that died says nothing of its end: the rows after it are not read.
                None => Err(died()),
            }
        },
    )))
}

fn died() -> Error {
    Error::new(
        Kind::Internal,
        "FS1029",
        "the reader of a partition died before its end",
    )
    .with_detail("the server's log has the panic")
    .with_hint("report it; reading again begins where the last batch ended")
}

fn check(driver: &Driver, view: &View, request: &Request) -> Result<()> {
    let (from, horizon) = (request.from, view.horizon());
    if horizon > 0 && from.slot <= horizon {
        return Err(Error::new(
            Kind::Data,
            "FS1010",
            format!("position {from} lies below the log's horizon"),
        )
        .with_detail(format!(
            "dataset {}: slots up to {horizon} have expired",
            driver.id()
        ))
        .with_hint(format!(
            "read from slot {} on, knowing that earlier rows are gone",
            horizon + 1
        )));
    }
    if request.through > view.head() {
        return Err(Error::new(
            Kind::NotFound,
            "FS1011",
            format!("there is no slot {}", request.through),
        )
        .with_detail(format!(
            "dataset {} has slots 1 to {}",
            driver.id(),
            view.head()
        ))
        .with_hint("`flinkspark dataset epochs NAME` lists them"));
    }
    Ok(())
}

/// Rows that were taken out, and whose grace has passed.
fn taken_out(driver: &Driver, segment: &SegmentRef) -> Error {
    Error::new(
        Kind::Conflict,
        "FS0443",
        "the rows were overwritten and are not kept any more",
    )
    .with_detail(format!(
        "dataset {}: segment {} with {} rows of partition {} was deleted after its grace",
        driver.id(),
        segment.name,
        segment.rows,
        segment.partition
    ))
    .with_hint("read the dataset as it is now")
}

fn project(request: &Request) -> Result<SchemaRef> {
    let Some(columns) = &request.options.columns else {
        return Ok(Arc::clone(&request.schema));
    };
    request
        .schema
        .project(columns)
        .map(Arc::new)
        .map_err(|cause| {
            Error::new(
                Kind::Invalid,
                "FS1027",
                "a column that was asked for does not exist",
            )
            .with_source(cause)
            .with_hint("`flinkspark dataset show NAME` prints the columns")
        })
}

/// The next segments from a position on.
fn pieces(view: &View, request: &Request, from: Position) -> Vec<Piece> {
    view.segments_as_of(request.partition, from, request.through)
        .take(PIECES_AT_ONCE)
        .map(|(at, segment)| Piece {
            slot: at.slot,
            index: at.segment,
            segment: segment.clone(),
            skip: at.row,
        })
        .collect()
}

async fn open(
    driver: &Driver,
    segment: &SegmentRef,
    output: Option<SchemaRef>,
) -> Result<SegmentFile> {
    open_knowing(driver, segment, output, Arc::default()).await
}

/// The same, with what the segment knows of these columns.
async fn open_knowing(
    driver: &Driver,
    segment: &SegmentRef,
    output: Option<SchemaRef>,
    columns: Arc<[String]>,
) -> Result<SegmentFile> {
    let key = names::segment_key(driver.root(), segment)?;
    let opened = driver.shared().store.open(&key).await?;
    let opened = opened.ok_or_else(|| {
        if driver.view().is_retired(&segment.name) {
            taken_out(driver, segment)
        } else {
            missing(driver.id(), segment)
        }
    })?;
    let (log, segment) = (driver.id(), segment.clone());
    blocking(move || SegmentFile::open_knowing(log, segment, opened, output, &columns)).await
}

/// The schema that a segment's rows were stored at.
pub(super) async fn stored_schema(driver: &Driver, segment: &SegmentRef) -> Result<SchemaRef> {
    let file = open(driver, segment, None).await?;
    Ok(Arc::clone(file.schema()))
}

/// A segment's digest at a schema that came after its own. Rows that are read for it are first found
/// to be those that were sealed.
pub(super) async fn digest_at(
    driver: &Driver,
    segment: &SegmentRef,
    schema: &SchemaRef,
    version: u32,
) -> Result<Digest> {
    if segment.rows == 0 || segment.format != SegmentFormat::Arrow {
        return Ok(segment.digest);
    }
    let key = (segment.name.clone(), version);
    if let Some(digest) = driver.recounted().get(&key) {
        return Ok(digest);
    }
    let stored = stored_schema(driver, segment).await?;
    let names = |schema: &SchemaRef| -> Vec<String> {
        schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    };
    // A digest sees positions and values: neither is changed by a wider type.
    let digest = if names(&stored) == names(schema) {
        segment.digest
    } else {
        verify(driver, segment).await?;
        let mut file = open(driver, segment, Some(Arc::clone(schema))).await?;
        blocking(move || file.digest()).await?
    };
    driver.recounted().put(key, digest);
    Ok(digest)
}

/// How much is read.
struct Most {
    /// Rows of a batch.
    batch_rows: usize,
    /// Batches that are left to send.
    batches: usize,
    /// Stored rows that are left to read or to pass over.
    rows: u64,
}

impl Most {
    fn is_spent(&self) -> bool {
        self.batches == 0 || self.rows == 0
    }

    /// Sends a batch, if one is left to be sent; false where it is not, or the consumer has gone.
    async fn send(&mut self, batch: PositionedBatch, sender: &mpsc::Sender<Sent>) -> bool {
        if self.batches == 0 {
            return false;
        }
        self.batches -= 1;
        sender.send(Ok(Some(batch))).await.is_ok()
    }
}

/// Which rows and columns are wanted.
struct Wanted {
    output: SchemaRef,
    filter: Option<Arc<Bound>>,
    /// What the filter is bound to.
    schema: SchemaRef,
    /// The columns that the filter needs.
    columns: Arc<[String]>,
}

impl Wanted {
    fn new(output: SchemaRef, request: &Request) -> Self {
        let (filter, schema) = (request.options.filter.clone(), Arc::clone(&request.schema));
        let needs = filter.as_ref().map(|filter| filter.columns());
        let needs = needs.into_iter().flatten();
        let columns = needs.filter_map(|index| Some(schema.fields().get(index)?.name().clone()));
        Self {
            columns: columns.collect(),
            output,
            filter,
            schema,
        }
    }

    /// Whether a row of this stored batch may match; of any, without an index.
    fn may_match(&self, file: &SegmentFile, index: Option<usize>) -> bool {
        let filter = self.filter.as_ref();
        filter.is_none_or(|filter| file.may_match(filter, &self.schema, index))
    }
}

/// What a reader is sent: rows, the end, or what kept it from them.
type Sent = Result<Option<PositionedBatch>>;

async fn send_pieces(
    driver: &Driver,
    request: &Request,
    wanted: &Wanted,
    mut most: Most,
    sender: &mpsc::Sender<Sent>,
) -> Result<()> {
    let mut from = request.from;
    loop {
        let pieces = pieces(&driver.view(), request, from);
        let Some(last) = pieces.last() else {
            return Ok(());
        };
        from = Position {
            slot: last.slot,
            segment: last.index.saturating_add(1),
            row: 0,
        };
        for piece in pieces {
            if most.is_spent() || !send_piece(driver, piece, wanted, &mut most, sender).await? {
                return Ok(());
            }
        }
    }
}

/// False where the consumer has gone, or has all that it asked for.
async fn send_piece(
    driver: &Driver,
    piece: Piece,
    wanted: &Wanted,
    most: &mut Most,
    sender: &mpsc::Sender<Sent>,
) -> Result<bool> {
    let output = Some(Arc::clone(&wanted.output));
    let columns = Arc::clone(&wanted.columns);
    let mut file = open_knowing(driver, &piece.segment, output, columns).await?;
    let any = wanted.may_match(&file, None);
    let blocks: Vec<u64> = file.batch_rows().collect();
    let (mut row, mut skipped) = (0, Extent::default());
    for (index, rows) in blocks.into_iter().enumerate() {
        let end = row + rows;
        if most.is_spent() {
            break;
        }
        if end <= piece.skip {
            row = end;
            continue;
        }
        let first = row.max(piece.skip);
        let mut block = Extent {
            rows: (end - first).min(most.rows),
            blocks: 1,
            bytes: file.batch_bytes(index),
        };
        if !any || !wanted.may_match(&file, Some(index)) {
            skipped += block;
            most.rows -= block.rows;
            row = first + block.rows;
            continue;
        }
        let (back, batch) = blocking(move || {
            let batch = file.read(index)?;
            Ok((file, batch))
        })
        .await?;
        file = back;
        let batch = batch.slice((first - row) as usize, block.rows as usize);
        row = first;
        most.rows -= block.rows;
        for batch in cut(&batch, most.batch_rows) {
            row += batch.num_rows() as u64;
            let batch = PositionedBatch {
                batch,
                next: piece.at(row),
                read: take(&mut block),
                skipped: take(&mut skipped),
            };
            if !most.send(batch, sender).await {
                return Ok(false);
            }
        }
    }
    if skipped == Extent::default() {
        return Ok(true);
    }
    let rest = PositionedBatch {
        batch: RecordBatch::new_empty(Arc::clone(&wanted.output)),
        next: piece.at(row),
        read: Extent::default(),
        skipped,
    };
    Ok(most.send(rest, sender).await)
}

/// A batch in batches of at most `rows_max` rows.
fn cut(batch: &RecordBatch, rows_max: usize) -> impl Iterator<Item = RecordBatch> + '_ {
    (0..batch.num_rows())
        .step_by(rows_max)
        .map(move |start| batch.slice(start, rows_max.min(batch.num_rows() - start)))
}

/// Recomputes a segment's digest from its content.
pub(super) async fn verify(driver: &Driver, segment: &SegmentRef) -> Result<()> {
    if segment.format == SegmentFormat::Bytes {
        return read_bytes(driver, segment).await.map(|_| ());
    }
    let mut file = open(driver, segment, None).await?;
    let digest = blocking(move || file.digest()).await?;
    check_digest(driver.id(), segment, digest)
}
