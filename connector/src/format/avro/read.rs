//! Reads a file: its schema, then batches of rows.
//!
//! Invariant: a block has exactly the rows that it says, and their bytes are all of its bytes.

use super::codec::Codec;
use super::column::{Column, column};
use super::container::{CODEC, Container, OWN_SCHEMA, Place, SCHEMA};
use super::cursor::{Cursor, Fault, IDLE_MAX};
use super::schema::Wire;
use super::{print, schema};
use crate::format::conform::stored_schema;
use crate::format::error::{foreign_calendar, guarded, unread_codec, unreadable_value};
use crate::format::{BatchReader, Format, Input, ReadOptions, ipc, parquet};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use flinkspark_model::{Error, Result};
use serde_json::Value;
use std::collections::HashMap;

/// The largest batch that is built: offsets of 32 bits hold it, and a row more.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Reads a file.
pub(super) struct Reader {
    container: Container,
    codec: Codec,
    schema: SchemaRef,
    columns: Vec<Box<dyn Column>>,
    rows_max: usize,
    bytes_max: usize,
    block: Option<Block>,
    rows_read: u64,
}

/// A block that is being read.
struct Block {
    place: Place,
    bytes: Vec<u8>,
    /// How many of its bytes were read.
    at: usize,
    /// How many rows are still to come.
    rows: u64,
    /// How many values without bytes may still come.
    idle: usize,
}

/// Why a block was not read further.
struct Wrong {
    fault: Fault,
    /// The row, from 0, of those that were to be read.
    row: usize,
    column: usize,
}

impl Block {
    /// Appends rows to the columns until there are so many, or they take so many bytes; says both.
    fn read(
        &mut self,
        columns: &mut [Box<dyn Column>],
        rows_max: usize,
        bytes_max: usize,
    ) -> std::result::Result<(usize, usize), Wrong> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut cursor = Cursor::new(rest, self.idle);
        let (mut rows, mut bytes) = (0, 0);
        while self.rows > 0 && rows < rows_max && bytes < bytes_max {
            let mut at = 0;
            let taken = cursor.row(|cursor| {
                for column in &mut *columns {
                    column.read(cursor)?;
                    at += 1;
                }
                Ok(())
            });
            bytes += taken.map_err(|fault| Wrong {
                fault,
                row: rows,
                column: at,
            })?;
            rows += 1;
            self.rows -= 1;
        }
        self.at = self.bytes.len() - cursor.left();
        self.idle = cursor.idle();
        Ok((rows, bytes))
    }
}

