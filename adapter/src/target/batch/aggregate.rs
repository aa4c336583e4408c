//! Grouping: a plan's keys and calls in DataFusion's hash aggregation.
//!
//! Owns the one aggregate function that DataFusion sees. Invariant: within a partition a group's rows are
//! taken in row order; partial states merge in partition order.

use super::groups::{Groups, One};
use super::lower::{Lowered, Lowering, internal};
use super::scalar;
use crate::plan::Home;
use crate::plan::rel::{AggregateCall, Column, Grouping, Rel};
use crate::plan::types::FlinkType;
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
use flinkspark_model::Result;
use std::sync::Arc;

impl Lowering<'_> {
    pub(super) fn aggregate(
        &mut self,
        input: &Rel,
        grouping: &Grouping,
        columns: &[Column],
    ) -> Result<Lowered> {
        let input = self.rel(input)?;
        let mut names = Vec::with_capacity(columns.len());
        let mut keys = Vec::with_capacity(grouping.keys.len());
        for key in &grouping.keys {
            let root = input
                .types
                .get(*key)
                .map(|ty| ty.root.clone())
                .unwrap_or(crate::plan::types::Root::Null);
            names.push(self.fresh());
            keys.push(
                scalar::group_identity(input.column(*key)?, &root).alias(&names[names.len() - 1]),
            );
        }
        let mut calls = Vec::with_capacity(grouping.calls.len());
        for call in &grouping.calls {
            names.push(self.fresh());
            calls.push(aggregate_call(&input, call)?.alias(&names[names.len() - 1]));
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

fn aggregate_call(input: &Lowered, call: &AggregateCall) -> Result<Plan> {
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
            let function = Arc::new(AggregateUDF::new_from_impl(FlinkAggregate::new(
                call.signature.clone(),
            )));
            let aggregate =
                AggregateFunction::new_udf(function, vec![argument], false, filter, vec![], None);
            Ok(Plan::AggregateFunction(aggregate))
        }
        _ => Err(crate::semantics::broken("an aggregate without an argument")),
    }
}

/// A fold as DataFusion's aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FlinkAggregate {
    call: Call,
    signature: Signature,
}

impl FlinkAggregate {
    fn new(call: Call) -> Self {
        Self {
            call,
            signature: Signature::any(1, Volatility::Immutable),
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
        let named = |(index, ty): (usize, FlinkType)| -> FieldRef {
            Arc::new(Field::new(
                format!("{}[{index}]", args.name),
                ty.root.arrow(),
                true,
            ))
        };
        Ok(self
            .call
            .state_types()
            .into_iter()
            .enumerate()
            .map(named)
            .collect())
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> PlanResult<Box<dyn Accumulator>> {
        Ok(Box::new(One::of(&self.call)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs,
    ) -> PlanResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::of(&self.call)))
    }

    // Rows arrive in their own order; no order is asked of DataFusion.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}
