//! Splits bytes into records and fields.
//!
//! Knows quotes, line ends and comments, nothing of types. A line without anything in it is no record. Invariant:
//! a record is whole: a file that ends within quotes is an error, not a short record, and a carriage
//! return outside of quotes is half of a line's end or an error, never part of a field.

use super::options::Dialect;
use super::source::{Broken, Source};
use std::io::Read;

/// The longest record, in bytes.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;
/// The most fields of a record.
const FIELDS_MAX: usize = 1 << 16;

/// The records of one input; the present one is overwritten by the next.
pub(super) struct Records<R> {
    source: Source<R>,
    dialect: Dialect,
    text: Vec<u8>,
    fields: Vec<Field>,
    line: u64,
    next_line: u64,
    blank: Option<u64>,
    blanks: u64,
}

#[derive(Clone, Copy)]
struct Field {
    start: usize,
    end: usize,
    quoted: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    /// At the beginning of a field.
    Start,
    /// In a field without quotes.
    Plain,
    /// Within quotes.
    Quoted,
    /// After a quote within quotes: the end of the field, or the first of two.
    Quote,
    /// After the carriage return behind a quoted field.
    Return,
    /// After the carriage return behind a field without quotes.
    PlainReturn,
}

/// What a scan found to be wrong.
enum Wrong {
    Quote,
    LineEnd,
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: Source<R>, dialect: Dialect) -> Self {
        Self {
            source,
            dialect,
            text: Vec::new(),
            fields: Vec::new(),
            line: 0,
            next_line: 1,
            blank: None,
            blanks: 0,
        }
    }

    /// What it reads from.
    pub(super) fn into_input(self) -> R {
        self.source.into_input()
    }

    /// The line in which the present record begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The first line that was skipped because nothing was in it.
    pub(super) fn blank(&self) -> Option<u64> {
        self.blank
    }

    /// How many lines were skipped because nothing was in them.
    pub(super) fn blanks(&self) -> u64 {
        self.blanks
    }

    /// How many fields the present record has.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field's bytes and whether it was quoted.
    pub(super) fn field(&self, index: usize) -> Option<(&[u8], bool)> {
        let field = self.fields.get(index)?;
        Some((self.text.get(field.start..field.end)?, field.quoted))
    }

    /// Goes on to the next record; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, Broken> {
        while self.next_line()? {
            if !matches!(self.fields.as_slice(), [only] if !only.quoted && only.start == only.end) {
                return Ok(true);
            }
            self.blank.get_or_insert(self.line);
            self.blanks += 1;
        }
        Ok(false)
    }

    /// Passes over the lines that are comments.
    fn skip_comments(&mut self) -> Result<(), Broken> {
        let Some(comment) = &self.dialect.comment else {
            return Ok(());
        };
        while self.source.fill(comment.len())?.starts_with(comment) {
            loop {
                let text = self.source.fill(1)?;
                let end = text.iter().position(|byte| *byte == b'\n');
                let used = end.map_or(text.len(), |end| end + 1);
                self.source.consume(used);
                self.next_line += u64::from(end.is_some());
                if end.is_some() || used == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Goes on to the next record or blank line; false at the end.
    fn next_line(&mut self) -> Result<bool, Broken> {
        self.skip_comments()?;
        self.text.clear();
        self.fields.clear();
        self.line = self.next_line;
        let (mut at, mut start) = (At::Start, 0);
        loop {
            if self.source.fill(1)?.is_empty() {
                return self.end(at, start);
            }
            let (used, ended) = scan(
                self.source.buffer(),
                &self.dialect,
                &mut at,
                &mut start,
                &mut self.text,
                &mut self.fields,
                &mut self.next_line,
            )
            .map_err(|wrong| match wrong {
                Wrong::LineEnd => Broken::LineEnds(self.line),
                Wrong::Quote => Broken::Damaged(format!(
                    "line {}: a quoted field is followed by something else than the end of the field",
                    self.line
                )),
            })?;
            self.source.consume(used);
            if self.text.len() > RECORD_BYTES_MAX || self.fields.len() > FIELDS_MAX {
                let why = format!(
                    "line {}: the record is longer than {RECORD_BYTES_MAX} bytes or {FIELDS_MAX} fields",
                    self.line
                );
                return Err(Broken::Damaged(why));
            }
            if ended {
                return Ok(true);
            }
        }
    }

    fn end(&mut self, at: At, start: usize) -> Result<bool, Broken> {
        match at {
            At::Quoted => Err(Broken::Torn(self.line)),
            At::Start if self.fields.is_empty() => Ok(false),
            _ => {
                let quoted = matches!(at, At::Quote | At::Return);
                self.fields.push(Field {
                    start,
                    end: self.text.len(),
                    quoted,
                });
                Ok(true)
            }
        }
    }
}

/// Consumes bytes up to the record's or the chunk's end: how many, and which of the two.
fn scan(
    chunk: &[u8],
    dialect: &Dialect,
    at: &mut At,
    start: &mut usize,
    text: &mut Vec<u8>,
    fields: &mut Vec<Field>,
    line: &mut u64,
) -> Result<(usize, bool), Wrong> {
    let (delimiter, quote) = (dialect.delimiter, dialect.quote);
    let mut used = 0;
    while let Some(rest) = chunk.get(used..).filter(|rest| !rest.is_empty()) {
        if *at == At::Quoted {
            let length = rest
                .iter()
                .position(|byte| Some(*byte) == quote)
                .unwrap_or(rest.len());
            let (inner, after) = rest.split_at(length);
            *line += inner.iter().filter(|byte| **byte == b'\n').count() as u64;
            text.extend_from_slice(inner);
            used += length + usize::from(!after.is_empty());
            if !after.is_empty() {
                *at = At::Quote;
            }
            continue;
        }
        if *at == At::Plain {
            let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'\r');
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            text.extend_from_slice(rest.get(..length).unwrap_or_default());
            used += length;
            if length == rest.len() {
                break;
            }
        }
        let Some(byte) = chunk.get(used).copied() else {
            break;
        };
        used += 1;
        if byte == delimiter && !matches!(at, At::Return | At::PlainReturn) {
            fields.push(Field {
                start: *start,
                end: text.len(),
                quoted: *at == At::Quote,
            });
            (*at, *start) = (At::Start, text.len());
        } else if byte == b'\n' {
            fields.push(Field {
                start: *start,
                end: text.len(),
                quoted: matches!(at, At::Quote | At::Return),
            });
            *line += 1;
            return Ok((used, true));
        } else {
            *at = match (*at, byte) {
                (At::Return | At::PlainReturn, _) => return Err(Wrong::LineEnd),
                (At::Start | At::Plain, b'\r') => At::PlainReturn,
                (At::Start, _) if Some(byte) == quote => At::Quoted,
                (At::Start, _) => {
                    text.push(byte);
                    At::Plain
                }
                (At::Quote, _) if Some(byte) == quote => {
                    text.push(byte);
                    At::Quoted
                }
                (At::Quote, b'\r') => At::Return,
                _ => return Err(Wrong::Quote),
            };
        }
    }
    Ok((used, false))
}
