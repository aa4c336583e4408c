//! Datasets as inputs, their columns in canonical types.
//!
//! Invariant: a column that the job sees has the plan's type, and event time is read in milliseconds.

use super::lower::{Lowered, Lowering, Origin, internal};
use super::scalar;
use crate::plan::Home;
use crate::plan::rel::{Column, Scan};
use crate::semantics::broken;
use arrow_schema::Schema;
use datafusion::common::{Column as Named, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr as Plan, LogicalPlanBuilder, cast};
use flinkspark_engine::batch::{EventTime, OriginTable};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

impl Lowering<'_> {
    pub(super) fn scan(&mut self, scan: &Scan, columns: &[Column]) -> Result<Lowered> {
        let provider = self.tables.provider(&scan.dataset).ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                "FS0804",
                format!("there is no dataset \"{}\"", scan.dataset),
            )
            .with_hint("`flinkspark dataset list` shows what there is")
        })?;
        let schema = provider.schema();
        let table = TableReference::bare(scan.dataset.as_str());
        let time = self.event_time(scan, columns, &schema)?;
        let timed = time.is_some();
        let provider = OriginTable::new(provider, time);
        let qualified = |name: &str| Plan::Column(Named::new(Some(table.clone()), name));
        let mut origin = vec![qualified(provider.partition())];
        origin.extend(timed.then(|| qualified(provider.watermark())));
        let source = provider_as_source(Arc::new(provider));
        let source = LogicalPlanBuilder::scan(table.clone(), source, None).map_err(internal)?;
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
            let named = qualified(&column.name);
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
        let width = exprs.len();
        exprs.extend(origin);
        let mut scanned = self.projected(source, exprs, columns)?;
        let mut hidden = scanned.names.split_off(width).into_iter();
        scanned.origin = hidden.next().map(|partition| Origin {
            partition,
            watermark: hidden.next(),
        });
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

    /// The home's watermarks: in batch mode Flink has none before the end.
    fn event_time(
        &self,
        scan: &Scan,
        columns: &[Column],
        schema: &Schema,
    ) -> Result<Option<EventTime>> {
        let (Home::FlinkStreaming, Some(index)) = (self.home, scan.time_attribute) else {
            return Ok(None);
        };
        let name = columns.get(index).map(|column| column.name.as_str());
        let column = name.and_then(|name| schema.index_of(name).ok());
        let delay = scan.watermark_delay_ms.unwrap_or(0);
        let delay = u64::try_from(delay).map_err(|_| broken("a negative watermark delay"))?;
        // A column that is gone is refused by name where its value is taken.
        Ok(column.map(|column| EventTime {
            column,
            watermark_delay_ms: delay,
            precision: scan.time_precision,
        }))
    }
}
