//! The schema of a whole CSV file.
//!
//! Looks at every field of the file. Invariant: a quoted field is text, and whatever is taken for a null without
//! being told is said.

use super::chunks::{CHUNK_BYTES, Chunks, first};
use super::look::Look;
use super::met::{Column, Met, notices};
use super::nulls::{BACKSLASH_N, Nulls, is_textual};
use super::options::{CsvOptions, Dialect};
use super::record::{Chunk, Records};
use super::sniff::{candidates, shown};
use super::source::Broken;
use crate::format::ordered::Pieces;
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

    /// Adds what was seen in lines behind these.
    fn add(&mut self, behind: Self) {
        self.seen.add(behind.seen);
        self.declared.add(behind.declared);
        self.is_declared |= behind.is_declared;
        self.all_declared &= behind.all_declared;
        self.met.add(behind.met);
    }

    /// What decides on the type.
    fn decisive(&self) -> &Seen {
        match self.is_declared && self.all_declared {
            true => &self.declared,
            false => &self.seen,
        }
    }
}

/// What was seen of a chunk, or of all.
struct Sight {
    guesses: Vec<Guess>,
    blanks: u64,
}

impl Sight {
    fn of(
        chunk: &Chunk,
        dialect: &Dialect,
        columns: usize,
        nulls: &Nulls,
        look: &Look,
        aside: bool,
    ) -> Result<Self, Uninferred> {
        let mut records = Records::new(chunk, dialect);
        let mut guesses = vec![Guess::new(); columns];
        while records.advance()? {
            match check_width(&records, columns) {
                Err(_) if aside => continue,
                width => width?,
            }
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
                    _ => guess.see(records.text(index)?.0, records.line(), look),
                }
            }
        }
        nulls.check_blank(records.blank())?;
        Ok(Self {
            guesses,
            blanks: records.blanks(),
        })
    }

    fn add(&mut self, behind: Self) {
        for (all, more) in self.guesses.iter_mut().zip(behind.guesses) {
            all.add(more);
        }
        self.blanks += behind.blanks;
    }
}

/// The schema of all records: every column nullable, names from the header or `column_1` on. Where records are set
/// aside, those of another width are not looked at.
pub(super) fn infer<R: Read>(
    chunks: &mut Chunks<R>,
    options: &CsvOptions,
    delimiter: u8,
    aside: bool,
) -> Result<Inferred, Uninferred> {
    let look = Look::new(options)?;
    let Some(first) = first(chunks)? else {
        let why = "it is empty: there is no line to tell its columns";
        return Err(Broken::Damaged(why.into()).into());
    };
    let columns = first.fields.len();
    let nulls = Nulls::new(options, columns, delimiter)?;
    let dialect = chunks.dialect().clone();
    let names: Vec<String> = match options.header {
        true => names(&first.chunk, &dialect)?,
        false => (1..=columns)
            .map(|index| format!("column_{index}"))
            .collect(),
    };
    let mut all = Sight {
        guesses: vec![Guess::new(); columns],
        blanks: 0,
    };
    let seen = nulls.clone();
    let see = move |chunk: Chunk, give: &mut dyn FnMut(_) -> bool| {
        give(Sight::of(&chunk, &dialect, columns, &seen, &look, aside));
        Ok(())
    };
    let mut begun = (!options.header).then_some(first.chunk);
    let mut pieces = Pieces::new(see);
    let mut broken = None;
    let mut cut = || match begun.take() {
        Some(chunk) => Ok(Some(chunk)),
        None => Ok(chunks.next(CHUNK_BYTES).unwrap_or_else(|why| {
            broken = Some(why);
            None
        })),
    };
    while let Some(sight) = pieces.next(&mut cut)? {
        all.add(sight?);
    }
    if let Some(why) = broken {
        return Err(why.into());
    }
    let Sight { guesses, blanks } = all;
    let mut said: Vec<String> = one_column(&names, options, delimiter).into_iter().collect();
    said.extend(blank_lines(columns, blanks));
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

/// The names in the header, which is the one record of its chunk.
fn names(chunk: &Chunk, dialect: &Dialect) -> Result<Vec<String>, Broken> {
    let mut records = Records::new(chunk, dialect);
    records.advance()?;
    let names = (0..records.len()).map(|index| Ok(records.text(index)?.0.to_owned()));
    names.collect()
}

/// Refuses a record that has not as many fields as there are columns.
pub(super) fn check_width(records: &Records<'_>, columns: usize) -> Result<(), Broken> {
    if records.len() == columns {
        return Ok(());
    }
    let (line, fields) = (records.line(), records.len());
    Err(Broken::Damaged(format!(
        "line {line} has {fields} fields, there are {columns} columns"
    )))
}
