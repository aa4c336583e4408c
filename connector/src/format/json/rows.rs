//! The rows of a file: a line each, or the objects of one array.
//!
//! Knows where rows begin and end, and nothing of what is in them. Invariant: a row is whole UTF-8 text of at most
//! [`ROW_BYTES_MAX`] bytes that begins with a brace, and an array that does not end is an error.

use super::wrong::{What, Wrong};
use memchr::{memchr, memchr_iter};
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;

/// The longest row, in bytes.
pub(super) const ROW_BYTES_MAX: usize = 64 << 20;
/// The usual size of the lines that are read together, in bytes.
pub(super) const LINES_BYTES: usize = 1 << 20;
const READ_BUFFER_BYTES: usize = 128 << 10;
/// What some writers begin a file with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why there is no next row.
#[derive(Debug)]
pub(super) enum Broken {
    /// The system could not read.
    Io(std::io::Error),
    /// The file is no JSON, or its rows do not fit; and where.
    Wrong(Wrong, Place),
}

impl From<std::io::Error> for Broken {
    fn from(cause: std::io::Error) -> Self {
        Self::Io(cause)
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: u64,
    /// The byte of the file, from 1.
    pub(super) byte: u64,
}

/// How the rows of a file stand in it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Unknown,
    Lines,
    /// One array, and whether a row of it was read.
    Array {
        begun: bool,
    },
    Ended,
}

/// Gives rows one after another.
pub(super) trait Source {
    /// Goes on to the next row; false at the end.
    fn advance(&mut self) -> Result<bool, Broken>;

    /// The present row.
    fn text(&self) -> &str;

    /// What is wrong in the present row.
    fn broken(&self, wrong: Wrong) -> Broken;
}

/// The rows of lines that are UTF-8, where they stand.
pub(super) struct LineRows<'a> {
    text: &'a str,
    /// Where the text begins in the file.
    begin: Place,
    /// The present row.
    row: Range<usize>,
}

impl LineRows<'_> {
    fn place(&self, at: usize) -> Place {
        let before = self.text.as_bytes().get(..at);
        after(self.begin, before.unwrap_or(self.text.as_bytes()))
    }

    fn wrong_here(&self, why: &str) -> Broken {
        Broken::Wrong(Wrong::broken(0, why), self.place(self.row.start))
    }
}

impl Source for LineRows<'_> {
    fn advance(&mut self) -> Result<bool, Broken> {
        let rest = self.text.as_bytes().get(self.row.end..).unwrap_or_default();
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let Some(skipped) = rest.iter().position(|byte| !blank(byte)) else {
            return Ok(false);
        };
        let row = rest.get(skipped..).unwrap_or_default();
        let length = memchr(b'\n', row).map_or(row.len(), |end| end + 1);
        let start = self.row.end + skipped;
        self.row = start..start + length;
        if row.first() != Some(&b'{') {
            return Err(self.wrong_here(NO_OBJECT));
        }
        match length > ROW_BYTES_MAX {
            true => Err(self.wrong_here(&too_long())),
            false => Ok(true),
        }
    }

    fn text(&self) -> &str {
        self.text.get(self.row.clone()).unwrap_or_default()
    }

    fn broken(&self, wrong: Wrong) -> Broken {
        let place = self.place(self.row.start + wrong.at);
        Broken::Wrong(wrong, place)
    }
}

/// What is said of a row that is none.
const NO_OBJECT: &str = "a row is an object and begins with {";

fn too_long() -> String {
    format!("the row is longer than {ROW_BYTES_MAX} bytes")
}

/// Lines that stand behind one another.
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where they begin.
    at: Place,
}

