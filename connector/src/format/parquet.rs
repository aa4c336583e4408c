//! Parquet, through the `parquet` crate.
//!
//! Checks the footer's nesting and codecs before that crate decodes it, because it recurses without
//! a limit, and makes right what it would get wrong: INT96 that wraps, intervals with months,
//! Spark's old calendar, units that the format does not have. Invariant: a file whose rows are not
//! as many as its footer says is an error, and so is a value that would come out as another.

mod deltas;
mod described;
mod footer;
mod group;
mod input;
mod leaf;
mod plan;
mod spark;
mod write;

pub(super) use spark::{marker, without_keys};
pub use write::ROW_GROUP_BYTES_MAX;

use self::input::{Bare, Shared};
use self::leaf::{Step, apply, settle};
use self::plan::Plan;
use super::conform::{conform, stored_schema};
use super::error::{cannot_open, damaged, described, guarded, unreadable_value};
use super::leaves;
use super::ordered::Pieces;
use super::{BatchReader, BatchWriter, FileKind, Format, Input, ReadOptions, WriteOptions};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Fields, Schema, SchemaRef};
use flinkspark_model::{Error, Result};
use std::collections::HashSet;
use std::io::{SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;
use write::Writer;

/// The kind of file.
pub(super) struct Parquet;

impl FileKind for Parquet {
    fn name(&self) -> (&'static str, &'static str) {
        ("a", "Parquet")
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["parquet", "pq"]
    }

    fn read(
        &self,
        input: Box<dyn Input>,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Box<dyn BatchReader>> {
        Ok(Box::new(Reader::new(input, name, options)?))
    }

    fn write(
        &self,
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        _: &WriteOptions,
    ) -> Result<Box<dyn BatchWriter>> {
        Ok(Box::new(Writer::new(output, name, schema)?))
    }
}

/// Reads a file, its row groups apart from one another.
struct Reader {
    pieces: Pieces<usize, RecordBatch>,
    /// The row groups that are left.
    groups: Range<usize>,
    stored: SchemaRef,
    name: String,
    rows_total: u64,
    rows_read: u64,
}

impl Reader {
    fn new(mut input: Box<dyn Input>, name: &str, options: &ReadOptions) -> Result<Self> {
        let length = input
            .seek(SeekFrom::End(0))
            .map_err(|cause| cannot_open(name, cause))?;
        guarded(Format::PARQUET, name, || {
            footer::check(input.as_mut(), length).map_err(|refusal| refusal.as_error(name))?;
            let wrong = |why: String| damaged(Format::PARQUET, name, why);
            let bare = Bare::new(input, length);
            let footer = ParquetMetaDataReader::new().parse_and_finish(&bare);
            let footer = Arc::new(footer.map_err(|cause| wrong(cause.to_string()))?);
            described::check(&footer).map_err(wrong)?;
            let file = File {
                shared: Shared::new(bare, Arc::clone(&footer)),
                name,
                batch_rows: options.batch_rows.max(1),
            };
            file.read(
                footer,
                options.schema.as_deref(),
                options.columns.as_deref(),
            )
        })
    }

    fn decode(&mut self) -> Result<Option<RecordBatch>> {
        let batch = self.pieces.next(|| Ok(self.groups.next()))?;
        match &batch {
            Some(batch) => self.rows_read += batch.num_rows() as u64,
            None if self.rows_read != self.rows_total => {
                let (total, read) = (self.rows_total, self.rows_read);
                let why = format!("its footer says {total} rows, it has {read}");
                return Err(damaged(Format::PARQUET, &self.name, why));
            }
            None => {}
        }
        Ok(batch)
    }
}

/// How the row groups of a file are read.
struct Groups {
    shared: Shared,
    name: String,
    batch_rows: usize,
    decoded: ArrowReaderMetadata,
    /// How the columns are decoded that are decoded twice, once more.
    beside: Option<ArrowReaderMetadata>,
    doubled: Vec<usize>,
    /// The columns that are read, in the file's order.
    wanted: Vec<usize>,
    /// None where the library's decoding is all that there is to do.
    plan: Option<Plan>,
    stored: SchemaRef,
}

impl Groups {
    fn file(&self) -> File<'_> {
        File {
            shared: self.shared.clone(),
            name: &self.name,
            batch_rows: self.batch_rows,
        }
    }

    /// Gives the rows of a row group in batches.
    fn read(&self, group: usize, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let file = self.file();
        let mut beside = match &self.beside {
            Some(beside) => Some(file.decoder(beside.clone(), Some(&self.doubled), Some(group))?),
            None => None,
        };
        let before = self.decoded.metadata().row_groups().iter().take(group);
        let before = before.map(|group| u64::try_from(group.num_rows()).unwrap_or_default());
        let mut rows_before: u64 = before.sum();
        for batch in file.decoder(self.decoded.clone(), Some(&self.wanted), Some(group))? {
            let wrong = |cause: ArrowError| damaged(Format::PARQUET, &self.name, cause.to_string());
            let batch = batch.map_err(wrong)?;
            let rows = batch.num_rows() as u64;
            let batch = match &self.plan {
                None => batch,
                Some(plan) => {
                    let beside = next_beside(beside.as_mut(), &batch).map_err(wrong)?;
                    let beside = |column| beside_of(&self.doubled, beside.as_ref(), column);
                    self.changed(plan, &batch, &beside, |column, row, why| {
                        let row = rows_before + row as u64 + 1;
                        unreadable_value(&self.name, column, row, why)
                    })?
                }
            };
            let batch = conform(&batch, &self.stored);
            let batch =
                batch.map_err(|misfit| damaged(Format::PARQUET, &self.name, described(&misfit)))?;
            if !give(batch) {
                break;
            }
            rows_before += rows;
        }
        Ok(())
    }

    /// The batch as it is stored; `misfit` makes an error of a column's name, a row of the batch and why.
    fn changed<'b>(
        &self,
        plan: &Plan,
        batch: &RecordBatch,
        beside: &dyn Fn(usize) -> Option<&'b ArrayRef>,
        misfit: impl Fn(&str, usize, String) -> Error,
    ) -> Result<RecordBatch> {
        let fields = self.stored.fields().iter().zip(&self.wanted);
        let columns = batch.columns().iter().zip(fields);
        let columns = columns.map(|(column, (field, index))| {
            let leaves = plan.columns.get(*index).map_or(&[][..], Vec::as_slice);
            if leaves.iter().all(|leaf| leaf.step == Step::Keep) {
                return Ok(Arc::clone(column));
            }
            let mut leaves = leaves.iter();
            leaves::change(column, beside(*index), field.data_type(), &mut |leaf| {
                let planned = leaves.next();
                apply(planned.map_or(&Step::Keep, |planned| &planned.step), &leaf)
            })
            .map_err(|wrong| misfit(field.name(), wrong.row, wrong.why))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.stored), columns, &options)
            .map_err(|cause| misfit("", 0, cause.to_string()))
    }
}

