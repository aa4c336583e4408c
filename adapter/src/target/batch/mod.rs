//! The batch target: plans as DataFusion logical plans.
//!
//! Owns the lowering. DataFusion moves and groups rows; every scalar expression is one opaque function
//! that evaluates the typed tree, so that no rule of another engine can reinterpret it. Invariant: the
//! lowered plan's columns are the job's, in name, order and Arrow type.

mod aggregate;
mod folds;
mod groups;
mod joins;
mod lower;
mod over;
mod relation;
mod run;
mod scalar;
mod scan;

#[cfg(test)]
mod lookups;
#[cfg(test)]
mod tests;

pub use run::collect;

use crate::plan::{Job, order};
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::LogicalPlan;
use flinkspark_engine::batch::RowsLate;
use flinkspark_model::Result;
use flinkspark_model::name::DatasetName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a plan's datasets come from.
pub trait BatchTables: Send + Sync {
    /// The bounded rows of a dataset, with the schema that the job was bound to; none where there is
    /// no such dataset.
    fn provider(&self, name: &DatasetName) -> Option<Arc<dyn TableProvider>>;
}

/// Datasets by name.
#[derive(Debug, Default)]
pub struct Providers(BTreeMap<DatasetName, Arc<dyn TableProvider>>);

impl Providers {
    /// Adds or replaces a dataset.
    pub fn insert(&mut self, name: DatasetName, provider: Arc<dyn TableProvider>) {
        self.0.insert(name, provider);
    }
}

impl BatchTables for Providers {
    fn provider(&self, name: &DatasetName) -> Option<Arc<dyn TableProvider>> {
        self.0.get(name).map(Arc::clone)
    }
}

/// What the batch engine runs, and what it must know of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is computed, columns named as the job's.
    pub logical: LogicalPlan,
    /// Counts the rows that the home's stream drops as late; the plan drops the same ones.
    pub rows_late: RowsLate,
    /// Whether the plan folds rows in their order ([`flinkspark_engine::batch::Options`]).
    pub keeps_row_order: bool,
}

/// The job as one logical plan.
///
/// `FS0805` where a constant of VALUES fails as it would in Flink, `FS0804` where a dataset is missing,
/// `FS0720` where a call takes rows in an order that is not defined, `FS0721` where the home's stream drops
/// late rows and this engine cannot tell which. The plan enforces the job's NOT NULL columns while it runs.
pub fn lower(job: &Job, tables: &dyn BatchTables) -> Result<Plan> {
    let rows_late = RowsLate::default();
    let logical = lower::Lowering::new(tables, job.home, rows_late.clone()).job(job)?;
    Ok(Plan {
        logical,
        rows_late,
        keeps_row_order: order::is_needed(&job.root),
    })
}
