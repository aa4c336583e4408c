//! A batch plan in words.
//!
//! Never runs anything. Invariant: the operators are those that a run of the same session makes.

use super::error::unwrap;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionContext;
use flinkspark_model::Result;

/// The logical plan, then the operators that compute it, one a line, inputs below what reads them.
///
/// Errors: what planning ran into.
pub async fn explain(session: &SessionContext, plan: &LogicalPlan) -> Result<String> {
    let physical = session.state().create_physical_plan(plan).await;
    let physical = physical.map_err(|cause| unwrap(&cause))?;
    let operators = displayable(physical.as_ref()).indent(false);
    Ok(format!("{}\n\n{operators}", plan.display_indent()))
}