/// The places of the columns that have these names, all where there are no names or one is not there.
fn wanted(schema: &Schema, chosen: Option<&[String]>) -> Vec<usize> {
    let fields = schema.fields();
    if let Some(chosen) = chosen {
        let there: HashSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let chosen: HashSet<&str> = chosen.iter().map(String::as_str).collect();
        if chosen.is_subset(&there) {
            let named = |column: &usize| chosen.contains(fields[*column].name().as_str());
            return (0..fields.len()).filter(named).collect();
        }
    }
    (0..fields.len()).collect()
}

/// A file whose footer has been looked at.
struct File<'a> {
    shared: Shared,
    name: &'a str,
    batch_rows: usize,
}

impl File<'_> {
    fn wrong(&self, cause: ParquetError) -> Error {
        damaged(Format::PARQUET, self.name, cause.to_string())
    }

    /// `chosen` are the names of the columns that are asked for; where one is not there all columns are read, and who
    /// asked finds it missing.
    fn read(
        &self,
        footer: Arc<ParquetMetaData>,
        declared: Option<&Schema>,
        chosen: Option<&[String]>,
    ) -> Result<Reader> {
        let loaded = ArrowReaderMetadata::try_new(footer, ArrowReaderOptions::default())
            .map_err(|cause| self.wrong(cause))?;
        let footer = loaded.metadata().file_metadata();
        let rows_total = u64::try_from(footer.num_rows()).map_err(|_| {
            damaged(
                Format::PARQUET,
                self.name,
                "its footer has a negative row count",
            )
        })?;
        let stored = stored_schema(loaded.schema())?;
        let wanted = wanted(&stored, chosen);
        let mut plan = Plan::new(&stored, footer, declared, &wanted);
        if !plan.open().is_empty() {
            self.settle(&loaded, &mut plan)?;
        }
        let (decoded, beside) = match plan.is_plain() {
            true => (loaded, None),
            false => self.planned(&loaded, &plan)?,
        };
        let planned = plan.stored();
        let metadata = without_keys(planned.metadata());
        let fields = wanted
            .iter()
            .map(|column| planned.fields()[*column].clone());
        let stored = Schema::new_with_metadata(fields.collect::<Fields>(), metadata);
        let stored = Arc::new(stored);
        let groups = Groups {
            shared: self.shared.clone(),
            name: self.name.into(),
            batch_rows: self.batch_rows,
            doubled: plan.doubled(),
            wanted,
            plan: (!plan.is_plain()).then_some(plan),
            stored: Arc::clone(&stored),
            decoded,
            beside,
        };
        let count = groups.decoded.metadata().num_row_groups();
        Ok(Reader {
            pieces: Pieces::new(move |group, give| {
                guarded(Format::PARQUET, &groups.name, || groups.read(group, give))
            }),
            groups: 0..count,
            stored,
            name: self.name.into(),
            rows_total,
            rows_read: 0,
        })
    }

    /// Lets the values of INT96 decide their units.
    fn settle(&self, loaded: &ArrowReaderMetadata, plan: &mut Plan) -> Result<()> {
        let open = plan.open();
        let (decoded, twice) = self.planned(loaded, plan)?;
        let reader = self.decoder(decoded, Some(&open), None)?;
        let mut beside = match twice {
            Some(twice) => Some(self.decoder(twice, Some(&open), None)?),
            None => None,
        };
        for batch in reader {
            let wrong = |cause: String| damaged(Format::PARQUET, self.name, cause);
            let batch = batch.map_err(|cause| wrong(cause.to_string()))?;
            let seconds =
                next_beside(beside.as_mut(), &batch).map_err(|cause| wrong(cause.to_string()))?;
            for (at, column) in open.iter().enumerate() {
                let seconds = seconds.as_ref().map(|seconds| seconds.column(at));
                let values = batch.column(at);
                let mut leaves = plan.columns[*column].iter_mut();
                let walked = leaves::change(values, seconds, values.data_type(), &mut |leaf| {
                    if let Some(planned) = leaves.next()
                        && let Step::Moment(calendar) = &planned.step
                    {
                        settle(&leaf, calendar, &mut planned.units);
                    }
                    Ok(Arc::clone(leaf.array))
                });
                walked.map_err(|misfit| wrong(misfit.why))?;
            }
        }
        plan.settle();
        Ok(())
    }

    /// How the planned types are decoded, and those that are decoded beside them where there are any.
    fn planned(
        &self,
        loaded: &ArrowReaderMetadata,
        plan: &Plan,
    ) -> Result<(ArrowReaderMetadata, Option<ArrowReaderMetadata>)> {
        let at = |schema: SchemaRef| {
            let options = ArrowReaderOptions::default().with_schema(schema);
            ArrowReaderMetadata::try_new(Arc::clone(loaded.metadata()), options)
                .map_err(|cause| self.wrong(cause))
        };
        let beside = match plan.doubled().is_empty() && plan.open().is_empty() {
            true => None,
            false => Some(at(plan.beside())?),
        };
        Ok((at(plan.decoded())?, beside))
    }

    /// A decoder of these columns or of all, of this row group or of all.
    fn decoder(
        &self,
        metadata: ArrowReaderMetadata,
        columns: Option<&[usize]>,
        group: Option<usize>,
    ) -> Result<ParquetRecordBatchReader> {
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.shared.clone(), metadata)
                .with_batch_size(self.batch_rows);
        if let Some(columns) = columns {
            let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        if let Some(group) = group {
            builder = builder.with_row_groups(vec![group]);
        }
        builder.build().map_err(|cause| self.wrong(cause))
    }
}

/// The rows of `batch`, of the second decoder.
fn next_beside(
    beside: Option<&mut ParquetRecordBatchReader>,
    batch: &RecordBatch,
) -> std::result::Result<Option<RecordBatch>, ArrowError> {
    let Some(beside) = beside else {
        return Ok(None);
    };
    match beside.next().transpose()? {
        Some(rows) if rows.num_rows() == batch.num_rows() => Ok(Some(rows)),
        _ => Err(ArrowError::ParquetError(
            "its columns have different numbers of rows".into(),
        )),
    }
}

fn beside_of<'b>(
    doubled: &[usize],
    beside: Option<&'b RecordBatch>,
    column: usize,
) -> Option<&'b ArrayRef> {
    let at = doubled.iter().position(|doubled| *doubled == column)?;
    beside?.columns().get(at)
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.decode().transpose()
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
