//! Grouping: a plan's keys and calls in DataFusion's hash aggregation.
//!
//! Owns the one aggregate function that DataFusion sees. Invariant: where the order of rows decides a value
//! and is defined, a group's rows are folded in row order within each partition of the dataset, and the
//! partitions are merged in their order.

use super::groups::{self, Groups, One};
use super::lower::{Lowered, Lowering, Origin, internal};
use super::scalar;
use crate::plan::Home;
use crate::plan::order;
use crate::plan::rel::{AggregateCall, Column, Grouping, Rel};
use crate::plan::window::{self, Bound};
use crate::semantics::aggregate::{Aggregate, Signature as Call};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::Result as PlanResult;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr as Plan, GroupsAccumulator, Signature,
    Volatility, lit,
};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

impl Lowering<'_> {
    pub(super) fn aggregate(
        &mut self,
        input: &Rel,
        grouping: &Grouping,
        columns: &[Column],
    ) -> Result<Lowered> {
        let rel = input;
        let input = self.rel(rel)?;
        let input = self.in_time(input, rel, grouping)?;
        let mut names = Vec::with_capacity(columns.len());
        let mut keys = Vec::with_capacity(grouping.keys.len());
        for key in &grouping.keys {
            let root = input
                .types
                .get(*key)
                .map(|ty| ty.root.clone())
                .unwrap_or(crate::semantics::types::Root::Null);
            names.push(self.fresh());
            keys.push(
                scalar::group_identity(input.column(*key)?, &root).alias(&names[names.len() - 1]),
            );
        }
        let mut calls = Vec::with_capacity(grouping.calls.len());
        for call in &grouping.calls {
            names.push(self.fresh());
            let ordered = order::is_sensitive(call, rel).then_some(&input.origin);
            let ordered = match ordered.map(Option::as_ref) {
                Some(None) if call.signature.function.is_positional() => {
                    return Err(unordered(call));
                }
                ordered => ordered.flatten(),
            };
            let name = &names[names.len() - 1];
            calls.push(aggregate_call(&input, call, ordered)?.alias(name));
        }
        let single = |call: &AggregateCall| call.signature.function == Aggregate::Single;
        // Over no rows Flink's batch mode gives one row, its stream none.
        let rows = (keys.is_empty()
            && self.home == Home::FlinkStreaming
            && !grouping.calls.iter().any(single))
        .then(|| self.fresh());
        if let Some(rows) = &rows {
            calls.push(count(lit(1_i64), None).alias(rows));
        }
        if keys.is_empty() && calls.is_empty() {
            // GROUP BY () of nothing still gives its one row.
            let row = self.fresh();
            calls.push(count(lit(1_i64), None).alias(row));
        }
        let mut grouped = input.builder().aggregate(keys, calls).map_err(internal)?;
        if let Some(rows) = &rows {
            let some = super::lower::named(rows).gt(lit(0_i64));
            grouped = grouped.filter(some).map_err(internal)?;
        }
        let restored = names
            .iter()
            .zip(columns)
            .enumerate()
            .map(|(index, (name, column))| {
                let plain = super::lower::named(name);
                if index < grouping.keys.len() {
                    scalar::from_group_identity(plain, &column.ty.root)
                } else {
                    plain
                }
            });
        let restored = restored.collect();
        self.projected(grouped, restored, columns)
    }

    /// The rows that are not late for their window: those that the home's stream aggregates.
    fn in_time(&self, input: Lowered, rel: &Rel, grouping: &Grouping) -> Result<Lowered> {
        if self.home != Home::FlinkStreaming || !window::groups_by_window(rel, &grouping.keys) {
            return Ok(input);
        }
        let ends = |key: &&usize| window::bound(rel, **key) == Some(Bound::End);
        let end = grouping.keys.iter().find(ends);
        let watermark = input
            .origin
            .as_ref()
            .and_then(|origin| origin.watermark.as_ref());
        match (window::opened(rel), end, watermark) {
            (Some(_), Some(end), Some(watermark)) => {
                let watermark = super::lower::named(watermark);
                let timely = scalar::timely(input.column(*end)?, watermark, &self.rows_late);
                input.kept(timely)
            }
            _ => Err(undecided()),
        }
    }

    /// Every row once: a grouping by all columns.
    pub(super) fn distinct(&mut self, input: &Rel) -> Result<Lowered> {
        let grouping = Grouping {
            keys: (0..input.columns.len()).collect(),
            calls: vec![],
        };
        self.aggregate(input, &grouping, &input.columns)
    }
}

