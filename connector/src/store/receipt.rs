//! Receipts of named writers: short texts, so that an engine's checkpoint can carry many.
//!
//! A receipt is the base64 (URL alphabet, no padding) of
//!
//! ```text
//! 16 bytes  the unique part of the segment's name
//! varints   partition, attempt, rows, bytes, schema version (LEB128)
//! 16 bytes  the digest's sum, little endian
//! 12 bytes  HMAC-SHA-256 of log, writer and all before it, cut off
//! ```
//!
//! The writer is not in it: whoever commits names it, and the signature holds for that writer alone.
//! Invariant: a receipt has at most [`RECEIPT_BYTES_MAX`] characters, and one that was not given for this
//! log and writer is refused.

use super::names::{Owner, WriterId, unique_of};
use super::signer::Signer;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flinkspark_model::digest::Digest;
use flinkspark_model::log::{LogId, SegmentFormat, SegmentRef};
use flinkspark_model::{Error, Kind, Result};
use uuid::Uuid;

/// The longest receipt, in characters.
pub(super) const RECEIPT_BYTES_MAX: usize = 100;

const PURPOSE: &str = "writer receipt v1";
const MAC_BYTES: usize = 12;
/// Rows and bytes of a segment lie below this, so that each takes at most 8 bytes.
const NUMBER_END: u64 = 1 << 56;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) segment: SegmentRef,
    pub(super) schema_version: u32,
}

/// The receipt of a segment of this writer.
pub(super) fn write(
    signer: &Signer,
    log: LogId,
    writer: WriterId,
    sealed: &Sealed,
) -> Result<String> {
    signer.whole()?;
    let segment = &sealed.segment;
    let unique = unique_of(&segment.name).filter(|_| {
        segment.rows.max(segment.bytes) < NUMBER_END && segment.format == SegmentFormat::Arrow
    });
    let unique = unique.ok_or_else(|| {
        Error::new(Kind::Internal, "FS1020", "a receipt could not be encoded")
            .with_detail(format!("segment {}", segment.name))
    })?;
    let mut bytes = unique.as_bytes().to_vec();
    for number in [
        u64::from(segment.partition),
        u64::from(segment.attempt),
        segment.rows,
        segment.bytes,
        u64::from(sealed.schema_version),
    ] {
        put_varint(&mut bytes, number);
    }
    bytes.extend(segment.digest.sum.to_le_bytes());
    let mac = signer.mac_of(PURPOSE, &signed(log, writer, &bytes));
    bytes.extend(&mac[..MAC_BYTES]);
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a receipt that was given for this log and writer; anything else is `Invalid`.
pub(super) fn read(signer: &Signer, log: LogId, writer: WriterId, text: &str) -> Result<Sealed> {
    signer.whole()?;
    let foreign = || {
        let shown: String = text.chars().take(RECEIPT_BYTES_MAX).collect();
        Error::new(Kind::Invalid, "FS1008", "a receipt was not given here")
            .with_detail(format!(
                "\"{}\" is no receipt of this writer and dataset",
                shown.escape_debug()
            ))
            .with_hint("pass receipts back unchanged, to the dataset and under the writer that they were given for")
    };
    if text.len() > RECEIPT_BYTES_MAX {
        return Err(foreign());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?;
    let at = bytes.len().saturating_sub(MAC_BYTES);
    let (content, given) = bytes.split_at(at);
    let signed = signed(log, writer, content);
    if given.len() != MAC_BYTES || !signer.verify_cut(PURPOSE, &signed, given) {
        return Err(foreign());
    }
    parse(content, writer).ok_or_else(foreign)
}

fn parse(content: &[u8], writer: WriterId) -> Option<Sealed> {
    let (unique, mut rest) = content.split_first_chunk::<16>()?;
    let mut number = || take_varint(&mut rest);
    let (partition, attempt) = (number()?.try_into().ok()?, number()?.try_into().ok()?);
    let (rows, bytes) = (number()?, number()?);
    let schema_version = number()?.try_into().ok()?;
    let sum = u128::from_le_bytes(rest.try_into().ok()?);
    Some(Sealed {
        segment: SegmentRef {
            name: Owner::Writer(writer).name(Uuid::from_bytes(*unique)),
            partition,
            attempt,
            format: SegmentFormat::Arrow,
            rows,
            bytes,
            digest: Digest { rows, sum },
        },
        schema_version,
    })
}

fn signed(log: LogId, writer: WriterId, content: &[u8]) -> Vec<u8> {
    [&log.0.as_bytes()[..], &writer.0.as_bytes()[..], content].concat()
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn writer() -> WriterId {
        WriterId(Uuid::from_u128(3))
    }

    fn log() -> LogId {
        LogId(Uuid::from_u128(9))
    }

    fn sealed(numbers: (u32, u32, u64, u64, u32), sum: u128) -> Sealed {
        let (partition, attempt, rows, bytes, schema_version) = numbers;
        Sealed {
            segment: SegmentRef {
                name: Owner::Writer(writer()).name(Uuid::from_u128(u128::MAX)),
                partition,
                attempt,
                format: SegmentFormat::Arrow,
                rows,
                bytes,
                digest: Digest { rows, sum },
            },
            schema_version,
        }
    }

    #[test]
    fn the_largest_receipt_keeps_its_limit() {
        let signer = Signer::of([7; 32]);
        let largest = NUMBER_END - 1;
        let sealed = sealed((u32::MAX, u32::MAX, largest, largest, u32::MAX), u128::MAX);
        let text = write(&signer, log(), writer(), &sealed).unwrap();
        assert!(text.len() <= RECEIPT_BYTES_MAX, "{}", text.len());
        assert_eq!(read(&signer, log(), writer(), &text).unwrap(), sealed);
    }

    #[test]
    fn a_receipt_holds_for_its_log_and_writer_and_key_alone() {
        let signer = Signer::of([7; 32]);
        let text = write(&signer, log(), writer(), &sealed((0, 0, 1, 2, 1), 5)).unwrap();
        let other = Uuid::from_u128(4);
        for read in [
            read(&Signer::of([8; 32]), log(), writer(), &text),
            read(&signer, LogId(other), writer(), &text),
            read(&signer, log(), WriterId(other), &text),
            read(&signer, log(), writer(), ""),
            read(&signer, log(), writer(), &text[..text.len() - 4]),
            read(&signer, log(), writer(), &format!("{text}AAAA")),
            read(&signer, log(), writer(), &"A".repeat(101)),
        ] {
            assert_eq!(read.unwrap_err().code(), "FS1008");
        }
    }

    proptest! {
        #[test]
        fn a_receipt_survives_and_no_flipped_bit_of_it_does(
            numbers in any::<(u32, u32, u64, u64, u32)>(),
            sum in any::<u128>(),
            flip in any::<prop::sample::Index>(),
        ) {
            let signer = Signer::of([7; 32]);
            let (partition, attempt, rows, bytes, version) = numbers;
            let sealed = sealed((partition, attempt, rows % NUMBER_END, bytes % NUMBER_END, version), sum);
            let text = write(&signer, log(), writer(), &sealed)?;
            prop_assert_eq!(read(&signer, log(), writer(), &text)?, sealed);
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            let bit = flip.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(read(&signer, log(), writer(), &URL_SAFE_NO_PAD.encode(&bytes)).is_err());
        }
    }
}
