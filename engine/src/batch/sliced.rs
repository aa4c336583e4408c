//! Projections whose results are computed piece by piece.
//!
//! DataFusion projects a batch as a whole, whatever comes of it. Here a batch that would become too
//! large is cut, and each piece goes on before the next one is computed. Invariant: the rows and
//! their order are the projection's.

use super::error::{unwrap, wrap};
use crate::expr::bounded::Pieces;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};
use futures::stream::{self, TryStreamExt};
use std::fmt;
use std::sync::Arc;

/// The plan with every projection that computes something cut into pieces.
pub(super) fn slice(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let sliced = plan.transform_up(|node| {
        let computes = match node.downcast_ref::<ProjectionExec>() {
            Some(projection) => projection.expr().iter().any(|column| calls(&column.expr)),
            None => false,
        };
        Ok(match computes {
            true => {
                Transformed::yes(Arc::new(Sliced { projection: node }) as Arc<dyn ExecutionPlan>)
            }
            false => Transformed::no(node),
        })
    })?;
    Ok(sliced.data)
}

fn calls(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.exists(|part| Ok(part.downcast_ref::<ScalarFunctionExpr>().is_some()))
        // The closure never fails.
        .unwrap_or(true)
}

/// A projection, cut into pieces.
#[derive(Debug)]
struct Sliced {
    /// Always a [`ProjectionExec`].
    projection: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Sliced {
    fn fmt_as(&self, style: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.projection.downcast_ref::<ProjectionExec>() {
            Some(projection) => projection.fmt_as(style, f),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for Sliced {
    fn name(&self) -> &str {
        "SlicedProjectionExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.projection.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.projection.children()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.projection.maintains_input_order()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.projection.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let projection = Arc::clone(&self.projection).replace_children(children, options)?;
        Ok(Arc::new(Self { projection }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(
            datafusion::physical_plan::execution_plan::ChildrenPropertiesMode::Recompute,
        );
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(projection) = self.projection.downcast_ref::<ProjectionExec>() else {
            return self.projection.execute(partition, context);
        };
        let exprs: Vec<_> = projection
            .expr()
            .iter()
            .map(|column| Arc::clone(&column.expr))
            .collect();
        let exprs: Arc<[Arc<dyn PhysicalExpr>]> = exprs.into();
        let schema = self.schema();
        let output = Arc::clone(&schema);
        let batches = projection.input().execute(partition, context)?;
        let pieces = batches.map_ok(move |batch| {
            let (exprs, schema) = (Arc::clone(&exprs), Arc::clone(&output));
            let project = move |piece: &RecordBatch| {
                project(&exprs, &schema, piece).map_err(|cause| unwrap(&cause))
            };
            stream::iter(Pieces::new(batch, project)).map_err(wrap)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            schema,
            pieces.try_flatten(),
        )))
    }
}

fn project(
    exprs: &[Arc<dyn PhysicalExpr>],
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = exprs
        .iter()
        .map(|expr| expr.evaluate(batch)?.into_array(rows))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}
