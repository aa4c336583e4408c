//! The container: a header, then blocks of rows, each with the file's sync marker behind it.
//!
//! The format has no end: a file that was cut between two blocks looks whole. So our writer says which block is the
//! last, in a way that no other reader sees: the number of its rows takes a byte more than it needs. And it takes as
//! marker the hash of the header and the first block, by which our reader knows its files; that is as good as a
//! random one, since no row can hold the hash of what it stands in, and the same rows make the same file. Whoever
//! packs the blocks anew writes another marker, and whoever appends to a file does so behind its last block.
//! Invariant: nothing is reserved for a length before it was compared with what there is of the file, and a file that
//! our writer began is whole only with the block that it ended with.

use super::cursor::{BYTES_MAX, Number, number, put_number};
use crate::format::error::{cannot_open, damaged};
use crate::format::{Format, Input};
use flinkspark_model::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

const MAGIC: [u8; 4] = *b"Obj\x01";

/// The largest header, in bytes: a schema, and what is said of it.
const HEADER_BYTES_MAX: u64 = 64 << 20;

/// The key of the file's schema.
pub(super) const SCHEMA: &str = "avro.schema";

/// The key of the codec; without it blocks are not packed.
pub(super) const CODEC: &str = "avro.codec";

/// The key of the schema that the columns had before they were written, as [`flinkspark_model::schema::to_json`]
/// writes it.
pub(super) const OWN_SCHEMA: &str = "flinkspark.schema";

pub(super) type Sync = [u8; 16];

/// The header up to its marker.
pub(super) fn header(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    put_number(entries.len() as i64, &mut bytes);
    for text in entries.iter().flat_map(|(key, value)| [key, value]) {
        put_number(text.len() as i64, &mut bytes);
        bytes.extend(text.as_bytes());
    }
    put_number(0, &mut bytes);
    bytes
}

/// The marker of a file that our writer begins with this header and this block; with none where it has no rows.
pub(super) fn sync(header: &[u8], first: &[u8]) -> Sync {
    let hash = Sha256::new().chain_update(header).chain_update(first);
    let mut sync = Sync::default();
    sync.copy_from_slice(&hash.finalize()[..16]);
    sync
}

/// What stands before the bytes of a block. A number that is padded says that it is the last.
pub(super) fn frame(rows: u64, length: usize, last: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_number(rows as i64, &mut bytes);
    if last && let Some(byte) = bytes.last_mut() {
        *byte |= 0x80;
        bytes.push(0);
    }
    put_number(length as i64, &mut bytes);
    bytes
}

/// Where a block stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Its first byte.
    pub(super) at: u64,
}

/// A block as it stands in the file.
pub(super) struct Block {
    pub(super) place: Place,
    pub(super) rows: u64,
    pub(super) packed: Vec<u8>,
}

/// Reads a file block by block.
pub(super) struct Container {
    input: BufReader<Box<dyn Input>>,
    name: String,
    at: u64,
    length: u64,
    /// What the header says.
    pub(super) metadata: HashMap<String, Vec<u8>>,
    header: Vec<u8>,
    sync: Sync,
    blocks: u64,
    end: End,
}

/// What is known of the file's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing yet: the first block tells.
    Unknown,
    /// It may come after any block.
    Anywhere,
    /// It comes after a block that says so.
    Marked,
}

impl Container {
    pub(super) fn open(mut input: Box<dyn Input>, name: &str) -> Result<Self> {
        let length = input.seek(SeekFrom::End(0));
        let length = length.and_then(|length| input.rewind().map(|()| length));
        let mut container = Self {
            input: BufReader::new(input),
            name: name.into(),
            at: 0,
            length: length.map_err(|cause| cannot_open(name, cause))?,
            metadata: HashMap::new(),
            header: Vec::new(),
            sync: Sync::default(),
            blocks: 0,
            end: End::Unknown,
        };
        container.read_header()?;
        Ok(container)
    }

    fn read_header(&mut self) -> Result<()> {
        if self.length < 4 || self.bytes(4)? != MAGIC {
            return Err(self.damaged("it does not begin as one"));
        }
        loop {
            let count = self.number()?.value;
            if count == 0 {
                break;
            }
            if count < 0 {
                self.number()?;
            }
            for _ in 0..count.unsigned_abs() {
                let key = self.entry()?;
                let value = self.entry()?;
                let key = String::from_utf8(key);
                let key = key.map_err(|_| self.damaged("a key of its header is not UTF-8"))?;
                self.metadata.insert(key, value);
            }
        }
        let length = self.at;
        if self.metadata.contains_key(OWN_SCHEMA) {
            self.seek(0)?;
            self.header = self.bytes(length)?;
        } else {
            self.end = End::Anywhere;
        }
        self.sync = self.marker()?;
        Ok(())
    }

