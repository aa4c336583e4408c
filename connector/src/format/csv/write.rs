//! Writes CSV: `\n` at the end of each record, quotes only where they are needed.

use super::encoding::Encoding;
use super::look::Look;
use super::options::CsvOptions;
use super::quote::{Quotes, Quoting, is_text};
use super::schema::{check_schema, refuse, refuse_name};
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
    quoting: Quoting,
    look: Look,
    delimiter: u8,
    quote: Option<u8>,
    encoding: Encoding,
    name: String,
    /// Whole records, as text.
    block: Vec<u8>,
    encoded: Vec<u8>,
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
        let encoding = options.encoding.unwrap_or(Encoding::Utf8);
        let mut writer = Self {
            output,
            quoting: Quoting::new(options, schema.fields().len())?,
            look: Look::new(options)?,
            delimiter: options.usual_delimiter(),
            quote: options.quote,
            encoding,
            name: name.into(),
            block: Vec::with_capacity(BLOCK_BYTES),
            encoded: encoding.mark().to_vec(),
            field: Vec::new(),
            rows: 0,
        };
        if options.header {
            for (index, field) in schema.fields().iter().enumerate() {
                writer.field.extend_from_slice(field.name().as_bytes());
                let ended = writer.end_field(index, false);
                ended.map_err(|why| refuse_name(field.name(), why))?;
            }
            writer.end_record()?;
        }
        Ok(writer)
    }

    /// Moves the field into the block, quoted where that is needed; why it cannot be written.
    fn end_field(&mut self, index: usize, text: bool) -> Result<(), String> {
        self.begin_field(index);
        if self.encoding != Encoding::Utf8 {
            self.check_encoding()?;
        }
        let quotes = self.quoting.of(&self.field, index, text);
        match (quotes, self.quote) {
            (Quotes::Needed | Quotes::Wanted, Some(quote)) => {
                self.block.push(quote);
                for byte in &self.field {
                    if *byte == quote {
                        self.block.push(quote);
                    }
                    self.block.push(*byte);
                }
                self.block.push(quote);
            }
            (Quotes::Needed, None) => {
                return Err("it needs quotes, and the file has none".into());
            }
            _ => self.block.extend_from_slice(&self.field),
        }
        self.field.clear();
        Ok(())
    }

    fn check_encoding(&self) -> Result<(), String> {
        let text = std::str::from_utf8(&self.field).unwrap_or_default();
        match self.encoding.lacks(text) {
            Some(lacked) => Err(format!(
                "it holds the character U+{:04X}, which {} does not have",
                u32::from(lacked),
                self.encoding.name()
            )),
            None => Ok(()),
        }
    }

    fn begin_field(&mut self, index: usize) {
        if index > 0 {
            self.block.push(self.delimiter);
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
        let bytes = if self.encoding == Encoding::Utf8 {
            &self.block
        } else {
            let text = std::str::from_utf8(&self.block).unwrap_or_default();
            self.encoding.encode(text, &mut self.encoded);
            &self.encoded
        };
        self.output
            .write_all(bytes)
            .map_err(|cause| cannot_write(&self.name, cause))?;
        self.block.clear();
        self.encoded.clear();
        Ok(())
    }

    /// Writes a row; the column of the value that cannot be written, and why.
    fn write_row(&mut self, row: usize, columns: &[Cells<'_>]) -> Result<(), (usize, String)> {
        for (index, column) in columns.iter().enumerate() {
            if column.array.is_null(row) || column.array.data_type() == &DataType::Null {
                self.begin_field(index);
                self.block.extend_from_slice(self.quoting.null());
                continue;
            }
            (column.print)(row, &mut self.field);
            let ended = self.restate(column.array.data_type());
            let ended = ended.and_then(|()| self.end_field(index, column.text));
            ended.map_err(|why| (index, why))?;
        }
        Ok(())
    }

    /// Brings the printed field into the form that the options say.
    fn restate(&mut self, data_type: &DataType) -> Result<(), String> {
        if self.look.has_comma(data_type) {
            let points = self.field.iter_mut().filter(|byte| **byte == b'.');
            points.for_each(|byte| *byte = b',');
        }
        if let Some(pattern) = self.look.patterns.of(data_type) {
            let iso = std::str::from_utf8(&self.field).unwrap_or_default();
            let text = pattern.of_iso(iso);
            let text = text.ok_or("the declared pattern has no room for it")?;
            self.field = text.into_bytes();
        }
        Ok(())
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
        let unwritable = |column: &str, row, why| unwritable_value(Format::CSV, column, row, why);
        let columns =
            batch
                .columns()
                .iter()
                .zip(batch.schema_ref().fields())
                .map(|(array, field)| {
                    if let Some(row) = outside_of_day(array.as_ref()) {
                        let (row, why) = (self.rows + row as u64 + 1, "it is no time of a day");
                        return Err(unwritable(field.name(), row, why.into()));
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
        for row in 0..batch.num_rows() {
            self.rows += 1;
            if let Err((index, why)) = self.write_row(row, &columns) {
                let name = batch.schema_ref().field(index).name();
                return Err(unwritable(name, self.rows, why));
            }
            self.end_record()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_block()?;
        self.output
            .flush()
            .map_err(|cause| cannot_write(&self.name, cause))
    }
}
