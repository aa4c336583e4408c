//! Makes a plan let others run, and end when it is told to.
//!
//! DataFusion's operators yield where they read. A join makes many batches of one that was read, and a
//! nested-loop join may compare for minutes before it gives a row. Invariant: a task may yield between
//! any two batches of any operator, and a plan whose run has ended compares no further batch of pairs
//! (of at most the session's batch size).

use arrow_array::RecordBatch;
use arrow_schema::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Held by whoever waits for a plan: the plan ends when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The same plan: it yields between batches, and goes on only while `running` is held.
pub(super) fn cooperative(
    plan: Arc<dyn ExecutionPlan>,
    running: &Running,
) -> Result<Arc<dyn ExecutionPlan>> {
    let each = |node: Arc<dyn ExecutionPlan>| {
        let node = guarded(node, &running.0)?;
        // What has no input was made to yield by DataFusion itself.
        if node.children().is_empty() || node.is::<CooperativeExec>() {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::yes(
            Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>
        ))
    };
    plan.transform_up(each).map(|plan| plan.data)
}

/// A join whose condition is evaluated only while its run goes on; anything else as it is.
fn guarded(
    node: Arc<dyn ExecutionPlan>,
    ended: &Arc<AtomicBool>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let guard = |filter: &JoinFilter| {
        let condition = While {
            ended: Arc::clone(ended),
            condition: Arc::clone(filter.expression()),
        };
        JoinFilter::new(
            Arc::new(condition),
            filter.column_indices().to_vec(),
            Arc::clone(filter.schema()),
        )
    };
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
        && let Some(filter) = join.filter()
    {
        let builder = NestedLoopJoinExecBuilder::from(join).with_filter(Some(guard(filter)));
        return Ok(Arc::new(builder.build()?));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>()
        && let Some(filter) = join.filter()
    {
        return join.builder().with_filter(Some(guard(filter))).build_exec();
    }
    Ok(node)
}

/// A condition that fails once its run has ended.
#[derive(Debug)]
struct While {
    ended: Arc<AtomicBool>,
    condition: Arc<dyn PhysicalExpr>,
}

impl PhysicalExpr for While {
    fn data_type(&self, input: &Schema) -> Result<DataType> {
        self.condition.data_type(input)
    }

    fn nullable(&self, input: &Schema) -> Result<bool> {
        self.condition.nullable(input)
    }

    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        self.condition.return_field(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.ended.load(Ordering::Relaxed) {
            // Nobody waits for this any more.
            return Err(DataFusionError::Execution("the run has ended".into()));
        }
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let condition = children
            .pop()
            .unwrap_or_else(|| Arc::clone(&self.condition));
        Ok(Arc::new(Self {
            ended: Arc::clone(&self.ended),
            condition,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}

impl fmt::Display for While {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PartialEq for While {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for While {}

impl Hash for While {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, session};
    use super::*;
    use datafusion::prelude::SessionContext;
    use futures::StreamExt;

    async fn plan(session: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
        let frame = session.sql(sql).await.unwrap();
        frame.create_physical_plan().await.unwrap()
    }

    /// A nested-loop join that compares four hundred million pairs and finds none.
    const FRUITLESS: &str = "SELECT a.value FROM range(20000) a LEFT JOIN range(20000) b \
         ON a.value * b.value < -1";

    fn serial() -> SessionContext {
        session(&Options {
            parallelism: 1,
            ..Options::default()
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_join_that_gives_no_row_ends_with_its_run() {
        let session = serial();
        let plan = plan(&session, FRUITLESS).await;
        let running = Running::default();
        let plan = cooperative(plan, &running).unwrap();
        let mut rows = plan.execute(0, session.task_ctx()).unwrap();
        let computing = std::thread::spawn(move || futures::executor::block_on(rows.next()));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!computing.is_finished(), "too fast to tell");
        drop(running);
        let ended = computing.join().unwrap().unwrap();
        assert!(ended.unwrap_err().to_string().contains("the run has ended"));
    }

    #[tokio::test]
    async fn a_task_yields_between_the_batches_of_a_cross_join() {
        let session = serial();
        let sql = "SELECT COUNT(*) FROM range(20000) a, range(20000) b";
        let running = Running::default();
        let plan = cooperative(plan(&session, sql).await, &running).unwrap();
        let mut rows = plan.execute(0, session.task_ctx()).unwrap();
        let mut yielded = 0;
        let counting = async {
            loop {
                match futures::poll!(rows.next()) {
                    std::task::Poll::Ready(batch) => return batch,
                    std::task::Poll::Pending => {
                        yielded += 1;
                        tokio::task::yield_now().await;
                    }
                }
            }
        };
        let batch = counting.await.unwrap().unwrap();
        assert_eq!(batch.num_rows(), 1);
        assert!(yielded > 100, "{yielded}");
    }
}
