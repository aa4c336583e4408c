//! Where a record stands in the journal, and how to read it again.
//!
//! The index keeps places instead of datasets: it stays small, and a dataset's record is stored once.
//! Invariant: a record is returned only with the sequence, length and checksum that its place expects.

use super::frame::{self, FRAME_HEAD_BYTES, RECORD_BYTES_MAX};
use super::header::{u32_at, u64_at};
use crate::disk::File;
use crate::error;
use flinkspark_model::Result;
use std::path::Path;
use std::sync::Arc;

/// Where a record stands; 20 bytes, little-endian, in the order of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The record's number.
    pub(crate) sequence: u64,
    /// Where its frame begins.
    pub(crate) offset: u64,
    /// Bytes of its payload.
    pub(crate) bytes: u32,
}

impl Place {
    /// The place of a payload whose frame begins at `offset`.
    pub(crate) fn of(sequence: u64, offset: u64, payload: &[u8]) -> Self {
        Self {
            sequence,
            offset,
            bytes: payload.len() as u32,
        }
    }

    /// Where the next frame begins.
    pub(crate) fn end(&self) -> u64 {
        self.offset + FRAME_HEAD_BYTES as u64 + u64::from(self.bytes)
    }

    /// The place as an index value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        [
            &self.sequence.to_le_bytes()[..],
            &self.offset.to_le_bytes(),
            &self.bytes.to_le_bytes(),
        ]
        .concat()
    }

    /// What [`Place::encode`] made.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let place = Self {
            sequence: u64_at(bytes, 0)?,
            offset: u64_at(bytes, 8)?,
            bytes: u32_at(bytes, 16)?,
        };
        (bytes.len() == 20).then_some(place)
    }
}

/// Reads single records, from any thread.
#[derive(Clone)]
pub(crate) struct Records(pub(super) Arc<dyn File>);

impl Records {
    /// The payload at a place.
    pub(crate) fn get(&self, place: Place) -> Result<Vec<u8>> {
        let length = FRAME_HEAD_BYTES + (place.bytes as usize).min(RECORD_BYTES_MAX);
        let mut bytes = vec![0; length];
        let read = self.0.read_at(place.offset, &mut bytes);
        let count =
            read.map_err(|cause| error::file("read its journal", Path::new("journal"), cause))?;
        match frame::decode(&bytes[..count]) {
            Ok(frame)
                if frame.sequence == place.sequence
                    && frame.payload.len() as u32 == place.bytes =>
            {
                Ok(bytes.split_off(FRAME_HEAD_BYTES))
            }
            Ok(frame) => {
                let why = format!(
                    "record {} stands where the index expects {}",
                    frame.sequence, place.sequence
                );
                Err(error::damaged(place.offset, why))
            }
            Err(flaw) => Err(error::damaged(
                place.offset,
                format!("{flaw} (record {})", place.sequence),
            )),
        }
    }
}
