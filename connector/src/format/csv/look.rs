//! What a field without quotes looks like, with the options of its file.
//!
//! Invariant: what looks like a type is a text that the type's column reads, with the same options.

use super::options::CsvOptions;
use crate::format::text::{Column, Kind, Patterns, column, kind};
use arrow_array::ArrayRef;
use arrow_schema::DataType;
use flinkspark_model::Result;
use std::borrow::Cow;

/// How values are written in one file.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) patterns: Patterns,
    decimal_comma: bool,
}

impl Look {
    /// Refuses (`FS0309`) patterns that could not be read back.
    pub(super) fn new(options: &CsvOptions) -> Result<Self> {
        Ok(Self {
            patterns: options.patterns()?,
            decimal_comma: options.decimal_comma,
        })
    }

    /// Whether values stand there as in files without options.
    pub(super) fn is_usual(&self) -> bool {
        !self.decimal_comma && self.patterns.are_none()
    }

    /// The same value as files without options have it; `None` for what is a text here. Declared patterns are no part
    /// of it.
    pub(super) fn plain<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        if self.decimal_comma && text.contains(',') {
            let pointed = pointed(text)?;
            let is_number = matches!(kind(&pointed), Kind::Float | Kind::Decimal);
            return is_number.then_some(Cow::Owned(pointed));
        }
        let looks = match kind(text) {
            Kind::Text => false,
            Kind::Float | Kind::Decimal => !self.decimal_comma || !text.contains('.'),
            Kind::Date | Kind::Timestamp { .. } => self.patterns.undeclared(text),
            Kind::Boolean | Kind::Integer { .. } => true,
        };
        looks.then_some(Cow::Borrowed(text))
    }

    /// Whether a text could be taken for a value of another type.
    pub(super) fn is_no_text(&self, text: &str) -> bool {
        if self.is_usual() {
            return kind(text) != Kind::Text;
        }
        kind(text) != Kind::Text
            || self.plain(text).is_some()
            || self.patterns.declared(text).is_some()
    }

    /// A column of the type that reads such values; `None` where there is no text for it.
    pub(super) fn column(&self, data_type: &DataType) -> Option<Box<dyn Column>> {
        let column = self.patterns.column(data_type, column(data_type)?);
        Some(if self.has_comma(data_type) {
            Box::new(Commas(column))
        } else {
            column
        })
    }

    /// Whether numbers of the type have a comma for their point.
    pub(super) fn has_comma(&self, data_type: &DataType) -> bool {
        self.decimal_comma && (data_type.is_floating() || data_type.is_decimal())
    }
}

/// A number with a point for its comma; one that had points, or more commas, is none then.
fn pointed(text: &str) -> Option<String> {
    let (whole, rest) = text.split_once(',')?;
    Some(format!("{whole}.{rest}"))
}

/// Numbers with a comma for their point.
struct Commas(Box<dyn Column>);

impl Column for Commas {
    fn push(&mut self, text: &str) -> bool {
        let number = match text.contains([',', '.']) {
            true => pointed(text),
            false => return self.0.push(text),
        };
        number.is_some_and(|number| self.0.push(&number))
    }

    fn push_null(&mut self) {
        self.0.push_null();
    }

    fn finish(&mut self) -> ArrayRef {
        self.0.finish()
    }

    fn rounded(&self) -> u64 {
        self.0.rounded()
    }
}
