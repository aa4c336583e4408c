//! Writes a file, packed with zstd at level 1 unless told otherwise.
//!
//! Zstandard because most readers of today know it, because the other formats have it in this build already, and
//! because its frames carry a checksum, which the container does not. Invariant: one block is held back, so that the
//! last can say that it is the last.

use super::cells::{Out, cells};
use super::codec::Codec;
use super::container::{CODEC, OWN_SCHEMA, SCHEMA, Sync, frame, header, sync};
use super::cursor::{BYTES_MAX, IDLE_MAX};
use super::print;
use crate::format::error::{cannot_write, unwritable_value};
use crate::format::ordered::Ordered;
use crate::format::{BatchWriter, Format};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use flinkspark_model::schema::to_json;
use std::io::{self, Write};

/// A block ends with the row that brings it to so many bytes.
const BLOCK_BYTES: usize = 1 << 20;

/// The largest row: a block that it ends has room for it.
const ROW_BYTES_MAX: usize = BYTES_MAX - BLOCK_BYTES;

/// The most values of a row that take no bytes, and those that end a block.
const ROW_IDLE_MAX: usize = IDLE_MAX / 2;

/// Writes a file.
pub(super) struct Writer {
    output: Box<dyn Write + Send>,
    name: String,
    schema: SchemaRef,
    header: Vec<u8>,
    /// Packs blocks apart from one another.
    packing: Ordered<Full, io::Result<Packed>>,
    /// The block that is being filled, and its rows.
    block: Out,
    block_rows: u64,
    /// The last one that was packed.
    held: Option<Packed>,
    /// The file's marker, once its header was written.
    sync: Option<Sync>,
    rows: u64,
}

/// A block before it is packed.
struct Full {
    rows: u64,
    bytes: Vec<u8>,
}

/// A block before it is written.
struct Packed {
    rows: u64,
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new(
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        codec: Codec,
    ) -> Result<Self> {
        let avro = print::schema(schema.fields()).map_err(|refusal| refusal.as_error(name))?;
        let entries = [
            (CODEC, codec.name()),
            (SCHEMA, &avro.to_string()),
            (OWN_SCHEMA, &to_json(schema)?),
        ];
        Ok(Self {
            output,
            name: name.into(),
            schema: SchemaRef::clone(schema),
            header: header(&entries),
            packing: Ordered::new(move |full: Full, give| {
                let (rows, packed) = (full.rows, codec.pack(full.bytes));
                give(packed.map(|bytes| Packed { rows, bytes }));
            }),
            block: Out::default(),
            block_rows: 0,
            held: None,
            sync: None,
            rows: 0,
        })
    }

    /// Has the block packed that is being filled.
    fn pack(&mut self) -> Result<()> {
        while !self.packing.has_room() && self.put_next()? {}
        let bytes = std::mem::take(&mut self.block.bytes);
        self.block.bytes.reserve(bytes.len());
        self.block.idle = 0;
        let rows = std::mem::take(&mut self.block_rows);
        self.packing.give(Full { rows, bytes })
    }

    /// Holds the next block back that was packed, and writes the one before; whether there was one.
    fn put_next(&mut self) -> Result<bool> {
        let Some(packed) = self.packing.take()? else {
            return Ok(false);
        };
        let put = packed.and_then(|packed| match self.held.replace(packed) {
            Some(before) => self.put(&before, false),
            None => Ok(()),
        });
        put.map(|()| true)
            .map_err(|cause| cannot_write(&self.name, cause))
    }

    fn put(&mut self, block: &Packed, last: bool) -> io::Result<()> {
        let sync = self.begin(&block.bytes)?;
        let frame = frame(block.rows, block.bytes.len(), last);
        self.output.write_all(&frame)?;
        self.output.write_all(&block.bytes)?;
        self.output.write_all(&sync)
    }

    /// Writes the header, where it was not, of a file that begins with this block; gives the file's marker.
    fn begin(&mut self, first: &[u8]) -> io::Result<Sync> {
        if let Some(sync) = self.sync {
            return Ok(sync);
        }
        let sync = sync(&self.header, first);
        self.output.write_all(&self.header)?;
        self.output.write_all(&sync)?;
        self.sync = Some(sync);
        Ok(sync)
    }

    fn end(&mut self) -> io::Result<()> {
        match self.held.take() {
            Some(last) => self.put(&last, true)?,
            None => drop(self.begin(&[])?),
        }
        self.output.flush()
    }
}

/// Refuses a row, of so many bytes and values without bytes, that no reader would take.
fn check_row((bytes, idle): (usize, usize)) -> std::result::Result<(), String> {
    if bytes <= ROW_BYTES_MAX && idle <= ROW_IDLE_MAX {
        return Ok(());
    }
    Err(format!(
        "its row takes {bytes} bytes and has {idle} values without any; the limits are {ROW_BYTES_MAX} and {ROW_IDLE_MAX}"
    ))
}

impl BatchWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = SchemaRef::clone(&self.schema);
        let columns = batch.columns().iter().zip(schema.fields());
        let columns: Vec<_> = columns
            .map(|(column, field)| (cells(column, field), field))
            .collect();
        for row in 0..batch.num_rows() {
            self.rows += 1;
            let (start, idle) = (self.block.bytes.len(), self.block.idle);
            for (cells, field) in &columns {
                let written = cells.put(row, &mut self.block);
                let taken = (self.block.bytes.len() - start, self.block.idle - idle);
                written
                    .and_then(|()| check_row(taken))
                    .map_err(|why| unwritable_value(Format::AVRO, field.name(), self.rows, why))?;
            }
            self.block.idle += usize::from(self.block.bytes.len() == start);
            self.block_rows += 1;
            if self.block.bytes.len() >= BLOCK_BYTES || self.block.idle >= ROW_IDLE_MAX {
                self.pack()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if self.block_rows > 0 {
            self.pack()?;
        }
        while self.put_next()? {}
        self.end().map_err(|cause| cannot_write(&self.name, cause))
    }
}
