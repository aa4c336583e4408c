//! Datasets as inputs, their columns in canonical types.
//!
//! Owns the reading of event time in milliseconds. Invariant: a time with a part finer than a
//! millisecond is an error, never rounded.

use super::lower::{Lowered, Lowering, internal};
use super::scalar;
use crate::plan::rel::{Column, Scan};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::{Column as Named, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr as Plan, LogicalPlanBuilder, cast};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

impl Lowering<'_> {
    pub(super) fn scan(&mut self, scan: &Scan, columns: &[Column]) -> Result<Lowered> {
        let provider = self.tables.provider(&scan.dataset).ok_or_else(|| {
            Error::new(
                Kind::Invalid,
                "FS0804",
                format!("there is no dataset \"{}\"", scan.dataset),
            )
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
            })?;
            let named = Plan::Column(Named::new(Some(table.clone()), column.name.clone()));
            exprs.push(if scan.time_attribute == Some(index) {
                scalar::event_time(named, &format!("{}.{}", scan.dataset, column.name))
            } else if *field.data_type() == column.ty.root.arrow() {
                named
            } else {
                cast(named, column.ty.root.arrow())
            });
        }
        self.projected(source, exprs, columns)
    }
}

/// Timestamps of any unit in milliseconds.
pub(super) fn event_time_millis(array: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, _) = array.data_type() else {
        return Err(crate::semantics::broken(format!(
            "event time {name} is no timestamp"
        )));
    };
    let exact = |value: i64, per_milli: i64| {
        if value.rem_euclid(per_milli) == 0 {
            Ok(value.div_euclid(per_milli))
        } else {
            Err(finer(name, value, per_milli))
        }
    };
    let values: Vec<Option<i64>> = match unit {
        TimeUnit::Millisecond => return Ok(Arc::clone(array)),
        TimeUnit::Second => array
            .as_primitive::<TimestampSecondType>()
            .iter()
            .map(|value| value.map(|value| value.saturating_mul(1000)))
            .collect(),
        TimeUnit::Microsecond => array
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .map(|value| value.map(|value| exact(value, 1000)).transpose())
            .collect::<Result<_>>()?,
        TimeUnit::Nanosecond => array
            .as_primitive::<TimestampNanosecondType>()
            .iter()
            .map(|value| value.map(|value| exact(value, 1_000_000)).transpose())
            .collect::<Result<_>>()?,
    };
    let millis: arrow_array::PrimitiveArray<TimestampMillisecondType> =
        scalar::millis_array(values.into_iter());
    Ok(Arc::new(millis))
}

fn finer(name: &str, value: i64, per_milli: i64) -> Error {
    Error::new(Kind::Data, "FS0806", format!("event time {name} has a value finer than a millisecond"))
        .with_detail(format!("{value} is {} units past a millisecond", value.rem_euclid(per_milli)))
        .with_hint("register the dataset with --time-precision floor, or round the column before it is written")
}
