//! Writes JSON lines: an object a line, with every column in the schema's order.

use super::column::Table;
use super::leaf::Reading;
use super::options::JsonOptions;
use super::print::{Printer, Unwritable, members, printer};
use super::report::refuse;
use crate::format::error::{cannot_write, unwritable_value};
use crate::format::text::Patterns;
use crate::format::{BatchWriter, Format};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use flinkspark_model::Result;
use std::io::Write;
use std::sync::Arc;

/// Text that is gathered before it is written, in bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// Writes a file's rows.
pub(in crate::format) struct Writer {
    output: Output,
    patterns: Patterns,
    rows: u64,
}

impl Writer {
    pub(in crate::format) fn new(
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        options: &JsonOptions,
    ) -> Result<Self> {
        let reading = Reading {
            verbatim: false,
            patterns: options.patterns()?,
        };
        // What cannot be read is not written.
        let table = Table::new(schema, &reading);
        table.map_err(|(column, data_type)| refuse(&column, &data_type))?;
        let none = RecordBatch::new_empty(Arc::clone(schema));
        drop(printer_of(&none, &reading.patterns)?);
        Ok(Self {
            output: Output {
                output,
                name: name.into(),
                block: Vec::with_capacity(BLOCK_BYTES),
            },
            patterns: reading.patterns,
            rows: 0,
        })
    }
}

/// A printer of the batch's rows.
fn printer_of<'a>(batch: &'a RecordBatch, patterns: &'a Patterns) -> Result<Printer<'a>> {
    let fields = batch.schema_ref().fields();
    members(fields, batch.columns(), patterns).ok_or_else(|| {
        let mut columns = fields.iter().zip(batch.columns());
        let unheld = columns.find(|(_, column)| printer(column.as_ref(), patterns).is_none());
        unheld.map_or_else(
            || refuse("", &DataType::Null),
            |(field, _)| refuse(field.name(), field.data_type()),
        )
    })
}

impl BatchWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let print = printer_of(batch, &self.patterns)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            print(row, &mut self.output.block).map_err(|Unwritable { path, why }| {
                unwritable_value(Format::JSON, &path, self.rows, why.into())
            })?;
            self.output.end_row()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.output.write_block()?;
        let flushed = self.output.output.flush();
        flushed.map_err(|cause| cannot_write(&self.output.name, cause))
    }
}

/// The file, and what is gathered for it.
struct Output {
    output: Box<dyn Write + Send>,
    name: String,
    block: Vec<u8>,
}

impl Output {
    fn end_row(&mut self) -> Result<()> {
        self.block.push(b'\n');
        match self.block.len() {
            ..BLOCK_BYTES => Ok(()),
            _ => self.write_block(),
        }
    }

    fn write_block(&mut self) -> Result<()> {
        let written = self.output.write_all(&self.block);
        written.map_err(|cause| cannot_write(&self.name, cause))?;
        self.block.clear();
        Ok(())
    }
}
