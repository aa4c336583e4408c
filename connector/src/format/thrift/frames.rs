//! The records of a file: each with its length before it, in four bytes, as `TFramedTransport` has it.
//!
//! Knows where records begin and end, and nothing of what is in them. Invariant: room is made for the bytes that have
//! arrived and never for those that were announced, and no record has more than [`BYTES_MAX`] bytes.

use super::cursor::BYTES_MAX;
use crate::format::error::{cannot_open, damaged};
use crate::format::{Format, Input};
use flinkspark_model::{Error, Result};
use std::io::{self, BufRead, BufReader, Read};

const READ_BUFFER_BYTES: usize = 128 << 10;
const LENGTH_BYTES: usize = 4;

/// The records of one input; the present one is overwritten by the next.
pub(super) struct Frames {
    input: BufReader<Box<dyn Input>>,
    name: String,
    bytes: Vec<u8>,
    /// The byte of the file at which the present record's length stands, from 1.
    at: u64,
    /// Its number, from 1.
    number: u64,
}

impl Frames {
    pub(super) fn new(input: Box<dyn Input>, name: &str) -> Self {
        Self {
            input: BufReader::with_capacity(READ_BUFFER_BYTES, input),
            name: name.into(),
            bytes: Vec::new(),
            at: 1,
            number: 0,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The present record.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its number, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Goes on to the next record; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        if self.number > 0 {
            self.at += (LENGTH_BYTES + self.bytes.len()) as u64;
        }
        self.bytes.clear();
        if self.has_ended()? {
            return Ok(false);
        }
        self.number += 1;
        let mut length = [0; LENGTH_BYTES];
        self.fill(LENGTH_BYTES)?;
        if let Some(stated) = self.bytes.first_chunk() {
            length = *stated;
        }
        let length = u32::from_be_bytes(length);
        self.bytes.clear();
        match usize::try_from(length) {
            Ok(length) if (1..=BYTES_MAX).contains(&length) => self.fill(length)?,
            _ => {
                let why =
                    format!("its length is {length}, and a record has 1 to {BYTES_MAX} bytes");
                return Err(self.damaged_length(&why));
            }
        }
        Ok(true)
    }

    fn has_ended(&mut self) -> Result<bool> {
        loop {
            match self.input.fill_buf() {
                Ok(chunk) => return Ok(chunk.is_empty()),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cannot_open(&self.name, cause)),
            }
        }
    }

    /// Reads exactly so many bytes.
    fn fill(&mut self, length: usize) -> Result<()> {
        let mut input = (&mut self.input).take(length as u64);
        let read = input.read_to_end(&mut self.bytes);
        let found = read.map_err(|cause| cannot_open(&self.name, cause))?;
        if found == length {
            return Ok(());
        }
        let why = format!("the file ends within it: {found} of {length} bytes are there");
        Err(self.damaged_length(&why))
    }

    /// What is wrong with the length of the present record.
    fn damaged_length(&self, why: &str) -> Error {
        self.damaged_at(self.at, "", why)
    }

    /// What is wrong with the present record, at a byte of it from 0.
    pub(super) fn damaged(&self, at: usize, column: &str, why: &str) -> Error {
        self.damaged_at(self.at + (LENGTH_BYTES + at) as u64, column, why)
    }

    fn damaged_at(&self, byte: u64, column: &str, why: &str) -> Error {
        let column = match column {
            "" => String::new(),
            column => format!(", column \"{column}\""),
        };
        let why = format!("record {}, at byte {byte}{column}: {why}", self.number);
        damaged(Format::THRIFT, &self.name, why)
    }
}
