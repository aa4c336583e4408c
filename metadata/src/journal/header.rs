//! The journal's first 64 bytes: what the file is, and how much of it was acknowledged.
//!
//! ```text
//! 0   magic "FLSPJRNL"          20  identity, 16 random bytes
//! 8   format version, u32       36  CRC32C of bytes 0..36
//! 12  first sequence, u64       40  mark A, 52 mark B: sequence u64, CRC32C u32
//! ```
//! All integers are little-endian. The two marks are written in turn after each sync, before the
//! acknowledgement: the greater valid one is the journal's own high-water mark. It costs no sync of
//! its own: it survives a killed process at once, and power loss with the next sync.
//! Invariant: no acknowledged sequence lies above the mark of a process that was merely killed.

use crate::error;
use flinkspark_model::Result;
use flinkspark_model::checksum;

/// The version of the journal's format that this program writes.
pub(crate) const VERSION: u32 = 1;
/// Bytes before the first record.
pub(crate) const HEADER_BYTES: u64 = 64;

/// The greatest first sequence: those that follow it fit 64 bits, whatever a file holds.
const FIRST_MAX: u64 = 1 << 62;

const MAGIC: &[u8; 8] = b"FLSPJRNL";
const FIXED_BYTES: usize = 36;
const MARKS_OFFSET: usize = 40;
const MARK_BYTES: usize = 12;

/// What a journal's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The sequence of the first record in this file; compaction raises it.
    pub(crate) first: u64,
    /// Random; an index of another journal is recognised by it.
    pub(crate) identity: [u8; 16],
    /// The greatest sequence known to be acknowledged.
    pub(crate) mark: u64,
    /// Which of the two marks is to be written next.
    pub(crate) next_slot: usize,
}

impl Header {
    /// The header of a journal whose first record will be `first`.
    pub(crate) fn new(first: u64, identity: [u8; 16]) -> Self {
        Self {
            first,
            identity,
            mark: first.saturating_sub(1),
            next_slot: 0,
        }
    }

    /// The same journal's header where exactly the records up to `mark` are acknowledged.
    pub(crate) fn acknowledged(header: &Self, mark: u64) -> Self {
        Self {
            mark,
            next_slot: 0,
            ..*header
        }
    }

    /// The header's bytes, with both marks.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.identity);
        bytes.extend_from_slice(&checksum::crc32c(&bytes).to_le_bytes());
        for slot in 0..2 {
            bytes.extend_from_slice(&encode_mark(&self.identity, slot, self.mark));
        }
        bytes
    }

    /// Reads a header; a newer format is refused by name before anything else is believed.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = |why: &str| error::damaged(0, why);
        let fixed = bytes
            .get(..FIXED_BYTES)
            .ok_or_else(|| damaged("the header is cut short"))?;
        if !fixed.starts_with(MAGIC) {
            return Err(damaged("it does not begin like a journal"));
        }
        let version = u32_at(bytes, 8).unwrap_or(0);
        let checksum = u32_at(bytes, FIXED_BYTES);
        // With this version's number in its place the checksum fits: it is the number that is damaged.
        let mut ours = fixed.to_vec();
        ours.splice(8..12, VERSION.to_le_bytes());
        if version > VERSION && checksum != Some(checksum::crc32c(&ours)) {
            return Err(error::newer("journal", version, VERSION));
        }
        if checksum != Some(checksum::crc32c(fixed)) {
            return Err(damaged("the header's checksum differs"));
        }
        // Version 1 is the first: an older one would be migrated here.
        if version != VERSION {
            return Err(damaged("version 0 was never written"));
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(&fixed[20..36]);
        let first = u64_at(bytes, 12).unwrap_or(0);
        if !(1..=FIRST_MAX).contains(&first) {
            return Err(damaged("its records have numbers that none can have"));
        }
        let marks = [
            decode_mark(bytes, &identity, 0),
            decode_mark(bytes, &identity, 1),
        ];
        let mark = marks
            .iter()
            .flatten()
            .max()
            .copied()
            .ok_or_else(|| damaged("neither mark can be read"))?;
        let next_slot = usize::from(marks[0] == Some(mark));
        Ok(Self {
            first,
            identity,
            mark,
            next_slot,
        })
    }

    /// Raises the mark; returns where its bytes go and what they are.
    pub(crate) fn raise(&mut self, mark: u64) -> (u64, [u8; MARK_BYTES]) {
        let slot = self.next_slot;
        self.mark = mark;
        self.next_slot = 1 - slot;
        (
            (MARKS_OFFSET + slot * MARK_BYTES) as u64,
            encode_mark(&self.identity, slot, mark),
        )
    }
}

