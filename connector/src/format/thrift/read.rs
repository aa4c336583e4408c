//! Reads a file: at an IDL or a schema, batches of records.
//!
//! Invariant: a record's bytes are exactly those of its struct, and what stands in a batch stands in the file.

use super::column::{Column, Record};
use super::cursor::{Cursor, Fault, FaultKind};
use super::frames::Frames;
use super::layout::Member;
use super::options::{ThriftOptions, ThriftProtocol};
use super::{idl, layout};
use crate::fit::CELL_BYTES_MAX;
use crate::format::conform::stored_schema;
use crate::format::error::{damaged, guarded, unreadable_value, without_schema};
use crate::format::{BatchReader, Format, Input, ReadOptions};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use flinkspark_model::{Error, Result};
use std::sync::Arc;

/// The largest batch that is built: offsets of 32 bits hold it, and a record more.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Reads a file.
pub(super) struct Reader {
    frames: Frames,
    protocol: ThriftProtocol,
    schema: SchemaRef,
    record: Record,
    rows_max: usize,
    bytes_max: usize,
}

impl Reader {
    pub(super) fn new(input: Box<dyn Input>, name: &str, options: &ReadOptions) -> Result<Self> {
        let (schema, members) = described(name, options)?;
        let protocol = options.thrift.protocol;
        let cell_bytes_max = usize::try_from(CELL_BYTES_MAX).unwrap_or(usize::MAX);
        let record = Record::new(schema.fields(), &members, protocol, cell_bytes_max);
        let record = record.map_err(|fault| damaged(Format::THRIFT, name, fault.why))?;
        Ok(Self {
            frames: Frames::new(input, name),
            protocol,
            schema,
            record,
            rows_max: options.batch_rows.max(1),
            bytes_max: options.batch_bytes.clamp(1, BATCH_BYTES_MAX),
        })
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.rows_max && bytes < self.bytes_max && self.frames.advance()? {
            let mut cursor = Cursor::new(self.frames.bytes(), self.protocol);
            let read = self.record.read_fields(&mut cursor);
            if let Err(fault) = read {
                let at = cursor.begun();
                return Err(self.error(at, fault));
            }
            if cursor.left() > 0 {
                let (at, left) = (cursor.at(), cursor.left());
                let why = format!("it has {left} bytes behind its last field");
                return Err(self.damaged(at, "", &why));
            }
            rows += 1;
            bytes += cursor.taken();
        }
        match rows {
            0 => Ok(None),
            _ => self.finish(rows).map(Some),
        }
    }

    fn error(&self, at: usize, fault: Fault) -> Error {
        match fault.kind {
            FaultKind::Damaged => self.damaged(at, &fault.path, &fault.why),
            FaultKind::Unheld => {
                let (name, row) = (self.frames.name(), self.frames.number());
                unreadable_value(name, &fault.path, row, fault.why)
            }
        }
    }

    /// What is wrong with the present record, which may only be that it is of the other protocol.
    fn damaged(&self, at: usize, column: &str, why: &str) -> Error {
        let why = format!("{why} (read as the {})", self.protocol.name());
        self.frames.damaged(at, column, &why)
    }

    fn finish(&mut self, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = self.record.finish_columns();
        let batch = columns.and_then(|columns| {
            let schema = SchemaRef::clone(&self.schema);
            RecordBatch::try_new_with_options(schema, columns, &options)
        });
        batch.map_err(|cause| damaged(Format::THRIFT, self.frames.name(), cause.to_string()))
    }
}

/// The columns that a file is read at, and how each stands in its records.
fn described(name: &str, options: &ReadOptions) -> Result<(SchemaRef, Arc<[Member]>)> {
    let ThriftOptions { idl, structure, .. } = &options.thrift;
    let wanted = options.schema.as_deref();
    match (idl, wanted) {
        (Some(text), wanted) => {
            let read = idl::read(text, structure.as_deref())?;
            let (schema, members) = idl::at_schema(read, wanted);
            Ok((stored_schema(&schema)?, members))
        }
        (None, Some(schema)) => layout::of_schema(schema),
        (None, None) => Err(without_schema(Format::THRIFT, name)),
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.frames.name().to_owned();
        guarded(Format::THRIFT, &name, || self.batch()).transpose()
    }
}

impl BatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        self.record.unknown("", &mut |path, id, count| {
            let place = match path {
                "" => String::new(),
                path => format!("column \"{path}\": "),
            };
            let fields = match id {
                Some(id) => format!("field {id}"),
                None => "other fields".into(),
            };
            notices.push(format!(
                "{place}{fields}, which the schema lacks, {} there {count} times and skipped",
                if id.is_some() { "was" } else { "were" }
            ));
        });
        notices
    }
}
