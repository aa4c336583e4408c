//! Cuts text into chunks of whole records, which can be read apart from one another.
//!
//! Looks for quotes, line ends and comments alone. Invariant: of a file that is CSV every chunk begins with a record,
//! a blank line or a comment and ends behind one; of any other the first mistake stays within the chunk in which it is,
//! with all that is before it.

use super::options::Dialect;
use super::record::{Chunk, RECORD_BYTES_MAX, Records};
use super::source::{Broken, Source};
use memchr::{memchr, memchr_iter, memchr2};
use std::io::Read;

/// The usual size of a chunk, in bytes.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// How much more is read where a chunk's last record has not ended, in bytes.
const MORE_BYTES: usize = 64 << 10;

/// The chunks of one input.
pub(super) struct Chunks<R> {
    source: Source<R>,
    dialect: Dialect,
    line: u64,
}

impl<R: Read> Chunks<R> {
    pub(super) fn new(source: Source<R>, dialect: Dialect) -> Self {
        Self {
            source,
            dialect,
            line: 1,
        }
    }

    /// What it reads from.
    pub(super) fn into_input(self) -> R {
        self.source.into_input()
    }

    /// How its records are split.
    pub(super) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The next chunk, which ends with the first record that ends at so many bytes or behind; none at the end.
    pub(super) fn next(&mut self, bytes: usize) -> Result<Option<Chunk>, Broken> {
        let mut walk = Walk::new(self.line, bytes);
        let mut wanted = bytes.saturating_add(MORE_BYTES);
        loop {
            let text = self.source.fill(wanted)?;
            let (length, more) = (text.len(), text.len() >= wanted);
            if length == 0 {
                return Ok(None);
            }
            if walk.go(text, &self.dialect, more) {
                return Ok(Some(self.cut(walk.ended, false)));
            }
            if !more && self.source.is_whole() {
                let end = Ended {
                    at: length,
                    line: walk.line,
                };
                return Ok(Some(self.cut(end, true)));
            }
            if length - walk.ended.at > RECORD_BYTES_MAX {
                let end = Ended {
                    at: length,
                    line: walk.line,
                };
                return Ok(Some(self.cut(end, false)));
            }
            if !more {
                // What follows is no text: what is whole before it comes first.
                if walk.ended.at > 0 {
                    return Ok(Some(self.cut(walk.ended, false)));
                }
                self.source.consume(length);
            }
            wanted = length + MORE_BYTES.max(length / 2);
        }
    }

    fn cut(&mut self, end: Ended, is_last: bool) -> Chunk {
        let text = self.source.buffer().get(..end.at).unwrap_or_default();
        let chunk = Chunk {
            text: text.to_vec(),
            line: self.line,
            is_last,
        };
        self.source.consume(end.at);
        self.line = end.line;
        chunk
    }
}

/// The first record of a file.
pub(super) struct First {
    /// Its fields, with what is no UTF-8 in them replaced.
    pub(super) fields: Vec<String>,
    /// Its chunk, which has no other record.
    pub(super) chunk: Chunk,
}

/// Takes the first record; `None` where there is none.
pub(super) fn first<R: Read>(chunks: &mut Chunks<R>) -> Result<Option<First>, Broken> {
    while let Some(chunk) = chunks.next(1)? {
        let mut records = Records::new(&chunk, chunks.dialect());
        if records.advance()? {
            let fields = (0..records.len()).filter_map(|index| records.field(index));
            let fields = fields.map(|(field, _)| String::from_utf8_lossy(field).into_owned());
            let fields = fields.collect();
            return Ok(Some(First { fields, chunk }));
        }
    }
    Ok(None)
}

/// Where a record ends.
#[derive(Clone, Copy)]
struct Ended {
    at: usize,
    /// The line behind it.
    line: u64,
}

/// A walk over the records of a text.
struct Walk {
    /// Where it is to end, or behind.
    bytes: usize,
    at: usize,
    /// The line at `at`.
    line: u64,
    quoted: bool,
    /// Behind the quote that closed the last quoted field.
    closed: Option<usize>,
    /// The last record that has ended.
    ended: Ended,
}

impl Walk {
    fn new(line: u64, bytes: usize) -> Self {
        Self {
            bytes,
            at: 0,
            line,
            quoted: false,
            closed: None,
            ended: Ended { at: 0, line },
        }
    }

    /// Walks on over a text that was longer or shorter before; whether the chunk's end was found.
    fn go(&mut self, text: &[u8], dialect: &Dialect, more: bool) -> bool {
        loop {
            if self.at == self.ended.at && !self.quoted && self.begins_comment(text, dialect, more)
            {
                match text.get(self.at..).and_then(|rest| memchr(b'\n', rest)) {
                    Some(length) => self.at += length,
                    None => return false,
                }
            }
            let rest = text.get(self.at..).unwrap_or_default();
            let Some(quote) = dialect.quote else {
                match memchr(b'\n', rest) {
                    Some(length) if self.end_line(length) => return true,
                    Some(_) => continue,
                    None => return self.stop(text),
                }
            };
            if self.quoted {
                let length = memchr(quote, rest);
                let inner = rest.get(..length.unwrap_or(rest.len()));
                self.line += memchr_iter(b'\n', inner.unwrap_or_default()).count() as u64;
                let Some(length) = length else {
                    return self.stop(text);
                };
                self.at += length + 1;
                self.quoted = false;
                self.closed = Some(self.at);
                continue;
            }
            let Some(length) = memchr2(quote, b'\n', rest) else {
                return self.stop(text);
            };
            if rest.get(length) == Some(&b'\n') {
                if self.end_line(length) {
                    return true;
                }
                continue;
            }
            let here = self.at + length;
            let before = here.checked_sub(1).and_then(|before| text.get(before));
            let begins = here == self.ended.at || before == Some(&dialect.delimiter);
            self.quoted = begins || self.closed == Some(here);
            self.at = here + 1;
        }
    }

    /// Goes behind the line end that is so many bytes away; whether the chunk ends there.
    fn end_line(&mut self, length: usize) -> bool {
        self.at += length + 1;
        self.line += 1;
        self.ended = Ended {
            at: self.at,
            line: self.line,
        };
        self.at >= self.bytes
    }

    fn stop(&mut self, text: &[u8]) -> bool {
        self.at = text.len();
        false
    }

    /// Whether the line is a comment; where its beginning is not all there, it is not walked over yet.
    fn begins_comment(&self, text: &[u8], dialect: &Dialect, more: bool) -> bool {
        let Some(comment) = &dialect.comment else {
            return false;
        };
        let rest = text.get(self.at..).unwrap_or_default();
        rest.starts_with(comment) || (more && comment.starts_with(rest))
    }
}
