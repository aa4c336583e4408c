//! `SUM` and `AVG` of decimals: summed exactly in 256 bits at the argument's scale, so that neither
//! order nor overflow on the way changes an answer. The answer is NULL where the sum of all rows has
//! more than 38 digits; an average has at least six decimals and is divided as Flink divides.

use super::{Accumulator, GroupId, wrong_column};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Decimal256Array, Int64Array};
use arrow_buffer::i256;
use arrow_schema::DataType;
use flinkspark_model::Result;
use std::sync::Arc;

/// The digits of a sum and of an average.
pub(super) const PRECISION: u8 = 38;

/// The digits in which sums are kept: more rows than there are would be needed to exceed them.
const STATE_PRECISION: u8 = 76;

/// The significant digits to which Flink divides.
const DIVISION_DIGITS: u32 = 38;

/// The scale of an average of values at this scale.
pub(super) fn average_scale(scale: i8) -> i8 {
    scale.max(6)
}

/// The type in which sums of values at this scale are kept.
pub(super) fn state_type(scale: i8) -> DataType {
    DataType::Decimal256(STATE_PRECISION, scale)
}

/// Sums and counts by group: all that both functions need.
struct Totals {
    scale: i8,
    sums: Vec<i256>,
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
        self.sums.resize(count, i256::ZERO);
        self.counts.resize(count, 0);
    }

    fn update(&mut self, values: &ArrayRef, groups: &[GroupId]) -> Result<()> {
        let column = values
            .as_primitive_opt::<Decimal128Type>()
            .ok_or_else(|| wrong_column("DECIMAL", values))?;
        for (row, group) in groups.iter().enumerate() {
            if column.is_valid(row) {
                self.add(i256::from_i128(column.value(row)), 1, *group);
            }
        }
        Ok(())
    }

    fn merge(
        &mut self,
        sums: &ArrayRef,
        count: impl Fn(usize) -> i64,
        groups: &[GroupId],
    ) -> Result<()> {
        let sums = sums
            .as_primitive_opt::<Decimal256Type>()
            .ok_or_else(|| wrong_column("a sum", sums))?;
        for (row, group) in groups.iter().enumerate() {
            if sums.is_valid(row) {
                self.add(sums.value(row), count(row), *group);
            }
        }
        Ok(())
    }

    #[inline]
    fn add(&mut self, value: i256, count: i64, group: GroupId) {
        let group = group as usize;
        self.sums[group] = self.sums[group].wrapping_add(value);
        self.counts[group] += count;
    }

    /// The value of each group that has rows: none where it does not fit into 38 digits.
    fn evaluate(
        &self,
        groups: &[GroupId],
        scale: i8,
        value: impl Fn(i128, i64) -> Option<i128>,
    ) -> ArrayRef {
        let values = groups.iter().map(|group| {
            let group = *group as usize;
            let count = self.counts[group];
            (count > 0)
                .then(|| fit(self.sums[group]))
                .flatten()
                .and_then(|sum| value(sum, count))
        });
        let array: Decimal128Array = values.collect();
        Arc::new(array.with_data_type(DataType::Decimal128(PRECISION, scale)))
    }

    fn sums(&self, groups: &[GroupId]) -> ArrayRef {
        let sums = groups.iter().map(|group| {
            let group = *group as usize;
            (self.counts[group] > 0).then(|| self.sums[group])
        });
        let array: Decimal256Array = sums.collect();
        Arc::new(array.with_data_type(state_type(self.scale)))
    }

    fn release(&mut self, groups: &[GroupId]) {
        for group in groups {
            self.sums[*group as usize] = i256::ZERO;
            self.counts[*group as usize] = 0;
        }
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i256>() + self.counts.capacity() * size_of::<i64>()
    }
}

/// Ten to a power of at most 76.
fn power_of_ten(exponent: u32) -> i256 {
    i256::from_i128(10).wrapping_pow(exponent)
}

/// The value where it has at most 38 digits.
fn fit(value: i256) -> Option<i128> {
    let limit = power_of_ten(u32::from(PRECISION));
    (value < limit && value.wrapping_neg() < limit)
        .then(|| value.to_i128())
        .flatten()
}

/// The quotient of values that are not negative, rounded half up.
fn half_up(value: i256, divisor: i256) -> i256 {
    let (quotient, rest) = (value.wrapping_div(divisor), value.wrapping_rem(divisor));
    match rest >= divisor.wrapping_sub(rest) {
        true => quotient.wrapping_add(i256::ONE),
        false => quotient,
    }
}

/// The number of decimal digits of a value that is not negative; one for zero.
fn digits(value: i256) -> u32 {
    let mut count = 1;
    while count < u32::from(STATE_PRECISION) && value >= power_of_ten(count) {
        count += 1;
    }
    count
}

/// A sum at scale `from` divided by a count, at scale `to`: as `BigDecimal.divide` does it with 38
/// significant digits, HALF_UP, followed by a rounding to the scale. `count` is above 0, `to` not
/// below `from`.
fn divide(sum: i128, count: i64, from: i8, to: i8) -> Option<i128> {
    let (n, d) = (
        i256::from_i128(sum).wrapping_abs(),
        i256::from_i128(i128::from(count)),
    );
    let shift = DIVISION_DIGITS + digits(d) - digits(n).min(DIVISION_DIGITS + digits(d));
    let mut scale = i64::from(shift) + i64::from(from);
    let numerator = n.wrapping_mul(power_of_ten(shift));
    let mut quotient = numerator.wrapping_div(d);
    if digits(quotient) > DIVISION_DIGITS {
        quotient = half_up(quotient, power_of_ten(1));
        scale -= 1;
    } else {
        quotient = half_up(numerator, d);
    }
    let value = match u32::try_from(scale - i64::from(to)) {
        // Beyond 76 places nothing of a quotient of 39 digits is left.
        Ok(down) if down > u32::from(STATE_PRECISION) => i256::ZERO,
        Ok(down) => half_up(quotient, power_of_ten(down)),
        Err(_) => {
            let up = u32::try_from(i64::from(to) - scale).ok()?;
            let up = (up <= u32::from(PRECISION)).then(|| power_of_ten(up))?;
            quotient.checked_mul(up)?
        }
    };
    let value = fit(value)?;
    Some(if sum < 0 { -value } else { value })
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
        values.map_or(Ok(()), |values| self.0.update(values, groups))
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        let sums = state.first();
        sums.map_or(Ok(()), |sums| self.0.merge(sums, |_| 1, groups))
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        Ok(self.0.evaluate(groups, self.0.scale, |sum, _| Some(sum)))
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.0.sums(groups)])
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
        values.map_or(Ok(()), |values| self.0.update(values, groups))
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        let [sums, counts] = state else {
            return Ok(());
        };
        let counts = counts
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| wrong_column("a count", counts))?;
        self.0.merge(sums, |row| counts.value(row), groups)
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        let (from, to) = (self.0.scale, average_scale(self.0.scale));
        let average = |sum, count| divide(sum, count, from, to);
        Ok(self.0.evaluate(groups, to, average))
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        let counts = groups.iter().map(|group| self.0.counts[*group as usize]);
        Ok(vec![
            self.0.sums(groups),
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
