//! The folds behind the aggregate functions.
//!
//! Owns their states. Never knows groups or batches. Invariant: a fold's state, written and merged into a
//! new fold, gives the same result as the fold itself.

use super::{Aggregate, Signature};
use crate::semantics::cast::wrap;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, cast, compare, decimal, failed};
use arrow_buffer::i256;
use flinkspark_model::Result;
use std::collections::HashSet;

/// An aggregate call in the middle of its input.
#[derive(Debug, Clone)]
pub struct Fold {
    signature: Signature,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Count(i64),
    One(Value),
    Mean(Value, i64),
    /// A sum of decimals and of how many: exact, so that overflow on the way changes nothing.
    Total(i256, i64),
    Moments(i64, f64, f64),
    List(Vec<Value>),
    Single(Value, i64),
    Distinct(Vec<Value>, HashSet<Vec<u8>>),
}

impl Fold {
    /// A fold that has seen nothing.
    pub(super) fn new(signature: Signature) -> Self {
        let state = match signature.function {
            _ if signature.distinct => State::Distinct(Vec::new(), HashSet::new()),
            _ if signature.is_decimal_sum() => State::Total(i256::ZERO, 0),
            Aggregate::CountRows | Aggregate::Count => State::Count(0),
            Aggregate::Avg => State::Mean(Value::Null, 0),
            Aggregate::ArrayAgg => State::List(Vec::new()),
            Aggregate::Single => State::Single(Value::Null, 0),
            Aggregate::VarPop
            | Aggregate::VarSamp
            | Aggregate::StddevPop
            | Aggregate::StddevSamp => State::Moments(0, 0.0, 0.0),
            _ => State::One(Value::Null),
        };
        Self { signature, state }
    }

    /// Takes one row's argument.
    pub fn update(&mut self, value: &Value) -> Result<()> {
        let Signature {
            function, argument, ..
        } = &self.signature;
        if value.is_null()
            && !matches!(
                function,
                Aggregate::CountRows | Aggregate::ArrayAgg | Aggregate::Single
            )
        {
            return Ok(());
        }
        match &mut self.state {
            State::Distinct(values, keys) => {
                if keys.insert(compare::group_key(value)) {
                    values.push(value.clone());
                }
            }
            State::Count(count) => *count += 1,
            State::One(held) => {
                *held = one(*function, held, value, argument, &self.signature.result)?
            }
            State::Total(sum, count) => {
                let Value::Decimal(value) = value else {
                    return Err(broken("a sum of what is no decimal"));
                };
                *sum = sum.wrapping_add(i256::from_i128(*value));
                *count += 1;
            }
            State::Mean(sum, count) => {
                let root = self.signature.sum_root();
                let value = widened(value, argument, &root)?;
                // Flink's sum for an average begins with 0: that of -0.0 is 0.0 (measured, 2.3.0).
                *sum = match (&*sum, &value) {
                    (Value::Null, Value::Double(x)) => Value::Double(0.0 + x),
                    (sum, value) => add(sum, value, &root),
                };
                *count += 1;
            }
            State::Moments(count, mean, m2) => {
                let Value::Double(x) = widened(value, argument, &Root::Double)? else {
                    return Err(broken("a moment of what is no number"));
                };
                // Welford's recurrence, as Flink rewrites the variance functions.
                *count += 1;
                let delta = x - *mean;
                *mean += delta / *count as f64;
                *m2 += delta * (x - *mean);
            }
            State::List(values) => values.push(value.clone()),
            State::Single(held, count) => {
                *held = value.clone();
                *count += 1;
                if *count > 1 {
                    return Err(failed("a scalar subquery gave more than one row"));
                }
            }
        }
        Ok(())
    }

    /// The state in the types of [`Signature::state_types`].
    pub fn state(&self) -> Vec<Value> {
        match &self.state {
            State::Count(count) => vec![Value::Integer(*count)],
            State::One(value) => vec![value.clone()],
            State::Mean(value, count) | State::Single(value, count) => {
                vec![value.clone(), Value::Integer(*count)]
            }
            State::Total(sum, count) => {
                let (high, low) = split(*sum);
                vec![
                    Value::Decimal(high),
                    Value::Decimal(low),
                    Value::Integer(*count),
                ]
            }
            State::Moments(count, mean, m2) => vec![
                Value::Integer(*count),
                Value::Double(*mean),
                Value::Double(*m2),
            ],
            State::List(values) | State::Distinct(values, _) => {
                vec![Value::Array(values.clone().into())]
            }
        }
    }

