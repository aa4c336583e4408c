//! A file's bytes as UTF-8 text, a piece at a time.
//!
//! Knows encodings and byte order marks, nothing of records. UTF-8 passes as it is: who takes a field checks it.
//! Invariant: what is before a place that is no text is given out first, and no more than a few reads are in memory.

use super::encoding::Encoding;
use std::io::{ErrorKind, Read};

/// Bytes that are read at a time.
const READ_BYTES: usize = 128 << 10;
/// The longest byte order mark.
const MARK_BYTES: usize = 3;

/// Why there is nothing more to read.
#[derive(Debug)]
pub(super) enum Broken {
    /// The system could not read.
    Io(std::io::Error),
    /// The bytes are no CSV; the text says what and in which line.
    Damaged(String),
    /// It ends within a quoted field; the line.
    Torn(u64),
    /// Lines end in what is no line end here; the line.
    LineEnds(u64),
    /// The text is not of its encoding: the line and what it holds.
    Encoding(Encoding, u64, &'static str),
}

impl From<std::io::Error> for Broken {
    fn from(cause: std::io::Error) -> Self {
        Self::Io(cause)
    }
}

/// One input as text.
pub(super) struct Source<R> {
    input: R,
    encoding: Encoding,
    marked: bool,
    /// Bytes that are not decoded yet: the beginning of a character, or all that was read first.
    raw: Vec<u8>,
    text: Vec<u8>,
    start: usize,
    /// The line that is decoded next.
    line: u64,
    ended: bool,
    wrong: Option<Broken>,
}

impl<R: Read> Source<R> {
    /// Reads in this encoding; without one in that of its byte order mark, or in UTF-8.
    pub(super) fn new(input: R, declared: Option<Encoding>) -> Result<Self, Broken> {
        let mut source = Self {
            input,
            encoding: declared.unwrap_or(Encoding::Utf8),
            marked: false,
            raw: Vec::new(),
            text: Vec::new(),
            start: 0,
            line: 1,
            ended: false,
            wrong: None,
        };
        while source.raw.len() < MARK_BYTES && !source.ended {
            source.ended = read(&mut source.input, &mut source.raw)? == 0;
        }
        if let Some((marked, bytes)) = Encoding::marked(&source.raw) {
            if declared.is_some_and(|declared| declared != marked) {
                let what = "the byte order mark of another encoding";
                return Err(Broken::Encoding(source.encoding, 1, what));
            }
            (source.encoding, source.marked) = (marked, true);
            source.raw.drain(..bytes);
        }
        source.decode();
        Ok(source)
    }

    /// The encoding that its mark told.
    pub(super) fn marked(&self) -> Option<Encoding> {
        self.marked.then_some(self.encoding)
    }

    /// The text that comes next: so many bytes, or more, or all that there is; nothing at the end.
    pub(super) fn fill(&mut self, least: usize) -> Result<&[u8], Broken> {
        while self.buffer().len() < least && !self.ended && self.wrong.is_none() {
            self.text.drain(..self.start);
            self.start = 0;
            match self.encoding {
                Encoding::Utf8 => self.ended = read(&mut self.input, &mut self.text)? == 0,
                _ => {
                    self.ended = read(&mut self.input, &mut self.raw)? == 0;
                    self.decode();
                }
            }
        }
        match self.wrong.take_if(|_| self.start == self.text.len()) {
            Some(wrong) => {
                self.ended = true;
                Err(wrong)
            }
            None => Ok(self.buffer()),
        }
    }

    /// The text that is there without reading.
    pub(super) fn buffer(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// Whether there is nothing behind what [`Source::buffer`] has.
    pub(super) fn is_whole(&self) -> bool {
        self.ended && self.wrong.is_none()
    }

    /// Goes on behind so many bytes of text.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.start = self.text.len().min(self.start + bytes);
    }

    /// What it reads from.
    pub(super) fn into_input(self) -> R {
        self.input
    }

    /// Moves what was read into the text, but the beginning of a character.
    fn decode(&mut self) {
        let raw = std::mem::take(&mut self.raw);
        match self.encoding {
            Encoding::Utf8 => self.text.extend_from_slice(&raw),
            Encoding::Utf16Le => self.utf16(raw, u16::from_le_bytes),
            Encoding::Utf16Be => self.utf16(raw, u16::from_be_bytes),
            Encoding::Latin1 | Encoding::Windows1252 => {
                for byte in raw {
                    match self.encoding.character(byte) {
                        Some(character) => self.push(character),
                        None => return self.fail("a byte that it does not have"),
                    }
                }
            }
        }
    }

    fn utf16(&mut self, mut raw: Vec<u8>, unit: fn([u8; 2]) -> u16) {
        let (pairs, odd) = raw.as_chunks::<2>();
        let is_first_half = |pair: &[u8; 2]| (0xd800..0xdc00).contains(&unit(*pair));
        let waits = !self.ended && pairs.last().is_some_and(is_first_half);
        let decoded = pairs.len() - usize::from(waits);
        let units = pairs.iter().take(decoded).map(|pair| unit(*pair));
        for character in char::decode_utf16(units) {
            match character {
                Ok(character) => self.push(character),
                Err(_) => return self.fail("half of a surrogate pair"),
            }
        }
        if self.ended && !odd.is_empty() {
            return self.fail("half of a character at its end");
        }
        raw.drain(..2 * decoded);
        self.raw = raw;
    }

    fn push(&mut self, character: char) {
        self.line += u64::from(character == '\n');
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).as_bytes();
        self.text.extend_from_slice(bytes);
    }

    fn fail(&mut self, what: &'static str) {
        self.wrong = Some(Broken::Encoding(self.encoding, self.line, what));
    }
}

/// Appends what one read gives: how many bytes, 0 at the end.
fn read(input: &mut impl Read, into: &mut Vec<u8>) -> std::io::Result<usize> {
    let before = into.len();
    into.resize(before + READ_BYTES, 0);
    let result = loop {
        match input.read(into.get_mut(before..).unwrap_or_default()) {
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            result => break result,
        }
    };
    let bytes = result.as_ref().map_or(0, |bytes| *bytes);
    into.truncate(before + bytes);
    result
}
