//! Grouping: DataFusion's hash tables around Flink's folds, or around columns where they do the same.
//!
//! Owns the one aggregate function that DataFusion sees. Invariant: within a partition a group's rows are
//! folded in row order; partial states merge in partition order.

use super::columnar::{self, Columns};
use super::lower::{Lowered, Lowering, internal};
use super::scalar;
use crate::plan::Home;
use crate::plan::column::{build, read};
use crate::plan::rel::{AggregateCall, Column, Grouping, Rel};
use crate::plan::types::FlinkType;
use crate::plan::value::Value;
use crate::semantics::aggregate::{Aggregate, Fold, Signature as Call};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr as Plan, GroupsAccumulator,
    Signature, Volatility, lit,
};
use datafusion::scalar::ScalarValue;
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
        if let Some(columns) = Columns::of(&self.call) {
            return Ok(Box::new(columnar::One(columns)));
        }
        Ok(Box::new(One {
            call: self.call.clone(),
            fold: self.call.fold(),
        }))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs,
    ) -> PlanResult<Box<dyn GroupsAccumulator>> {
        if let Some(columns) = Columns::of(&self.call) {
            return Ok(Box::new(columns));
        }
        Ok(Box::new(Groups::of(&self.call)))
    }

    // Rows arrive in their own order; no order is asked of DataFusion.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Carries an error of a fold out of DataFusion.
fn external<T>(result: Result<T>) -> PlanResult<T> {
    result.map_err(|error| DataFusionError::External(Box::new(error)))
}

/// Feeds rows of one column to the folds that `place` names.
fn update(
    call: &Call,
    array: &ArrayRef,
    mut fold: impl FnMut(usize) -> Option<usize>,
    folds: &mut [Fold],
) -> Result<()> {
    for row in 0..array.len() {
        if let Some(fold) = fold(row).and_then(|index| folds.get_mut(index)) {
            fold.update(&read(array.as_ref(), &call.argument.root, row)?)?;
        }
    }
    Ok(())
}

/// The state at one row of state columns.
fn state_row(call: &Call, arrays: &[ArrayRef], row: usize) -> Result<Vec<Value>> {
    call.state_types()
        .iter()
        .zip(arrays)
        .map(|(ty, array)| read(array.as_ref(), &ty.root, row))
        .collect()
}

/// The states of folds as columns.
fn state_columns(call: &Call, folds: &[Fold]) -> Result<Vec<ArrayRef>> {
    let rows: Vec<Vec<Value>> = folds.iter().map(Fold::state).collect();
    let column = |(index, ty): (usize, &FlinkType)| {
        let values: Vec<Value> = rows
            .iter()
            .map(|row| row.get(index).cloned().unwrap_or(Value::Null))
            .collect();
        build(ty, &values)
    };
    call.state_types().iter().enumerate().map(column).collect()
}

/// One group.
#[derive(Debug)]
struct One {
    call: Call,
    fold: Fold,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> PlanResult<()> {
        let Some(array) = values.first() else {
            return Ok(());
        };
        external(update(
            &self.call,
            array,
            |_| Some(0),
            std::slice::from_mut(&mut self.fold),
        ))
    }

    fn evaluate(&mut self) -> PlanResult<ScalarValue> {
        let column = external(
            self.fold
                .finish()
                .and_then(|value| build(&self.call.result, &[value])),
        )?;
        ScalarValue::try_from_array(&column, 0)
    }

    fn size(&self) -> usize {
        self.fold.size()
    }

    fn state(&mut self) -> PlanResult<Vec<ScalarValue>> {
        let columns = external(state_columns(&self.call, std::slice::from_ref(&self.fold)))?;
        columns
            .iter()
            .map(|column| ScalarValue::try_from_array(column, 0))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> PlanResult<()> {
        for row in 0..states.first().map_or(0, |array| array.len()) {
            external(state_row(&self.call, states, row).and_then(|state| self.fold.merge(&state)))?;
        }
        Ok(())
    }
}

/// Many groups.
pub(super) struct Groups {
    call: Call,
    folds: Vec<Fold>,
}

impl Groups {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            call: call.clone(),
            folds: Vec::new(),
        }
    }

    fn grow(&mut self, groups: usize) {
        while self.folds.len() < groups {
            self.folds.push(self.call.fold());
        }
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> PlanResult<()> {
        self.grow(total_num_groups);
        let Some(array) = values.first() else {
            return Ok(());
        };
        let kept =
            |row: usize| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let place = |row: usize| {
            if kept(row) {
                group_indices.get(row).copied()
            } else {
                None
            }
        };
        external(update(&self.call, array, place, &mut self.folds))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> PlanResult<ArrayRef> {
        let folds = emit_to.take_needed(&mut self.folds);
        let values: Result<Vec<Value>> = folds.iter().map(Fold::finish).collect();
        external(values.and_then(|values| build(&self.call.result, &values)))
    }

    fn state(&mut self, emit_to: EmitTo) -> PlanResult<Vec<ArrayRef>> {
        let folds = emit_to.take_needed(&mut self.folds);
        external(state_columns(&self.call, &folds))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> PlanResult<()> {
        self.grow(total_num_groups);
        for (row, group) in group_indices.iter().enumerate() {
            let state = external(state_row(&self.call, values, row))?;
            if let Some(fold) = self.folds.get_mut(*group) {
                external(fold.merge(&state))?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> PlanResult<Vec<ArrayRef>> {
        let Some(array) = values.first() else {
            return Ok(vec![]);
        };
        let mut folds: Vec<Fold> = (0..array.len()).map(|_| self.call.fold()).collect();
        let kept =
            |row: usize| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        external(update(
            &self.call,
            array,
            |row| kept(row).then_some(row),
            &mut folds,
        ))?;
        external(state_columns(&self.call, &folds))
    }

    fn size(&self) -> usize {
        self.folds.iter().map(Fold::size).sum()
    }
}
