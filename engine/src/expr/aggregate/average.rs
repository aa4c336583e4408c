//! `AVG(x)`: of the argument's own type, as in Flink. Integers are summed in 64 bits, which wrap,
//! and truncate toward zero; floats are summed in doubles.

use super::{Accumulator, GroupId, decimal, wrong_column};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, Int64Array, PrimitiveArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use flinkspark_model::Result;
use std::sync::Arc;

pub(super) fn accumulator(ty: &DataType) -> Option<Box<dyn Accumulator>> {
    Some(match ty {
        DataType::Int8 => Box::new(Average::<Int8Type>::default()),
        DataType::Int16 => Box::new(Average::<Int16Type>::default()),
        DataType::Int32 => Box::new(Average::<Int32Type>::default()),
        DataType::Int64 => Box::new(Average::<Int64Type>::default()),
        DataType::Float32 => Box::new(Average::<Float32Type>::default()),
        DataType::Float64 => Box::new(Average::<Float64Type>::default()),
        DataType::Decimal128(_, scale) => Box::new(decimal::Average::new(*scale)),
        _ => return None,
    })
}

/// How a type is averaged: what it is summed in, and how a sum is divided.
trait Averaged: ArrowPrimitiveType {
    type Sum: ArrowPrimitiveType;

    fn widen(value: Self::Native) -> <Self::Sum as ArrowPrimitiveType>::Native;
    fn divide(sum: <Self::Sum as ArrowPrimitiveType>::Native, count: i64) -> Self::Native;
}

macro_rules! averaged {
    ($($ty:ty => $sum:ty, $wide:ty, $native:ty;)*) => {$(
        impl Averaged for $ty {
            type Sum = $sum;

            #[inline]
            fn widen(value: $native) -> $wide {
                value as $wide
            }

            #[inline]
            fn divide(sum: $wide, count: i64) -> $native {
                (sum / count as $wide) as $native
            }
        }
    )*};
}

averaged! {
    Int8Type => Int64Type, i64, i8;
    Int16Type => Int64Type, i64, i16;
    Int32Type => Int64Type, i64, i32;
    Int64Type => Int64Type, i64, i64;
    Float32Type => Float64Type, f64, f32;
    Float64Type => Float64Type, f64, f64;
}

struct Average<T: Averaged> {
    sums: Vec<<T::Sum as ArrowPrimitiveType>::Native>,
    counts: Vec<i64>,
}

impl<T: Averaged> Default for Average<T> {
    fn default() -> Self {
        Self {
            sums: Vec::new(),
            counts: Vec::new(),
        }
    }
}

impl<T: Averaged> Average<T> {
    #[inline]
    fn add(&mut self, value: <T::Sum as ArrowPrimitiveType>::Native, count: i64, group: GroupId) {
        let group = group as usize;
        self.sums[group] = self.sums[group].add_wrapping(value);
        self.counts[group] += count;
    }
}

impl<T: Averaged> Accumulator for Average<T> {
    fn grow(&mut self, count: usize) {
        let count = count.max(self.counts.len());
        self.sums
            .resize(count, <T::Sum as ArrowPrimitiveType>::Native::default());
        self.counts.resize(count, 0);
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        let Some(values) = values else { return Ok(()) };
        let column = values
            .as_primitive_opt::<T>()
            .ok_or_else(|| wrong_column("a number", values))?;
        match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => {
                for (value, group) in column.values().iter().zip(groups) {
                    self.add(T::widen(*value), 1, *group);
                }
            }
            Some(nulls) => {
                for row in nulls.valid_indices() {
                    self.add(T::widen(column.value(row)), 1, groups[row]);
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        let [sums, counts] = state else {
            return Ok(());
        };
        let sums = sums
            .as_primitive_opt::<T::Sum>()
            .ok_or_else(|| wrong_column("a sum", sums))?;
        let counts = counts
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| wrong_column("a count", counts))?;
        for (row, group) in groups.iter().enumerate() {
            self.add(sums.value(row), counts.value(row), *group);
        }
        Ok(())
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        let value = |group: &GroupId| {
            let group = *group as usize;
            // An empty group divides by one; the null hides it.
            T::divide(self.sums[group], self.counts[group].max(1))
        };
        let seen: NullBuffer = groups
            .iter()
            .map(|group| self.counts[*group as usize] > 0)
            .collect();
        let values = groups.iter().map(value).collect();
        Ok(Arc::new(PrimitiveArray::<T>::new(values, Some(seen))))
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        let sums = groups.iter().map(|group| self.sums[*group as usize]);
        let counts = groups.iter().map(|group| self.counts[*group as usize]);
        Ok(vec![
            Arc::new(PrimitiveArray::<T::Sum>::from_iter_values(sums)),
            Arc::new(Int64Array::from_iter_values(counts)),
        ])
    }

    fn release(&mut self, groups: &[GroupId]) {
        for group in groups {
            self.sums[*group as usize] = <T::Sum as ArrowPrimitiveType>::Native::default();
            self.counts[*group as usize] = 0;
        }
    }

    fn size(&self) -> usize {
        let sum = size_of::<<T::Sum as ArrowPrimitiveType>::Native>();
        self.sums.capacity() * sum + self.counts.capacity() * size_of::<i64>()
    }
}
