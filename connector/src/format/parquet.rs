//! Parquet, through the `parquet` crate.
//!
//! Checks the footer's nesting before that crate decodes it, because it recurses without a limit.
//! Invariant: a file whose rows are not as many as its footer says is an error.

mod footer;

use super::conform::{conform, stored_schema};
use super::error::{cannot_open, cannot_write, damaged, described, guarded, unheld};
use super::{BatchReader, BatchWriter, Format, Input, ReadOptions};
use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{ChunkReader, Length};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use flinkspark_model::Result;
use std::io::{self, BufReader, Read, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest row group that is written, in encoded bytes.
pub const ROW_GROUP_BYTES_MAX: usize = 64 << 20;

/// The largest row group that is written, in rows.
const ROW_GROUP_ROWS_MAX: usize = 1 << 20;

/// Reads a file.
pub(super) struct Reader {
    reader: ParquetRecordBatchReader,
    stored: SchemaRef,
    name: String,
    rows_total: u64,
    rows_read: u64,
    ended: bool,
}

impl Reader {
    pub(super) fn new(
        mut input: Box<dyn Input>,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Self> {
        let length = input
            .seek(SeekFrom::End(0))
            .map_err(|cause| cannot_open(name, cause))?;
        guarded(Format::Parquet, name, || {
            footer::check(input.as_mut(), length)
                .map_err(|why| damaged(Format::Parquet, name, why))?;
            let wrong = |cause: ParquetError| damaged(Format::Parquet, name, cause.to_string());
            let shared = Shared {
                input: Arc::new(Mutex::new(input)),
                length,
            };
            let builder = ParquetRecordBatchReaderBuilder::try_new(shared).map_err(wrong)?;
            let stored = stored_schema(builder.schema())?;
            let rows_total =
                u64::try_from(builder.metadata().file_metadata().num_rows()).map_err(|_| {
                    damaged(Format::Parquet, name, "its footer has a negative row count")
                })?;
            let reader = builder
                .with_batch_size(options.batch_rows.max(1))
                .build()
                .map_err(wrong)?;
            Ok(Self {
                reader,
                stored,
                name: name.into(),
                rows_total,
                rows_read: 0,
                ended: false,
            })
        })
    }

    fn decode(&mut self) -> Result<Option<RecordBatch>> {
        let wrong = |why: String| damaged(Format::Parquet, &self.name, why);
        match self.reader.next() {
            Some(Ok(batch)) => {
                self.rows_read += batch.num_rows() as u64;
                conform(&batch, &self.stored)
                    .map(Some)
                    .map_err(|misfit| wrong(described(&misfit)))
            }
            Some(Err(cause)) => Err(wrong(cause.to_string())),
            None if self.rows_read != self.rows_total => Err(wrong(format!(
                "its footer says {} rows, it has {}",
                self.rows_total, self.rows_read
            ))),
            None => Ok(None),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let name = self.name.clone();
        let batch = guarded(Format::Parquet, &name, || self.decode());
        self.ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

impl BatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.stored)
    }

    fn rows_total(&self) -> Option<u64> {
        Some(self.rows_total)
    }
}

/// The input as the decoder wants it: readable at several places at once.
struct Shared {
    input: Arc<Mutex<Box<dyn Input>>>,
    length: u64,
}

impl Length for Shared {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Shared {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(Section {
            input: Arc::clone(&self.input),
            at: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.length)
        {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} of a file of {}",
                self.length
            )));
        }
        let mut bytes = vec![0; length];
        Section {
            input: Arc::clone(&self.input),
            at: start,
        }
        .read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A place in the input.
struct Section {
    input: Arc<Mutex<Box<dyn Input>>>,
    at: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        input.seek(SeekFrom::Start(self.at))?;
        let read = input.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Writes a file, compressed with zstd at level 1.
pub(super) struct Writer {
    writer: ArrowWriter<Box<dyn Write + Send>>,
    name: String,
}

impl Writer {
    pub(super) fn new(
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let level = ZstdLevel::try_new(1).map_err(|cause| cannot_write(name, cause))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
            .build();
        let writer = ArrowWriter::try_new(output, Arc::clone(schema), Some(properties)).map_err(
            |cause| {
                unheld(
                    Format::Parquet,
                    &columns(schema),
                    cause.to_string(),
                    "write it as .arrow, or leave it out",
                )
            },
        )?;
        Ok(Self {
            writer,
            name: name.into(),
        })
    }
}

/// The names of the columns, because the library does not say which one it refused.
fn columns(schema: &SchemaRef) -> String {
    schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

impl BatchWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = self.writer.write(batch).and_then(|()| {
            if self.writer.in_progress_size() >= ROW_GROUP_BYTES_MAX {
                self.writer.flush()
            } else {
                Ok(())
            }
        });
        written.map_err(|cause| match cause {
            ParquetError::NYI(why) => {
                let hint = "write it as .arrow, or leave it out";
                unheld(Format::Parquet, &columns(batch.schema_ref()), why, hint)
            }
            cause => cannot_write(&self.name, cause),
        })
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let finished = self.writer.finish().map(drop);
        let flushed = finished.and_then(|()| Ok(self.writer.inner_mut().flush()?));
        flushed.map_err(|cause| cannot_write(&self.name, cause))
    }
}
