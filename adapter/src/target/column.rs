//! What every target does to columns: one implementation, so that two targets cannot differ in it.
//!
//! Invariant: a row's value does not depend on the batch that it comes in.

use crate::plan::column::{build, read, readable};
use crate::plan::window::Bound;
use crate::semantics::evaluate::evaluate;
use crate::semantics::expr::Expr;
use crate::semantics::types::FlinkType;
use crate::semantics::value::Value;
use crate::semantics::{broken, failed};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use flinkspark_engine::expr::bounded::{RESULT_BYTES_MAX, VALUE_BYTES_MAX, too_large};
use flinkspark_engine::expr::window;
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// A tree over columns of these types, row by row; `FS0032` where the column is too large to hold.
pub(super) fn by_row(
    expr: &Expr,
    types: &[FlinkType],
    arrays: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    let columns = arrays.iter().zip(types);
    let arrays: Vec<ArrayRef> = columns
        .map(|(array, ty)| readable(array, &ty.root))
        .collect();
    let mut values = Vec::with_capacity(rows);
    let mut row: Vec<Value> = Vec::with_capacity(arrays.len());
    let mut bytes = 0;
    for index in 0..rows {
        row.clear();
        for (array, ty) in arrays.iter().zip(types) {
            row.push(read(array.as_ref(), &ty.root, index)?);
        }
        let value = evaluate(expr, row.as_slice())?;
        bytes += value.heap_bytes();
        if bytes > RESULT_BYTES_MAX && (index > 0 || bytes > VALUE_BYTES_MAX) {
            return Err(too_large(bytes, index + 1));
        }
        values.push(value);
    }
    build(&expr.ty, &values)
}

/// The column, unless it holds a NULL: Flink's types promise more than its functions keep, and its
/// sink fails on what comes of it.
pub(super) fn not_null(array: &ArrayRef, name: &str) -> Result<ArrayRef> {
    match array.null_count() {
        0 => Ok(Arc::clone(array)),
        _ => Err(failed(format!(
            "column '{name}' is NOT NULL, however, a null value is being written into it"
        ))),
    }
}

/// Refuses event time that a row lacks.
pub(super) fn with_time(array: &ArrayRef, name: &str) -> Result<()> {
    if array.null_count() == 0 {
        return Ok(());
    }
    Err(Error::new(
        Kind::Data,
        "FS0604",
        format!("the time attribute \"{name}\" is null"),
    )
    .with_detail("a row has no event time; Flink's stream fails here too")
    .with_hint("filter such rows before they enter the dataset, or run with --home flink/batch"))
}

/// Event time of any unit in milliseconds; `FS0605` where it is finer and not to be floored, `FS0623` where
/// milliseconds cannot hold it.
pub(super) fn event_time(
    array: &ArrayRef,
    name: &str,
    precision: TimePrecision,
) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, _) = array.data_type() else {
        return Err(broken(format!("event time {name} is no timestamp")));
    };
    let coarse = match unit {
        TimeUnit::Millisecond => return Ok(Arc::clone(array)),
        TimeUnit::Second => array
            .as_primitive::<TimestampSecondType>()
            .try_unary::<_, TimestampMillisecondType, _>(|seconds| {
                seconds
                    .checked_mul(1000)
                    .ok_or_else(|| window::beyond_milliseconds(seconds, name))
            })?,
        TimeUnit::Microsecond => {
            coarsened::<TimestampMicrosecondType>(array, 1000, name, precision)?
        }
        TimeUnit::Nanosecond => {
            coarsened::<TimestampNanosecondType>(array, 1_000_000, name, precision)?
        }
    };
    Ok(Arc::new(coarse))
}

/// A bound of the window of this size and offset that holds each time; `FS0622`, which names the row by its
/// time, where the window lies outside of 64 bits.
pub(super) fn window(
    times: &ArrayRef,
    bound: Bound,
    (size_ms, offset_ms): (i64, i64),
    name: &str,
) -> Result<ArrayRef> {
    let times = times.as_primitive::<TimestampMillisecondType>();
    let value = |time: i64| {
        let (start, end) = window::required(time, size_ms, offset_ms, name)?;
        Ok(match bound {
            Bound::Start => start,
            Bound::End => end,
            Bound::Time => end - 1,
        })
    };
    let bounds = times.try_unary::<_, TimestampMillisecondType, Error>(value)?;
    Ok(Arc::new(bounds))
}

fn coarsened<T: ArrowPrimitiveType<Native = i64>>(
    array: &ArrayRef,
    units: i64,
    name: &str,
    precision: TimePrecision,
) -> Result<PrimitiveArray<TimestampMillisecondType>> {
    let times = array.as_primitive::<T>();
    let finer = times
        .iter()
        .flatten()
        .find(|value| value.rem_euclid(units) != 0);
    match finer.filter(|_| precision == TimePrecision::Exact) {
        None => Ok(times.unary(|value| value.div_euclid(units))),
        Some(value) => Err(Error::new(
            Kind::Data,
            "FS0605",
            format!("the time attribute \"{name}\" has a value finer than milliseconds"),
        )
        .with_detail(format!(
            "Flink's rowtime holds milliseconds; {value} is {} units past one",
            value.rem_euclid(units)
        ))
        .with_hint("register the dataset with --time-precision floor, or round the column")),
    }
}
