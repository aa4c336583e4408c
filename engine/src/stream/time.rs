//! Event time: reading a column in milliseconds, and the watermarks that its rows cause.
//!
//! The rules are Flink's for SQL: rowtime has milliseconds; a watermark is the greatest time seen
//! less the delay, exactly; the row goes first and then the watermark that it caused; watermarks
//! start at 0, so none is emitted below. Invariant: a row's watermark depends on the rows of its
//! partition before it and on nothing else.

use super::message::{NO_WATERMARK, Watermark, Watermarks};
use crate::expr::window;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::{Error, Kind, Result};

/// The times of a column in milliseconds since the epoch, one per row.
///
/// A null is `FS0604`; a value finer than milliseconds is `FS0605` unless it is to be floored; one that
/// milliseconds cannot hold is `FS0623`.
pub(crate) fn millis(column: &ArrayRef, name: &str, precision: TimePrecision) -> Result<Vec<i64>> {
    if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
        let row = (0..nulls.len()).find(|row| nulls.is_null(*row));
        return Err(null_time(name, row.unwrap_or(0)));
    }
    let DataType::Timestamp(unit, _) = column.data_type() else {
        return Err(Error::new(
            Kind::Invalid,
            "FS0607",
            format!("column \"{name}\" is not a timestamp"),
        )
        .with_detail(format!("it is {}", column.data_type()))
        .with_hint("name a timestamp column as the time attribute"));
    };
    match unit {
        TimeUnit::Second => {
            let values = column.as_primitive::<TimestampSecondType>().values();
            let widened = values.iter().map(|seconds| {
                seconds
                    .checked_mul(1000)
                    .ok_or_else(|| window::beyond_milliseconds(*seconds, name))
            });
            widened.collect()
        }
        TimeUnit::Millisecond => Ok(column
            .as_primitive::<TimestampMillisecondType>()
            .values()
            .to_vec()),
        TimeUnit::Microsecond => {
            let values = column.as_primitive::<TimestampMicrosecondType>().values();
            coarsen(values, 1_000, name, precision)
        }
        TimeUnit::Nanosecond => {
            let values = column.as_primitive::<TimestampNanosecondType>().values();
            coarsen(values, 1_000_000, name, precision)
        }
    }
}

fn coarsen(values: &[i64], unit: i64, name: &str, precision: TimePrecision) -> Result<Vec<i64>> {
    let coarse: Vec<i64> = values.iter().map(|value| value.div_euclid(unit)).collect();
    if precision == TimePrecision::Floor {
        return Ok(coarse);
    }
    // What was floored lies below the value, so the product stays within 64 bits unless it was.
    let finer = |(fine, coarse): (&i64, &i64)| coarse.checked_mul(unit) != Some(*fine);
    let row = values.iter().zip(&coarse).position(finer);
    let Some(row) = row else {
        return Ok(coarse);
    };
    Err(Error::new(
        Kind::Data,
        "FS0605",
        format!("the time attribute \"{name}\" has a value finer than milliseconds"),
    )
    .with_detail(format!(
        "Flink's rowtime holds milliseconds; row {row} of the batch, {}, does not fit",
        values[row]
    ))
    .with_hint("register the dataset with --time-precision floor, or round the column"))
}

fn null_time(name: &str, row: usize) -> Error {
    Error::new(
        Kind::Data,
        "FS0604",
        format!("the time attribute \"{name}\" is null"),
    )
    .with_detail(format!(
        "row {row} of the batch has no event time; Flink's stream fails here too"
    ))
    .with_hint("filter such rows before they enter the dataset")
}

/// Makes the watermarks of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generator {
    delay_ms: i64,
    max_ms: Option<i64>,
}

impl Generator {
    /// Continues after rows whose greatest time was `max_ms`.
    pub(crate) fn new(delay_ms: u64, max_ms: Option<i64>) -> Self {
        Self {
            delay_ms: i64::try_from(delay_ms).unwrap_or(i64::MAX),
            max_ms,
        }
    }

