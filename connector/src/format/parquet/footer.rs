//! A look at a Parquet footer before the decoder's: is it there, how deep is it nested, and with what
//! is it compressed?
//!
//! Reads just enough of Thrift's compact protocol to walk the schema; see `parquet.thrift`,
//! `FileMetaData.schema` (field 2), `SchemaElement.num_children` (field 5) and, beneath
//! `FileMetaData.row_groups` (field 4), `ColumnMetaData.codec` (field 4). Invariant: what passes can
//! be decoded by recursion without exhausting the stack, and in work bounded by the footer's bytes.

use crate::format::error::{damaged, unread_codec, unread_form};
use crate::format::{Format, Input};
use flinkspark_model::Error;
use std::collections::BTreeSet;
use std::io::SeekFrom;

/// The deepest schema, in Parquet's levels: a list or a map takes two of them.
const LEVELS_MAX: usize = 96;
/// The deepest Thrift value within the footer.
const THRIFT_DEPTH_MAX: usize = 24;
/// The largest footer, in bytes.
const FOOTER_BYTES_MAX: u64 = 256 << 20;
/// Footer length and magic at the end of a file, in bytes.
const TRAILER_BYTES: u64 = 8;

type Result<T> = std::result::Result<T, String>;

/// Why a file is not read.
pub(super) enum Refusal {
    /// It is torn, changed or of another format.
    Damaged(String),
    /// Its columns are compressed with something that is not read.
    Codec(String),
    /// It is encrypted.
    Encrypted,
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

impl Refusal {
    /// The error, for a file of this name.
    pub(super) fn as_error(&self, name: &str) -> Error {
        match self {
            Self::Damaged(why) => damaged(Format::PARQUET, name, why.as_str()),
            Self::Codec(codec) => {
                let hint =
                    "write it again with zstd, snappy, gzip, brotli, lz4 or without compression";
                unread_codec(name, codec, hint)
            }
            Self::Encrypted => {
                let hint = "decrypt it where it was written";
                unread_form(
                    name,
                    "is encrypted",
                    "its footer and columns are encrypted",
                    hint,
                )
            }
        }
    }
}

/// The codecs of `parquet.thrift`, by number, that are read: none, snappy, gzip, brotli, LZ4, zstd
/// and LZ4 without framing.
const CODECS_READ: [i64; 7] = [0, 1, 2, 4, 5, 6, 7];
/// The number of LZO.
const LZO: i64 = 3;

/// Refuses a file without a whole footer, with one nested too deep or with an unknown codec.
pub(super) fn check(input: &mut dyn Input, length: u64) -> std::result::Result<(), Refusal> {
    let torn =
        || "it ends before its footer: the writer did not finish, or the copy is short".to_owned();
    if length < TRAILER_BYTES + 4 {
        return Err(torn().into());
    }
    match read(input, 0, 4)?.as_slice() {
        b"PAR1" => {}
        b"PARE" => return Err(Refusal::Encrypted),
        _ => return Err(Refusal::Damaged("it does not begin with PAR1".into())),
    }
    let trailer = read(input, length - TRAILER_BYTES, TRAILER_BYTES)?;
    let (bytes, magic) = trailer.split_at(4);
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(Refusal::Encrypted),
        _ => return Err(torn().into()),
    }
    let bytes = u64::from(bytes.try_into().map(u32::from_le_bytes).unwrap_or_default());
    if bytes > FOOTER_BYTES_MAX {
        return Err(format!("a footer of {bytes} bytes is too large").into());
    }
    let start = (length - TRAILER_BYTES)
        .checked_sub(bytes)
        .ok_or_else(|| "its footer is larger than the file".to_owned())?;
    let footer = read(input, start, bytes)?;
    let codecs = Thrift { rest: &footer }
        .file_metadata()
        .ok_or_else(|| "its footer is damaged or nested too deep".to_owned())?;
    match codecs.iter().find(|codec| !CODECS_READ.contains(codec)) {
        Some(&LZO) => Err(Refusal::Codec("LZO".into())),
        Some(codec) => Err(Refusal::Codec(format!("codec {codec}"))),
        None => Ok(()),
    }
}

fn read(input: &mut dyn Input, at: u64, length: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    let read = input
        .seek(SeekFrom::Start(at))
        .and_then(|_| input.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|cause| cause.to_string())
}

const STOP: u8 = 0;
const I8: u8 = 3;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;

/// What the header of a page states, as far as it decides how the page may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// The number of the encoding, 0 where it states none.
    pub(super) encoding: i64,
    /// The bytes of the page that follow the header.
    pub(super) body: i64,
    /// The bytes that they unpack to.
    pub(super) unpacked: i64,
    /// The bytes of the header.
    pub(super) length: usize,
}

/// The header with which the bytes begin; `None` where it is not whole.
pub(super) fn page_header(bytes: &[u8]) -> Option<PageHeader> {
    let (mut encoding, mut body, mut unpacked) = (0, 0, 0);
    let mut thrift = Thrift { rest: bytes };
    thrift.fields(&mut |header, id, kind| match (id, kind) {
        (2, I32) => {
            unpacked = header.int32()?;
            Some(())
        }
        (3, I32) => {
            body = header.int32()?;
            Some(())
        }
        // Data pages of version 1 and of version 2.
        (5 | 8, STRUCT) => header.fields(&mut |this, inner, kind| match (id, inner, kind) {
            (5, 2, I32) | (8, 4, I32) => {
                encoding = this.int32()?;
                Some(())
            }
            (5, 1..=4, I32) | (8, 1..=6, I32) => this.skip(kind, 2),
            (5, 1..=4, _) | (8, 1..=6, _) => None,
            _ => this.skip(kind, 2),
        }),
        (1 | 4, I32) | (6 | 7, STRUCT) => header.skip(kind, 1),
        (1..=8, _) => None,
        _ => header.skip(kind, 1),
    })?;
    Some(PageHeader {
        encoding,
        body,
        unpacked,
        length: bytes.len() - thrift.rest.len(),
    })
}

