//! `SUM` and `AVG` of decimals: summed exactly in 38 digits at the argument's scale; an average
//! has at least six decimals and rounds half up, as in Flink. A sum beyond 38 digits is `Data`.

use super::{Accumulator, GroupId, wrong_column};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Int64Array};
use arrow_schema::DataType;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// The digits of a sum and of an average.
pub(super) const PRECISION: u8 = 38;

/// The greatest value of 38 digits.
const LIMIT: i128 = 10_i128.pow(PRECISION as u32) - 1;

/// The scale of an average of values at this scale.
pub(super) fn average_scale(scale: i8) -> i8 {
    scale.max(6)
}

/// Sums and counts by group: all that both functions need.
struct Totals {
    scale: i8,
    sums: Vec<i128>,
    counts: Vec<i64>,
}

impl Totals {
    fn new(scale: i8) -> Self {
        Self {
            scale,
            sums: Vec::new(),
            counts: Vec::new(),
        }
    }

    fn grow(&mut self, count: usize) {
        let count = count.max(self.sums.len());
        self.sums.resize(count, 0);
        self.counts.resize(count, 0);
    }

    fn add(
        &mut self,
        values: &ArrayRef,
        count: impl Fn(usize) -> i64,
        groups: &[GroupId],
    ) -> Result<()> {
        let column = values
            .as_primitive_opt::<Decimal128Type>()
            .ok_or_else(|| wrong_column("DECIMAL", values))?;
        for (row, group) in groups.iter().enumerate() {
            if column.is_null(row) {
                continue;
            }
            let group = *group as usize;
            self.sums[group] = within(self.sums[group].checked_add(column.value(row)))?;
            self.counts[group] += count(row);
        }
        Ok(())
    }

    fn array(
        &self,
        groups: &[GroupId],
        scale: i8,
        value: impl Fn(usize) -> Result<i128>,
    ) -> Result<ArrayRef> {
        let values = groups
            .iter()
            .map(|group| match self.counts[*group as usize] {
                0 => Ok(None),
                _ => value(*group as usize).map(Some),
            });
        let array: Decimal128Array = values.collect::<Result<_>>()?;
        Ok(Arc::new(
            array.with_data_type(DataType::Decimal128(PRECISION, scale)),
        ))
    }

    fn sums(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        self.array(groups, self.scale, |group| Ok(self.sums[group]))
    }

    fn release(&mut self, groups: &[GroupId]) {
        for group in groups {
            self.sums[*group as usize] = 0;
            self.counts[*group as usize] = 0;
        }
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.counts.capacity() * size_of::<i64>()
    }
}

fn within(value: Option<i128>) -> Result<i128> {
    value
        .filter(|value| value.unsigned_abs() <= LIMIT.unsigned_abs())
        .ok_or_else(|| {
            Error::new(
                Kind::Data,
                "FS0606",
                "a decimal aggregate has more than 38 digits",
            )
            .with_detail("Flink gives NULL and goes on from there; no target agrees on that")
            .with_hint("cast the argument to a smaller scale, or to DOUBLE")
        })
}

pub(super) struct Sum(Totals);

impl Sum {
    pub(super) fn new(scale: i8) -> Self {
        Self(Totals::new(scale))
    }
}

impl Accumulator for Sum {
    fn grow(&mut self, count: usize) {
        self.0.grow(count);
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        values.map_or(Ok(()), |values| self.0.add(values, |_| 1, groups))
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        self.update(state.first(), groups)
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        self.0.sums(groups)
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(groups)?])
    }

    fn release(&mut self, groups: &[GroupId]) {
        self.0.release(groups);
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

pub(super) struct Average(Totals);

impl Average {
    pub(super) fn new(scale: i8) -> Self {
        Self(Totals::new(scale))
    }
}

impl Accumulator for Average {
    fn grow(&mut self, count: usize) {
        self.0.grow(count);
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        values.map_or(Ok(()), |values| self.0.add(values, |_| 1, groups))
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        let [sums, counts] = state else {
            return Ok(());
        };
        let counts = counts
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| wrong_column("a count", counts))?;
        self.0.add(sums, |row| counts.value(row), groups)
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        let scale = average_scale(self.0.scale);
        let shift = 10_i128.pow(u32::from((scale - self.0.scale).unsigned_abs()));
        self.0.array(groups, scale, |group| {
            let sum = within(self.0.sums[group].checked_mul(shift))?;
            let count = i128::from(self.0.counts[group]);
            let (quotient, rest) = (sum / count, sum % count);
            let up = rest.abs() * 2 >= count;
            Ok(quotient + if up { sum.signum() } else { 0 })
        })
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        let counts = groups.iter().map(|group| self.0.counts[*group as usize]);
        Ok(vec![
            self.0.sums(groups)?,
            Arc::new(Int64Array::from_iter_values(counts)),
        ])
    }

    fn release(&mut self, groups: &[GroupId]) {
        self.0.release(groups);
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