    /// The greatest time so far.
    pub(crate) fn max_ms(&self) -> Option<i64> {
        self.max_ms
    }

    /// The watermark now in force.
    pub(crate) fn watermark(&self) -> Watermark {
        self.max_ms
            .map(|max| max.saturating_sub(self.delay_ms))
            .filter(|watermark| *watermark > 0)
            .unwrap_or(NO_WATERMARK)
    }

    /// The watermark in force at each of the next rows, whose times these are.
    pub(crate) fn advance(&mut self, times: &[i64]) -> Watermarks {
        let mut watermarks = Watermarks::default();
        let mut current = self.watermark();
        let mut max = self.max_ms.unwrap_or(i64::MIN);
        let mut first = 0;
        for (row, time) in times.iter().enumerate() {
            if *time > max {
                max = *time;
                self.max_ms = Some(max);
                let next = self.watermark();
                if next != current {
                    watermarks.push(row + 1 - first, current);
                    (current, first) = (next, row + 1);
                }
            }
        }
        if first < times.len() {
            watermarks.push(times.len() - first, current);
        }
        watermarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::TimestampMicrosecondArray;
    use std::sync::Arc;

    fn by_row(delay: u64, times: &[i64]) -> Vec<i64> {
        Generator::new(delay, None)
            .advance(times)
            .by_row()
            .collect()
    }

    #[test]
    fn the_row_goes_first_and_then_the_watermark_that_it_caused() {
        assert_eq!(by_row(10, &[15, 12, 30, 31]), [NO_WATERMARK, 5, 5, 20]);
    }

    #[test]
    fn no_watermark_is_emitted_at_or_below_zero() {
        assert_eq!(by_row(10, &[10, 11, 12]), [NO_WATERMARK, NO_WATERMARK, 1]);
        assert_eq!(by_row(0, &[-50, -10]), [NO_WATERMARK, NO_WATERMARK]);
    }

    #[test]
    fn batches_do_not_change_watermarks() {
        let times = [15, 12, 30, 31, 7, 90];
        for cut in 0..=times.len() {
            let mut generator = Generator::new(10, None);
            let first = generator.advance(&times[..cut]);
            let mut resumed = Generator::new(10, generator.max_ms());
            let both: Vec<_> = first
                .by_row()
                .chain(resumed.advance(&times[cut..]).by_row().collect::<Vec<_>>())
                .collect();
            assert_eq!(both, by_row(10, &times));
        }
    }

    #[test]
    fn a_finer_time_is_refused_or_floored() {
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1000, -1]));
        let error = millis(&column, "ts", TimePrecision::Exact).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0605"));
        assert_eq!(
            millis(&column, "ts", TimePrecision::Floor).unwrap(),
            [1, -1]
        );
    }

    #[test]
    fn times_at_both_ends_of_64_bits_are_floored_or_refused() {
        let ends = [i64::MIN, i64::MIN + 1, i64::MAX];
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(ends.to_vec()));
        let floored = millis(&column, "ts", TimePrecision::Floor).unwrap();
        assert_eq!(floored, ends.map(|end| end.div_euclid(1000)));
        let error = millis(&column, "ts", TimePrecision::Exact).unwrap_err();
        assert_eq!(error.code(), "FS0605");
        for end in ends {
            let column: ArrayRef = Arc::new(arrow_array::TimestampSecondArray::from(vec![0, end]));
            let error = millis(&column, "ts", TimePrecision::Floor).unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0623"));
            assert!(
                error
                    .detail()
                    .unwrap_or_default()
                    .contains(&end.to_string())
            );
        }
        assert_eq!(by_row(3_600_000, &ends), [NO_WATERMARK; 3]);
        let caused = i64::MAX - 3_600_000;
        assert_eq!(by_row(3_600_000, &[i64::MAX, 0]), [NO_WATERMARK, caused]);
    }

    #[test]
    fn a_row_without_a_time_is_refused() {
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None]));
        let error = millis(&column, "ts", TimePrecision::Exact).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0604"));
    }
}
