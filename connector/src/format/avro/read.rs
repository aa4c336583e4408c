//! Reads a file: its schema, then batches of rows.
//!
//! Blocks are read apart from one another, by as many threads as there are. Invariant: a block has exactly the rows that it says, and their bytes are all of its bytes.

use super::codec::Codec;
use super::column::{Column, column};
use super::container::{self, CODEC, Container, OWN_SCHEMA, Place, SCHEMA};
use super::cursor::{Cursor, Fault, IDLE_MAX};
use super::resolve::{Node, Step, resolve};
use super::schema::Wire;
use super::{Refusal, print, schema};
use crate::format::conform::stored_schema;
use crate::format::error::{
    damaged, foreign_calendar, guarded, unread_codec, unreadable_value, unresolved_schema,
};
use crate::format::ordered::Pieces;
use crate::format::{BatchReader, Format, Input, ReadOptions, ipc, parquet};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Fields, Schema, SchemaRef};
use flinkspark_model::{Error, Result};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The largest batch that is built: offsets of 32 bits hold it, and a row more.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// The usual size of the blocks that are read together, in bytes as they stand in the file.
const PIECE_BYTES: usize = 256 << 10;

/// Reads a file.
pub(super) struct Reader {
    container: Container,
    pieces: Pieces<Piece, RecordBatch>,
    schema: SchemaRef,
    /// The rows of the blocks that were taken from the file.
    rows: u64,
}

/// Blocks that stand behind one another.
struct Piece {
    blocks: Vec<container::Block>,
    /// The rows before them.
    rows_before: u64,
}

/// How blocks are read.
struct Plan {
    name: String,
    codec: Codec,
    schema: SchemaRef,
    wires: Arc<[Wire]>,
    /// What makes of the rows those of another schema, at which the columns are.
    resolved: Option<Step>,
    rows_max: usize,
    bytes_max: usize,
}

/// A block that is being read.
struct Block {
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
        resolved: Option<&Step>,
        rows_max: usize,
        bytes_max: usize,
    ) -> std::result::Result<(usize, usize), Wrong> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut cursor = Cursor::new(rest, self.idle);
        let (mut rows, mut bytes) = (0, 0);
        let mut rewritten = Vec::new();
        while self.rows > 0 && rows < rows_max && bytes < bytes_max {
            let mut at = 0;
            let mut read = |cursor: &mut Cursor<'_>, at: &mut usize| {
                for column in &mut *columns {
                    column.read(cursor)?;
                    *at += 1;
                }
                Ok(())
            };
            let taken = match resolved {
                None => cursor.row(|cursor| read(cursor, &mut at)),
                Some(step) => {
                    rewritten.clear();
                    let written = cursor.row(|cursor| {
                        let written = step.rewrite_row(cursor, &mut rewritten);
                        written.map_err(|(column, fault)| {
                            at = column;
                            fault
                        })
                    });
                    written.and_then(|_| {
                        Cursor::new(&rewritten, IDLE_MAX).row(|cursor| read(cursor, &mut at))
                    })
                }
            };
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
            let (mut fields, mut wires) =
                schema::columns(&avro).map_err(|refusal| refusal.as_error(name))?;
            let (mut own, mut resolved) = (own_schema(&container.metadata, &avro), None);
            if let Some(wanted) = &options.avro.schema {
                let (step, at) = resolution(name, &avro, wanted)?;
                (own, resolved) = (None, Some(step));
                (fields, wires) = at;
            }
            let schema = own.unwrap_or(Schema::new(fields));
            let schema = stored_schema(&schema)?;
            check_calendar(&container, &schema)?;
            let plan = Plan {
                name: name.into(),
                codec: codec(&container)?,
                schema: SchemaRef::clone(&schema),
                wires,
                resolved,
                rows_max: options.batch_rows.max(1),
                bytes_max: options.batch_bytes.clamp(1, BATCH_BYTES_MAX),
            };
            plan.columns()?;
            Ok(Self {
                container,
                pieces: Pieces::new(move |piece, give| {
                    guarded(Format::AVRO, &plan.name, || plan.read(piece, give))
                }),
                schema,
                rows: 0,
            })
        })
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (container, rows) = (&mut self.container, &mut self.rows);
        self.pieces.next(|| piece(container, rows))
    }
}

/// A schema's columns, and how each is written.
type Columns = (Fields, Arc<[Wire]>);

