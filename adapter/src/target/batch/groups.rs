//! The states of one aggregate call: DataFusion's hash tables around the engine's accumulators.
//!
//! Where the streaming engine's columns of state give Flink's type, both engines sum by that one piece of
//! code; the other calls keep their folds. Calls that depend on the order of rows keep either by partition.
//! Invariant: which of them a call has follows from the call alone, so that states made apart can be merged.

#[cfg(test)]
mod tests;

use super::folds::Folds;
use crate::semantics::aggregate::{Aggregate, Signature as Call};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_schema::DataType;
use arrow_select::filter::filter;
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;
use flinkspark_engine::expr::aggregate::{self as engine, Function, GroupId, Ordered};
use flinkspark_model::Result;

/// What makes the states of a call, for no group yet.
type Make = fn(&Call) -> Result<Box<dyn engine::Accumulator>>;

/// Many groups.
pub(super) struct Groups {
    call: Call,
    make: Make,
    groups: usize,
    states: Box<dyn engine::Accumulator>,
    /// Group ids in the accumulator's type; kept for its room.
    ids: Vec<GroupId>,
}

/// The engine's function for a call; `None` where it is not known to be the fold.
fn function(call: &Call) -> Option<Function> {
    let function = match call.function {
        _ if call.distinct => return None,
        Aggregate::Sum => Function::Sum,
        Aggregate::Avg => Function::Avg,
        Aggregate::Min => Function::Min,
        Aggregate::Max => Function::Max,
        _ => return None,
    };
    let argument = call.argument.root.arrow();
    if !argument.is_primitive() {
        return None;
    }
    let (result, _) = function.result(Some(&argument)).ok()?;
    (result == call.result.root.arrow()).then_some(function)
}

/// The engine's accumulator for a call.
fn columns(call: &Call) -> Option<Box<dyn engine::Accumulator>> {
    let argument = call.argument.root.arrow();
    function(call)?.accumulator(Some(&argument)).ok()
}

/// The states of a call without regard to where rows come from.
fn plain(call: &Call) -> Result<Box<dyn engine::Accumulator>> {
    Ok(columns(call).unwrap_or_else(|| Box::new(Folds::of(call))))
}

/// The states of a call, apart by the partition of their rows.
fn ordered(call: &Call) -> Result<Box<dyn engine::Accumulator>> {
    let call = call.clone();
    Ok(Box::new(Ordered::new(Box::new(move || plain(&call)))?))
}

/// The types of the columns of a call's state.
pub(super) fn state_types(call: &Call, ordered: bool) -> Vec<DataType> {
    let argument = call.argument.root.arrow();
    let columns = function(call).and_then(|function| function.state_types(Some(&argument)).ok());
    let folded = || {
        call.state_types()
            .into_iter()
            .map(|ty| ty.root.arrow())
            .collect()
    };
    let plain = columns.unwrap_or_else(folded);
    match ordered {
        true => Ordered::state_types(&plain),
        false => plain,
    }
}

impl Groups {
    /// The call's states, for no group yet; ordered ones are given each row's partition too.
    pub(super) fn of(call: &Call, by_partition: bool) -> Result<Self> {
        Self::made(call, if by_partition { ordered } else { plain })
    }

    fn made(call: &Call, make: Make) -> Result<Self> {
        Ok(Self {
            call: call.clone(),
            make,
            groups: 0,
            states: make(call)?,
            ids: Vec::new(),
        })
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups {
            self.states.grow(groups);
            self.groups = groups;
        }
    }

    fn number(&mut self, groups: &[usize]) {
        self.ids.clear();
        self.ids
            .extend(groups.iter().map(|group| *group as GroupId));
    }

    fn add(
        &mut self,
        arguments: &[ArrayRef],
        groups: &[usize],
        kept: Option<&BooleanArray>,
    ) -> Result<()> {
        self.number(groups);
        let Some(kept) = kept else {
            let ids = std::mem::take(&mut self.ids);
            let added = self.fold(arguments, &ids);
            self.ids = ids;
            return added;
        };
        let ids: UInt32Array = std::mem::take(&mut self.ids).into();
        let kept_of = |column: &ArrayRef| filter(column, kept).map_err(unfiltered);
        let arguments: Vec<ArrayRef> = arguments.iter().map(kept_of).collect::<Result<_>>()?;
        let ids = filter(&ids, kept).map_err(unfiltered)?;
        self.fold(&arguments, ids.as_primitive::<UInt32Type>().values())
    }

