//! Writes a segment in bounded memory.
//!
//! Small batches are joined and large ones cut, so that what is stored reads well whatever the
//! writer's rhythm was. Invariant: the digest is computed from the rows as they come, before they
//! are encoded.

use super::fit::too_large;
use super::known::Gathered;
use super::{Fit, STORED_BATCH_BYTES_MAX, STORED_BATCH_ROWS_MAX, footer};
use crate::fit::{self, Cut};
use crate::ipc::{self, Refusal};
use crate::store::Staging;
use crate::store::blocking::blocking;
use crate::store::log::Driver;
use crate::store::names::Owner;
use crate::store::shared::Compression;
use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, Schema};
use arrow_select::coalesce::BatchCoalescer;
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::budget::Reservation;
use flinkspark_model::checksum;
use flinkspark_model::digest::Digester;
use flinkspark_model::log::{LogId, Receipt, SegmentFormat, SegmentName, SegmentRef};
use flinkspark_model::port::{SegmentSpec, SegmentWriter};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// Rows that small batches are joined to.
const JOINED_BATCH_ROWS: usize = 8192;
/// How what comes is cut before it is joined and stored.
const PIECES: Cut = Cut {
    rows_max: STORED_BATCH_ROWS_MAX,
    bytes_max: STORED_BATCH_BYTES_MAX,
};
/// Rows of a batch that is encoded where it is: going to another thread takes longer.
const INLINE_ROWS_MAX: usize = 256;
/// Bytes of a segment that is finished where it is, for the same reason.
const INLINE_BYTES_MAX: u64 = 64 << 10;
/// Encoded bytes that are kept before they are handed to the store.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes that a writer keeps though the memory is spent: batches would be too small.
const KEPT_BYTES_MIN: u64 = 64 << 10;

/// Writes one segment of one partition.
pub(in crate::store) struct Writer {
    driver: Arc<Driver>,
    spec: SegmentSpec,
    name: SegmentName,
    staging: Box<dyn Staging>,
    /// `None` after a failure: what was written is no longer known.
    encoder: Option<Encoder>,
    bytes: u64,
    /// For what it joins and has encoded.
    kept: Reservation,
}

impl Writer {
    /// Opens a segment at the dataset's schema.
    pub(in crate::store) async fn open(
        driver: Arc<Driver>,
        dataset: &Schema,
        owner: &Owner,
        spec: SegmentSpec,
    ) -> Result<Self> {
        if spec.format != SegmentFormat::Arrow {
            return Err(super::unsupported(spec.format));
        }
        let fit = Fit::new(dataset, &spec.schema)?;
        let (name, key) = driver.new_segment(owner, spec.format)?;
        let encoder = Encoder::new(
            fit,
            driver.id(),
            &name,
            driver.shared().settings.compression,
        )?;
        let staging = driver.shared().store.stage(&key).await?;
        let kept = driver.shared().writers.empty();
        Ok(Self {
            kept,
            driver,
            spec,
            name,
            staging,
            encoder: Some(encoder),
            bytes: 0,
        })
    }

    fn take(&mut self) -> Result<Encoder> {
        self.encoder.take().ok_or_else(|| {
            Error::new(Kind::Unavailable, "FS1004", "the store could not write")
                .with_detail(format!(
                    "segment {}: an earlier batch of it failed",
                    self.name
                ))
                .with_hint("write the segment again from its first row")
        })
    }

    /// Holds memory for what the encoder keeps. Where others hold it, what was joined is stored as it is.
    async fn keep(&mut self, mut encoder: Encoder) -> Result<Encoder> {
        let bytes = encoder.buffered_bytes();
        let all = bytes + encoder.gathered.memory_bytes();
        if self.kept.try_resize(all).is_ok() {
            return Ok(encoder);
        }
        if bytes > KEPT_BYTES_MIN {
            let piece;
            (encoder, piece) = blocking(move || {
                encoder.store_joined()?;
                let piece = encoder.piece(0);
                Ok((encoder, piece))
            })
            .await?;
            self.hand_over(piece).await?;
        }
        let all = encoder.buffered_bytes() + encoder.gathered.memory_bytes();
        self.kept.hold(all);
        Ok(encoder)
    }

    async fn hand_over(&mut self, piece: Bytes) -> Result<()> {
        self.bytes += piece.len() as u64;
        if piece.is_empty() {
            Ok(())
        } else {
            self.staging.append(piece).await
        }
    }
}

#[async_trait]
impl SegmentWriter for Writer {
    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut encoder = self.take()?;
        let batch = batch.clone();
        let small = batch.num_rows() <= INLINE_ROWS_MAX;
        let encode = move || {
            encoder.write(&batch)?;
            let piece = encoder.piece(PIECE_BYTES);
            Ok((encoder, piece))
        };
        let (encoder, piece) = if small {
            encode()?
        } else {
            blocking(encode).await?
        };
        self.hand_over(piece).await?;
        self.encoder = Some(self.keep(encoder).await?);
        Ok(())
    }

    async fn seal(mut self: Box<Self>) -> Result<Receipt> {
        let mut encoder = self.take()?;
        let small = encoder.buffered_bytes() <= INLINE_BYTES_MAX;
        let finish = move || {
            encoder.finish()?;
            let piece = encoder.piece(0);
            Ok((encoder, piece))
        };
        let (encoder, piece) = if small {
            finish()?
        } else {
            blocking(finish).await?
        };
        self.hand_over(piece).await?;
        let Self {
            driver,
            spec,
            name,
            staging,
            bytes,
            ..
        } = *self;
        staging.publish().await?;
        let digest = encoder.digester.finish();
        let segment = SegmentRef {
            name,
            partition: spec.partition,
            attempt: spec.attempt,
            format: spec.format,
            rows: digest.rows,
            bytes,
            digest,
        };
        driver.shared().signer.receipt(driver.id(), segment)
    }
}

