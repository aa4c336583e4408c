//! What is particular to one CSV file.
//!
//! Invariant: with options that were checked, what is written can be read back.

use arrow_schema::{DataType, Schema};
use flinkspark_model::{Error, Kind, Result};

/// What is particular to one CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// The text of a null: `\N` unless told otherwise. It is a null only where it is not quoted.
    pub null: String,
    /// Whether the first line holds the columns' names.
    pub header: bool,
    /// What stands between fields: a comma unless told otherwise.
    pub delimiter: u8,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            null: r"\N".into(),
            header: true,
            delimiter: b',',
        }
    }
}

impl CsvOptions {
    /// Refuses (`FS0309`) what would make a file ambiguous.
    pub(super) fn check(&self) -> Result<()> {
        if !self.delimiter.is_ascii() || matches!(self.delimiter, b'"' | b'\n' | b'\r') {
            return Err(ambiguous(
                "the delimiter must be one ASCII character other than quotes and line ends",
            ));
        }
        if self
            .null
            .bytes()
            .any(|byte| byte == self.delimiter || matches!(byte, b'"' | b'\n' | b'\r'))
        {
            return Err(ambiguous(
                "the null text must not hold the delimiter, quotes or line ends",
            ));
        }
        Ok(())
    }

    /// Refuses (`FS0309`) a null that would be written as a blank line.
    pub(super) fn check_columns(&self, schema: &Schema) -> Result<()> {
        match schema.fields().as_ref() {
            [only] if self.null.is_empty() && may_be_null(only) => Err(ambiguous(
                "the null text must not be empty where there is one column: its nulls would be blank lines",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses (`FS0309`) a blank line that could be a null.
    pub(super) fn check_blank(&self, columns: usize, blank: Option<u64>) -> Result<()> {
        match blank {
            Some(line) if columns == 1 && self.null.is_empty() => Err(ambiguous(&format!(
                "line {line} is blank: with one column and an empty null text it could be a null or nothing"
            ))),
            _ => Ok(()),
        }
    }
}

fn may_be_null(field: &arrow_schema::Field) -> bool {
    field.is_nullable() || field.data_type() == &DataType::Null
}

fn ambiguous(what: &str) -> Error {
    Error::new(Kind::Invalid, "FS0309", what)
        .with_detail("a CSV file with it could not be read back")
        .with_hint(
            r"use a null text such as \N, NA or, with several columns, the empty one, and a delimiter such as , or ;",
        )
}