    /// A key or a value of the header.
    fn entry(&mut self) -> Result<Vec<u8>> {
        let length = self.number()?.value;
        let room = HEADER_BYTES_MAX.saturating_sub(self.at);
        match u64::try_from(length) {
            Ok(length) if length <= room => self.bytes(length),
            _ => Err(self.damaged("its header is longer than any")),
        }
    }

    /// The next block; none at the end of the file.
    pub(super) fn block(&mut self) -> Result<Option<Block>> {
        if self.at == self.length {
            return self.check_end().map(|()| None);
        }
        let place = Place {
            number: self.blocks + 1,
            at: self.at,
        };
        let rows = self.number()?;
        let length = self.number()?.value;
        let wrong = |why: String| self.damaged_block(place, why);
        let count = u64::try_from(rows.value)
            .map_err(|_| wrong(format!("it says that it has {} rows", rows.value)))?;
        let left = (self.length - self.at).saturating_sub(16);
        let length = u64::try_from(length)
            .ok()
            .filter(|length| *length <= left)
            .ok_or_else(|| wrong(format!("it says that it has {length} bytes, of {left}")))?;
        if length > BYTES_MAX as u64 {
            let why = format!("it has {length} bytes; the limit is {BYTES_MAX}");
            return Err(wrong(why));
        }
        let packed = self.bytes(length)?;
        if self.marker()? != self.sync {
            let why = "what stands behind it is not the file's sync marker".into();
            return Err(self.damaged_block(place, why));
        }
        self.blocks += 1;
        self.note_end(rows, &packed);
        Ok(Some(Block {
            place,
            rows: count,
            packed,
        }))
    }

    fn note_end(&mut self, rows: Number, packed: &[u8]) {
        if self.end == End::Unknown {
            let ours = sync(&self.header, packed) == self.sync;
            self.end = if ours { End::Marked } else { End::Anywhere };
            self.header = Vec::new();
        }
        if rows.padded {
            self.end = End::Anywhere;
        }
    }

    fn check_end(&self) -> Result<()> {
        let whole = match self.end {
            End::Anywhere => true,
            End::Marked => false,
            End::Unknown => sync(&self.header, &[]) == self.sync,
        };
        if whole {
            return Ok(());
        }
        let why = format!(
            "it ends after block {}, before the one that its writer ended with: the writer did not finish, or the copy is short",
            self.blocks
        );
        Err(self.damaged(why))
    }

    fn marker(&mut self) -> Result<Sync> {
        let bytes = self.bytes(16)?;
        let mut sync = Sync::default();
        sync.copy_from_slice(&bytes);
        Ok(sync)
    }

    fn number(&mut self) -> Result<Number> {
        match number(|| self.bytes(1).map(|bytes| bytes[0]))? {
            Some(number) => Ok(number),
            None => {
                let why = format!("the number before byte {} has more than 64 bits", self.at);
                Err(self.damaged(why))
            }
        }
    }

    /// The next bytes, where the file has as many.
    fn bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        if length > self.length - self.at {
            let why = format!(
                "it ends at byte {}, within what begins at byte {}: the writer did not finish, or the copy is short",
                self.length, self.at
            );
            return Err(self.damaged(why));
        }
        let mut bytes = vec![0; length as usize];
        let read = self.input.read_exact(&mut bytes);
        read.map_err(|cause| cannot_open(&self.name, cause))?;
        self.at += length;
        Ok(bytes)
    }

    fn seek(&mut self, at: u64) -> Result<()> {
        let sought = self.input.seek(SeekFrom::Start(at));
        sought.map_err(|cause| cannot_open(&self.name, cause))?;
        self.at = at;
        Ok(())
    }

    /// The file's name in errors.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn damaged(&self, why: impl Into<String>) -> Error {
        damaged(Format::AVRO, &self.name, why)
    }

    fn damaged_block(&self, place: Place, why: String) -> Error {
        damaged_block(&self.name, place, why)
    }
}

/// A block of a file of this name is not whole.
pub(super) fn damaged_block(name: &str, place: Place, why: String) -> Error {
    let Place { number, at } = place;
    damaged(
        Format::AVRO,
        name,
        format!("block {number}, at byte {at}: {why}"),
    )
}
