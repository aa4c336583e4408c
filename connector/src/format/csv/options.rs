//! What is particular to one CSV file.
//!
//! Invariant: with options that were checked, what is written can be read back with the same options.

use super::encoding::Encoding;
use crate::format::text::Patterns;
use flinkspark_model::{Error, Kind, Result};

/// What is particular to one CSV file.
///
/// A pattern of dates and times has the parts that [`JsonOptions`](crate::format::JsonOptions) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// The texts of a null where it is not quoted; the first one is written. Without any it is the empty text, and
    /// in columns that are not of text `NA`, `N/A`, `NULL` and `null`, too.
    pub nulls: Vec<String>,
    /// Whether the first line holds the columns' names.
    pub header: bool,
    /// What stands between fields. Without one it is what the file's beginning shows, and a comma is written (a
    /// semicolon where numbers have commas).
    pub delimiter: Option<u8>,
    /// What stands around fields that need it; without one no field is quoted.
    pub quote: Option<u8>,
    /// How a line begins that is no record; it is never written.
    pub comment: Option<String>,
    /// The pattern of dates, such as `dd.MM.yyyy`; ISO 8601 without one, as for the next three.
    pub date: Option<String>,
    /// Of times of a day, such as `HHmmss`.
    pub time: Option<String>,
    /// Of timestamps without a zone, such as `yyyy-MM-dd HH:mm:ss`.
    pub timestamp: Option<String>,
    /// Of timestamps with a zone, such as `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`; written in UTC.
    pub instant: Option<String>,
    /// Whether floats and decimals have a comma for their point.
    pub decimal_comma: bool,
    /// The file's encoding. Without one it is UTF-8, or what its byte order mark says.
    pub encoding: Option<Encoding>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            nulls: Vec::new(),
            header: true,
            delimiter: None,
            quote: Some(b'"'),
            comment: None,
            date: None,
            time: None,
            timestamp: None,
            instant: None,
            decimal_comma: false,
            encoding: None,
        }
    }
}

/// How bytes are split into records and fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) comment: Option<Vec<u8>>,
}

impl CsvOptions {
    /// How records are split at this delimiter.
    pub(super) fn dialect(&self, delimiter: u8) -> Dialect {
        Dialect {
            delimiter,
            quote: self.quote,
            comment: self.comment.as_ref().map(|text| text.clone().into_bytes()),
        }
    }

    /// The delimiter where nothing says another one.
    pub(super) fn usual_delimiter(&self) -> u8 {
        let usual = if self.decimal_comma { b';' } else { b',' };
        self.delimiter.unwrap_or(usual)
    }

    /// The patterns of its dates and times; refused (`FS0309`) are those that could not be read back.
    pub(super) fn patterns(&self) -> Result<Patterns> {
        Patterns::new([&self.date, &self.time, &self.timestamp, &self.instant])
            .map_err(|why| ambiguous(&why))
    }

    /// Refuses (`FS0309`) what would make a file ambiguous.
    pub(super) fn check(&self) -> Result<()> {
        self.check_at(self.usual_delimiter()).map_err(ambiguous)
    }

    /// Whether nothing would be ambiguous at this delimiter.
    pub(super) fn allows(&self, delimiter: u8) -> bool {
        self.check_at(delimiter).is_ok()
    }

    fn check_at(&self, delimiter: u8) -> Result<(), &'static str> {
        let line_end = |byte: u8| matches!(byte, b'\n' | b'\r');
        let own = |byte: u8| byte == delimiter || Some(byte) == self.quote || line_end(byte);
        if !delimiter.is_ascii() || line_end(delimiter) || Some(delimiter) == self.quote {
            return Err(
                "the delimiter must be one ASCII character other than quotes and line ends",
            );
        }
        if self
            .quote
            .is_some_and(|quote| !quote.is_ascii() || line_end(quote))
        {
            return Err("the quote must be one ASCII character other than a line end");
        }
        if self.decimal_comma && delimiter == b',' {
            return Err("numbers with commas need another delimiter than a comma");
        }
        if let Some(comment) = &self.comment
            && (comment.is_empty() || comment.bytes().any(own) || comment.starts_with('\u{feff}'))
        {
            return Err(
                "what begins a comment must not be empty, nor hold the delimiter, quotes or line ends",
            );
        }
        self.nulls
            .iter()
            .try_for_each(|null| self.check_null(null, own))
    }

    fn check_null(&self, null: &str, own: impl Fn(u8) -> bool) -> Result<(), &'static str> {
        let encoding = self.encoding.unwrap_or(Encoding::Utf8);
        if null.bytes().any(own) {
            return Err("the null text must not hold the delimiter, quotes or line ends");
        }
        if self.begins_comment(null) {
            return Err("a null text must not begin as comments do");
        }
        if encoding.looks_marked(null) || encoding.lacks(null).is_some() {
            return Err("the null text must be one that the encoding has, and no byte order mark");
        }
        Ok(())
    }

    /// Whether a line that begins so is a comment.
    pub(super) fn begins_comment(&self, line: &str) -> bool {
        let comment = self.comment.as_deref();
        comment.is_some_and(|comment| line.starts_with(comment))
    }

    /// Refuses (`FS0309`) a text of the null in a file of one column that could not be read back.
    pub(super) fn check_alone(&self, null: &str, delimiter: u8) -> Result<()> {
        let own = |byte: u8| byte == delimiter || Some(byte) == self.quote;
        self.check_null(null, own).map_err(ambiguous)
    }
}

/// Options or a file that could be read in two ways.
pub(super) fn ambiguous(what: &str) -> Error {
    Error::new(Kind::Invalid, "FS0309", what)
        .with_detail("a CSV file with it could not be read back")
        .with_hint(
            r"use a null text such as \N or NA, a delimiter such as , or ; and patterns with each part once",
        )
}
