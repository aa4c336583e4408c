//! Days since 1970-01-01 and the dates that calendars give them.
//!
//! Howard Hinnant's `days_from_civil`, for the proleptic Gregorian calendar, which Arrow means, and
//! the same for the Julian one. Years are astronomical: the one before year 1 is year 0. Invariant:
//! total for every day of 64 bits that is not within a few thousand years of the ends.

use arrow_schema::TimeUnit;

/// Ticks of a unit in a second.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A date of one of the calendars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    /// From 1.
    pub(super) day: i64,
}

/// Days from 0000-03-01 to 1970-01-01, in the Gregorian calendar.
const GREGORIAN_EPOCH: i64 = 719_468;
/// Days from 0000-03-01 of the Julian calendar to 1970-01-01 of the Gregorian one.
const JULIAN_EPOCH: i64 = 719_470;
/// Days of four Julian years.
const JULIAN_ERA_DAYS: i64 = 1_461;
/// 1582-10-15, the first day of the Gregorian calendar where it followed the Julian one.
const GREGORIAN_FIRST_DAY: i64 = -141_427;

/// The Gregorian date of a day.
pub(super) fn date_of(days: i64) -> Date {
    let days = days + GREGORIAN_EPOCH;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    from_march(year_of_era + era * 400, day_of_year)
}

/// The Julian date of a day.
fn julian_date_of(days: i64) -> Date {
    let days = days + JULIAN_EPOCH;
    let era = days.div_euclid(JULIAN_ERA_DAYS);
    let day_of_era = days.rem_euclid(JULIAN_ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1_460) / 365;
    from_march(year_of_era + era * 4, day_of_era - 365 * year_of_era)
}

/// The date of a day within a year that begins in March.
fn from_march(year: i64, day_of_year: i64) -> Date {
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    Date {
        year: year + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted + 2) / 5 + 1,
    }
}

/// The day of a Gregorian date; days beyond the month's end run on into the next.
pub(super) fn day_of(date: Date) -> i64 {
    let year = date.year - i64::from(date.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if date.month > 2 {
        date.month - 3
    } else {
        date.month + 9
    };
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100
        + (153 * shifted + 2) / 5
        + date.day
        - 1;
    era * 146_097 + day_of_era - GREGORIAN_EPOCH
}

/// The day that a writer of the hybrid calendar (Julian before 1582-10-15) meant by a day: the one
/// whose Gregorian date reads the same. A 29 February that only the Julian calendar has is the day
/// after the 28th, as in Spark's `rebaseJulianToGregorianDays`.
pub(super) fn day_of_hybrid(days: i64) -> i64 {
    if days >= GREGORIAN_FIRST_DAY {
        return days;
    }
    day_of(julian_date_of(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_the_same_both_ways() {
        for days in (-5_000_000..5_000_000).step_by(997) {
            assert_eq!(day_of(date_of(days)), days);
        }
        let (year, month, day) = (1970, 1, 1);
        assert_eq!(date_of(0), Date { year, month, day });
    }

    #[test]
    fn a_hybrid_day_keeps_its_date() {
        let day = |year, month, day| day_of(Date { year, month, day });
        for (written, meant) in [
            (day(2024, 6, 1), day(2024, 6, 1)),
            (day(1582, 10, 15), day(1582, 10, 15)),
            // The day before the first Gregorian one is the fourth.
            (day(1582, 10, 14), day(1582, 10, 4)),
            (day(1001, 1, 7), day(1001, 1, 1)),
            (day(1, 1, 1) - 2, day(1, 1, 1)),
            // Leap years of the Julian calendar alone.
            (day(1000, 3, 6), day(1000, 3, 1)),
            (day(1000, 3, 5), day(1000, 2, 28)),
            (day(1500, 3, 10), day(1500, 3, 1)),
        ] {
            assert_eq!(day_of_hybrid(written), meant, "{:?}", date_of(written));
        }
    }
}
