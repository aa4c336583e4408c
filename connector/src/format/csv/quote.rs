//! Which fields stand in quotes.
//!
//! Invariant: a field is quoted where it would be read as another value without quotes, whatever the schema; and where
//! it is a text that others would not take for one: a number, a word for nulls, what holds a character that other files
//! have between their fields.

use super::encoding::Encoding;
use super::look::Look;
use super::nulls::{Nulls, is_taken_for_null};
use super::options::{CsvOptions, Dialect};
use super::sniff::candidates;
use arrow_schema::DataType;
use flinkspark_model::Result;

/// Whether fields of the type are quoted where they look like another type.
pub(super) fn is_text(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Utf8
            | D::LargeUtf8
            | D::Binary
            | D::LargeBinary
            | D::FixedSizeBinary(_)
            | D::Time32(_)
            | D::Time64(_)
    )
}

/// What quotes do for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Nothing.
    Needless,
    /// They keep it what it is for who does not know its column.
    Wanted,
    /// It would be something else without them.
    Needed,
}

/// What decides on quotes in one file.
pub(super) struct Quoting {
    dialect: Dialect,
    nulls: Nulls,
    look: Look,
    encoding: Encoding,
    /// What would be taken for the delimiter of a file of one column.
    candidates: Vec<u8>,
    columns: usize,
}

impl Quoting {
    pub(super) fn new(options: &CsvOptions, columns: usize) -> Result<Self> {
        let delimiter = options.usual_delimiter();
        Ok(Self {
            dialect: options.dialect(delimiter),
            nulls: Nulls::new(options, columns, delimiter)?,
            look: Look::new(options)?,
            encoding: options.encoding.unwrap_or(Encoding::Utf8),
            candidates: match (columns, options.delimiter) {
                (1, None) => candidates(options).collect(),
                _ => Vec::new(),
            },
            columns,
        })
    }

    /// What is written for a null.
    pub(super) fn null(&self) -> &[u8] {
        self.nulls.written()
    }

    /// Whether no printed value of the type needs quotes or gets them, in whichever column it stands.
    pub(super) fn is_needless(&self, data_type: &DataType) -> bool {
        /// What numbers, dates, timestamps and truths are printed with.
        const PRINTED: &[u8] = b"0123456789+-.:TZaeEfilnNrstu";
        let Dialect {
            delimiter,
            quote,
            comment,
        } = &self.dialect;
        let comment = comment.as_ref().and_then(|comment| comment.first());
        let apart = [Some(delimiter), quote.as_ref(), comment];
        let printed = |byte: &u8| PRINTED.contains(byte);
        let known = data_type.is_numeric()
            || matches!(data_type, DataType::Boolean | DataType::Date32)
            || matches!(data_type, DataType::Timestamp(..));
        known
            && self.look.is_usual()
            && !apart.into_iter().flatten().any(printed)
            && !self.nulls.may_be(printed)
    }

    /// What quotes do for a printed field; `text` whether its column is of texts.
    pub(super) fn of(&self, field: &[u8], index: usize, text: bool) -> Quotes {
        if self.is_needed(field, index) {
            return Quotes::Needed;
        }
        let as_text = || std::str::from_utf8(field).unwrap_or_default();
        let wanted = (text && self.look.is_no_text(as_text()))
            || is_taken_for_null(field)
            || field.iter().any(|byte| self.candidates.contains(byte));
        match wanted {
            true => Quotes::Wanted,
            false => Quotes::Needless,
        }
    }

    fn is_needed(&self, field: &[u8], index: usize) -> bool {
        let Dialect {
            delimiter, quote, ..
        } = self.dialect;
        let own =
            |byte: &u8| *byte == delimiter || Some(*byte) == quote || matches!(byte, b'\n' | b'\r');
        self.nulls.holds(field)
            || (field.is_empty() && self.columns == 1)
            || field.iter().any(own)
            || (index == 0 && self.is_no_record(field))
    }

    /// Whether a line that begins so is a comment, or a file that begins so has a byte order mark.
    fn is_no_record(&self, field: &[u8]) -> bool {
        let comment = self.dialect.comment.as_deref();
        let text = || std::str::from_utf8(field).unwrap_or_default();
        comment.is_some_and(|comment| field.starts_with(comment))
            || self.encoding.looks_marked(text())
    }
}
