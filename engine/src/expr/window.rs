//! Tumbling windows on event time: which window holds a time, and which rows are late for it.
//!
//! Pure arithmetic on milliseconds since the epoch, shared by everything that computes a window, so that no
//! two engines differ in it. Invariant: a window that is given lies within 64 bits; one that does not is an
//! error that names the row by its time, never a wrapped or a cut bound.

use flinkspark_model::{Error, Kind, Result};

/// The window `[start, end)` of this size that holds a time; windows begin at the offset from the epoch.
///
/// `size_ms` is above 0. None where a bound lies outside of 64 bits.
#[inline]
pub fn tumbling(time_ms: i64, size_ms: i64, offset_ms: i64) -> Option<(i64, i64)> {
    // Without the difference `time - offset`, which may lie outside of 64 bits itself.
    let phase = time_ms.rem_euclid(size_ms) - offset_ms.rem_euclid(size_ms);
    let start = time_ms.checked_sub(phase.rem_euclid(size_ms))?;
    Some((start, start.checked_add(size_ms)?))
}

/// Whether a row whose window ends here is late under this watermark: its window has fired. The least
/// number is no watermark yet.
#[inline]
pub fn is_late(window_end_ms: i64, watermark_ms: i64) -> bool {
    watermark_ms > i64::MIN && window_end_ms <= watermark_ms.saturating_add(1)
}

/// The window of [`tumbling`], or `FS0622` for the row with this time in this column.
#[inline]
pub fn required(time_ms: i64, size_ms: i64, offset_ms: i64, column: &str) -> Result<(i64, i64)> {
    tumbling(time_ms, size_ms, offset_ms).ok_or_else(|| out_of_range(time_ms, size_ms, column))
}

#[cold]
fn out_of_range(time_ms: i64, size_ms: i64, column: &str) -> Error {
    Error::new(
        Kind::Data,
        "FS0622",
        format!("a window over \"{column}\" does not fit into 64 bits"),
    )
    .with_detail(format!(
        "the row whose \"{column}\" is {time_ms} ms since the epoch is in a window of {size_ms} ms that \
         begins or ends outside of the range of times"
    ))
    .with_hint("such a time is often another system's mark for a missing one: filter the row before the window")
}

/// A time in seconds that milliseconds cannot hold: `FS0623`.
#[cold]
pub fn beyond_milliseconds(seconds: i64, column: &str) -> Error {
    Error::new(
        Kind::Data,
        "FS0623",
        format!("the time attribute \"{column}\" has a value that milliseconds cannot hold"),
    )
    .with_detail(format!(
        "Flink's rowtime holds milliseconds in 64 bits; the row whose \"{column}\" is {seconds} s does not fit"
    ))
    .with_hint("such a time is often another system's mark for a missing one: filter the row before it is stored")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn windows_are_those_of_unbounded_arithmetic_or_none() {
        let ends = [
            i64::MIN,
            i64::MIN + 1,
            -9_223_372_036_854_775_000,
            -1,
            0,
            1,
            i64::MAX - 1,
            i64::MAX,
        ];
        let sizes = [1, 7, 1000, HOUR, i64::MAX];
        let times = ends
            .into_iter()
            .flat_map(|end| (-3..4).map(move |by| end.saturating_add(by * HOUR)));
        for time in times {
            for size in sizes {
                for offset in [0, 1, -1, 90_000, i64::MIN, i64::MAX] {
                    let (t, s, o) = (i128::from(time), i128::from(size), i128::from(offset));
                    let start = t - (t - o).rem_euclid(s);
                    let fits = |ms: i128| i64::try_from(ms).ok();
                    let wanted = fits(start).zip(fits(start + s));
                    assert_eq!(
                        tumbling(time, size, offset),
                        wanted,
                        "{time} {size} {offset}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_window_at_the_ends_of_64_bits_is_an_error_that_names_row_and_column() {
        for time in [i64::MIN, i64::MIN + 1, i64::MAX] {
            let error = required(time, HOUR, 0, "et").unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0622"));
            let text = error.to_string() + error.detail().unwrap_or_default();
            assert!(
                text.contains("\"et\"") && text.contains(&time.to_string()),
                "{text}"
            );
        }
        assert_eq!(
            required(i64::MAX / 1000, HOUR, 0, "et").map(|(s, e)| e - s),
            Ok(HOUR)
        );
    }

    #[test]
    fn a_row_is_late_once_its_window_has_fired() {
        assert!(!is_late(10, 8));
        assert!(is_late(10, 9));
        assert!(is_late(i64::MAX, i64::MAX));
        assert!(
            !is_late(i64::MIN + 1, i64::MIN),
            "there is no watermark yet"
        );
    }
}