impl Lines {
    /// None of them yet, from where they begin.
    pub(super) fn without(&self) -> Self {
        Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            at: self.at,
        }
    }

    /// Each by itself.
    pub(super) fn each(&self) -> impl Iterator<Item = Self> + '_ {
        let mut at = self.at;
        let lines = self.bytes.split_inclusive(|byte| *byte == b'\n');
        lines.map(move |line| {
            let here = at;
            at = after(here, line);
            Self {
                bytes: line.to_vec(),
                at: here,
            }
        })
    }

    /// Their first line, from 1.
    pub(super) fn line(&self) -> u64 {
        self.at.line
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends lines.
    pub(super) fn push(&mut self, more: &Self) {
        self.bytes.extend_from_slice(&more.bytes);
    }

    /// Appends blank lines that are as long as these.
    pub(super) fn push_blank(&mut self, as_long: &Self) {
        let blank = |byte: &u8| if *byte == b'\n' { b'\n' } else { b' ' };
        self.bytes.extend(as_long.bytes.iter().map(blank));
    }

    /// The rows in them, where all of them are UTF-8.
    pub(super) fn line_rows(&self) -> Option<LineRows<'_>> {
        Some(LineRows {
            text: std::str::from_utf8(&self.bytes).ok()?,
            begin: self.at,
            row: 0..0,
        })
    }

    /// The rows in them.
    pub(super) fn rows(&self) -> Rows<&[u8]> {
        Rows {
            input: &self.bytes,
            form: Form::Lines,
            text: String::new(),
            first: self.at,
            next: self.at,
        }
    }
}

/// The rows of one input; the present one is overwritten by the next.
pub(super) struct Rows<R> {
    input: R,
    form: Form,
    text: String,
    /// Where the present row begins.
    first: Place,
    /// Where the next byte of the input is.
    next: Place,
}

impl<R: Read> Rows<BufReader<R>> {
    pub(super) fn new(input: R) -> Self {
        let start = Place { line: 1, byte: 1 };
        Self {
            input: BufReader::with_capacity(READ_BUFFER_BYTES, input),
            form: Form::Unknown,
            text: String::new(),
            first: start,
            next: start,
        }
    }
}

impl<R: BufRead> Rows<R> {
    /// The next lines, about so many bytes; none at the end, and where the rows are not lines.
    pub(super) fn lines(&mut self, bytes: usize) -> Result<Option<Lines>, Broken> {
        if self.form == Form::Unknown {
            self.begin()?;
        }
        if self.form != Form::Lines {
            return Ok(None);
        }
        let mut lines = Lines {
            bytes: Vec::with_capacity(bytes),
            at: self.next,
        };
        (&mut self.input)
            .take(bytes as u64)
            .read_to_end(&mut lines.bytes)?;
        if lines.bytes.is_empty() {
            return Ok(None);
        }
        if lines.bytes.last() != Some(&b'\n') {
            // A line that is too long is told by who reads it.
            let most = ROW_BYTES_MAX as u64 + 1;
            (&mut self.input)
                .take(most)
                .read_until(b'\n', &mut lines.bytes)?;
        }
        self.next = after(self.next, &lines.bytes);
        Ok(Some(lines))
    }