    /// Folds values, where their partitions are said in runs of one partition.
    fn fold(&mut self, arguments: &[ArrayRef], ids: &[GroupId]) -> Result<()> {
        let (values, partitions) = match arguments {
            [values] => return self.states.update(Some(values), ids),
            [values, partitions] => (values, partitions.as_primitive::<UInt32Type>().values()),
            _ => return Ok(()),
        };
        let mut first = 0;
        for run in partitions.chunk_by(|one, next| one == next) {
            if let Some(partition) = run.first() {
                self.states.at_partition(*partition);
            }
            let part = values.slice(first, run.len());
            self.states
                .update(Some(&part), &ids[first..first + run.len()])?;
            first += run.len();
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        self.number(groups);
        self.states.merge(states, &self.ids)
    }

    /// Gives out the first groups by `what`, and keeps the others under their new numbers.
    fn emit<T>(
        &mut self,
        emit_to: EmitTo,
        what: impl Fn(&dyn engine::Accumulator, &[GroupId]) -> Result<T>,
    ) -> Result<T> {
        let first = match emit_to {
            EmitTo::All => self.groups,
            EmitTo::First(count) => count.min(self.groups),
        };
        let ids: Vec<GroupId> = (0..self.groups as GroupId).collect();
        let (gone, left) = ids.split_at(first);
        let given = what(self.states.as_ref(), gone)?;
        let mut rest = Self::made(&self.call, self.make)?;
        if !left.is_empty() {
            rest.grow(left.len());
            rest.states
                .merge(&self.states.state(left)?, &ids[..left.len()])?;
        }
        *self = rest;
        Ok(given)
    }
}

fn unfiltered(cause: arrow_schema::ArrowError) -> flinkspark_model::Error {
    crate::semantics::broken(format!("a filter that does not fit its column: {cause}"))
}

/// Carries an error of an accumulator out of DataFusion.
pub(super) fn external<T>(result: Result<T>) -> PlanResult<T> {
    result.map_err(|error| DataFusionError::External(Box::new(error)))
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
        external(self.add(values, group_indices, opt_filter))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> PlanResult<ArrayRef> {
        external(self.emit(emit_to, |accumulator, groups| accumulator.evaluate(groups)))
    }

    fn state(&mut self, emit_to: EmitTo) -> PlanResult<Vec<ArrayRef>> {
        external(self.emit(emit_to, |accumulator, groups| accumulator.state(groups)))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> PlanResult<()> {
        self.grow(total_num_groups);
        external(self.merge(values, group_indices))
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> PlanResult<Vec<ArrayRef>> {
        let rows: Vec<usize> = (0..values.first().map_or(0, Array::len)).collect();
        let mut each = external(Self::made(&self.call, self.make))?;
        each.grow(rows.len());
        external(each.add(values, &rows, opt_filter))?;
        GroupsAccumulator::state(&mut each, EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.states.size() + self.ids.capacity() * size_of::<GroupId>()
    }
}

/// One group.
pub(super) struct One(Groups);

impl One {
    /// The call's empty state.
    pub(super) fn of(call: &Call, by_partition: bool) -> Result<Self> {
        let mut one = Groups::of(call, by_partition)?;
        one.grow(1);
        Ok(Self(one))
    }
}

impl std::fmt::Debug for One {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "One({:?})", self.0.call)
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> PlanResult<()> {
        let rows = values.first().map_or(0, Array::len);
        GroupsAccumulator::update_batch(&mut self.0, values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> PlanResult<ScalarValue> {
        let value = external(self.0.states.evaluate(&[0]))?;
        ScalarValue::try_from_array(&value, 0)
    }

    fn size(&self) -> usize {
        GroupsAccumulator::size(&self.0)
    }

    fn state(&mut self) -> PlanResult<Vec<ScalarValue>> {
        let state = external(self.0.states.state(&[0]))?;
        let scalar = |column: &ArrayRef| ScalarValue::try_from_array(column, 0);
        state.iter().map(scalar).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> PlanResult<()> {
        let rows = states.first().map_or(0, Array::len);
        GroupsAccumulator::merge_batch(&mut self.0, states, &vec![0; rows], 1)
    }
}
