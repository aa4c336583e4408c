//! `SUM(x)`: of the argument's own type, as in Flink. Integers wrap, floats add in arrival order.

use super::{Accumulator, GroupId, decimal, wrong_column};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, PrimitiveArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use flinkspark_model::Result;
use std::sync::Arc;

pub(super) fn accumulator(ty: &DataType) -> Option<Box<dyn Accumulator>> {
    Some(match ty {
        DataType::Int8 => Box::new(Sum::<Int8Type>::default()),
        DataType::Int16 => Box::new(Sum::<Int16Type>::default()),
        DataType::Int32 => Box::new(Sum::<Int32Type>::default()),
        DataType::Int64 => Box::new(Sum::<Int64Type>::default()),
        DataType::Float32 => Box::new(Sum::<Float32Type>::default()),
        DataType::Float64 => Box::new(Sum::<Float64Type>::default()),
        DataType::Decimal128(_, scale) => Box::new(decimal::Sum::new(*scale)),
        _ => return None,
    })
}

struct Sum<T: ArrowPrimitiveType> {
    sums: Vec<T::Native>,
    seen: Vec<bool>,
}

impl<T: ArrowPrimitiveType> Default for Sum<T> {
    fn default() -> Self {
        Self {
            sums: Vec::new(),
            seen: Vec::new(),
        }
    }
}

impl<T: ArrowPrimitiveType> Sum<T> {
    fn add(&mut self, value: T::Native, group: GroupId) {
        let group = group as usize;
        // The first value is the sum, as in Flink: 0.0 + -0.0 would be 0.0.
        self.sums[group] = match self.seen[group] {
            true => self.sums[group].add_wrapping(value),
            false => value,
        };
        self.seen[group] = true;
    }
}

impl<T: ArrowPrimitiveType> Accumulator for Sum<T> {
    fn grow(&mut self, count: usize) {
        let count = count.max(self.sums.len());
        self.sums.resize(count, T::Native::ZERO);
        self.seen.resize(count, false);
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        let Some(values) = values else { return Ok(()) };
        let column = values
            .as_primitive_opt::<T>()
            .ok_or_else(|| wrong_column("a number", values))?;
        match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => {
                for (value, group) in column.values().iter().zip(groups) {
                    self.add(*value, *group);
                }
            }
            Some(nulls) => {
                for row in nulls.valid_indices() {
                    self.add(column.value(row), groups[row]);
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        self.update(state.first(), groups)
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        let sums = groups.iter().map(|group| self.sums[*group as usize]);
        let seen: NullBuffer = groups
            .iter()
            .map(|group| self.seen[*group as usize])
            .collect();
        Ok(Arc::new(PrimitiveArray::<T>::new(
            sums.collect(),
            Some(seen),
        )))
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(groups)?])
    }

    fn release(&mut self, groups: &[GroupId]) {
        for group in groups {
            self.sums[*group as usize] = T::Native::ZERO;
            self.seen[*group as usize] = false;
        }
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}