fn mark_checksum(identity: &[u8; 16], slot: usize, mark: [u8; 8]) -> u32 {
    let seed = checksum::crc32c_append(checksum::crc32c(identity), &[slot as u8]);
    checksum::crc32c_append(seed, &mark)
}

fn encode_mark(identity: &[u8; 16], slot: usize, mark: u64) -> [u8; MARK_BYTES] {
    let mut bytes = [0; MARK_BYTES];
    bytes[..8].copy_from_slice(&mark.to_le_bytes());
    bytes[8..].copy_from_slice(&mark_checksum(identity, slot, mark.to_le_bytes()).to_le_bytes());
    bytes
}

fn decode_mark(header: &[u8], identity: &[u8; 16], slot: usize) -> Option<u64> {
    let offset = MARKS_OFFSET + slot * MARK_BYTES;
    let mark = u64_at(header, offset)?;
    let checksum = u32_at(header, offset + 8)?;
    (checksum == mark_checksum(identity, slot, mark.to_le_bytes())).then_some(mark)
}

/// The little-endian `u32` at `offset`, if it is there.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..offset + 4)?
        .try_into()
        .ok()
        .map(u32::from_le_bytes)
}

/// The little-endian `u64` at `offset`, if it is there.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes
        .get(offset..offset + 8)?
        .try_into()
        .ok()
        .map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = Header::new(7, [3; 16]);
        let bytes = header.encode();
        assert_eq!(bytes.len() as u64, HEADER_BYTES);
        let read = Header::decode(&bytes).unwrap();
        assert_eq!((read.first, read.identity, read.mark), (7, [3; 16], 6));
    }

    #[test]
    fn the_marks_are_written_in_turn_and_one_torn_mark_is_survived() {
        let mut header = Header::new(1, [9; 16]);
        let mut bytes = header.encode();
        for mark in 1..6 {
            let (offset, mark_bytes) = header.raise(mark);
            let at = offset as usize;
            let before = bytes.clone();
            bytes[at..at + mark_bytes.len()].copy_from_slice(&mark_bytes);
            assert_eq!(Header::decode(&bytes).unwrap(), header);
            let mut torn = before;
            torn[at + 3] ^= 0xff;
            assert_eq!(Header::decode(&torn).unwrap().mark, mark - 1);
        }
    }

    #[test]
    fn a_first_sequence_that_no_journal_has_is_refused() {
        for (first, whole) in [(0, false), (1, true), (FIRST_MAX, true), (u64::MAX, false)] {
            let read = Header::decode(&Header::new(first, [0; 16]).encode());
            match read {
                Ok(header) => assert!(whole && header.first == first),
                Err(error) => assert!(!whole && error.code() == "FS0503", "{error}"),
            }
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let mut bytes = Header::new(1, [0; 16]).encode();
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes).unwrap_err().code(), "FS0503");
        bytes[36..40].copy_from_slice(&[9; 4]);
        let error = Header::decode(&bytes).unwrap_err();
        assert_eq!(error.code(), "FS0502");
        assert!(error.detail().unwrap().contains("version 2"), "{error}");
    }
}
