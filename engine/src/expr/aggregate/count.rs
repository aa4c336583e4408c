//! `COUNT(*)` and `COUNT(x)`. Invariant: the value is never null.

use super::{Accumulator, GroupId, wrong_column};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use flinkspark_model::Result;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn grow(&mut self, count: usize) {
        self.counts.resize(count.max(self.counts.len()), 0);
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        match values.and_then(|values| values.logical_nulls()) {
            Some(nulls) if nulls.null_count() > 0 => {
                for row in nulls.valid_indices() {
                    self.counts[groups[row] as usize] += 1;
                }
            }
            _ => groups
                .iter()
                .for_each(|group| self.counts[*group as usize] += 1),
        }
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        for column in state {
            let counts = column
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| wrong_column("BIGINT", column))?;
            for (count, group) in counts.values().iter().zip(groups) {
                self.counts[*group as usize] += count;
            }
        }
        Ok(())
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        let counts = groups.iter().map(|group| self.counts[*group as usize]);
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(groups)?])
    }

    fn release(&mut self, groups: &[GroupId]) {
        groups
            .iter()
            .for_each(|group| self.counts[*group as usize] = 0);
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }
}
