//! Computes new columns for each row.

use super::{Batch, Event, Operator, Output};
use crate::expr;
use crate::stream::message::broken;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::Result;
use std::sync::Arc;

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
        let evaluate = |expr: &Arc<dyn PhysicalExpr>| expr::evaluate(expr.as_ref(), &batch.rows);
        let columns = self.exprs.iter().map(evaluate).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows.num_rows()));
        let schema = Arc::clone(&self.schema);
        let rows = RecordBatch::try_new_with_options(schema, columns, &options).map_err(broken)?;
        out.events.push(Event::Batch(Batch {
            rows,
            watermarks: batch.watermarks,
        }));
        Ok(())
    }
}