struct Encoder {
    fit: Fit,
    log: LogId,
    name: SegmentName,
    digester: Digester,
    joiner: BatchCoalescer,
    /// Bytes of the rows that the joiner holds, at most.
    joined: u64,
    file: FileWriter<Vec<u8>>,
    rows: Vec<usize>,
    /// Of what lies before the first block, then of each block.
    checksums: Vec<u32>,
    gathered: Gathered,
}

impl Encoder {
    fn new(fit: Fit, log: LogId, name: &SegmentName, compression: Compression) -> Result<Self> {
        let compression = match compression {
            Compression::None => None,
            Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
        };
        let schema = fit.stored();
        let options = IpcWriteOptions::default()
            .try_with_compression(compression)
            .map_err(encoding)?;
        let file =
            FileWriter::try_new_with_options(Vec::new(), schema, options).map_err(encoding)?;
        ipc::check_width(file.get_ref().len(), schema).map_err(too_wide)?;
        let joiner = BatchCoalescer::new(Arc::clone(schema), JOINED_BATCH_ROWS)
            .with_biggest_coalesce_batch_size(Some(JOINED_BATCH_ROWS / 2));
        Ok(Self {
            digester: Digester::new(schema)?,
            gathered: Gathered::new(schema),
            fit,
            log,
            name: name.clone(),
            joiner,
            joined: 0,
            checksums: vec![checksum::crc32c(file.get_ref())],
            file,
            rows: Vec::new(),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for piece in fit::cut_checked(batch, PIECES).map_err(too_large)? {
            let piece = self.fit.apply(&piece)?;
            self.digester.update(&piece)?;
            if piece.num_columns() == 0 {
                self.store(&piece)?;
            } else {
                self.join(piece)?;
            }
        }
        Ok(())
    }

    /// Joins small pieces. What is joined stays below a stored batch's bytes.
    fn join(&mut self, piece: RecordBatch) -> Result<()> {
        let bytes = fit::bytes_of(&piece);
        if self.joined.saturating_add(bytes) > STORED_BATCH_BYTES_MAX {
            self.joiner.finish_buffered_batch().map_err(encoding)?;
            self.joined = 0;
        }
        self.joined += bytes;
        self.joiner.push_batch(piece).map_err(encoding)?;
        if self.store_completed()? {
            self.joined = self.joined.min(bytes);
        }
        Ok(())
    }

    fn store_completed(&mut self) -> Result<bool> {
        let mut any = false;
        while let Some(batch) = self.joiner.next_completed_batch() {
            for batch in self.fit.readable(batch)? {
                self.store(&batch)?;
            }
            any = true;
        }
        Ok(any)
    }

    fn store(&mut self, batch: &RecordBatch) -> Result<()> {
        let before = self.file.get_ref().len();
        self.file.write(batch).map_err(encoding)?;
        self.rows.push(batch.num_rows());
        self.gathered.add(batch);
        self.checksums
            .push(checksum::crc32c(&self.file.get_ref()[before..]));
        Ok(())
    }

    /// Stores what is joined so far.
    fn store_joined(&mut self) -> Result<()> {
        self.joiner.finish_buffered_batch().map_err(encoding)?;
        self.store_completed()?;
        self.joined = 0;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.store_joined()?;
        let known = &self.gathered;
        let entries = footer::metadata(self.log, &self.name, &self.rows, &self.checksums, known);
        for (key, value) in entries {
            self.file.write_metadata(key, value);
        }
        self.file.finish().map_err(encoding)?;
        footer::seal(self.file.get_mut());
        Ok(())
    }

    fn buffered_bytes(&self) -> u64 {
        self.joined + self.file.get_ref().capacity() as u64
    }

    /// The bytes encoded so far, if they are at least so many.
    fn piece(&mut self, bytes_min: usize) -> Bytes {
        if self.file.get_ref().len() < bytes_min {
            return Bytes::new();
        }
        std::mem::take(self.file.get_mut()).into()
    }
}

/// Rows of a schema that no message could carry to a reader.
fn too_wide(refusal: Refusal) -> Error {
    let (Refusal::Damaged(why) | Refusal::TooLarge(why) | Refusal::Bug(why)) = refusal;
    Error::new(
        Kind::Invalid,
        "FS1034",
        "the schema is too wide to be read back",
    )
    .with_detail(why)
    .with_hint("split the columns over several datasets, or keep them as one map or list")
}

fn encoding(cause: ArrowError) -> Error {
    Error::new(Kind::Invalid, "FS1026", "rows could not be encoded as an Arrow file")
        .with_source(cause)
        .with_hint("`flinkspark dataset show NAME` prints the schema; avoid types that Arrow files cannot hold")
}
