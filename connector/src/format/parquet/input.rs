//! The input as the decoder wants it: readable at several places at once.
//!
//! Invariant: nothing is read, and no memory taken, beyond the input's end.

use crate::format::Input;
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;
use std::io::{self, BufReader, Read, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// An input that several decoders read.
#[derive(Clone)]
pub(super) struct Shared {
    input: Arc<Mutex<Box<dyn Input>>>,
    length: u64,
}

impl Shared {
    pub(super) fn new(input: Box<dyn Input>, length: u64) -> Self {
        Self {
            input: Arc::new(Mutex::new(input)),
            length,
        }
    }
}

impl Length for Shared {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Shared {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(Section {
            input: Arc::clone(&self.input),
            at: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.length)
        {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} of a file of {}",
                self.length
            )));
        }
        let mut bytes = vec![0; length];
        Section {
            input: Arc::clone(&self.input),
            at: start,
        }
        .read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A place in the input.
pub(super) struct Section {
    input: Arc<Mutex<Box<dyn Input>>>,
    at: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        input.seek(SeekFrom::Start(self.at))?;
        let read = input.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}
