//! Writes a segment in bounded memory.
//!
//! Small batches are joined and large ones cut, so that what is stored reads well whatever the
//! writer's rhythm was. Invariant: the digest is computed from the rows as they come, before they
//! are encoded.

use super::{Fit, STORED_BATCH_ROWS_MAX, metadata};
use crate::store::Staging;
use crate::store::blocking::blocking;
use crate::store::log::Driver;
use crate::store::names::Owner;
use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, Schema};
use arrow_select::coalesce::BatchCoalescer;
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::digest::Digester;
use flinkspark_model::log::{LogId, Receipt, SegmentFormat, SegmentName, SegmentRef};
use flinkspark_model::port::{SegmentSpec, SegmentWriter};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// Rows that small batches are joined to.
const JOINED_BATCH_ROWS: usize = 8192;
/// Bytes of joined rows after which a batch is stored although it is short.
const JOINED_BATCH_BYTES_MAX: usize = 8 << 20;
/// Rows of a batch that is encoded where it is: going to another thread takes longer.
const INLINE_ROWS_MAX: usize = 256;
/// Encoded bytes that are kept before they are handed to the store.
const PIECE_BYTES: usize = 1 << 20;

/// How segments are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all: reading is a copy.
    #[default]
    None,
    /// LZ4 frames, per buffer.
    Lz4,
}

/// Writes one segment of one partition.
pub(in crate::store) struct Writer {
    driver: Arc<Driver>,
    spec: SegmentSpec,
    name: SegmentName,
    staging: Box<dyn Staging>,
    /// `None` after a failure: what was written is no longer known.
    encoder: Option<Encoder>,
    bytes: u64,
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
        Ok(Self {
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
        self.encoder = Some(encoder);
        Ok(())
    }

    async fn seal(mut self: Box<Self>) -> Result<Receipt> {
        let mut encoder = self.take()?;
        let (encoder, piece) = blocking(move || {
            encoder.finish()?;
            let piece = encoder.piece(0);
            Ok((encoder, piece))
        })
        .await?;
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
    digester: Digester,
    joiner: BatchCoalescer,
    file: FileWriter<Vec<u8>>,
    rows: Vec<usize>,
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
        let mut file =
            FileWriter::try_new_with_options(Vec::new(), schema, options).map_err(encoding)?;
        file.write_metadata(metadata::VERSION, metadata::CURRENT);
        file.write_metadata(metadata::LOG, log.to_string());
        file.write_metadata(metadata::NAME, name.as_str());
        let joiner = BatchCoalescer::new(Arc::clone(schema), JOINED_BATCH_ROWS)
            .with_biggest_coalesce_batch_size(Some(JOINED_BATCH_ROWS / 2));
        Ok(Self {
            digester: Digester::new(schema)?,
            fit,
            joiner,
            file,
            rows: Vec::new(),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.fit.apply(batch)?;
        self.digester.update(&batch)?;
        if batch.num_columns() == 0 {
            return self.store(&batch);
        }
        let mut first = 0;
        while first < batch.num_rows() {
            let rows = STORED_BATCH_ROWS_MAX.min(batch.num_rows() - first);
            self.joiner
                .push_batch(batch.slice(first, rows))
                .map_err(encoding)?;
            first += rows;
        }
        if self.joiner.size() > JOINED_BATCH_BYTES_MAX {
            self.joiner.finish_buffered_batch().map_err(encoding)?;
        }
        self.store_completed()
    }

    fn store_completed(&mut self) -> Result<()> {
        while let Some(batch) = self.joiner.next_completed_batch() {
            self.store(&batch)?;
        }
        Ok(())
    }

    fn store(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows.push(batch.num_rows());
        self.file.write(batch).map_err(encoding)
    }

    fn finish(&mut self) -> Result<()> {
        self.joiner.finish_buffered_batch().map_err(encoding)?;
        self.store_completed()?;
        let rows: Vec<String> = self.rows.iter().map(usize::to_string).collect();
        self.file.write_metadata(metadata::ROWS, rows.join(","));
        self.file.finish().map_err(encoding)
    }

    /// The bytes encoded so far, if they are at least so many.
    fn piece(&mut self, bytes_min: usize) -> Bytes {
        if self.file.get_ref().len() < bytes_min {
            return Bytes::new();
        }
        std::mem::take(self.file.get_mut()).into()
    }
}

fn encoding(cause: ArrowError) -> Error {
    Error::new(Kind::Invalid, "FS1026", "rows could not be encoded as an Arrow file")
        .with_source(cause)
        .with_hint("`flinkspark dataset show NAME` prints the schema; avoid types that Arrow files cannot hold")
}
