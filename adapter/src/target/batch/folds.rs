//! Flink's folds, one per group, as an accumulator like the engine's.
//!
//! For the calls that have no state in columns: sets, lists, moments, decimals, texts. Invariant: a
//! group's rows are folded in the order in which they come.

use crate::plan::column::{build, read};
use crate::semantics::aggregate::{Fold, Signature as Call};
use crate::semantics::value::Value;
use arrow_array::ArrayRef;
use flinkspark_engine::expr::aggregate::{Accumulator, GroupId};
use flinkspark_model::Result;

/// The folds of one call.
pub(super) struct Folds {
    call: Call,
    folds: Vec<Fold>,
}

impl Folds {
    /// The call's folds, for no group yet.
    pub(super) fn of(call: &Call) -> Self {
        Self {
            call: call.clone(),
            folds: Vec::new(),
        }
    }

    fn chosen(&self, groups: &[GroupId]) -> impl Iterator<Item = &Fold> {
        groups
            .iter()
            .filter_map(|group| self.folds.get(*group as usize))
    }

    fn each(
        &mut self,
        groups: &[GroupId],
        mut take: impl FnMut(&Call, &mut Fold, usize) -> Result<()>,
    ) -> Result<()> {
        for (row, group) in groups.iter().enumerate() {
            if let Some(fold) = self.folds.get_mut(*group as usize) {
                take(&self.call, fold, row)?;
            }
        }
        Ok(())
    }
}

impl Accumulator for Folds {
    fn grow(&mut self, count: usize) {
        while self.folds.len() < count {
            self.folds.push(self.call.fold());
        }
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        let Some(values) = values else { return Ok(()) };
        self.each(groups, |call, fold, row| {
            fold.update(&read(values.as_ref(), &call.argument.root, row)?)
        })
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        let types = self.call.state_types();
        self.each(groups, |_, fold, row| {
            let columns = types.iter().zip(state);
            let values = columns.map(|(ty, column)| read(column.as_ref(), &ty.root, row));
            fold.merge(&values.collect::<Result<Vec<_>>>()?)
        })
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        let values: Result<Vec<Value>> = self.chosen(groups).map(Fold::finish).collect();
        build(&self.call.result, &values?)
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        let rows: Vec<Vec<Value>> = self.chosen(groups).map(Fold::state).collect();
        let types = self.call.state_types();
        let column = |(index, ty)| {
            let value = |row: &Vec<Value>| row.get(index).cloned().unwrap_or(Value::Null);
            build(ty, &rows.iter().map(value).collect::<Vec<_>>())
        };
        types.iter().enumerate().map(column).collect()
    }

    fn release(&mut self, groups: &[GroupId]) {
        for group in groups {
            if let Some(fold) = self.folds.get_mut(*group as usize) {
                *fold = self.call.fold();
            }
        }
    }

    fn size(&self) -> usize {
        self.folds.iter().map(Fold::size).sum()
    }
}
