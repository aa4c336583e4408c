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

use crate::plan::Job;
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::LogicalPlan;
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

/// The job as one logical plan, columns named as the job's.
///
/// `FS0805` where a constant of VALUES fails as it would in Flink, `FS0804` where a dataset is missing.
/// The plan enforces the job's NOT NULL columns while it runs.
pub fn lower(job: &Job, tables: &dyn BatchTables) -> Result<LogicalPlan> {
    lower::Lowering::new(tables, job.home).job(job)
}
