//! Running a lowered plan in this process, without a dataset to write to.
//!
//! Invariant: the session is the batch engine's own, in one partition, so that rows keep their order.

use super::{BatchTables, lower};
use crate::plan::Job;
use arrow_array::RecordBatch;
use flinkspark_engine::batch::{self, Options};
use flinkspark_model::Result;

/// Lowers the job and runs it in this process, in one partition.
///
/// The errors of [`lower`], and `FS0605` or `FS0805` for what the rows themselves cause.
pub async fn collect(job: &Job, tables: &dyn BatchTables) -> Result<Vec<RecordBatch>> {
    let plan = lower(job, tables)?;
    let options = Options {
        parallelism: 1,
        keeps_row_order: plan.keeps_row_order,
        ..Options::default()
    };
    batch::collect(&batch::session(&options)?, &plan.logical).await
}
