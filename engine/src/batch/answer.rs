//! Runs one plan for somebody who looks at its rows.
//!
//! Nothing is written, so nothing is tried again: rows that were seen cannot be taken back. Invariant: when it ends
//! without an error, every row of the plan was taken or nobody takes any more.

use super::cooperate::Running;
use super::error::unwrap;
use super::run::broken;
use super::session::physical;
use arrow_array::RecordBatch;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::SessionContext;
use flinkspark_model::Result;
use futures::stream::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Computes every partition at once, and hands rows on as they come. Dropped, it ends.
///
/// Errors: what the plan ran into.
pub async fn answer(
    session: &SessionContext,
    plan: &LogicalPlan,
    rows: mpsc::Sender<RecordBatch>,
) -> Result<()> {
    let running = Running::default();
    let plan = physical(session, plan, &running).await?;
    let mut tasks = JoinSet::<Result<()>>::new();
    for partition in 0..plan.output_partitioning().partition_count() {
        let stream = plan.execute(partition, session.task_ctx());
        let mut stream = stream.map_err(|cause| unwrap(&cause))?;
        let rows = rows.clone();
        tasks.spawn(async move {
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|cause| unwrap(&cause))?;
                if batch.num_rows() > 0 && rows.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(broken)??;
    }
    Ok(())
}
