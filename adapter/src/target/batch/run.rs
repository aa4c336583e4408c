//! Running a lowered plan in this process.
//!
//! Owns the session's settings for it: one partition, so that rows keep their order. Invariant: what a
//! kernel refused comes back as that error, not as DataFusion's text of it.

use super::{BatchTables, lower};
use crate::plan::Job;
use crate::semantics::broken;
use arrow_array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::optimizer::Optimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use flinkspark_model::{Error, Result};

/// Lowers the job and runs it in this process, in one partition.
///
/// The errors of [`lower`], and `FS0805` or `FS0806` for what the rows themselves cause.
pub async fn collect(job: &Job, tables: &dyn BatchTables) -> Result<Vec<RecordBatch>> {
    let plan = lower(job, tables)?;
    let session = SessionContext::new_with_state(state());
    let frame = session.execute_logical_plan(plan).await.map_err(failure)?;
    frame.collect().await.map_err(failure)
}

/// One partition, and no rule that would evaluate an outer condition before an inner one: the inner
/// one may be what keeps the outer one from failing.
fn state() -> SessionState {
    let rules = Optimizer::new()
        .rules
        .into_iter()
        .filter(|rule| rule.name() != "push_down_filter")
        .collect();
    SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(1))
        .with_default_features()
        .with_optimizer_rules(rules)
        .build()
}

/// The error that a kernel raised inside DataFusion, or a bug.
pub fn failure(error: DataFusionError) -> Error {
    own(&error)
        .cloned()
        .unwrap_or_else(|| broken("the batch engine failed").with_source(error))
}

fn own(error: &DataFusionError) -> Option<&Error> {
    match error {
        DataFusionError::External(inner) => inner
            .downcast_ref::<Error>()
            .or_else(|| inner.downcast_ref::<DataFusionError>().and_then(own)),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => own(inner),
        DataFusionError::Shared(inner) => own(inner),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            arrow_schema::ArrowError::ExternalError(inner) => inner
                .downcast_ref::<Error>()
                .or_else(|| inner.downcast_ref::<DataFusionError>().and_then(own)),
            _ => None,
        },
        DataFusionError::Collection(all) => all.iter().find_map(own),
        _ => None,
    }
}
