//! Writes Parquet, compressed with zstd at level 1.
//!
//! The format has no seconds and no dates of 64 bits, and other readers take what has no type of
//! the format's own for bare integers: seconds are written as milliseconds and such dates as days,
//! as pyarrow does, and the file's own Arrow schema says what they were. Invariant: every reader
//! sees a moment as a moment, and ours gets the dataset's types back.

use super::group::Group;
use super::spark::without_keys;
use crate::format::error::{cannot_write, unheld, unwritable_value};
use crate::format::leaves::{self, Leaf, Misfit, retyped};
use crate::format::units::{self, of_day};
use crate::format::{BatchWriter, Format};
use ::parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions};
use ::parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowWriter, encode_arrow_schema};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use arrow_array::types::*;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};
use flinkspark_model::{Error, Result};
use std::io::Write;
use std::sync::Arc;

/// The largest row group that is written, in encoded bytes.
pub const ROW_GROUP_BYTES_MAX: usize = 64 << 20;

/// The largest row group that is written, in rows.
const ROW_GROUP_ROWS_MAX: usize = 1 << 20;

/// Writes a file.
pub(in crate::format) struct Writer {
    file: SerializedFileWriter<Box<dyn Write + Send>>,
    groups: ArrowRowGroupWriterFactory,
    /// The row group that is being written.
    group: Option<Group>,
    name: String,
    /// The schema that is written, in types that the format has.
    written: SchemaRef,
    rows: u64,
}

impl Writer {
    pub(in crate::format) fn new(
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let level = ZstdLevel::try_new(1).map_err(|cause| cannot_write(name, cause))?;
        let own =
            Schema::new_with_metadata(schema.fields().clone(), without_keys(schema.metadata()));
        let own = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&own));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
            .set_key_value_metadata(Some(vec![own]))
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let fields = schema
            .fields()
            .iter()
            .map(|field| retyped(field, &mut written));
        let written = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let (file, groups) =
            ArrowWriter::try_new_with_options(output, Arc::clone(&written), options)
                .and_then(ArrowWriter::into_serialized_writer)
                .map_err(|cause| {
                    unheld(
                        Format::PARQUET,
                        &columns(schema),
                        cause.to_string(),
                        "write it as .arrow, or leave it out",
                    )
                })?;
        Ok(Self {
            file,
            groups,
            group: None,
            name: name.into(),
            written,
            rows: 0,
        })
    }

    /// Appends rows to the row group, and ends it where it is large enough.
    fn put(&mut self, mut batch: RecordBatch) -> ParquetResult<()> {
        while batch.num_rows() > 0 {
            let group = match &mut self.group {
                Some(group) => group,
                None => {
                    let number = self.file.flushed_row_groups().len();
                    let written = self.file.schema_descr();
                    let group = Group::new(number, &self.groups, written, &self.written)?;
                    self.group.insert(group)
                }
            };
            let rows = batch.num_rows().min(ROW_GROUP_ROWS_MAX - group.rows());
            group.write(batch.slice(0, rows))?;
            batch = batch.slice(rows, batch.num_rows() - rows);
            if group.rows() == ROW_GROUP_ROWS_MAX || group.bytes() >= ROW_GROUP_BYTES_MAX {
                self.end_group()?;
            }
        }
        Ok(())
    }

    fn end_group(&mut self) -> ParquetResult<()> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        let chunks = group.finish()?;
        let mut group = self.file.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close().map(drop)
    }

    /// The batch in the types that are written.
    fn convert(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().iter().zip(self.written.fields());
        let columns = columns.map(|(column, field)| {
            if !changes(column.data_type()) {
                return Ok(Arc::clone(column));
            }
            leaves::change(column, None, field.data_type(), &mut |leaf| convert(&leaf)).map_err(
                |misfit| {
                    let row = self.rows + misfit.row as u64 + 1;
                    unwritable_value(Format::PARQUET, field.name(), row, misfit.why)
                },
            )
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.written), columns, &options)
            .map_err(|cause| cannot_write(&self.name, cause))
    }
}

/// Rows were not written: nothing more came of it, or the library has no form for a type.
fn unwritten(cause: ParquetError, name: &str, schema: &SchemaRef) -> Error {
    match cause {
        ParquetError::NYI(why) => {
            let hint = "write it as .arrow, or leave it out";
            unheld(Format::PARQUET, &columns(schema), why, hint)
        }
        cause => cannot_write(name, cause),
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

/// The type that a leaf is written as.
fn written(leaf: &DataType) -> DataType {
    use DataType as D;
    match leaf {
        D::Timestamp(TimeUnit::Second, zone) => D::Timestamp(TimeUnit::Millisecond, zone.clone()),
        D::Date64 => D::Date32,
        D::Time32(_) => D::Time32(TimeUnit::Millisecond),
        other => other.clone(),
    }
}

/// Whether the column has leaves whose values are changed or looked at.
fn changes(data_type: &DataType) -> bool {
    use DataType as D;
    let mut found = false;
    leaves::retype(data_type, &mut |leaf| {
        found |= matches!(
            leaf,
            D::Timestamp(TimeUnit::Second, _) | D::Date64 | D::Time32(_) | D::Time64(_)
        );
        leaf.clone()
    });
    found
}

fn convert(leaf: &Leaf<'_>) -> std::result::Result<ArrayRef, Misfit> {
    use {DataType as D, TimeUnit as U};
    match leaf.array.data_type() {
        D::Timestamp(U::Second, _) => {
            leaf.map::<TimestampSecondType, TimestampMillisecondType>(units::millis)
        }
        D::Date64 => leaf.map::<Date64Type, Date32Type>(units::days),
        D::Time32(U::Second) => leaf.map::<Time32SecondType, Time32MillisecondType>(|seconds| {
            of_day(seconds, U::Second).map(|seconds| seconds * 1_000)
        }),
        D::Time32(_) => leaf.map::<Time32MillisecondType, Time32MillisecondType>(|millis| {
            of_day(millis, U::Millisecond)
        }),
        D::Time64(U::Microsecond) => {
            leaf.map::<Time64MicrosecondType, Time64MicrosecondType>(|micros| {
                of_day(micros, U::Microsecond)
            })
        }
        D::Time64(_) => leaf.map::<Time64NanosecondType, Time64NanosecondType>(|nanos| {
            of_day(nanos, U::Nanosecond)
        }),
        _ => Ok(Arc::clone(leaf.array)),
    }
}

impl BatchWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let converted = self.convert(batch)?;
        self.rows += batch.num_rows() as u64;
        let written = self.put(converted);
        written.map_err(|cause| unwritten(cause, &self.name, batch.schema_ref()))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let ended = self.end_group();
        let Self {
            file,
            name,
            written,
            ..
        } = *self;
        let finished = ended.and_then(|()| file.into_inner());
        let flushed = finished.and_then(|mut output| Ok(output.flush()?));
        flushed.map_err(|cause| unwritten(cause, &name, &written))
    }
}
