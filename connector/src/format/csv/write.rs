//! Writes CSV: `\n` at the end of each record, quotes only where they are needed.

use super::encoding::Encoding;
use super::look::Look;
use super::options::CsvOptions;
use super::quote::{Quotes, Quoting, is_text};
use super::schema::{check_schema, refuse, refuse_name};
use crate::format::Format;
use crate::format::error::unwritable_value;
use crate::format::text::{Printer, printer, within_day};
use crate::format::written::{Rows, Written};
use arrow_array::Array;
use arrow_schema::{DataType, SchemaRef};
use flinkspark_model::Result;
use std::io::Write;

/// Text that is gathered before it is written, in bytes.
const BLOCK_BYTES: usize = 256 << 10;

/// How values are written in one file.
struct Plan {
    quoting: Quoting,
    look: Look,
    delimiter: u8,
    quote: Option<u8>,
    encoding: Encoding,
}

/// Records on the way to the file.
struct Text<'a> {
    plan: &'a Plan,
    /// Whole records, as text.
    block: Vec<u8>,
    field: Vec<u8>,
}

/// Writes a file's records, the header first.
pub(in crate::format) fn writer(
    output: Box<dyn Write + Send>,
    name: &str,
    schema: &SchemaRef,
    options: &CsvOptions,
) -> Result<Written> {
    options.check()?;
    check_schema(schema)?;
    let encoding = options.encoding.unwrap_or(Encoding::Utf8);
    let plan = Plan {
        quoting: Quoting::new(options, schema.fields().len())?,
        look: Look::new(options)?,
        delimiter: options.usual_delimiter(),
        quote: options.quote,
        encoding,
    };
    let mut begin = encoding.mark().to_vec();
    if options.header {
        let mut text = Text::new(&plan);
        for (index, field) in schema.fields().iter().enumerate() {
            text.field.extend_from_slice(field.name().as_bytes());
            let ended = text.end_field(index, false);
            ended.map_err(|why| refuse_name(field.name(), why))?;
        }
        text.block.push(b'\n');
        begin.extend(text.take());
    }
    Written::begin(output, name, &begin, move |rows, give| {
        plan.write(rows, give)
    })
}

impl Plan {
    /// Gives the text of rows.
    fn write(&self, rows: &Rows, give: &mut dyn FnMut(Vec<u8>) -> bool) -> Result<()> {
        let batch = &rows.batch;
        let unwritable = |column: &str, row: usize, why| {
            unwritable_value(Format::CSV, column, rows.before + row as u64 + 1, why)
        };
        let columns = batch.columns().iter().zip(batch.schema_ref().fields());
        let columns = columns.map(|(array, field)| {
            if let Some(row) = outside_of_day(array.as_ref()) {
                return Err(unwritable(
                    field.name(),
                    row,
                    "it is no time of a day".into(),
                ));
            }
            let print = printer(array.as_ref());
            let bare = self.encoding == Encoding::Utf8;
            Ok(Cells {
                bare: bare && self.quoting.is_needless(field.data_type()),
                array: array.as_ref(),
                print: print.ok_or_else(|| refuse(field.name(), field.data_type()))?,
                text: is_text(field.data_type()),
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let mut text = Text::new(self);
        for row in 0..batch.num_rows() {
            if let Err((index, why)) = text.row(row, &columns) {
                let name = batch.schema_ref().field(index).name();
                return Err(unwritable(name, row, why));
            }
            if text.block.len() >= BLOCK_BYTES && !give(text.take()) {
                return Ok(());
            }
        }
        give(text.take());
        Ok(())
    }
}

impl<'a> Text<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            block: Vec::new(),
            field: Vec::new(),
        }
    }

    /// The records so far, in the file's encoding.
    fn take(&mut self) -> Vec<u8> {
        let block = std::mem::take(&mut self.block);
        if self.plan.encoding == Encoding::Utf8 {
            self.block.reserve(block.len());
            return block;
        }
        let mut encoded = Vec::new();
        let text = std::str::from_utf8(&block).unwrap_or_default();
        self.plan.encoding.encode(text, &mut encoded);
        encoded
    }

    /// Moves the field into the block, quoted where that is needed; why it cannot be written.
    fn end_field(&mut self, index: usize, text: bool) -> Result<(), String> {
        self.begin_field(index);
        if self.plan.encoding != Encoding::Utf8 {
            self.check_encoding()?;
        }
        let quotes = self.plan.quoting.of(&self.field, index, text);
        match (quotes, self.plan.quote) {
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
        match self.plan.encoding.lacks(text) {
            Some(lacked) => Err(format!(
                "it holds the character U+{:04X}, which {} does not have",
                u32::from(lacked),
                self.plan.encoding.name()
            )),
            None => Ok(()),
        }
    }

    fn begin_field(&mut self, index: usize) {
        if index > 0 {
            self.block.push(self.plan.delimiter);
        }
    }

    /// Appends a row; the column of the value that cannot be written, and why.
    fn row(&mut self, row: usize, columns: &[Cells<'_>]) -> Result<(), (usize, String)> {
        for (index, column) in columns.iter().enumerate() {
            if column.array.is_null(row) || column.array.data_type() == &DataType::Null {
                self.begin_field(index);
                self.block.extend_from_slice(self.plan.quoting.null());
                continue;
            }
            if column.bare {
                self.begin_field(index);
                (column.print)(row, &mut self.block);
                continue;
            }
            (column.print)(row, &mut self.field);
            let ended = self.restate(column.array.data_type());
            let ended = ended.and_then(|()| self.end_field(index, column.text));
            ended.map_err(|why| (index, why))?;
        }
        self.block.push(b'\n');
        Ok(())
    }

    /// Brings the printed field into the form that the options say.
    fn restate(&mut self, data_type: &DataType) -> Result<(), String> {
        if self.plan.look.has_comma(data_type) {
            let points = self.field.iter_mut().filter(|byte| **byte == b'.');
            points.for_each(|byte| *byte = b',');
        }
        if let Some(pattern) = self.plan.look.patterns.of(data_type) {
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
    /// Whether what is printed stands in the file as it is.
    bare: bool,
    text: bool,
}
