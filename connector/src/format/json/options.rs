//! What is particular to one JSON file.
//!
//! Invariant: with options that were checked, what is written can be read back.

use crate::format::text::{Kind as Looks, Of, Pattern, kind};
use arrow_schema::DataType;
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

/// The patterns of the options.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    date: Option<Pattern>,
    time: Option<Pattern>,
    timestamp: Option<Pattern>,
    instant: Option<Pattern>,
}

impl Patterns {
    /// Refuses (`FS0309`) patterns that could not be read back.
    pub(super) fn new(options: &JsonOptions) -> Result<Self> {
        Ok(Self {
            date: pattern(&options.date, Of::Date)?,
            time: pattern(&options.time, Of::Time)?,
            timestamp: pattern(&options.timestamp, Of::Timestamp)?,
            instant: pattern(&options.instant, Of::Instant)?,
        })
    }

    /// The ISO 8601 text of a date or timestamp that stands there as declared; `None` for any other text.
    pub(super) fn moment(&self, text: &str) -> Option<String> {
        let declared = [&self.date, &self.timestamp, &self.instant];
        let mut declared = declared.into_iter().flatten();
        let is_moment = |iso: &String| matches!(kind(iso), Looks::Date | Looks::Timestamp { .. });
        let found = declared.find_map(|pattern| pattern.to_iso(text).filter(is_moment));
        found.or_else(|| {
            let undeclared = match kind(text) {
                Looks::Date => self.date.is_none(),
                Looks::Timestamp { zoned: false, .. } => self.timestamp.is_none(),
                Looks::Timestamp { zoned: true, .. } => self.instant.is_none(),
                _ => false,
            };
            undeclared.then(|| text.to_owned())
        })
    }

    /// The pattern of a type's texts, where one is declared.
    pub(super) fn of(&self, data_type: &DataType) -> Option<&Pattern> {
        let pattern = match data_type {
            DataType::Date32 => &self.date,
            DataType::Time32(_) | DataType::Time64(_) => &self.time,
            DataType::Timestamp(_, None) => &self.timestamp,
            DataType::Timestamp(_, Some(_)) => &self.instant,
            _ => &None,
        };
        pattern.as_ref()
    }
}

fn pattern(text: &Option<String>, of: Of) -> Result<Option<Pattern>> {
    let Some(text) = text else { return Ok(None) };
    Pattern::new(text, of).map(Some).map_err(|why| {
        let message = format!("\"{}\" is no pattern: {why}", text.escape_debug());
        Error::new(Kind::Invalid, "FS0309", message)
            .with_detail("a JSON file with it could not be read back")
            .with_hint("write each part once, for example yyyy-MM-dd'T'HH:mm:ss.SSSXXX")
    })
}
