//! Makes checksums right, so that what lies behind them is reached, and finds out what an input may unpack to.
//!
//! Invariant: bytes that are no checksum, length of a seal or name of ours stay as they came; bytes that are too
//! damaged to have a checksum stay as they are altogether.

use arrow_ipc::{Block, Footer, Message, MessageHeader, root_as_footer, root_as_message};
use flinkspark_model::checksum;

/// The log that every segment is of.
pub(crate) const LOG: uuid::Uuid = uuid::Uuid::from_bytes([7; 16]);

/// The name that every segment has.
pub(crate) const SEGMENT: &str = "p0-a0-fuzz";

/// What compressed messages may unpack to: `docs/flight.md`.
const UNPACKED_MESSAGE: usize = 256 << 20;

/// What a page of a Parquet file may unpack to: `docs/formats.md`.
const UNPACKED_PAGE: usize = 256 << 20;

/// What a block of an Avro file may unpack to, and what one of its rows may take: `docs/formats.md`.
const UNPACKED_BLOCK: usize = 64 << 20;

/// A checksum of this value stays wrong: how an input says that it means a torn record.
const WRONG: [u8; 4] = *b"torn";

const TRAILER_BYTES: usize = 10;
const SEAL_BYTES: usize = 8;
const SEAL_MARK: &[u8] = b"FSK2";
const CHECKSUMS: &str = "flinkspark.crc32c";
const ROWS: &str = "flinkspark.rows";

const HEADER_BYTES: usize = 64;
const FRAME_HEAD_BYTES: usize = 24;

/// One line of JSON with the line of its CRC32C.
pub(crate) fn checked(json: &[u8]) -> Vec<u8> {
    let checksum = checksum::crc32c(json);
    let mut bytes = json.to_vec();
    bytes.extend_from_slice(format!("\ncrc32c {checksum:08x}\n").as_bytes());
    bytes
}

/// A journal with the checksums of its header, its marks and its records.
pub(crate) fn journal(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if bytes.len() < HEADER_BYTES {
        return bytes;
    }
    let fixed = checksum::crc32c(&bytes[..36]).to_le_bytes();
    put(&mut bytes, 36, fixed);
    for (slot, at) in [(0_u8, 40), (1, 52)] {
        let seed = checksum::crc32c_append(checksum::crc32c(&bytes[20..36]), &[slot]);
        let mark = checksum::crc32c_append(seed, &bytes[at..at + 8]).to_le_bytes();
        put(&mut bytes, at + 8, mark);
    }
    let mut at = HEADER_BYTES;
    while let Some(length) = number(&bytes, at) {
        let end = at.saturating_add(FRAME_HEAD_BYTES + length);
        let Some(frame) = bytes.get(at..end) else {
            break;
        };
        let sum = checksum::crc32c_append(checksum::crc32c(&frame[..4]), &frame[8..]).to_le_bytes();
        put(&mut bytes, at + 4, sum);
        at = end;
    }
    bytes
}

/// Puts a checksum, where none is that is wrong on purpose.
fn put(bytes: &mut [u8], at: usize, checksum: [u8; 4]) {
    if let Some(place) = bytes.get_mut(at..at + 4)
        && place != WRONG
    {
        place.copy_from_slice(&checksum);
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*word) as usize)
}

/// A segment's file with the checksums of its blocks and its seal, and the rows that its footer says it has.
pub(crate) fn segment(input: &[u8]) -> (Vec<u8>, u64) {
    let mut file = input.to_vec();
    let Some(start) = footer_start(&file) else {
        return (file, 0);
    };
    let Some(footer) = footer(&file) else {
        seal(&mut file, start);
        return (file, 0);
    };
    let rows = entry(&footer, ROWS).map_or(0, |(rows, _)| {
        let rows = rows.split(',').filter_map(|rows| rows.parse::<u64>().ok());
        rows.fold(0, u64::wrapping_add)
    });
    let blocks: Vec<Block> = footer
        .recordBatches()
        .into_iter()
        .flatten()
        .copied()
        .collect();
    // The text of the checksums has a fixed length: it is written over where it stands.
    if let Some((text, length)) = entry(&footer, CHECKSUMS) {
        let at = text.as_ptr() as usize - file.as_ptr() as usize;
        let sums = sums(&file, &blocks, start);
        if sums.len() == length {
            file[at..at + length].copy_from_slice(sums.as_bytes());
        }
    }
    seal(&mut file, start);
    (file, rows)
}

