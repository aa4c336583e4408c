//! Groupings: in the windows that the plan has opened, or over everything.
//!
//! Invariant: a grouping by both bounds of a window is a window of the engine; the columns after it are
//! the plan's, in the plan's order.

use super::scalar::{self, Bound};
use super::scan::{among, place};
use super::{LATE, Lowered, Lowering, Value, at, operators, output, unsupported};
use crate::plan::Home;
use crate::plan::rel::{AggregateCall, Column, Grouping, Rel};
use crate::plan::window::{Window, opened};
use crate::semantics::aggregate::Aggregate;
use crate::semantics::broken;
use crate::semantics::types::Root;
use datafusion::physical_expr::expressions::{Column as Physical, IsNotNullExpr};
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_engine::expr::aggregate::Function;
use flinkspark_engine::stream::program::{self, NamedExpr};
use flinkspark_model::Result;
use flinkspark_model::dataset::TimePrecision;
use std::sync::Arc;

impl Lowering<'_> {
    pub(super) fn aggregate(
        &self,
        input: &Rel,
        grouping: &Grouping,
        columns: &[Column],
    ) -> Result<Lowered> {
        let uid = format!("aggregate-{}", operators(input));
        let Lowered {
            builder,
            columns: inputs,
        } = self.rel(input)?;
        let keys = grouping
            .keys
            .iter()
            .map(|key| at(&inputs, *key))
            .collect::<Result<Vec<_>>>()?;
        let aggregates = grouping
            .calls
            .iter()
            .enumerate()
            .map(|(index, call)| aggregate(index, call, &inputs));
        let aggregates = aggregates.collect::<Result<Vec<_>>>()?;
        let has = |bound| keys.iter().any(|key| key.bound == Some(bound));
        let window = if has(Bound::Start) && has(Bound::End) {
            opened(input)
        } else {
            None
        };
        // The window's own bounds come with it; every other key is a key.
        let is_own =
            |key: &Value| window.is_some() && matches!(key.bound, Some(Bound::Start | Bound::End));
        let others: Vec<&Value> = keys.iter().copied().filter(|key| !is_own(key)).collect();
        let named = others.iter().enumerate().map(|(index, key)| NamedExpr {
            expr: Arc::clone(&key.expr),
            name: format!("key{index}"),
        });
        let named: Vec<NamedExpr> = named.collect();
        let builder = match window {
            Some(window) => builder.tumble(&uid, self.tumble(window, named, aggregates)?)?,
            None if self.home == Home::FlinkBatch && keys.is_empty() => {
                return Err(unsupported(
                    "an aggregate without keys of a flink/batch job",
                    "over no rows Flink's batch mode gives one row, a stream none",
                ));
            }
            None => builder.keyed(
                &uid,
                program::Keyed {
                    keys: named,
                    aggregates,
                },
            )?,
        };
        let first_key = if window.is_some() { 2 } else { 0 };
        let mut next_key = first_key;
        let mut places = Vec::with_capacity(columns.len());
        for key in &keys {
            places.push(match key.bound {
                Some(Bound::Start) if window.is_some() => 0,
                Some(Bound::End) if window.is_some() => 1,
                _ => {
                    next_key += 1;
                    next_key - 1
                }
            });
        }
        places.extend(next_key..next_key + grouping.calls.len());
        let schema = Arc::clone(builder.schema());
        let value = |(place, column): (usize, &Column)| -> Result<Value> {
            let field = schema.field(place);
            if *field.data_type() != column.ty.root.arrow() {
                return Err(broken(format!(
                    "column \"{}\" is {} on the stream, {} in the plan",
                    column.name,
                    field.data_type(),
                    column.ty
                )));
            }
            Ok(Value {
                expr: Arc::new(Physical::new(field.name(), place)),
                ty: column.ty.clone(),
                bound: None,
            })
        };
        let columns = places
            .into_iter()
            .zip(columns)
            .map(value)
            .collect::<Result<_>>()?;
        Ok(Lowered { builder, columns })
    }

    fn tumble(
        &self,
        window: Window<'_>,
        keys: Vec<NamedExpr>,
        aggregates: Vec<program::Aggregate>,
    ) -> Result<program::Tumble> {
        let dataset = (self.binding.dataset)(&window.scan.dataset)?;
        let column = window
            .columns
            .get(window.tumble.time)
            .ok_or_else(|| broken("a window without a time column"))?;
        let read = self.read(window.scan, window.columns, &dataset)?;
        Ok(program::Tumble {
            time: among(&read, place(window.scan, &dataset, &column.name)?)?,
            precision: dataset
                .traits
                .time
                .as_ref()
                .map_or(TimePrecision::Exact, |time| time.precision),
            size_ms: window.tumble.size_ms,
            offset_ms: window.tumble.offset_ms,
            keys,
            aggregates,
            late_to: self.binding.late.map(|late| output(LATE, late)),
        })
    }
}

fn aggregate(index: usize, call: &AggregateCall, inputs: &[Value]) -> Result<program::Aggregate> {
    let signature = &call.signature;
    let function = match signature.function {
        Aggregate::CountRows => Function::CountStar,
        Aggregate::Count => Function::Count,
        Aggregate::Sum => Function::Sum,
        Aggregate::Avg => Function::Avg,
        Aggregate::Min => Function::Min,
        Aggregate::Max => Function::Max,
        other => {
            return Err(unsupported(
                other.name(),
                "the engine has no mergeable state for it yet",
            ));
        }
    };
    if signature.distinct {
        return Err(unsupported(
            "DISTINCT inside an aggregate",
            "the engine keeps no set of values per group yet",
        ));
    }
    let argument = call
        .argument
        .map(|argument| at(inputs, argument))
        .transpose()?;
    let filter = call.filter.map(|filter| at(inputs, filter)).transpose()?;
    let argument = argument.map(counted);
    let (function, argument) = match (filter, argument) {
        (None, argument) => (function, argument),
        // A row that the filter leaves out counts as a null, which every function ignores.
        (Some(filter), None) => (
            Function::Count,
            Some(scalar::null_unless(
                Arc::clone(&filter.expr),
                Arc::clone(&filter.expr),
            )),
        ),
        (Some(filter), Some(argument)) => (
            function,
            Some(scalar::null_unless(Arc::clone(&filter.expr), argument)),
        ),
    };
    Ok(program::Aggregate {
        function,
        argument,
        name: format!("call{index}"),
    })
}

/// The argument of a call; of a type that no function reads, TRUE where there is a value: COUNT asks no more, and
/// dictionaries, runs and nulls do not keep it where a filter could put its own.
fn counted(argument: &Value) -> Arc<dyn PhysicalExpr> {
    let expr = Arc::clone(&argument.expr);
    match argument.ty.root {
        Root::Foreign(_) => {
            let there: Arc<dyn PhysicalExpr> = Arc::new(IsNotNullExpr::new(expr));
            scalar::null_unless(Arc::clone(&there), there)
        }
        _ => expr,
    }
}