impl Reader {
    pub(super) fn new(input: Box<dyn Input>, name: &str, options: &ReadOptions) -> Result<Self> {
        guarded(Format::AVRO, name, || {
            let container = Container::open(input, name)?;
            let text = container.metadata.get(SCHEMA);
            let text = text.ok_or_else(|| container.damaged("its header has no schema"))?;
            let avro: Value = serde_json::from_slice(text)
                .map_err(|cause| container.damaged(format!("its schema is no JSON: {cause}")))?;
            let (fields, wires) =
                schema::columns(&avro).map_err(|refusal| refusal.as_error(name))?;
            let schema = own_schema(&container.metadata, &avro).unwrap_or(Schema::new(fields));
            let schema = stored_schema(&schema)?;
            check_calendar(&container, &schema)?;
            Ok(Self {
                codec: codec(&container)?,
                columns: columns(&container, &schema, &wires)?,
                schema,
                container,
                rows_max: options.batch_rows.max(1),
                bytes_max: options.batch_bytes.clamp(1, BATCH_BYTES_MAX),
                block: None,
                rows_read: 0,
            })
        })
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.rows_max && bytes < self.bytes_max {
            let block = match &mut self.block {
                Some(block) => block,
                None => match self.next_block()? {
                    Some(block) => self.block.insert(block),
                    None => break,
                },
            };
            let (rows_max, bytes_max) = (self.rows_max - rows, self.bytes_max - bytes);
            match block.read(&mut self.columns, rows_max, bytes_max) {
                Ok((more_rows, more_bytes)) => {
                    rows += more_rows;
                    bytes += more_bytes;
                    self.rows_read += more_rows as u64;
                }
                Err(wrong) => {
                    let place = block.place;
                    return Err(self.error(place, wrong));
                }
            }
            if block.rows == 0 {
                let (place, left) = (block.place, block.bytes.len() - block.at);
                if left > 0 {
                    let why = format!("it has {left} bytes behind its last row");
                    return Err(self.container.damaged_block(place, why));
                }
                self.block = None;
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        self.finish(rows).map(Some)
    }

    fn next_block(&mut self) -> Result<Option<Block>> {
        let Some(block) = self.container.block()? else {
            return Ok(None);
        };
        let place = block.place;
        let bytes = self.codec.unpack(block.packed);
        let bytes = bytes.map_err(|why| self.container.damaged_block(place, why))?;
        Ok(Some(Block {
            place,
            bytes,
            at: 0,
            rows: block.rows,
            idle: IDLE_MAX,
        }))
    }

    fn error(&self, place: Place, wrong: Wrong) -> Error {
        let row = self.rows_read + wrong.row as u64 + 1;
        // Of a row without columns it is the row's fault.
        let field = self.schema.fields().get(wrong.column);
        match (wrong.fault, field) {
            (Fault::Unheld(why), field) => {
                let column = field.map_or("", |field| field.name());
                unreadable_value(self.container.name(), column, row, why)
            }
            (Fault::Damaged(why), None) => {
                let why = format!("row {row}: {why}");
                self.container.damaged_block(place, why)
            }
            (Fault::Damaged(why), Some(field)) => {
                let why = format!("row {row}, column \"{}\": {why}", field.name());
                self.container.damaged_block(place, why)
            }
        }
    }

    fn finish(&mut self, rows: usize) -> Result<RecordBatch> {
        let columns = self.columns.iter_mut().map(|column| column.finish());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        columns
            .collect::<std::result::Result<_, _>>()
            .and_then(|columns| {
                let schema = SchemaRef::clone(&self.schema);
                RecordBatch::try_new_with_options(schema, columns, &options)
            })
            .map_err(|cause| self.container.damaged(cause.to_string()))
    }
}

/// The schema that the file holds beside Avro's, where that is the one which it is written with.
fn own_schema(metadata: &HashMap<String, Vec<u8>>, avro: &Value) -> Option<Schema> {
    let text = std::str::from_utf8(metadata.get(OWN_SCHEMA)?).ok()?;
    let schema = flinkspark_model::schema::from_json(text).ok()?;
    let printed = print::schema(schema.fields()).ok()?;
    (printed == *avro).then_some(schema)
}

fn codec(container: &Container) -> Result<Codec> {
    match container.metadata.get(CODEC) {
        None => Ok(Codec::Null),
        Some(name) => Codec::named(name).ok_or_else(|| {
            let codec = String::from_utf8_lossy(name);
            let hint =
                "write it again with zstandard, deflate, snappy, bzip2, xz or without compression";
            unread_codec(
                container.name(),
                &format!("\"{}\"", codec.escape_debug()),
                hint,
            )
        }),
    }
}

fn columns(container: &Container, schema: &Schema, wires: &[Wire]) -> Result<Vec<Box<dyn Column>>> {
    let columns = schema.fields().iter().zip(wires);
    let columns = columns.map(|(field, wire)| column(field.data_type(), wire));
    columns.collect::<Result<_, _>>().map_err(|fault| {
        let (Fault::Damaged(why) | Fault::Unheld(why)) = fault;
        container.damaged(why)
    })
}

/// Refuses days of Spark's hybrid calendar.
fn check_calendar(container: &Container, schema: &Schema) -> Result<()> {
    let keys = container.metadata.keys();
    let keys = keys.map(|key| (key.clone(), String::new())).collect();
    let mut fields = schema.fields().iter();
    match parquet::marker(&keys) {
        Some(marker) if fields.any(|field| ipc::has_days(field.data_type())) => {
            let why = format!("its header has {marker}: its writer was told to write old dates so");
            let hint = "write it again with spark.sql.avro.datetimeRebaseModeInWrite=CORRECTED";
            Err(foreign_calendar(container.name(), why, hint))
        }
        _ => Ok(()),
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.container.name().to_owned();
        guarded(Format::AVRO, &name, || self.batch()).transpose()
    }
}

impl BatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}
