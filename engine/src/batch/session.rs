//! The DataFusion session of a run: options, rules, and the physical plan of a logical one.
//!
//! Invariant: every physical plan that is run was made here, so that each of them yields, and none moves a condition
//! before what guards it.

use super::cooperate::{Running, cooperative};
use super::error::unwrap;
use super::memory::Memory;
use super::sliced;
use arrow_array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Optimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// Rows in a batch.
const BATCH_ROWS: usize = 8192;

/// The rule that a session goes without: it evaluates an outer condition before an inner one, and
/// the inner one may be what keeps the outer one from failing.
const REORDERS_FAILURES: &str = "push_down_filter";

/// How a plan is run.
#[derive(Clone)]
pub struct Options {
    /// Partitions of the plan and of its output, at least 1.
    pub parallelism: usize,
    /// What sorts, aggregates and joins may hold, and where they spill.
    pub memory: Memory,
    /// Whether the plan folds rows in their order: then nothing deals a partition's rows out to several
    /// tasks before an exchange by keys.
    pub keeps_row_order: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallelism: 2,
            memory: Memory::alone(1 << 30),
            keeps_row_order: false,
        }
    }
}

/// The DataFusion session in which a plan is made and run.
///
/// Errors: `Internal` where the runtime cannot be built.
pub fn session(options: &Options) -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_target_partitions(options.parallelism.max(1))
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false)
        .with_round_robin_repartition(!options.keeps_row_order);
    if options.keeps_row_order {
        // A moment that was folded row by row is not, to the last bit, one that was merged row by row.
        let execution = &mut config.options_mut().execution;
        execution.skip_partial_aggregation_probe_ratio_threshold = 1.0;
    }
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| rule.name() != REORDERS_FAILURES);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(options.memory.pool()))
        .with_disk_manager_builder(options.memory.disk())
        .build_arc()
        .map_err(|cause| no_session(&cause))?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_optimizer_rules(rules)
        .build();
    Ok(SessionContext::new_with_state(state))
}

fn no_session(cause: &DataFusionError) -> Error {
    let kind = match cause.find_root() {
        // The folder for spilled files: a full disk passes.
        DataFusionError::IoError(_) => Kind::Unavailable,
        _ => Kind::Internal,
    };
    Error::new(kind, "FS0708", "the batch engine cannot be set up")
        .with_detail(cause.to_string())
        .with_hint("free space on the disk that holds the data directory")
}

/// Computes a plan's rows without committing them anywhere, partition after partition.
///
/// Errors: what the plan ran into.
pub async fn collect(session: &SessionContext, plan: &LogicalPlan) -> Result<Vec<RecordBatch>> {
    let running = Running::default();
    let plan = physical(session, plan, &running).await?;
    let batches = datafusion::physical_plan::collect(plan, session.task_ctx()).await;
    batches.map_err(|cause| unwrap(&cause))
}

/// The plan that is run; `running` holds what it has spawned.
pub(super) async fn physical(
    session: &SessionContext,
    plan: &LogicalPlan,
    running: &Running,
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = session.state().create_physical_plan(plan).await;
    plan.and_then(sliced::slice)
        .and_then(|plan| cooperative(plan, running))
        .map_err(|cause| unwrap(&cause))
}
