//! Computes new columns for each row.

use super::{Batch, Event, Operator, Output};
use crate::expr;
use crate::expr::bounded::{Pieces, too_large};
use crate::stream::message::broken;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::Result;
use std::sync::Arc;

/// What the results of one batch may take together, in bytes.
const BATCH_BYTES_MAX: usize = 256 << 20;

pub(super) struct Project {
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

impl Project {
    pub(super) fn new(exprs: Vec<Arc<dyn PhysicalExpr>>, schema: SchemaRef) -> Self {
        Self { exprs, schema }
    }
}

impl Operator for Project {
    fn on_batch(&mut self, batch: Batch, out: &mut Output) -> Result<()> {
        let project = |rows: &RecordBatch| {
            let evaluate = |expr: &Arc<dyn PhysicalExpr>| expr::evaluate(expr.as_ref(), rows);
            let columns = self.exprs.iter().map(evaluate).collect::<Result<_>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
            let schema = Arc::clone(&self.schema);
            RecordBatch::try_new_with_options(schema, columns, &options).map_err(broken)
        };
        let (mut first, mut bytes) = (0, 0);
        for piece in Pieces::new(batch.rows, project) {
            let rows = piece?;
            bytes += rows.get_array_memory_size();
            let count = rows.num_rows();
            // What follows takes all of them at once.
            if bytes > BATCH_BYTES_MAX && first > 0 {
                return Err(too_large(bytes, first + count));
            }
            let watermarks = batch.watermarks.slice(first, count);
            out.events.push(Event::Batch(Batch {
                rows,
                watermarks,
                partition: batch.partition,
            }));
            first += count;
        }
        Ok(())
    }
}
