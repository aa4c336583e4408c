//! Writes Arrow IPC, the file format.
//!
//! Invariant: a file that was not finished has no footer and is torn to every reader.

use crate::format::BatchWriter;
use crate::format::error::cannot_write;
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use std::io::Write;

/// Writes the file format.
pub(in crate::format) struct Writer {
    writer: FileWriter<Box<dyn Write + Send>>,
    name: String,
}

impl Writer {
    pub(in crate::format) fn new(
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let writer =
            FileWriter::try_new(output, schema).map_err(|cause| cannot_write(name, cause))?;
        Ok(Self {
            writer,
            name: name.into(),
        })
    }
}

impl BatchWriter for Writer {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer
            .write(batch)
            .map_err(|cause| cannot_write(&self.name, cause))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let finished = self.writer.finish().and_then(|()| self.writer.flush());
        finished.map_err(|cause| cannot_write(&self.name, cause))
    }
}