fn count(argument: Plan, filter: Option<Box<Plan>>) -> Plan {
    Plan::AggregateFunction(AggregateFunction::new_udf(
        count_udaf(),
        vec![argument],
        false,
        filter,
        vec![],
        None,
    ))
}

/// A call whose answer would be whatever row came first or last.
fn unordered(call: &AggregateCall) -> Error {
    let name = call.signature.function.name();
    Error::new(
        Kind::Invalid,
        "FS0720",
        format!("{name} takes rows in an order that is not defined here"),
    )
    .with_detail(
        "rows have an order while they are one dataset's, filtered and projected; a join, a grouping, a union \
         or a set operation below the call leaves none, so each run could give another answer",
    )
    .with_hint(format!(
        "apply {name} to the dataset itself, or use MIN or MAX of a column that says the order"
    ))
}

/// A window whose late rows the stream drops, where it is not known here which they are.
fn undecided() -> Error {
    Error::new(
        Kind::Invalid,
        "FS0721",
        "which rows are late for this window is not known on the batch engine",
    )
    .with_detail(
        "a job whose home is flink/streaming drops late rows; here the rows of the window come from more \
         than one dataset, and the order in which their watermarks advance is not defined",
    )
    .with_hint("aggregate each dataset's windows before they are joined, or run with --home flink/batch")
}

fn aggregate_call(input: &Lowered, call: &AggregateCall, ordered: Option<&Origin>) -> Result<Plan> {
    let filter = call
        .filter
        .map(|column| input.column(column))
        .transpose()?
        .map(Box::new);
    let argument = call
        .argument
        .map(|column| input.column(column))
        .transpose()?;
    match (call.signature.function, argument) {
        (Aggregate::CountRows, _) => Ok(count(lit(1_i64), filter)),
        (Aggregate::Count, Some(argument)) if !call.signature.distinct => {
            Ok(count(argument, filter))
        }
        (_, Some(argument)) => {
            let function = FlinkAggregate::new(call.signature.clone(), ordered.is_some());
            let function = Arc::new(AggregateUDF::new_from_impl(function));
            let mut arguments = vec![argument];
            arguments.extend(ordered.map(|origin| super::lower::named(&origin.partition)));
            let aggregate =
                AggregateFunction::new_udf(function, arguments, false, filter, vec![], None);
            Ok(Plan::AggregateFunction(aggregate))
        }
        _ => Err(crate::semantics::broken("an aggregate without an argument")),
    }
}

/// A fold as DataFusion's aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FlinkAggregate {
    call: Call,
    /// Whether the second argument is each row's partition, by which states are kept apart.
    ordered: bool,
    signature: Signature,
}

impl FlinkAggregate {
    fn new(call: Call, ordered: bool) -> Self {
        let arguments = if ordered { 2 } else { 1 };
        Self {
            call,
            ordered,
            signature: Signature::any(arguments, Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for FlinkAggregate {
    fn name(&self) -> &str {
        self.call.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> PlanResult<DataType> {
        Ok(self.call.result.root.arrow())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> PlanResult<Vec<FieldRef>> {
        let named = |(index, ty): (usize, DataType)| -> FieldRef {
            Arc::new(Field::new(format!("{}[{index}]", args.name), ty, true))
        };
        let types = groups::state_types(&self.call, self.ordered);
        Ok(types.into_iter().enumerate().map(named).collect())
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> PlanResult<Box<dyn Accumulator>> {
        let one = One::of(&self.call, self.ordered);
        Ok(Box::new(groups::external(one)?))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs,
    ) -> PlanResult<Box<dyn GroupsAccumulator>> {
        let groups = Groups::of(&self.call, self.ordered);
        Ok(Box::new(groups::external(groups)?))
    }

    // Each row says its partition, within which it arrives in order; no order is asked of DataFusion.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}
