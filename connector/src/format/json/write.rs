//! Writes JSON lines: an object a line, with every column in the schema's order.

use super::column::Table;
use super::print::{Printer, Unwritable, members, printer};
use super::report::refuse;
use crate::format::error::{cannot_write, unwritable_value};
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
    output: Box<dyn Write + Send>,
    name: String,
    block: Vec<u8>,
    rows: u64,
}

impl Writer {
    pub(in crate::format) fn new(
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
    ) -> Result<Self> {
        // What cannot be read is not written.
        let table = Table::new(schema, false);
        table.map_err(|(column, data_type)| refuse(&column, &data_type))?;
        drop(printer_of(&RecordBatch::new_empty(Arc::clone(schema)))?);
        Ok(Self {
            output,
            name: name.into(),
            block: Vec::with_capacity(BLOCK_BYTES),
            rows: 0,
        })
    }

    fn write_block(&mut self) -> Result<()> {
        let written = self.output.write_all(&self.block);
        written.map_err(|cause| cannot_write(&self.name, cause))?;
        self.block.clear();
        Ok(())
    }
}

/// A printer of the batch's rows.
fn printer_of(batch: &RecordBatch) -> Result<Printer<'_>> {
    let fields = batch.schema_ref().fields();
    members(fields, batch.columns()).ok_or_else(|| {
        let mut columns = fields.iter().zip(batch.columns());
        let unheld = columns.find(|(_, column)| printer(column.as_ref()).is_none());
        let field = unheld.map(|(field, _)| field);
        field.map_or_else(
            || refuse("", &DataType::Null),
            |field| refuse(field.name(), field.data_type()),
        )
    })
}

impl BatchWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let print = printer_of(batch)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            print(row, &mut self.block).map_err(|Unwritable { path, why }| {
                unwritable_value(Format::JSON, &path, self.rows, why.into())
            })?;
            self.block.push(b'\n');
            if self.block.len() >= BLOCK_BYTES {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_block()?;
        let flushed = self.output.flush();
        flushed.map_err(|cause| cannot_write(&self.name, cause))
    }
}
