//! `MIN(x)` and `MAX(x)`. Numbers compare as Java's `<` does, which Flink uses: a NaN that comes
//! first stays, one that comes later is passed over. Text compares by code point.

use super::{Accumulator, GroupId, wrong_column};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use flinkspark_model::Result;
use std::sync::Arc;

pub(super) fn accumulator<const MAX: bool>(ty: &DataType) -> Option<Box<dyn Accumulator>> {
    Some(match ty {
        DataType::Int8 => Extreme::<Int8Type, MAX>::boxed(ty),
        DataType::Int16 => Extreme::<Int16Type, MAX>::boxed(ty),
        DataType::Int32 => Extreme::<Int32Type, MAX>::boxed(ty),
        DataType::Int64 => Extreme::<Int64Type, MAX>::boxed(ty),
        DataType::Float32 => Extreme::<Float32Type, MAX>::boxed(ty),
        DataType::Float64 => Extreme::<Float64Type, MAX>::boxed(ty),
        DataType::Decimal128(_, _) => Extreme::<Decimal128Type, MAX>::boxed(ty),
        DataType::Date32 => Extreme::<Date32Type, MAX>::boxed(ty),
        DataType::Time32(TimeUnit::Millisecond) => Extreme::<Time32MillisecondType, MAX>::boxed(ty),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => Extreme::<TimestampSecondType, MAX>::boxed(ty),
            TimeUnit::Millisecond => Extreme::<TimestampMillisecondType, MAX>::boxed(ty),
            TimeUnit::Microsecond => Extreme::<TimestampMicrosecondType, MAX>::boxed(ty),
            TimeUnit::Nanosecond => Extreme::<TimestampNanosecondType, MAX>::boxed(ty),
        },
        DataType::Utf8 => Box::new(ExtremeText::<MAX>::default()),
        _ => return None,
    })
}

struct Extreme<T: ArrowPrimitiveType, const MAX: bool> {
    ty: DataType,
    values: Vec<T::Native>,
    seen: Vec<bool>,
}

impl<T: ArrowPrimitiveType, const MAX: bool> Extreme<T, MAX> {
    fn boxed(ty: &DataType) -> Box<dyn Accumulator> {
        Box::new(Self {
            ty: ty.clone(),
            values: Vec::new(),
            seen: Vec::new(),
        })
    }

    #[inline]
    fn offer(&mut self, value: T::Native, group: GroupId) {
        let group = group as usize;
        let current = self.values[group];
        let better = if MAX {
            value > current
        } else {
            value < current
        };
        if better || !self.seen[group] {
            self.values[group] = value;
            self.seen[group] = true;
        }
    }
}

impl<T: ArrowPrimitiveType, const MAX: bool> Accumulator for Extreme<T, MAX> {
    fn grow(&mut self, count: usize) {
        let count = count.max(self.values.len());
        self.values.resize(count, T::Native::default());
        self.seen.resize(count, false);
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        let Some(values) = values else { return Ok(()) };
        let column = values
            .as_primitive_opt::<T>()
            .ok_or_else(|| wrong_column("an ordered value", values))?;
        match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => {
                for (value, group) in column.values().iter().zip(groups) {
                    self.offer(*value, *group);
                }
            }
            Some(nulls) => {
                for row in nulls.valid_indices() {
                    self.offer(column.value(row), groups[row]);
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        self.update(state.first(), groups)
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        let values = groups.iter().map(|group| self.values[*group as usize]);
        let seen: NullBuffer = groups
            .iter()
            .map(|group| self.seen[*group as usize])
            .collect();
        let array = PrimitiveArray::<T>::new(values.collect(), Some(seen));
        Ok(Arc::new(array.with_data_type(self.ty.clone())))
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(groups)?])
    }

    fn release(&mut self, groups: &[GroupId]) {
        groups
            .iter()
            .for_each(|group| self.seen[*group as usize] = false);
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}

#[derive(Default)]
struct ExtremeText<const MAX: bool> {
    values: Vec<Option<Box<str>>>,
}

impl<const MAX: bool> Accumulator for ExtremeText<MAX> {
    fn grow(&mut self, count: usize) {
        self.values.resize(count.max(self.values.len()), None);
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        let Some(values) = values else { return Ok(()) };
        let column = values
            .as_string_opt::<i32>()
            .ok_or_else(|| wrong_column("STRING", values))?;
        for (value, group) in column.iter().zip(groups) {
            let Some(value) = value else { continue };
            let current = &mut self.values[*group as usize];
            let better = match current.as_deref() {
                None => true,
                Some(current) if MAX => value > current,
                Some(current) => value < current,
            };
            if better {
                *current = Some(value.into());
            }
        }
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        self.update(state.first(), groups)
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        let values = groups
            .iter()
            .map(|group| self.values[*group as usize].as_deref());
        Ok(Arc::new(values.collect::<StringArray>()))
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(groups)?])
    }

    fn release(&mut self, groups: &[GroupId]) {
        groups
            .iter()
            .for_each(|group| self.values[*group as usize] = None);
    }

    fn size(&self) -> usize {
        let texts = self.values.iter().flatten().map(|text| text.len());
        self.values.capacity() * size_of::<Option<Box<str>>>() + texts.sum::<usize>()
    }
}
