//! Text that is made of batches apart from one another, and written in their order.
//!
//! Invariant: whoever makes the text of a batch knows how many rows of the file are before it.

use super::BatchWriter;
use super::error::cannot_write;
use super::ordered::{Ordered, fallible};
use arrow_array::RecordBatch;
use flinkspark_model::Result;
use std::io::Write;

/// Rows that are to be written, and how many are before them.
pub(super) struct Rows {
    pub(super) batch: RecordBatch,
    pub(super) before: u64,
}

/// Writes a file's rows.
pub(super) struct Written {
    ordered: Ordered<Rows, Result<Vec<u8>>>,
    output: Box<dyn Write + Send>,
    name: String,
    rows: u64,
}

impl Written {
    /// A file that begins with these bytes; `work` gives the text of rows. `name` stands for the file in errors.
    pub(super) fn begin(
        mut output: Box<dyn Write + Send>,
        name: &str,
        begin: &[u8],
        work: impl Fn(&Rows, &mut dyn FnMut(Vec<u8>) -> bool) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let begun = output.write_all(begin);
        begun.map_err(|cause| cannot_write(name, cause))?;
        Ok(Self {
            ordered: fallible(move |rows, give: &mut dyn FnMut(Vec<u8>) -> bool| work(&rows, give)),
            output,
            name: name.into(),
            rows: 0,
        })
    }

    /// Writes what comes next; whether there was something.
    fn put_next(&mut self) -> Result<bool> {
        let Some(bytes) = self.ordered.take()? else {
            return Ok(false);
        };
        let written = self.output.write_all(&bytes?);
        written.map_err(|cause| cannot_write(&self.name, cause))?;
        Ok(true)
    }
}

impl BatchWriter for Written {
    /// Errors: also those of rows before these.
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        while !self.ordered.has_room() && self.put_next()? {}
        let rows = Rows {
            batch: batch.clone(),
            before: self.rows,
        };
        self.rows += batch.num_rows() as u64;
        self.ordered.give(rows)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        while self.put_next()? {}
        let flushed = self.output.flush();
        flushed.map_err(|cause| cannot_write(&self.name, cause))
    }
}
