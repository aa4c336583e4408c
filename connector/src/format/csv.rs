//! CSV after RFC 4180: own reader and writer, because null and `""` must be told apart.
//!
//! `docs/csv.md` specifies the text of each type. Invariant: a quoted field is never null and never
//! anything but text to inference; whatever the writer writes, the reader reads back as it was.

mod calendar;
mod column;
mod infer;
mod read;
mod record;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;

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
    fn check(&self) -> Result<()> {
        let refuse = |what: &str| {
            Err(Error::new(Kind::Invalid, "FS0309", what)
                .with_detail("a CSV file with it could not be read back")
                .with_hint(r"use a null text such as \N, NA or the empty one, and a delimiter such as , or ;"))
        };
        if !self.delimiter.is_ascii() || matches!(self.delimiter, b'"' | b'\n' | b'\r') {
            return refuse(
                "the delimiter must be one ASCII character other than quotes and line ends",
            );
        }
        if self
            .null
            .bytes()
            .any(|byte| byte == self.delimiter || matches!(byte, b'"' | b'\n' | b'\r'))
        {
            return refuse("the null text must not hold the delimiter, quotes or line ends");
        }
        Ok(())
    }
}