    /// Takes the state of a fold over later rows.
    pub fn merge(&mut self, other: &[Value]) -> Result<()> {
        if let [Value::Array(values)] = other
            && matches!(self.state, State::List(_) | State::Distinct(..))
        {
            return values.iter().try_for_each(|value| self.update(value));
        }
        let sum_root = self.signature.sum_root();
        match (&mut self.state, other) {
            (State::Count(count), [Value::Integer(more)]) => *count += more,
            (State::One(_), [value]) if value.is_null() => {}
            (State::One(held), [value]) if self.signature.function == Aggregate::Sum => {
                *held = add(held, value, &self.signature.result.root);
            }
            (State::One(_), [value]) => return self.update(value),
            (
                State::Total(sum, count),
                [
                    Value::Decimal(high),
                    Value::Decimal(low),
                    Value::Integer(rows),
                ],
            ) => {
                *sum = sum.wrapping_add(joined(*high, *low));
                *count += rows;
            }
            (State::Mean(sum, count), [more, Value::Integer(rows)]) => {
                if !more.is_null() {
                    *sum = add(sum, more, &sum_root);
                }
                *count += rows;
            }
            (State::Single(held, count), [value, Value::Integer(rows)]) => {
                if *count + rows > 1 {
                    return Err(failed("a scalar subquery gave more than one row"));
                }
                if *rows == 1 {
                    (*held, *count) = (value.clone(), 1);
                }
            }
            (
                State::Moments(n, mean, m2),
                [
                    Value::Integer(rows),
                    Value::Double(other),
                    Value::Double(more),
                ],
            ) => {
                if *n == 0 {
                    // Exactly the other: a huge mean's square would be infinite, times no rows NaN.
                    (*n, *mean, *m2) = (*rows, *other, *more);
                } else if *rows > 0 {
                    let total = *n + rows;
                    let delta = other - *mean;
                    *m2 += more + delta * delta * (*n as f64) * (*rows as f64) / total as f64;
                    *mean += delta * *rows as f64 / total as f64;
                    *n = total;
                }
            }
            _ => return Err(broken("a state of another aggregate")),
        }
        Ok(())
    }

    /// The aggregate's result.
    pub fn finish(&self) -> Result<Value> {
        let Signature {
            function,
            argument,
            result,
            ..
        } = &self.signature;
        match &self.state {
            State::Count(count) => Ok(Value::Integer(*count)),
            State::One(value) | State::Single(value, _) => Ok(value.clone()),
            State::Mean(sum, count) => mean(sum, *count, result),
            State::Total(sum, count) => Ok(total(*sum, *count, *function, argument, result)),
            State::Moments(count, _, m2) => moment(*function, *count, *m2, result),
            State::List(values) if values.is_empty() => Ok(Value::Null),
            State::List(values) => Ok(Value::Array(values.clone().into())),
            State::Distinct(values, _) => {
                let mut inner = Signature {
                    distinct: false,
                    ..self.signature.clone()
                }
                .fold();
                values.iter().try_for_each(|value| inner.update(value))?;
                inner.finish()
            }
        }
    }

    /// Roughly the bytes that the fold holds.
    pub fn size(&self) -> usize {
        let values = match &self.state {
            State::List(values) | State::Distinct(values, _) => values.len(),
            _ => 1,
        };
        size_of::<Self>() + values * 2 * size_of::<Value>()
    }
}

/// Converts an argument to the type in which it is summed.
fn widened(value: &Value, from: &FlinkType, root: &Root) -> Result<Value> {
    if from.root == *root {
        return Ok(value.clone());
    }
    cast::convert(value.clone(), from, &FlinkType::nullable(root.clone()))
}

/// A sum of 256 bits as two values of 38 digits, the high ones first.
fn split(sum: i256) -> (i128, i128) {
    let unit = decimal::power_of_ten(38);
    let part = |value: i256| value.to_i128().unwrap_or_default();
    (part(sum.wrapping_div(unit)), part(sum.wrapping_rem(unit)))
}