/// A cursor over compact Thrift; every method is `None` at damage. The decoder reads a field that it knows by its number
/// alone: one that is looked at here has the type that it must have.
struct Thrift<'a> {
    rest: &'a [u8],
}

impl Thrift<'_> {
    /// The numbers of the codecs that the columns have.
    fn file_metadata(&mut self) -> Option<BTreeSet<i64>> {
        let (mut id, mut codecs) = (0, BTreeSet::new());
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (2, LIST) => self.schema()?,
                (4, LIST) => self.structs(&mut |row_group| {
                    row_group.fields(&mut |this, id, kind| match (id, kind) {
                        (1, LIST) => this.structs(&mut |chunk| chunk.chunk(&mut codecs)),
                        (1, _) => None,
                        _ => this.skip(kind, 1),
                    })
                })?,
                (2 | 4, _) => return None,
                _ => self.skip(kind, 0)?,
            }
        }
        Some(codecs)
    }

    /// A column chunk: adds its codec.
    fn chunk(&mut self, codecs: &mut BTreeSet<i64>) -> Option<()> {
        self.fields(&mut |chunk, id, kind| match (id, kind) {
            (3, STRUCT) => chunk.fields(&mut |this, id, kind| match (id, kind) {
                (4, I32) => {
                    codecs.insert(this.int32()?);
                    Some(())
                }
                (4, _) => None,
                _ => this.skip(kind, 3),
            }),
            (3, _) => None,
            _ => chunk.skip(kind, 2),
        })
    }

    /// Each struct of a list.
    fn structs(&mut self, each: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let (kind, count) = self.list()?;
        if count > 0 && kind != STRUCT {
            return None;
        }
        (0..count).try_for_each(|_| each(self))
    }

    /// Each field of a struct: the callee consumes its value.
    fn fields(&mut self, each: &mut dyn FnMut(&mut Self, i64, u8) -> Option<()>) -> Option<()> {
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            each(self, id, kind)?;
        }
        Some(())
    }

    /// Walks the schema's elements, which come depth first, and counts open levels. None has more children than
    /// elements follow it: the decoder takes room for them at once.
    fn schema(&mut self) -> Option<()> {
        let (kind, elements) = self.list()?;
        let mut open: Vec<i64> = Vec::new();
        for follow in (0..i64::try_from(elements).ok()?).rev() {
            if kind != STRUCT || open.len() > LEVELS_MAX {
                return None;
            }
            let (mut id, mut children) = (0, 0);
            while let Some(kind) = self.field(&mut id)? {
                match (id, kind) {
                    (5, I32) => children = self.int32()?,
                    (5, _) => return None,
                    _ => self.skip(kind, 0)?,
                }
            }
            if !(0..=follow).contains(&children) {
                return None;
            }
            if let Some(siblings) = open.last_mut() {
                *siblings -= 1;
            }
            if children > 0 {
                open.push(children);
            }
            while open.last() == Some(&0) {
                open.pop();
            }
        }
        Some(())
    }

    /// The next field's type, its number in `id`; `Some(None)` at the struct's end.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == STOP {
            return Some(None);
        }
        *id = if byte >> 4 == 0 {
            self.zigzag()?
        } else {
            id.checked_add(i64::from(byte >> 4))?
        };
        // Of a longer number the decoder takes the lower bits: it would see another field.
        i16::try_from(*id).ok()?;
        Some(Some(byte & 0x0f))
    }

    fn list(&mut self) -> Option<(u8, u64)> {
        let byte = self.byte()?;
        let count = if byte >> 4 == 15 {
            self.varint()?
        } else {
            u64::from(byte >> 4)
        };
        Some((byte & 0x0f, count))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > THRIFT_DEPTH_MAX {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            I8 => self.take(1),
            4..=I64 => self.varint().map(drop),
            DOUBLE => self.take(8),
            BINARY => {
                let length = self.varint()?;
                self.take(usize::try_from(length).ok()?)
            }
            LIST | SET => {
                let (kind, count) = self.list()?;
                // Booleans take a byte within lists, but none in the decoder's eyes, which counts them without end;
                // no footer and no page's header has such a list.
                if count > 0 && matches!(kind, 1 | 2) {
                    return None;
                }
                (0..count).try_for_each(|_| self.skip(kind, depth + 1))
            }
            MAP => {
                let count = self.varint()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                let (key, value) = (kinds >> 4, kinds & 0x0f);
                if count > 0 && (matches!(key, 1 | 2) || matches!(value, 1 | 2)) {
                    return None;
                }
                (0..count).try_for_each(|_| {
                    self.skip(key, depth + 1)?;
                    self.skip(value, depth + 1)
                })
            }
            STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn take(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A number of 32 bits; of a longer one the decoder takes the lower bits.
    fn int32(&mut self) -> Option<i64> {
        let value = self.zigzag()?;
        i32::try_from(value).ok().map(i64::from)
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
