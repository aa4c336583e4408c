//! The schema of a whole CSV file.
//!
//! Looks at every field of the file. Invariant: a quoted field is text, and whatever is taken for a null without
//! being told is said.

use super::encoding::Encoding;
use super::look::Look;
use super::met::{Column, Met, notices};
use super::nulls::{BACKSLASH_N, Nulls, is_textual};
use super::options::CsvOptions;
use super::record::Records;
use super::sniff::{candidates, shown};
use super::source::Broken;
use crate::format::text::Seen;
use arrow_schema::{DataType, Field, Schema};
use flinkspark_model::Error;
use std::io::Read;

/// A schema, and what is to be said of it.
pub(super) struct Inferred {
    pub(super) schema: Schema,
    pub(super) notices: Vec<String>,
}

/// Why there is no schema.
pub(super) enum Uninferred {
    Broken(Broken),
    Refused(Error),
}

impl From<Broken> for Uninferred {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl From<Error> for Uninferred {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// What was seen of a column.
#[derive(Clone)]
struct Guess {
    /// Its fields, as they stand.
    seen: Seen,
    /// Those that are of declared patterns.
    declared: Seen,
    is_declared: bool,
    all_declared: bool,
    met: Met,
}

impl Guess {
    fn new() -> Self {
        Self {
            seen: Seen::NOTHING,
            declared: Seen::NOTHING,
            is_declared: false,
            all_declared: true,
            met: Met::default(),
        }
    }

    fn see_text(&mut self) {
        self.all_declared = false;
        self.seen.see_text();
    }

    /// Sees a field that is not quoted, and no null in every column.
    fn see(&mut self, text: &str, line: u64, look: &Look) {
        if look.is_usual() {
            return self.seen.see(text, line);
        }
        match look.patterns.declared(text) {
            Some(iso) => {
                self.is_declared = true;
                self.declared.see(&iso, line);
            }
            None => self.all_declared = false,
        }
        match look.plain(text) {
            Some(plain) => self.seen.see(&plain, line),
            None => self.seen.see_text(),
        }
    }

    /// What decides on the type.
    fn decisive(&self) -> &Seen {
        match self.is_declared && self.all_declared {
            true => &self.declared,
            false => &self.seen,
        }
    }
}

/// The schema of all records: every column nullable, names from the header or `column_1` on.
pub(super) fn infer<R: Read>(
    records: &mut Records<R>,
    options: &CsvOptions,
    delimiter: u8,
) -> Result<Inferred, Uninferred> {
    let look = Look::new(options)?;
    let mut names = Vec::new();
    if !records.advance()? {
        let why = "it is empty: there is no line to tell its columns";
        return Err(Broken::Damaged(why.into()).into());
    }
    let columns = records.len();
    let nulls = Nulls::new(options, columns, delimiter)?;
    for index in 0..columns {
        let (text, _) = records.field(index).unwrap_or_default();
        names.push(if options.header {
            utf8(text, records.line())?.to_owned()
        } else {
            format!("column_{}", index + 1)
        });
    }
    let mut guesses = vec![Guess::new(); columns];
    let mut more = !options.header || records.advance()?;
    while more {
        check_width(records, columns)?;
        for (index, guess) in guesses.iter_mut().enumerate() {
            let (text, quoted) = records.field(index).unwrap_or_default();
            match text {
                _ if quoted => guess.see_text(),
                b"" => guess.met.empty += 1,
                _ if nulls.holds(text) => guess.met.alone += u64::from(!nulls.are_told()),
                _ if nulls.is_word(text) => guess.met.word(text),
                _ if text == BACKSLASH_N.as_bytes() => {
                    guess.met.backslash_n += 1;
                    guess.see_text();
                }
                _ => guess.see(utf8(text, records.line())?, records.line(), &look),
            }
        }
        more = records.advance()?;
    }
    nulls.check_blank(records.blank())?;
    let mut said: Vec<String> = one_column(&names, options, delimiter).into_iter().collect();
    said.extend(blank_lines(columns, records.blanks()));
    let types: Vec<DataType> = guesses
        .iter()
        .map(|guess| guess.decisive().data_type())
        .collect();
    let columns = || names.iter().zip(&types).zip(&guesses);
    said.extend(notices(columns().map(|((name, data_type), guess)| {
        let textual = is_textual(data_type);
        let empty = !textual || nulls.holds(b"");
        (
            Column {
                name,
                textual,
                empty,
            },
            &guess.met,
        )
    })));
    for ((name, data_type), guess) in columns() {
        said.extend(guess.decisive().notice(name, data_type));
    }
    let fields = names.iter().zip(&types);
    let fields = fields.map(|(name, data_type)| Field::new(name, data_type.clone(), true));
    Ok(Inferred {
        schema: Schema::new(fields.collect::<Vec<_>>()),
        notices: said,
    })
}

/// A word on a file whose one column looks like several.
fn one_column(names: &[String], options: &CsvOptions, delimiter: u8) -> Option<String> {
    let [only] = names else { return None };
    let looks = |other: &u8| *other != delimiter && only.contains(char::from(*other));
    let found = candidates(options).find(looks)?;
    Some(format!(
        "the file has one column, \"{}\": if {} stands between its fields, pass --delimiter",
        only.escape_debug(),
        shown(found)
    ))
}

/// A word on lines that other readers take for nulls.
pub(super) fn blank_lines(columns: usize, blanks: u64) -> Option<String> {
    (columns == 1 && blanks > 0).then(|| {
        let lines = if blanks == 1 { "line was" } else { "lines were" };
        format!(
            "the file has one column, and {blanks} blank {lines} skipped: in such a file a null is {BACKSLASH_N}"
        )
    })
}

pub(super) fn utf8(text: &[u8], line: u64) -> Result<&str, Broken> {
    let what = "bytes that UTF-8 does not have";
    std::str::from_utf8(text).map_err(|_| Broken::Encoding(Encoding::Utf8, line, what))
}

/// Refuses a record that has not as many fields as there are columns.
pub(super) fn check_width<R: Read>(records: &Records<R>, columns: usize) -> Result<(), Broken> {
    if records.len() == columns {
        return Ok(());
    }
    let (line, fields) = (records.line(), records.len());
    Err(Broken::Damaged(format!(
        "line {line} has {fields} fields, there are {columns} columns"
    )))
}
