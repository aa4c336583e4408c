//! Writes CSV: `\n` at the end of each record, quotes only where they are needed.

use super::options::CsvOptions;
use super::quote::{is_text, needs_quotes};
use super::schema::{check_schema, refuse};
use crate::format::error::{cannot_write, unwritable_value};
use crate::format::text::{Printer, printer, within_day};
use crate::format::{BatchWriter, Format};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use flinkspark_model::Result;
use std::io::Write;

/// Text that is gathered before it is written, in bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// Writes a file's records.
pub(in crate::format) struct Writer {
    output: Box<dyn Write + Send>,
    options: CsvOptions,
    name: String,
    block: Vec<u8>,
    field: Vec<u8>,
    rows: u64,
}

impl Writer {
    pub(in crate::format) fn new(
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        options: &CsvOptions,
    ) -> Result<Self> {
        options.check()?;
        check_schema(schema)?;
        options.check_columns(schema)?;
        let mut writer = Self {
            output,
            options: options.clone(),
            name: name.into(),
            block: Vec::with_capacity(BLOCK_BYTES),
            field: Vec::new(),
            rows: 0,
        };
        if options.header {
            for (index, field) in schema.fields().iter().enumerate() {
                writer.field.extend_from_slice(field.name().as_bytes());
                writer.end_field(index, false);
            }
            writer.end_record()?;
        }
        Ok(writer)
    }

    /// Moves the field into the block, quoted where that is needed.
    fn end_field(&mut self, index: usize, text: bool) {
        self.begin_field(index);
        let null = self.options.null.as_bytes();
        if needs_quotes(&self.field, self.options.delimiter, null, text) {
            self.block.push(b'"');
            for byte in &self.field {
                if *byte == b'"' {
                    self.block.push(b'"');
                }
                self.block.push(*byte);
            }
            self.block.push(b'"');
        } else {
            self.block.extend_from_slice(&self.field);
        }
        self.field.clear();
    }

    fn begin_field(&mut self, index: usize) {
        if index > 0 {
            self.block.push(self.options.delimiter);
        }
    }

    fn end_record(&mut self) -> Result<()> {
        self.block.push(b'\n');
        if self.block.len() >= BLOCK_BYTES {
            self.write_block()
        } else {
            Ok(())
        }
    }

    fn write_block(&mut self) -> Result<()> {
        self.output
            .write_all(&self.block)
            .map_err(|cause| cannot_write(&self.name, cause))?;
        self.block.clear();
        Ok(())
    }

    fn write_row(&mut self, row: usize, columns: &[Cells<'_>]) -> Result<()> {
        for (index, column) in columns.iter().enumerate() {
            if column.array.is_null(row) || column.array.data_type() == &DataType::Null {
                self.begin_field(index);
                self.block.extend_from_slice(self.options.null.as_bytes());
            } else {
                (column.print)(row, &mut self.field);
                self.end_field(index, column.text);
            }
        }
        self.end_record()
    }
}

/// The first row whose time of day is none, where the column is of such times.
fn outside_of_day(array: &dyn Array) -> Option<usize> {
    let within = within_day(array)?;
    (0..array.len()).find(|row| array.is_valid(*row) && !within(*row))
}

struct Cells<'a> {
    array: &'a dyn Array,
    print: Printer<'a>,
    text: bool,
}

impl BatchWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns =
            batch
                .columns()
                .iter()
                .zip(batch.schema_ref().fields())
                .map(|(array, field)| {
                    if let Some(row) = outside_of_day(array.as_ref()) {
                        let (row, why) = (self.rows + row as u64 + 1, "it is no time of a day");
                        return Err(unwritable_value(Format::CSV, field.name(), row, why.into()));
                    }
                    let print = printer(array.as_ref())
                        .ok_or_else(|| refuse(field.name(), field.data_type()))?;
                    Ok(Cells {
                        array: array.as_ref(),
                        print,
                        text: is_text(field.data_type()),
                    })
                });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        self.rows += batch.num_rows() as u64;
        (0..batch.num_rows()).try_for_each(|row| self.write_row(row, &columns))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_block()?;
        self.output
            .flush()
            .map_err(|cause| cannot_write(&self.name, cause))
    }
}
