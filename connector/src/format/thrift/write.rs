//! Writes a file: each row as a record with its length before it.
//!
//! Invariant: whatever is written, [`Reader`](super::read) reads back at the same schema, IDL and protocol.

use super::cells::{Cells, Record};
use super::cursor::BYTES_MAX;
use super::idl;
use super::layout::{self, Member};
use super::options::ThriftOptions;
use super::out::{Out, Refused};
use crate::fit::{self, Cut};
use crate::format::error::{cannot_write, unwritable_value};
use crate::format::{BatchWriter, Format};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::{Error, Result};
use std::io::Write;
use std::sync::Arc;

/// Bytes that are gathered before they are written.
const BLOCK_BYTES: usize = 64 << 10;

/// Writes a file.
pub(super) struct Writer {
    output: Box<dyn Write + Send>,
    name: String,
    schema: SchemaRef,
    members: Arc<[Member]>,
    record: Out,
    block: Vec<u8>,
    rows: u64,
}

impl Writer {
    pub(super) fn new(
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        options: &ThriftOptions,
    ) -> Result<Self> {
        let members = match &options.idl {
            Some(text) => {
                let idl = idl::read(text, options.structure.as_deref())?;
                idl::members_for(&idl, schema.fields())?
            }
            None => layout::of_schema(schema)?.1,
        };
        Ok(Self {
            output,
            name: name.into(),
            schema: SchemaRef::clone(schema),
            members,
            record: Out::new(options.protocol),
            block: Vec::with_capacity(BLOCK_BYTES),
            rows: 0,
        })
    }

    /// Refuses a record that no reader would take.
    fn check_record(&self) -> std::result::Result<(), Refused> {
        let bytes = self.record.bytes.len();
        match bytes > BYTES_MAX {
            true => {
                Err(format!("its record has {bytes} bytes, and the limit is {BYTES_MAX}").into())
            }
            false => Ok(()),
        }
    }

    fn end_record(&mut self) -> std::io::Result<()> {
        let bytes = &mut self.record.bytes;
        // That it fits was checked.
        let length = u32::try_from(bytes.len()).unwrap_or_default();
        self.block.extend(length.to_be_bytes());
        self.block.append(bytes);
        match self.block.len() {
            ..BLOCK_BYTES => Ok(()),
            _ => self.write_block(),
        }
    }

    fn write_block(&mut self) -> std::io::Result<()> {
        let written = self.output.write_all(&self.block);
        self.block.clear();
        written
    }
}

fn refused(row: u64, refused: Refused) -> Error {
    unwritable_value(Format::THRIFT, &refused.path, row, refused.why)
}

/// Refuses a cell or a row that is larger than a dataset holds, and than the reader takes.
fn check_sizes(batch: &RecordBatch, before: u64) -> Result<()> {
    let cut = Cut {
        rows_max: usize::MAX,
        bytes_max: fit::CELL_BYTES_MAX,
    };
    let checked = fit::cut_checked(batch, cut).map(drop);
    checked.map_err(|large| {
        let row = before + large.row as u64 + 1;
        let column = large.column.unwrap_or_default();
        let (bytes, limit) = (large.bytes, large.limit);
        let why = format!("it takes {bytes} bytes, and the limit is {limit}");
        unwritable_value(Format::THRIFT, &column, row, why)
    })
}

impl BatchWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        check_sizes(batch, self.rows)?;
        let (schema, members) = (SchemaRef::clone(&self.schema), Arc::clone(&self.members));
        let record = Record::new(batch.columns(), schema.fields(), &members);
        for row in 0..batch.num_rows() {
            self.rows += 1;
            let put = record.put(row, &mut self.record);
            if let Err(why) = put.and_then(|()| self.check_record()) {
                self.record.clear();
                return Err(refused(self.rows, why));
            }
            let written = self.end_record();
            written.map_err(|cause| cannot_write(&self.name, cause))?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let flushed = self.write_block().and_then(|()| self.output.flush());
        flushed.map_err(|cause| cannot_write(&self.name, cause))
    }
}