fn joined(high: i128, low: i128) -> i256 {
    let high = i256::from_i128(high).wrapping_mul(decimal::power_of_ten(38));
    high.wrapping_add(i256::from_i128(low))
}

/// A sum or a mean of decimals: NULL where the sum of all rows has more than 38 digits, as in Flink, and
/// whatever their order.
fn total(
    sum: i256,
    count: i64,
    function: Aggregate,
    argument: &FlinkType,
    result: &FlinkType,
) -> Value {
    let (Root::Decimal(_, from), Root::Decimal(precision, scale)) = (&argument.root, &result.root)
    else {
        return Value::Null;
    };
    let value = (count > 0).then(|| decimal::fit(sum, 38)).flatten();
    let value = value.and_then(|sum| match function {
        Aggregate::Avg => {
            decimal::divide((sum, *from), (i128::from(count), 0), (*precision, *scale))
        }
        _ => Some(sum),
    });
    value.map_or(Value::Null, Value::Decimal)
}

/// A sum in its own type: integers wrap.
fn add(held: &Value, value: &Value, root: &Root) -> Value {
    match (held, value, root) {
        (Value::Null, _, _) => value.clone(),
        (Value::Integer(a), Value::Integer(b), root) => wrap(i128::from(*a) + i128::from(*b), root),
        (Value::Float(a), Value::Float(b), _) => Value::Float(a + b),
        (Value::Double(a), Value::Double(b), _) => Value::Double(a + b),
        _ => Value::Null,
    }
}

/// The next value of an aggregate that holds one: of equals, and beside a NaN, the first stays.
fn one(
    function: Aggregate,
    held: &Value,
    value: &Value,
    argument: &FlinkType,
    result: &FlinkType,
) -> Result<Value> {
    let replaces = match function {
        Aggregate::Sum => {
            return Ok(add(
                held,
                &widened(value, argument, &result.root)?,
                &result.root,
            ));
        }
        _ if held.is_null() => true,
        Aggregate::Min => compare::sql(value, held).is_some_and(std::cmp::Ordering::is_lt),
        Aggregate::Max => compare::sql(value, held).is_some_and(std::cmp::Ordering::is_gt),
        Aggregate::Last => true,
        _ => false,
    };
    Ok(if replaces {
        value.clone()
    } else {
        held.clone()
    })
}

fn mean(sum: &Value, count: i64, result: &FlinkType) -> Result<Value> {
    match (sum, &result.root) {
        _ if count == 0 => Ok(Value::Null),
        (Value::Null, _) => Ok(Value::Null),
        (Value::Integer(sum), root) => Ok(wrap(i128::from(*sum) / i128::from(count), root)),
        (Value::Double(sum), Root::Float) => Ok(Value::Float((sum / count as f64) as f32)),
        (Value::Double(sum), _) => Ok(Value::Double(sum / count as f64)),
        _ => Err(broken("a mean of what is no number")),
    }
}

fn moment(function: Aggregate, count: i64, m2: f64, result: &FlinkType) -> Result<Value> {
    let divisor = match function {
        Aggregate::VarSamp | Aggregate::StddevSamp => count - 1,
        _ => count,
    };
    if divisor <= 0 {
        return Ok(Value::Null);
    }
    let variance = m2 / divisor as f64;
    let value = match function {
        Aggregate::StddevPop | Aggregate::StddevSamp => variance.sqrt(),
        _ => variance,
    };
    cast::convert(
        Value::Double(value),
        &FlinkType::nullable(Root::Double),
        result,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::types::FlinkType;

    #[test]
    fn moments_merged_into_none_are_themselves() {
        let argument = FlinkType::nullable(Root::Double);
        let result = Aggregate::VarPop.result_type(&argument, true).unwrap();
        let call = Signature {
            function: Aggregate::VarPop,
            distinct: false,
            argument,
            result,
        };
        let mut one = call.fold();
        one.update(&Value::Double(1e200)).unwrap();
        let mut merged = call.fold();
        merged.merge(&one.state()).unwrap();
        assert_eq!(merged.finish(), Ok(Value::Double(0.0)));
        assert_eq!(merged.finish(), one.finish());
    }
}
