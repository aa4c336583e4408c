//! A row group on the way to its file, its columns encoded by as many threads as there are cores.
//!
//! Invariant: a column's values are encoded in their order, whichever thread does it, so that the file is the same
//! whatever the number of cores.

use crate::fit;
use crate::format::ordered::threads;
use ::parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use ::parquet::errors::Result;
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::RecordBatch;
use arrow_schema::{FieldRef, SchemaRef};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Rows that are encoded at once, in bytes: enough for the threads to be worth their start.
const BATCHES_BYTES: u64 = 8 << 20;

/// A row group that is being written.
pub(super) struct Group {
    columns: Vec<Mutex<Column>>,
    /// Batches that are not encoded yet, and their bytes.
    waiting: Vec<RecordBatch>,
    waiting_bytes: u64,
    rows: usize,
}

/// A column with all of its leaves.
struct Column {
    field: FieldRef,
    leaves: Vec<ArrowColumnWriter>,
    chunks: Vec<ArrowColumnChunk>,
}

impl Group {
    /// The row group of this number.
    pub(super) fn new(
        number: usize,
        factory: &ArrowRowGroupWriterFactory,
        written: &SchemaDescriptor,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let mut columns: Vec<Column> = schema
            .fields()
            .iter()
            .map(|field| Column {
                field: FieldRef::clone(field),
                leaves: Vec::new(),
                chunks: Vec::new(),
            })
            .collect();
        let leaves = factory.create_column_writers(number)?;
        for (leaf, writer) in leaves.into_iter().enumerate() {
            if let Some(column) = columns.get_mut(written.get_column_root_idx(leaf)) {
                column.leaves.push(writer);
            }
        }
        Ok(Self {
            columns: columns.into_iter().map(Mutex::new).collect(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            rows: 0,
        })
    }

    /// Its rows so far.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// What is encoded takes about so many bytes.
    pub(super) fn bytes(&mut self) -> usize {
        let columns = self.columns.iter_mut();
        let columns =
            columns.map(|column| column.get_mut().unwrap_or_else(PoisonError::into_inner));
        let leaves = columns.flat_map(|column| &column.leaves);
        leaves
            .map(ArrowColumnWriter::get_estimated_total_bytes)
            .sum()
    }

    pub(super) fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        self.waiting_bytes += fit::bytes_of(&batch);
        self.waiting.push(batch);
        if self.waiting_bytes < BATCHES_BYTES {
            return Ok(());
        }
        self.encode(|_| Ok(()))
    }

    /// The encoded columns, leaf by leaf.
    pub(super) fn finish(mut self) -> Result<Vec<ArrowColumnChunk>> {
        self.encode(|column| {
            let leaves = column.leaves.drain(..).map(ArrowColumnWriter::close);
            column.chunks = leaves.collect::<Result<_>>()?;
            Ok(())
        })?;
        let columns = self.columns.into_iter();
        let columns =
            columns.map(|column| column.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(columns.flat_map(|column| column.chunks).collect())
    }

    /// Encodes what waits, each column by one thread, which then does the rest.
    fn encode(&mut self, rest: impl Fn(&mut Column) -> Result<()> + Sync) -> Result<()> {
        let batches = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let (columns, next) = (&self.columns, AtomicUsize::new(0));
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(column) = columns.get(index) else {
                    return Ok(());
                };
                let mut column = column.lock().unwrap_or_else(PoisonError::into_inner);
                for batch in &batches {
                    column.write(index, batch)?;
                }
                rest(&mut column)?;
            }
        };
        let others = threads().min(columns.len()).saturating_sub(1);
        thread::scope(|scope| {
            let start = |_| thread::Builder::new().spawn_scoped(scope, work);
            // Where the system gives no more threads there are fewer.
            let others: Vec<_> = (0..others).map_while(|number| start(number).ok()).collect();
            let mut result = work();
            for other in others {
                result = result.and(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            result
        })
    }
}

impl Column {
    fn write(&mut self, index: usize, batch: &RecordBatch) -> Result<()> {
        let leaves = compute_leaves(&self.field, batch.column(index))?;
        for (writer, leaf) in self.leaves.iter_mut().zip(&leaves) {
            writer.write(leaf)?;
        }
        Ok(())
    }
}
