//! An RDD-like handle as a DataFusion table: one partition of the plan for each of its own.
//!
//! Invariant: a scan reads only the columns that the plan uses.

use super::error::wrap;
use super::rdd::Rdd;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result as PlanResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::TryStreamExt;
use std::sync::Arc;

/// A handle that SQL can read.
#[derive(Debug)]
pub struct RddTable {
    rdd: Rdd,
}

impl RddTable {
    /// The table of a handle's rows.
    pub fn new(rdd: Rdd) -> Self {
        Self { rdd }
    }
}

#[async_trait]
impl TableProvider for RddTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.rdd.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let rdd = match projection {
            Some(columns) => self.rdd.project(columns).map_err(wrap)?,
            None => self.rdd.clone(),
        };
        let schema = Arc::clone(rdd.schema());
        let partition = |index| {
            Arc::new(Partition {
                rdd: rdd.clone(),
                index,
            }) as Arc<dyn PartitionStream>
        };
        let partitions = rdd
            .partitions()
            .iter()
            .map(|p| partition(p.index))
            .collect();
        Ok(Arc::new(StreamingTableExec::try_new(
            schema,
            partitions,
            None,
            [],
            false,
            limit,
        )?))
    }
}

#[derive(Debug)]
struct Partition {
    rdd: Rdd,
    index: u32,
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        self.rdd.schema()
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (rdd, index) = (self.rdd.clone(), self.index);
        let opened = futures::stream::once(async move { rdd.iterate(index).await });
        let batches = opened.try_flatten().map_err(wrap);
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(self.rdd.schema()),
            batches,
        ))
    }
}