fn sums(file: &[u8], blocks: &[Block], start: usize) -> String {
    let tail = start.saturating_sub(SEAL_BYTES + 8);
    let range = |block: &Block| {
        let at = usize::try_from(block.offset()).ok()?;
        let metadata = usize::try_from(block.metaDataLength()).ok()?;
        let body = usize::try_from(block.bodyLength()).ok()?;
        Some(at..at.checked_add(metadata)?.checked_add(body)?)
    };
    let first = blocks
        .first()
        .and_then(range)
        .map_or(tail, |range| range.start.min(tail));
    let mut sums = vec![checksum::crc32c(&file[..first])];
    sums.extend(blocks.iter().map(|block| {
        let bytes = range(block).and_then(|range| file.get(range));
        bytes.map_or(0, checksum::crc32c)
    }));
    let sums: Vec<String> = sums.iter().map(|sum| format!("{sum:08x}")).collect();
    sums.join(",")
}

fn seal(file: &mut [u8], start: usize) {
    let sum = checksum::crc32c(&file[start..]).to_le_bytes();
    let Some(at) = start.checked_sub(SEAL_BYTES) else {
        return;
    };
    if file[at..].starts_with(SEAL_MARK) {
        put(file, at + 4, sum);
    }
}

fn entry<'a>(footer: &Footer<'a>, key: &str) -> Option<(&'a str, usize)> {
    let entries = footer.custom_metadata().into_iter().flatten();
    let mut entries = entries.filter(|entry| entry.key() == Some(key));
    let entry = entries.next_back()?;
    entry.value().map(|value| (value, value.len()))
}

fn footer_start(file: &[u8]) -> Option<usize> {
    let trailer = file.len().checked_sub(TRAILER_BYTES)?;
    trailer.checked_sub(number(file, trailer)?)
}

fn footer(file: &[u8]) -> Option<Footer<'_>> {
    let end = file.len().checked_sub(TRAILER_BYTES)?;
    root_as_footer(file.get(footer_start(file)?..end)?).ok()
}

fn compressed(message: &Message<'_>) -> bool {
    let batch = match message.header_type() {
        MessageHeader::DictionaryBatch => message
            .header_as_dictionary_batch()
            .and_then(|dictionary| dictionary.data()),
        _ => message.header_as_record_batch(),
    };
    batch.is_some_and(|batch| batch.compression().is_some())
}

/// What the messages of a put may unpack to.
pub(crate) fn unpacked_messages(input: &[u8]) -> usize {
    let mut rest = input;
    while let (Some(header), Some(body)) = (number(rest, 0), number(rest, 4)) {
        let Some(message) = rest.get(8..8 + header) else {
            break;
        };
        if root_as_message(message).is_ok_and(|message| compressed(&message)) {
            return UNPACKED_MESSAGE;
        }
        rest = rest.get(8 + header + body..).unwrap_or_default();
    }
    0
}

/// What the batches of an Arrow file may unpack to.
pub(crate) fn unpacked_file(input: &[u8]) -> usize {
    let Some(footer) = footer(input) else {
        return 0;
    };
    let blocks = footer.recordBatches().into_iter().flatten();
    let blocks = blocks.chain(footer.dictionaries().into_iter().flatten());
    let mut messages = blocks.filter_map(|block| {
        let at = usize::try_from(block.offset()).ok()?;
        // How long it is says the footer, whatever stands before it.
        let length = usize::try_from(block.metaDataLength()).ok()?;
        let message = input.get(at..at.checked_add(length)?)?;
        root_as_message(message.get(prefix_bytes(message)..)?).ok()
    });
    usize::from(messages.any(|message| compressed(&message))) * UNPACKED_MESSAGE
}

/// What the batches of an Arrow stream may unpack to.
pub(crate) fn unpacked_stream(input: &[u8]) -> usize {
    let mut at = 0;
    while let Some((message, header)) = message_at(input, at) {
        if compressed(&message) {
            return UNPACKED_MESSAGE;
        }
        let body = usize::try_from(message.bodyLength()).unwrap_or(usize::MAX);
        at = at.saturating_add(header).saturating_add(body);
    }
    unpacked_file(input)
}

/// The message that begins here, and the bytes up to its body.
fn message_at(file: &[u8], at: usize) -> Option<(Message<'_>, usize)> {
    let prefix = prefix_bytes(file.get(at..)?);
    let length = number(file, at + prefix - 4)?;
    let header = file.get(at + prefix..at.checked_add(prefix + length)?)?;
    Some((root_as_message(header).ok()?, prefix + length))
}

/// What stands before a message: a marker, which old files do not have, and its length.
fn prefix_bytes(message: &[u8]) -> usize {
    match message.starts_with(&[0xff; 4]) {
        true => 8,
        false => 4,
    }
}

/// What the pages of a Parquet file may unpack to: a dictionary and a page of a column, and what is made of each.
pub(crate) fn unpacked_pages(_input: &[u8]) -> usize {
    4 * UNPACKED_PAGE
}

/// What a block of an Avro file may unpack to and a row of it may take as columns, each while it grows.
pub(crate) fn unpacked_blocks(_input: &[u8]) -> usize {
    2 * 3 * UNPACKED_BLOCK
}
