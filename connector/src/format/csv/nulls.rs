//! Which fields are nulls.
//!
//! Only fields without quotes are asked for. Invariant: what is written for a null is a null when it is read with the
//! same options, and no field that is written for a value is.

use super::options::{CsvOptions, ambiguous};
use arrow_schema::DataType;
use flinkspark_model::Result;

/// What stands for nulls in many files, and can be nothing else in columns that are not of text.
const WORDS: [&[u8]; 4] = [b"NA", b"N/A", b"NULL", b"null"];

/// What stands for a null where the empty text cannot, and once always did.
pub(super) const BACKSLASH_N: &str = r"\N";

/// The texts of nulls in files of so many columns.
#[derive(Debug, Clone)]
pub(super) struct Nulls {
    texts: Vec<Vec<u8>>,
    told: bool,
    blank_is_told: bool,
}

impl Nulls {
    /// Refuses (`FS0309`) what could not be told from other texts in one column.
    pub(super) fn new(options: &CsvOptions, columns: usize, delimiter: u8) -> Result<Self> {
        let told = !options.nulls.is_empty();
        let empty = || options.nulls.iter().any(String::is_empty);
        let mut texts = options.nulls.clone();
        if columns == 1 {
            // A line without anything in it is no record.
            texts.retain(|text| !text.is_empty());
        }
        if texts.is_empty() {
            let text = if columns == 1 { BACKSLASH_N } else { "" };
            options.check_alone(text, delimiter)?;
            texts.push(text.into());
        }
        Ok(Self {
            texts: texts.into_iter().map(String::into_bytes).collect(),
            told,
            blank_is_told: columns == 1 && empty(),
        })
    }

    /// What is written for a null.
    pub(super) fn written(&self) -> &[u8] {
        self.texts.first().map_or(&[], Vec::as_slice)
    }

    /// Whether somebody said what stands for a null.
    pub(super) fn are_told(&self) -> bool {
        self.told
    }

    /// Whether a null is written with such bytes alone, and at least one.
    pub(super) fn may_be(&self, byte: impl Fn(&u8) -> bool) -> bool {
        let of = |text: &Vec<u8>| !text.is_empty() && text.iter().all(&byte);
        self.texts.iter().any(of)
    }

    /// Whether the field is a null whatever its column.
    pub(super) fn holds(&self, field: &[u8]) -> bool {
        self.texts.iter().any(|text| text == field)
    }

    /// Whether the field is a null in a column that is not of text.
    pub(super) fn holds_beside(&self, field: &[u8]) -> bool {
        field.is_empty() || self.is_word(field)
    }

    /// Whether the field is one of the words that stand for nulls unless told otherwise.
    pub(super) fn is_word(&self, field: &[u8]) -> bool {
        !self.told && WORDS.contains(&field)
    }

    /// Refuses (`FS0309`) a blank line that could be a null.
    pub(super) fn check_blank(&self, blank: Option<u64>) -> Result<()> {
        match blank {
            Some(line) if self.blank_is_told => Err(ambiguous(&format!(
                "line {line} is blank: with one column and an empty null text it could be a null or nothing"
            ))),
            _ => Ok(()),
        }
    }
}

/// Whether a text that readers take for a null is quoted, so that it stays a text.
pub(super) fn is_taken_for_null(field: &[u8]) -> bool {
    field.is_empty() || field == BACKSLASH_N.as_bytes() || WORDS.contains(&field)
}

/// Whether values of the type may be empty texts, or words.
pub(super) fn is_textual(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Utf8 | D::LargeUtf8 | D::Binary | D::LargeBinary | D::FixedSizeBinary(_)
    )
}
