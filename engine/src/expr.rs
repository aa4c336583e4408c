//! What both engines share about expressions: evaluating them and aggregating their values.
//!
//! Scalar expressions are DataFusion's; aggregates are our own, with Flink's answers and types.
//! It never decides what an expression means: the adapter has done that before.
//! Invariant: a value computed here does not depend on how rows are cut into batches.

pub mod aggregate;
pub mod bounded;
pub mod window;

use arrow_array::{ArrayRef, RecordBatch};
use datafusion::common::DataFusionError;
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::{Error, Kind, Result};

/// Evaluates an expression over every row of the batch. A failure of our own
/// functions stays what it is; any other is `Data` and names the expression.
pub fn evaluate(expr: &dyn PhysicalExpr, batch: &RecordBatch) -> Result<ArrayRef> {
    expr.evaluate(batch)
        .and_then(|value| value.into_array(batch.num_rows()))
        .map_err(|cause| {
            if let DataFusionError::External(own) = &cause
                && let Some(own) = own.downcast_ref::<Error>()
            {
                return own.clone();
            }
            Error::new(
                Kind::Data,
                "FS0603",
                format!("the expression {expr} failed on a row"),
            )
            .with_detail(cause.to_string())
            .with_hint("guard the expression, or filter the rows for which it has no value")
        })
}