    /// The line in which the present row begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.first.line
    }

    /// Where a byte of the present row is.
    fn place(&self, at: usize) -> Place {
        let before = self.text.as_bytes().get(..at);
        after(self.first, before.unwrap_or(self.text.as_bytes()))
    }

    /// Goes on to the next row; false at the end.
    fn next_row(&mut self) -> Result<bool, Broken> {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.clear();
        if self.form == Form::Unknown {
            self.begin()?;
        }
        let more = match self.form {
            Form::Unknown | Form::Ended => false,
            Form::Lines => self.next_line(&mut bytes)?,
            Form::Array { begun } => self.element(begun, &mut bytes)?,
        };
        self.text = String::from_utf8(bytes).map_err(|cause| {
            let at = cause.utf8_error().valid_up_to();
            let before = cause.as_bytes().get(..at).unwrap_or_default();
            let place = after(self.first, before);
            Broken::Wrong(Wrong::new(at, What::Encoding), place)
        })?;
        Ok(more)
    }

    /// Skips the mark and finds out the form.
    fn begin(&mut self) -> Result<(), Broken> {
        if self.input.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
            self.take(BYTE_ORDER_MARK.len());
        }
        self.form = match self.peek()? {
            None => Form::Ended,
            Some(b'[') => {
                self.take(1);
                Form::Array { begun: false }
            }
            Some(_) => Form::Lines,
        };
        Ok(())
    }

    /// The next line that is not blank.
    fn next_line(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Broken> {
        if self.peek()?.is_none() {
            return Ok(false);
        }
        self.begin_row()?;
        let most = ROW_BYTES_MAX as u64 + 1;
        let length = (&mut self.input).take(most).read_until(b'\n', bytes)?;
        self.next = after(self.next, bytes);
        if length > ROW_BYTES_MAX {
            return Err(self.too_long());
        }
        Ok(true)
    }

    /// The next object of the array.
    fn element(&mut self, begun: bool, bytes: &mut Vec<u8>) -> Result<bool, Broken> {
        match self.peek()? {
            Some(b']') => {
                self.take(1);
                self.form = Form::Ended;
                return match self.peek()? {
                    None => Ok(false),
                    Some(_) => Err(self.broken_here("something follows the end of the array")),
                };
            }
            Some(b',') if begun => {
                self.take(1);
                self.peek()?;
            }
            Some(_) if begun => {
                return Err(self.broken_here("a comma or the end of the array is missing"));
            }
            _ => {}
        }
        self.begin_row()?;
        self.form = Form::Array { begun: true };
        let mut braces = Braces::default();
        loop {
            let chunk = self.input.fill_buf()?;
            let end = chunk.iter().position(|byte| braces.close(*byte));
            let length = end.map_or(chunk.len(), |end| end + 1);
            bytes.extend_from_slice(chunk.get(..length).unwrap_or_default());
            self.input.consume(length);
            if bytes.len() > ROW_BYTES_MAX {
                return Err(self.too_long());
            }
            if length == 0 {
                self.next = after(self.next, bytes);
                return Err(self.broken_here("the file ends within the array"));
            }
            if end.is_some() {
                self.next = after(self.next, bytes);
                return Ok(true);
            }
        }
    }

    /// Refuses what is no object, before anything is read of it.
    fn begin_row(&mut self) -> Result<(), Broken> {
        self.first = self.next;
        match self.peek()? {
            Some(b'{') => Ok(()),
            None => Err(self.broken_here("the file ends within the array")),
            Some(_) => Err(self.broken_here(NO_OBJECT)),
        }
    }

    /// The next byte that is no white space, which is not taken.
    fn peek(&mut self) -> Result<Option<u8>, Broken> {
        loop {
            let chunk = self.input.fill_buf()?;
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            let length = chunk.iter().take_while(|byte| blank(byte)).count();
            let found = chunk.get(length).copied();
            if length == 0 {
                return Ok(found);
            }
            self.take(length);
        }
    }

    /// Takes so many of the bytes that are there.
    fn take(&mut self, length: usize) {
        // What is there is not read again.
        let there = self.input.fill_buf().unwrap_or_default();
        self.next = after(self.next, there.get(..length).unwrap_or_default());
        self.input.consume(length);
    }

    /// What is wrong at the next byte.
    pub(super) fn broken_here(&self, why: &str) -> Broken {
        Broken::Wrong(Wrong::broken(0, why), self.next)
    }

    fn too_long(&self) -> Broken {
        Broken::Wrong(Wrong::broken(0, too_long()), self.first)
    }
}

impl<R: BufRead> Source for Rows<R> {
    fn advance(&mut self) -> Result<bool, Broken> {
        self.next_row()
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn broken(&self, wrong: Wrong) -> Broken {
        let place = self.place(wrong.at);
        Broken::Wrong(wrong, place)
    }
}

/// The place behind these bytes.
fn after(place: Place, bytes: &[u8]) -> Place {
    let lines = memchr_iter(b'\n', bytes).count();
    Place {
        line: place.line + lines as u64,
        byte: place.byte + bytes.len() as u64,
    }
}

/// Finds the end of an object: braces and brackets that stand in no string.
#[derive(Default)]
struct Braces {
    depth: usize,
    string: bool,
    escaped: bool,
}

impl Braces {
    /// Whether the byte closes what was opened first.
    fn close(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.string,
            b'"' => self.string = !self.string,
            _ if self.string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}
