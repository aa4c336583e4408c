//! One record as bytes.
//!
//! ```text
//! 0  payload length, u32     8  sequence, u64
//! 4  CRC32C of the rest      16 first sequence of its group, u64     24 payload
//! ```
//! Little-endian; the checksum covers the length, both sequences and the payload. A group is what one
//! sync made durable: a record of a later group proves that every earlier group was synced.
//! Invariant: `decode(encode(x)) == x`, and no other bytes decode.

use super::header::{u32_at, u64_at};
use flinkspark_model::checksum;

/// Bytes of a frame before its payload.
pub(crate) const FRAME_HEAD_BYTES: usize = 24;
/// The largest payload, in bytes.
pub(crate) const RECORD_BYTES_MAX: usize = 16 * 1024;
/// The largest frame, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = FRAME_HEAD_BYTES + RECORD_BYTES_MAX;

/// A decoded record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Its number: dense, from the header's first.
    pub(crate) sequence: u64,
    /// The number of the first record that was written and synced together with it.
    pub(crate) group: u64,
    /// What it says.
    pub(crate) payload: &'a [u8],
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    /// The bytes end before the frame does.
    #[error("the record is cut short")]
    Short,
    /// No record has this length.
    #[error("a record of {0} bytes is impossible")]
    Length(u32),
    /// The checksum differs.
    #[error("the record's checksum differs")]
    Checksum,
}

impl Frame<'_> {
    /// Appends the frame's bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.group.to_le_bytes());
        out.extend_from_slice(self.payload);
        let checksum = checksum(&out[start..]);
        out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Reads the frame at the beginning of `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Result<Frame<'_>, Flaw> {
    let (Some(length), Some(sequence), Some(group)) =
        (u32_at(bytes, 0), u64_at(bytes, 8), u64_at(bytes, 16))
    else {
        return Err(Flaw::Short);
    };
    if length == 0 || length as usize > RECORD_BYTES_MAX {
        return Err(Flaw::Length(length));
    }
    let whole = bytes
        .get(..FRAME_HEAD_BYTES + length as usize)
        .ok_or(Flaw::Short)?;
    if u32_at(bytes, 4) != Some(checksum(whole)) {
        return Err(Flaw::Checksum);
    }
    Ok(Frame {
        sequence,
        group,
        payload: &whole[FRAME_HEAD_BYTES..],
    })
}

fn checksum(frame: &[u8]) -> u32 {
    checksum::crc32c_append(checksum::crc32c(&frame[..4]), &frame[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written_and_no_flipped_byte_is_missed() {
        let frame = Frame {
            sequence: 5,
            group: 4,
            payload: b"hello",
        };
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        assert_eq!(decode(&bytes), Ok(frame));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(decode(&flipped).is_err(), "byte {at} bit {bit}");
            }
        }
        for length in 0..bytes.len() {
            assert_eq!(
                decode(&bytes[..length]),
                Err(Flaw::Short),
                "length {length}"
            );
        }
    }
}
