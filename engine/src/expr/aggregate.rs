//! Aggregate functions with Flink's answers and Flink's types.
//!
//! Owns the state of many groups at once, as columns indexed by group id, so that a batch is one
//! call and not one call a row. It never knows keys, windows or time. Invariant: updating with
//! rows, and merging states of parts of the rows, give the same value; where the order of rows decides it
//! ([`Function::is_order_sensitive`]), [`Ordered`] folds each partition by itself and merges in their order.

mod average;
mod count;
mod decimal;
mod extreme;
mod ordered;
mod sum;
#[cfg(test)]
mod tests;

pub use ordered::{Make, Ordered};

use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use flinkspark_model::{Error, Kind, Result};
use std::fmt;

/// Which group a row belongs to: an index into the columns of state.
pub type GroupId = u32;

/// The aggregate functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `COUNT(*)`: rows.
    CountStar,
    /// `COUNT(x)`: rows in which the argument is not null.
    Count,
    /// `SUM(x)`: of the argument's own type; integers wrap; a decimal beyond 38 digits is null.
    Sum,
    /// `AVG(x)`: of the argument's own type; integers truncate toward zero.
    Avg,
    /// `MIN(x)`.
    Min,
    /// `MAX(x)`.
    Max,
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CountStar | Self::Count => "COUNT",
            Self::Sum => "SUM",
            Self::Avg => "AVG",
            Self::Min => "MIN",
            Self::Max => "MAX",
        })
    }
}

/// The states of one aggregate call, one per group.
///
/// A group id must have been covered by [`grow`](Self::grow); a group that was never updated is
/// empty. Nulls of the argument are ignored.
pub trait Accumulator: Send + Sync {
    /// The rows that are added from here on come from this partition of the source. Only [`Ordered`] asks.
    fn at_partition(&mut self, _partition: u32) {}

    /// Makes room for the groups `0..count`; new ones are empty.
    fn grow(&mut self, count: usize);

    /// Adds row `i` of `values` to group `groups[i]`; `values` is absent for `COUNT(*)` only.
    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()>;

    /// Adds row `i` of another accumulator's [`state`](Self::state) to group `groups[i]`.
    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()>;

    /// The values of these groups, in this order; changes nothing.
    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef>;

    /// The states of these groups, in this order, as columns; changes nothing.
    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>>;

    /// Empties these groups, so that their ids can be given out again.
    fn release(&mut self, groups: &[GroupId]);

    /// Roughly the bytes that the states hold.
    fn size(&self) -> usize;
}

impl Function {
    /// The type of the result for an argument of this type (`None` for `COUNT(*)`), and whether
    /// it can be null. A type that the function does not take is `Invalid`.
    pub fn result(self, argument: Option<&DataType>) -> Result<(DataType, bool)> {
        let unsupported = || Err(unsupported(self, argument));
        match (self, argument) {
            (Self::CountStar, None) | (Self::Count, Some(_)) => Ok((DataType::Int64, false)),
            (Self::CountStar, Some(_)) | (_, None) => unsupported(),
            (Self::Sum, Some(DataType::Decimal128(_, scale))) => {
                Ok((DataType::Decimal128(decimal::PRECISION, *scale), true))
            }
            (Self::Avg, Some(DataType::Decimal128(_, scale))) => Ok((
                DataType::Decimal128(decimal::PRECISION, decimal::average_scale(*scale)),
                true,
            )),
            (Self::Sum | Self::Avg, Some(ty)) if ty.is_signed_integer() || is_float(ty) => {
                Ok((ty.clone(), true))
            }
            (Self::Min | Self::Max, Some(ty)) if is_ordered(ty) => Ok((ty.clone(), true)),
            _ => unsupported(),
        }
    }

    /// The state columns for an argument of this type, without their names.
    pub fn state_types(self, argument: Option<&DataType>) -> Result<Vec<DataType>> {
        let (result, _) = self.result(argument)?;
        Ok(match (self, argument) {
            (Self::Sum, Some(DataType::Decimal128(_, scale))) => vec![decimal::state_type(*scale)],
            (Self::Avg, Some(DataType::Decimal128(_, scale))) => {
                vec![decimal::state_type(*scale), DataType::Int64]
            }
            (Self::Avg, Some(ty)) if is_float(ty) => vec![DataType::Float64, DataType::Int64],
            (Self::Avg, _) => vec![DataType::Int64, DataType::Int64],
            _ => vec![result],
        })
    }

    /// Whether the order of rows can change the value over arguments of this type: sums of floats round,
    /// and of a NaN, or of two zeros, the one that comes first stays.
    pub fn is_order_sensitive(self, argument: Option<&DataType>) -> bool {
        let folds = matches!(self, Self::Sum | Self::Avg | Self::Min | Self::Max);
        folds && argument.is_some_and(is_float)
    }

    /// Empty state for an argument of this type.
    pub fn accumulator(self, argument: Option<&DataType>) -> Result<Box<dyn Accumulator>> {
        let (result, _) = self.result(argument)?;
        let accumulator = match self {
            Self::CountStar | Self::Count => {
                Some(Box::new(count::Count::default()) as Box<dyn Accumulator>)
            }
            Self::Sum => sum::accumulator(&result),
            Self::Avg => average::accumulator(argument.unwrap_or(&result)),
            Self::Min => extreme::accumulator::<false>(&result),
            Self::Max => extreme::accumulator::<true>(&result),
        };
        accumulator.ok_or_else(|| unsupported(self, argument))
    }
}

fn is_float(ty: &DataType) -> bool {
    matches!(ty, DataType::Float32 | DataType::Float64)
}

fn is_ordered(ty: &DataType) -> bool {
    ty.is_signed_integer()
        || is_float(ty)
        || matches!(
            ty,
            DataType::Decimal128(_, _)
                | DataType::Date32
                | DataType::Time32(TimeUnit::Millisecond)
                | DataType::Timestamp(_, _)
                | DataType::Utf8
        )
}

fn unsupported(function: Function, argument: Option<&DataType>) -> Error {
    let argument = argument.map_or_else(|| "*".to_owned(), ToString::to_string);
    Error::new(
        Kind::Invalid,
        "FS0602",
        format!("{function}({argument}) is not available on the bundled engine"),
    )
    .with_hint("cast the argument to a type that the function takes")
}

/// An arrow kernel refused columns that are right by construction: a bug, never data.
fn broken(cause: ArrowError) -> Error {
    Error::new(
        Kind::Internal,
        "FS0620",
        "an aggregate broke one of its own rules",
    )
    .with_source(cause)
    .with_hint("report it, with the job's text")
}

/// What a column of another type than the accumulator's means: a bug upstream, never data.
fn wrong_column(expected: &str, column: &dyn Array) -> Error {
    Error::new(
        Kind::Internal,
        "FS0620",
        "an aggregate was given a column of another type",
    )
    .with_detail(format!("expected {expected}, got {}", column.data_type()))
    .with_hint("report it, with the job's text")
}
