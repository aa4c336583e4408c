//! Values in the units of the formats that lack their own.
//!
//! Parquet and Avro have no seconds and no dates of 64 bits, and their times are times of a day. Invariant: nothing is
//! rounded and nothing wraps; what has no place is refused with the reason.

use super::civil::per_second;
use arrow_schema::TimeUnit;

const SECONDS_PER_DAY: i64 = 86_400;
const MILLIS_PER_SECOND: i64 = 1_000;
pub(crate) const MILLIS_PER_DAY: i64 = SECONDS_PER_DAY * MILLIS_PER_SECOND;

/// Seconds as milliseconds.
pub(super) fn millis(seconds: i64) -> Result<i64, String> {
    let millis = seconds.checked_mul(MILLIS_PER_SECOND);
    millis.ok_or_else(|| "it lies outside of what 64 bits of milliseconds hold".into())
}

/// A date in milliseconds as days.
pub(super) fn days(millis: i64) -> Result<i32, String> {
    if millis % MILLIS_PER_DAY != 0 {
        return Err("it is no whole day, and the format's dates are days".into());
    }
    i32::try_from(millis / MILLIS_PER_DAY)
        .map_err(|_| "it lies outside of what 32 bits of days hold".into())
}

/// A time that is one of a day, as it is.
pub(crate) fn of_day<T: Copy + Into<i64>>(ticks: T, unit: TimeUnit) -> Result<T, String> {
    if (0..SECONDS_PER_DAY * per_second(unit)).contains(&ticks.into()) {
        Ok(ticks)
    } else {
        Err("it is no time of a day".into())
    }
}
