//! Splits a chunk of text into records and fields.
//!
//! Knows quotes, line ends and comments, nothing of types. A line without anything in it is no record. Invariant:
//! a record is whole: a file that ends within quotes is an error, not a short record, and a carriage
//! return outside of quotes is half of a line's end or an error, never part of a field.

use super::encoding::Encoding;
use super::options::Dialect;
use super::source::Broken;
use memchr::{memchr, memchr_iter};
use std::ops::Range;

/// The longest record, in bytes.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;
/// The most fields of a record.
const FIELDS_MAX: usize = 1 << 16;

/// Records that stand behind one another.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) text: Vec<u8>,
    /// The line in which it begins, from 1.
    pub(super) line: u64,
    /// Whether the text ends where the file does; otherwise it ends with a line, or within a record that is too long.
    pub(super) is_last: bool,
}

/// The records of one chunk; the present one is overwritten by the next.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    /// The same, where it is UTF-8.
    text: Option<&'a str>,
    is_last: bool,
    dialect: &'a Dialect,
    at: usize,
    /// Where the present record begins.
    begin: usize,
    fields: Vec<Field>,
    /// The fields of the present record that have quotes within.
    unescaped: Vec<u8>,
    line: u64,
    next_line: u64,
    blank: Option<u64>,
    blanks: u64,
}

/// A field, and where its bytes are.
struct Field {
    range: Range<usize>,
    quoted: bool,
    unescaped: bool,
}

/// What stands behind a field.
enum Behind {
    Field,
    Record,
}

impl<'a> Records<'a> {
    pub(super) fn new(chunk: &'a Chunk, dialect: &'a Dialect) -> Self {
        Self {
            bytes: &chunk.text,
            text: std::str::from_utf8(&chunk.text).ok(),
            is_last: chunk.is_last,
            dialect,
            at: 0,
            begin: 0,
            fields: Vec::new(),
            unescaped: Vec::new(),
            line: 0,
            next_line: chunk.line,
            blank: None,
            blanks: 0,
        }
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

    /// The present record as it stands in the file, with its line's end.
    pub(super) fn raw(&self) -> &[u8] {
        self.bytes.get(self.begin..self.at).unwrap_or_default()
    }

    /// How many fields the present record has.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field's bytes and whether it was quoted.
    pub(super) fn field(&self, index: usize) -> Option<(&[u8], bool)> {
        let field = self.fields.get(index)?;
        let from = match field.unescaped {
            true => &self.unescaped,
            false => self.bytes,
        };
        Some((from.get(field.range.clone())?, field.quoted))
    }

    /// A field's text and whether it was quoted; the empty text where the record has no such field.
    pub(super) fn text(&self, index: usize) -> Result<(&str, bool), Broken> {
        let Some(field) = self.fields.get(index) else {
            return Ok(("", false));
        };
        let text = self.text.filter(|_| !field.unescaped);
        if let Some(text) = text.and_then(|text| text.get(field.range.clone())) {
            return Ok((text, field.quoted));
        }
        let (bytes, quoted) = self.field(index).unwrap_or_default();
        let what = "bytes that UTF-8 does not have";
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok((text, quoted)),
            Err(_) => Err(Broken::Encoding(Encoding::Utf8, self.line, what)),
        }
    }

    /// Goes on to the next record; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, Broken> {
        while self.next_line()? {
            if !matches!(self.fields.as_slice(), [only] if !only.quoted && only.range.is_empty()) {
                return Ok(true);
            }
            self.blank.get_or_insert(self.line);
            self.blanks += 1;
        }
        Ok(false)
    }

    /// Passes over the lines that are comments.
    fn skip_comments(&mut self) {
        let Some(comment) = &self.dialect.comment else {
            return;
        };
        while self.rest().starts_with(comment) {
            let end = memchr(b'\n', self.rest());
            self.at += end.map_or(self.rest().len(), |end| end + 1);
            self.next_line += u64::from(end.is_some());
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Goes on to the next record or blank line; false at the end.
    fn next_line(&mut self) -> Result<bool, Broken> {
        self.skip_comments();
        self.unescaped.clear();
        self.fields.clear();
        self.line = self.next_line;
        if self.rest().is_empty() {
            return Ok(false);
        }
        self.begin = self.at;
        loop {
            let first = self.rest().first();
            let behind = match first == self.dialect.quote.as_ref() && first.is_some() {
                true => self.quoted()?,
                false => self.plain()?,
            };
            if self.at - self.begin > RECORD_BYTES_MAX || self.fields.len() > FIELDS_MAX {
                return Err(self.too_long());
            }
            if matches!(behind, Behind::Record) {
                return Ok(true);
            }
        }
    }

    /// Takes a field without quotes, and what ends it.
    fn plain(&mut self) -> Result<Behind, Broken> {
        let (start, delimiter) = (self.at, self.dialect.delimiter);
        let ends = |byte: &u8| *byte == delimiter || *byte == b'\n' || *byte == b'\r';
        let rest = self.rest();
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        self.fields.push(Field {
            range: start..self.at,
            quoted: false,
            unescaped: false,
        });
        self.behind()
    }

    /// Takes a field that stands in quotes, and what ends it.
    fn quoted(&mut self) -> Result<Behind, Broken> {
        let quote = self.dialect.quote.unwrap_or_default();
        self.at += 1;
        let (mut start, first) = (self.at, self.unescaped.len());
        let mut unescaped = false;
        loop {
            let Some(length) = memchr(quote, self.rest()) else {
                return Err(match self.is_last {
                    true => Broken::Torn(self.line),
                    false => self.too_long(),
                });
            };
            let end = self.at + length;
            self.at = end + 1;
            let doubled = self.rest().first() == Some(&quote);
            let inner = self.bytes.get(start..end).unwrap_or_default();
            self.next_line += memchr_iter(b'\n', inner).count() as u64;
            unescaped |= doubled;
            if unescaped {
                self.unescaped.extend_from_slice(inner);
                self.unescaped.extend(doubled.then_some(quote));
            }
            if doubled {
                self.at += 1;
                start = self.at;
                continue;
            }
            self.fields.push(Field {
                range: match unescaped {
                    true => first..self.unescaped.len(),
                    false => start..end,
                },
                quoted: true,
                unescaped,
            });
            return self.behind();
        }
    }

    /// Takes what stands behind a field.
    fn behind(&mut self) -> Result<Behind, Broken> {
        match self.rest() {
            [byte, ..] if *byte == self.dialect.delimiter => {
                self.at += 1;
                Ok(Behind::Field)
            }
            [b'\n', ..] => Ok(self.end_line(1)),
            [b'\r', b'\n', ..] => Ok(self.end_line(2)),
            [] | [b'\r'] if self.is_last => {
                self.at = self.bytes.len();
                Ok(Behind::Record)
            }
            [] => Err(self.too_long()),
            [b'\r', ..] => Err(Broken::LineEnds(self.line)),
            _ => Err(Broken::Damaged(format!(
                "line {}: a quoted field is followed by something else than the end of the field",
                self.line
            ))),
        }
    }

    fn end_line(&mut self, bytes: usize) -> Behind {
        self.at += bytes;
        self.next_line += 1;
        Behind::Record
    }

    fn too_long(&self) -> Broken {
        Broken::Damaged(format!(
            "line {}: the record is longer than {RECORD_BYTES_MAX} bytes or {FIELDS_MAX} fields",
            self.line
        ))
    }
}
