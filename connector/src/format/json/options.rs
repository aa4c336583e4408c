//! What is particular to one JSON file.
//!
//! Invariant: with options that were checked, what is written can be read back.

use crate::format::text::Patterns;
use flinkspark_model::{Error, Kind, Result};

/// What is particular to one JSON file: how dates and times are written in it, as Flink and Spark declare it.
///
/// A pattern has the parts `yyyy`, `MM`, `dd`, `HH`, `mm`, `ss`, `S` for each digit of a fraction and `XXX` for `Z` or an
/// offset, each at most once; other letters stand between single quotes. ISO 8601 where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonOptions {
    /// Of dates, such as `dd.MM.yyyy`.
    pub date: Option<String>,
    /// Of times of a day, such as `HHmmss`.
    pub time: Option<String>,
    /// Of timestamps without a zone, such as `yyyy-MM-dd HH:mm:ss`.
    pub timestamp: Option<String>,
    /// Of timestamps with a zone, such as `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`; written in UTC.
    pub instant: Option<String>,
}

impl JsonOptions {
    /// Its patterns; refused (`FS0309`) are those that could not be read back.
    pub(super) fn patterns(&self) -> Result<Patterns> {
        let declared = [&self.date, &self.time, &self.timestamp, &self.instant];
        Patterns::new(declared).map_err(|why| {
            Error::new(Kind::Invalid, "FS0309", why)
                .with_detail("a JSON file with it could not be read back")
                .with_hint("write each part once, for example yyyy-MM-dd'T'HH:mm:ss.SSSXXX")
        })
    }
}