/// How rows of the one schema become rows of the one that was passed, and what the columns of that are.
fn resolution(name: &str, avro: &Value, wanted: &str) -> Result<(Step, Columns)> {
    let unusable = |why: String| {
        let why = format!("it cannot be used itself: {why}");
        unresolved_schema(name, why, "correct the schema that --avro-schema names")
    };
    let wanted: Value = serde_json::from_str(wanted)
        .map_err(|cause| unusable(format!("it is no JSON: {cause}")))?;
    let columns = schema::columns(&wanted).map_err(|refusal| match refusal {
        Refusal::Damaged(why) | Refusal::Unheld { why, .. } => unusable(why),
        Refusal::Unread { what, why, .. } => unusable(format!("it {what}: {why}")),
    })?;
    let (Some(theirs), Some(ours)) = (Node::of(avro), Node::of(&wanted)) else {
        return Err(unusable("a type of it is incomplete".into()));
    };
    let step = resolve(&theirs, &ours).map_err(|cause| {
        let place = match cause.path.as_str() {
            "" => "its records".into(),
            path => format!("field \"{path}\""),
        };
        unresolved_schema(name, format!("{place}: {}", cause.why), cause.hint)
    })?;
    Ok((step, columns))
}

/// The next blocks; none at the end of the file.
fn piece(container: &mut Container, rows: &mut u64) -> Result<Option<Piece>> {
    let mut piece = Piece {
        blocks: Vec::new(),
        rows_before: *rows,
    };
    let mut bytes = 0;
    while bytes < PIECE_BYTES
        && let Some(block) = container.block()?
    {
        bytes += block.packed.len().max(1);
        *rows = rows.saturating_add(block.rows);
        piece.blocks.push(block);
    }
    Ok((!piece.blocks.is_empty()).then_some(piece))
}

impl Plan {
    /// Gives the rows of blocks in batches.
    fn read(&self, piece: Piece, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let mut columns = self.columns()?;
        let (mut rows_before, mut rows, mut bytes) = (piece.rows_before, 0, 0);
        for packed in piece.blocks {
            let place = packed.place;
            let damaged = |why| container::damaged_block(&self.name, place, why);
            let mut block = Block {
                bytes: self.codec.unpack(packed.packed).map_err(damaged)?,
                at: 0,
                rows: packed.rows,
                idle: IDLE_MAX,
            };
            while block.rows > 0 {
                let (rows_max, bytes_max) = (self.rows_max - rows, self.bytes_max - bytes);
                let read = block.read(&mut columns, self.resolved.as_ref(), rows_max, bytes_max);
                let (more_rows, more_bytes) =
                    read.map_err(|wrong| self.error(place, rows_before, wrong))?;
                rows_before += more_rows as u64;
                rows += more_rows;
                bytes += more_bytes;
                if rows >= self.rows_max || bytes >= self.bytes_max {
                    if !give(self.finish(&mut columns, rows)?) {
                        return Ok(());
                    }
                    (rows, bytes) = (0, 0);
                }
            }
            let left = block.bytes.len() - block.at;
            if left > 0 {
                return Err(damaged(format!("it has {left} bytes behind its last row")));
            }
        }
        if rows > 0 {
            give(self.finish(&mut columns, rows)?);
        }
        Ok(())
    }

    fn columns(&self) -> Result<Vec<Box<dyn Column>>> {
        let columns = self.schema.fields().iter().zip(self.wires.iter());
        let columns = columns.map(|(field, wire)| column(field.data_type(), wire));
        columns.collect::<Result<_, _>>().map_err(|fault| {
            let (Fault::Damaged(why) | Fault::Unheld(why)) = fault;
            damaged(Format::AVRO, &self.name, why)
        })
    }

    fn error(&self, place: Place, rows_before: u64, wrong: Wrong) -> Error {
        let row = rows_before + wrong.row as u64 + 1;
        // Of a row without columns it is the row's fault.
        let field = self.schema.fields().get(wrong.column);
        let damaged = |why| container::damaged_block(&self.name, place, why);
        match (wrong.fault, field) {
            (Fault::Unheld(why), field) => {
                let column = field.map_or("", |field| field.name());
                unreadable_value(&self.name, column, row, why)
            }
            (Fault::Damaged(why), None) => damaged(format!("row {row}: {why}")),
            (Fault::Damaged(why), Some(field)) => {
                damaged(format!("row {row}, column \"{}\": {why}", field.name()))
            }
        }
    }

    fn finish(&self, columns: &mut [Box<dyn Column>], rows: usize) -> Result<RecordBatch> {
        let columns = columns.iter_mut().map(|column| column.finish());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        columns
            .collect::<std::result::Result<_, _>>()
            .and_then(|columns| {
                let schema = SchemaRef::clone(&self.schema);
                RecordBatch::try_new_with_options(schema, columns, &options)
            })
            .map_err(|cause| damaged(Format::AVRO, &self.name, cause.to_string()))
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
        self.batch().transpose()
    }
}

impl BatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }
}
