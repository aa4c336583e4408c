//! Datasets as inputs, their columns in canonical types.
//!
//! Invariant: a column that the job sees has the plan's type, and event time is read in milliseconds.

use super::lower::{Lowered, Lowering, internal};
use super::scalar;
use crate::plan::Home;
use crate::plan::rel::{Column, Scan};
use datafusion::common::{Column as Named, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr as Plan, LogicalPlanBuilder, cast};
use flinkspark_model::{Error, Kind, Result};

impl Lowering<'_> {
    pub(super) fn scan(&mut self, scan: &Scan, columns: &[Column]) -> Result<Lowered> {
        let provider = self.tables.provider(&scan.dataset).ok_or_else(|| {
            Error::new(
                Kind::Invalid,
                "FS0804",
                format!("there is no dataset \"{}\"", scan.dataset),
            )
            .with_hint("`flinkspark dataset list` shows what there is")
        })?;
        let schema = provider.schema();
        let table = TableReference::bare(scan.dataset.as_str());
        let source = LogicalPlanBuilder::scan(table.clone(), provider_as_source(provider), None)
            .map_err(internal)?;
        let mut exprs = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let field = schema.field_with_name(&column.name).map_err(|error| {
                Error::new(
                    Kind::Conflict,
                    "FS0810",
                    format!("dataset {} changed its schema", scan.dataset),
                )
                .with_source(error)
                .with_hint("submit the job again: it is planned for the schema as it is now")
            })?;
            let named = Plan::Column(Named::new(Some(table.clone()), column.name.clone()));
            exprs.push(if scan.time_attribute == Some(index) {
                let name = format!("{}.{}", scan.dataset, column.name);
                // Flink's stream fails on a row without a time, its batch mode drops it before a window.
                let required = self.home == Home::FlinkStreaming;
                scalar::event_time(named, &name, scan.time_precision, required)
            } else if *field.data_type() == column.ty.root.arrow() {
                named
            } else {
                cast(named, column.ty.root.arrow())
            });
        }
        let mut scanned = self.projected(source, exprs, columns)?;
        if let (Home::FlinkStreaming, Some(time)) = (self.home, scan.time_attribute) {
            // A row without a time fails the job whether or not the job uses the time: the filter, which
            // keeps every row, has the column read.
            let timed = scanned.column(time)?.is_not_null();
            scanned.plan = LogicalPlanBuilder::from(scanned.plan)
                .filter(timed)
                .and_then(LogicalPlanBuilder::build)
                .map_err(internal)?;
        }
        Ok(scanned)
    }
}
