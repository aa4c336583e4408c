//! Writes JSON lines: an object a line, with every column in the schema's order.

use super::column::Table;
use super::leaf::Reading;
use super::options::JsonOptions;
use super::print::{Printer, Unwritable, members, printer};
use super::report::refuse;
use crate::format::error::unwritable_value;

use crate::format::Format;
use crate::format::text::Patterns;
use crate::format::written::{Rows, Written};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use flinkspark_model::Result;
use std::io::Write;
use std::sync::Arc;

/// Text that is gathered before it is written, in bytes.
const BLOCK_BYTES: usize = 256 << 10;

/// Writes a file's rows.
pub(in crate::format) fn writer(
    output: Box<dyn Write + Send>,
    name: &str,
    schema: &SchemaRef,
    options: &JsonOptions,
) -> Result<Written> {
    let reading = Reading {
        verbatim: false,
        patterns: options.patterns()?,
    };
    // What cannot be read is not written.
    let table = Table::new(schema, &reading);
    table.map_err(|(column, data_type)| refuse(&column, &data_type))?;
    let none = RecordBatch::new_empty(Arc::clone(schema));
    drop(printer_of(&none, &reading.patterns)?);
    let patterns = reading.patterns;
    Written::begin(output, name, &[], move |rows, give| {
        write(rows, &patterns, give)
    })
}

/// Gives the text of rows.
fn write(rows: &Rows, patterns: &Patterns, give: &mut dyn FnMut(Vec<u8>) -> bool) -> Result<()> {
    let print = printer_of(&rows.batch, patterns)?;
    let mut block = Vec::new();
    for row in 0..rows.batch.num_rows() {
        print(row, &mut block).map_err(|Unwritable { path, why }| {
            let row = rows.before + row as u64 + 1;
            unwritable_value(Format::JSON, &path, row, why.into())
        })?;
        block.push(b'\n');
        if block.len() >= BLOCK_BYTES {
            let next = Vec::with_capacity(block.len());
            if !give(std::mem::replace(&mut block, next)) {
                return Ok(());
            }
        }
    }
    give(block);
    Ok(())
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
