//! Writes one subtask's rows of one output: staged now, committed when the checkpoint is.
//!
//! Invariant: a segment holds rows between two barriers, and nothing is visible before the
//! coordinator has committed its receipt.

use super::program::Sink;
use arrow_array::RecordBatch;
use flinkspark_model::log::{Generation, LogId, SegmentFormat};
use flinkspark_model::port::{Dataset, SegmentSpec, SegmentWriter};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// The writer of one subtask.
pub(crate) struct Writer {
    /// Which of the job's outputs.
    pub(crate) output: usize,
    sink: Sink,
    dataset: Arc<dyn Dataset>,
    partition: u32,
    job: (LogId, Generation),
    open: Option<Box<dyn SegmentWriter>>,
}

impl Writer {
    /// A writer that stages segments of this partition for the job's incarnation.
    pub(crate) fn new(
        output: usize,
        sink: Sink,
        dataset: Arc<dyn Dataset>,
        partition: u32,
        job: (LogId, Generation),
    ) -> Self {
        Self {
            output,
            sink,
            dataset,
            partition,
            job,
            open: None,
        }
    }

    /// Stages rows.
    pub(crate) async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let schema = Arc::clone(&self.sink.schema);
        let rows = RecordBatch::try_new(schema, rows.columns().to_vec()).map_err(|cause| {
            Error::new(
                Kind::Data,
                "FS0612",
                format!("a row does not fit dataset \"{}\"", self.sink.name),
            )
            .with_detail(cause.to_string())
            .with_hint(
                "a NOT NULL column was given a null: use COALESCE, or make the column nullable",
            )
        })?;
        let writer = match &mut self.open {
            Some(writer) => writer,
            closed => {
                let (_, generation) = self.job;
                let spec = SegmentSpec {
                    partition: self.partition,
                    attempt: u32::try_from(generation - 1).unwrap_or(u32::MAX),
                    format: SegmentFormat::Arrow,
                    schema: Arc::clone(&self.sink.schema),
                    job: Some(self.job),
                };
                closed.insert(self.dataset.stage(spec).await?)
            }
        };
        writer.write(&rows).await
    }

    /// Ends the segment at a barrier; `None` if no row came since the last one.
    pub(crate) fn cut(&mut self) -> Option<Box<dyn SegmentWriter>> {
        self.open.take()
    }
}
