//! The patterns that are declared for one file, at most one for each kind of date and time.
//!
//! Which texts are dates and times then, and the column that reads them. Invariant: where a pattern is declared, nothing
//! else is a text of its kind.

use super::column::Column;
use super::look::{Kind as Looks, kind};
use super::pattern::{Of, Pattern};
use arrow_array::ArrayRef;
use arrow_schema::DataType;

/// The patterns of one file.
#[derive(Debug, Clone, Default)]
pub(in crate::format) struct Patterns {
    date: Option<Pattern>,
    time: Option<Pattern>,
    timestamp: Option<Pattern>,
    instant: Option<Pattern>,
}

impl Patterns {
    /// The patterns of dates, times, timestamps without a zone and with one, or which text is none and why.
    pub(in crate::format) fn new(declared: [&Option<String>; 4]) -> Result<Self, String> {
        let [date, time, timestamp, instant] = declared;
        Ok(Self {
            date: pattern(date, Of::Date)?,
            time: pattern(time, Of::Time)?,
            timestamp: pattern(timestamp, Of::Timestamp)?,
            instant: pattern(instant, Of::Instant)?,
        })
    }

    /// Whether none is declared.
    pub(in crate::format) fn are_none(&self) -> bool {
        let all = [&self.date, &self.time, &self.timestamp, &self.instant];
        all.into_iter().all(Option::is_none)
    }

    /// The ISO 8601 text of a date or timestamp that stands there as declared; `None` for any other text.
    pub(in crate::format) fn moment(&self, text: &str) -> Option<String> {
        let declared = self.declared(text);
        declared.or_else(|| self.undeclared(text).then(|| text.to_owned()))
    }

    /// The ISO 8601 text of a date or timestamp of a pattern; `None` for any other text.
    pub(in crate::format) fn declared(&self, text: &str) -> Option<String> {
        let declared = [&self.date, &self.timestamp, &self.instant];
        let mut declared = declared.into_iter().flatten();
        let is_moment = |iso: &String| matches!(kind(iso), Looks::Date | Looks::Timestamp { .. });
        declared.find_map(|pattern| pattern.to_iso(text).filter(is_moment))
    }

    /// Whether it is the ISO 8601 text of a date or timestamp for which no pattern is declared.
    pub(in crate::format) fn undeclared(&self, text: &str) -> bool {
        match kind(text) {
            Looks::Date => self.date.is_none(),
            Looks::Timestamp { zoned: false, .. } => self.timestamp.is_none(),
            Looks::Timestamp { zoned: true, .. } => self.instant.is_none(),
            _ => false,
        }
    }

    /// The pattern of a type's texts, where one is declared.
    pub(in crate::format) fn of(&self, data_type: &DataType) -> Option<&Pattern> {
        let pattern = match data_type {
            DataType::Date32 => &self.date,
            DataType::Time32(_) | DataType::Time64(_) => &self.time,
            DataType::Timestamp(_, None) => &self.timestamp,
            DataType::Timestamp(_, Some(_)) => &self.instant,
            _ => &None,
        };
        pattern.as_ref()
    }

    /// The type's column, which reads what is declared where something is.
    pub(in crate::format) fn column(
        &self,
        data_type: &DataType,
        column: Box<dyn Column>,
    ) -> Box<dyn Column> {
        match self.of(data_type).cloned() {
            Some(pattern) => Box::new(Patterned { pattern, column }),
            None => column,
        }
    }
}

fn pattern(text: &Option<String>, of: Of) -> Result<Option<Pattern>, String> {
    let Some(text) = text else { return Ok(None) };
    let pattern = Pattern::new(text, of);
    pattern
        .map(Some)
        .map_err(|why| format!("\"{}\" is no pattern: {why}", text.escape_debug()))
}

/// Dates and times of a declared pattern.
struct Patterned {
    pattern: Pattern,
    column: Box<dyn Column>,
}

impl Column for Patterned {
    fn push(&mut self, text: &str) -> bool {
        let iso = self.pattern.to_iso(text);
        iso.is_some_and(|iso| self.column.push(&iso))
    }

    fn push_null(&mut self) {
        self.column.push_null();
    }

    fn finish(&mut self) -> ArrayRef {
        self.column.finish()
    }
}
