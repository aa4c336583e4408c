//! Thrift's values in memory, in both protocols, and what is counted while a record is read.
//!
//! After the specifications of the binary and the compact protocol (`thrift-binary-protocol.md` and
//! `thrift-compact-protocol.md` of Apache Thrift). Every value takes a byte at least, so that a list cannot be longer than
//! what is left of its record. Invariant: nothing is taken beyond the bytes that are there, a number of more bits than
//! its type is a fault, and no record is made to more than [`BYTES_MAX`] bytes of columns.

mod kind;
mod varint;

use super::options::ThriftProtocol;
pub(super) use kind::Kind;
pub(super) use varint::{put_varint, zigzag};
use varint::{unzigzag, varint};

/// The most bytes of a record, in the file and in columns.
pub(super) const BYTES_MAX: usize = 64 << 20;

/// The most structs and lists within each other that are skipped.
const DEPTH_MAX: usize = 64;

/// Why a value was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) why: String,
    /// The column, with its fields and items.
    pub(super) path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The bytes contradict themselves, the schema, or a limit.
    Damaged,
    /// They are right, and the column's type has no such value.
    Unheld,
}

pub(super) type Result<T> = std::result::Result<T, Fault>;

pub(super) fn damaged<T>(why: impl Into<String>) -> Result<T> {
    Err(Fault {
        kind: FaultKind::Damaged,
        why: why.into(),
        path: String::new(),
    })
}

pub(super) fn unheld(why: impl Into<String>) -> Fault {
    Fault {
        kind: FaultKind::Unheld,
        why: why.into(),
        path: String::new(),
    }
}

impl Fault {
    /// The same of a value below this field.
    pub(super) fn below(mut self, field: &str) -> Self {
        let dot = match self.path.as_str() {
            "" => "",
            path if path.starts_with('[') => "",
            _ => ".",
        };
        self.path = format!("{field}{dot}{}", self.path);
        self
    }
}

/// What stands before a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: i16,
    pub(super) kind: Kind,
}

/// Reads the values of one record.
pub(super) struct Cursor<'a> {
    protocol: ThriftProtocol,
    length: usize,
    rest: &'a [u8],
    /// Where the last field or item began that was begun.
    begun: usize,
    /// What the record may still take, in bytes of columns.
    room: usize,
    /// The field before, in the struct that is being read.
    last: i16,
    /// The truth value that stood in a header.
    truth: Option<bool>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], protocol: ThriftProtocol) -> Self {
        Self {
            protocol,
            length: bytes.len(),
            rest: bytes,
            begun: 0,
            room: BYTES_MAX,
            last: 0,
            truth: None,
        }
    }

    pub(super) fn protocol(&self) -> ThriftProtocol {
        self.protocol
    }

    /// The bytes that were not taken yet.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Where the last field or item began, in the record's bytes from 0.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// What the record took so far, in bytes of columns.
    pub(super) fn taken(&self) -> usize {
        BYTES_MAX - self.room
    }

    /// Counts what a value takes in its column.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<()> {
        match self.room.checked_sub(bytes) {
            Some(room) => {
                self.room = room;
                Ok(())
            }
            None => damaged(format!("a record takes more than {BYTES_MAX} bytes")),
        }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => damaged("a value goes beyond the end of its record"),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        let array = taken.try_into();
        array.or_else(|_| damaged("a value goes beyond the end of its record"))
    }

    fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn varint(&mut self) -> Result<u64> {
        match varint(|| self.byte())? {
            Some(bits) => Ok(bits),
            None => damaged("a number has more than 64 bits"),
        }
    }

    /// A number of the kind, which is one of whole numbers.
    pub(super) fn whole(&mut self, kind: Kind) -> Result<i64> {
        let value = match (self.protocol, kind) {
            (_, Kind::I8) => return Ok(i8::from_be_bytes(self.array()?).into()),
            (ThriftProtocol::Compact, _) => unzigzag(self.varint()?),
            (_, Kind::I16) => i16::from_be_bytes(self.array()?).into(),
            (_, Kind::I32) => i32::from_be_bytes(self.array()?).into(),
            _ => i64::from_be_bytes(self.array()?),
        };
        let fits = match kind {
            Kind::I16 => i16::try_from(value).is_ok(),
            Kind::I32 => i32::try_from(value).is_ok(),
            _ => true,
        };
        match fits {
            true => Ok(value),
            false => damaged(format!("{value} is no {}", kind.name())),
        }
    }

    pub(super) fn truth(&mut self) -> Result<bool> {
        if let Some(truth) = self.truth.take() {
            return Ok(truth);
        }
        match (self.protocol, self.byte()?) {
            (_, 1) => Ok(true),
            (_, 0) | (ThriftProtocol::Compact, 2) => Ok(false),
            (_, other) => damaged(format!("a truth value is {other}")),
        }
    }

    pub(super) fn double(&mut self) -> Result<f64> {
        Ok(match self.protocol {
            ThriftProtocol::Binary => f64::from_be_bytes(self.array()?),
            ThriftProtocol::Compact => f64::from_le_bytes(self.array()?),
        })
    }

    /// A length or a count, as it stands.
    fn size(&mut self) -> Result<usize> {
        let size = match self.protocol {
            ThriftProtocol::Binary => i64::from(i32::from_be_bytes(self.array()?)),
            ThriftProtocol::Compact => {
                let bits = self.varint()?;
                i64::from(
                    i32::try_from(bits)
                        .or_else(|_| damaged(format!("a value has the length {bits}")))?,
                )
            }
        };
        usize::try_from(size).or_else(|_| damaged(format!("a value has the length {size}")))
    }

    /// Bytes with their length before them.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.size()?;
        self.take(length)
    }

    /// Text with its length before it.
    pub(super) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).or_else(|_| damaged("a string is not UTF-8"))
    }

    fn kind(&self, code: u8) -> Result<Kind> {
        match Kind::coded(code, self.protocol) {
            Some(kind) => Ok(kind),
            None => damaged(format!(
                "a value has the type {code}, which Thrift does not have"
            )),
        }
    }

    /// What stands before the items of a list or a set: their type where there are any, and how many there are.
    pub(super) fn list(&mut self) -> Result<(Option<Kind>, usize)> {
        let first = self.byte()?;
        let (code, count) = match (self.protocol, first >> 4) {
            (ThriftProtocol::Binary, _) => (first, self.size()?),
            (ThriftProtocol::Compact, 15) => (first & 0x0f, self.size()?),
            (ThriftProtocol::Compact, count) => (first & 0x0f, count.into()),
        };
        self.held(count, 1)?;
        match count {
            0 => Ok((None, 0)),
            _ => Ok((Some(self.kind(code)?), count)),
        }
    }

    /// What stands before the entries of a map: the types of keys and values where there are any, and how many there are.
    pub(super) fn map(&mut self) -> Result<(Option<(Kind, Kind)>, usize)> {
        let (key, value, count) = match self.protocol {
            ThriftProtocol::Binary => {
                let [key, value] = self.array()?;
                (key, value, self.size()?)
            }
            ThriftProtocol::Compact => match self.size()? {
                0 => (0, 0, 0),
                count => {
                    let kinds = self.byte()?;
                    (kinds >> 4, kinds & 0x0f, count)
                }
            },
        };
        self.held(count, 2)?;
        match count {
            0 => Ok((None, 0)),
            _ => Ok((Some((self.kind(key)?, self.kind(value)?)), count)),
        }
    }

    /// Refuses more items than there are bytes for them.
    fn held(&self, count: usize, bytes: usize) -> Result<()> {
        if count.saturating_mul(bytes) > self.rest.len() {
            return damaged(format!(
                "a list of {count} goes beyond the end of its record"
            ));
        }
        Ok(())
    }

    /// Begins an item: where it is, if it turns out to be wrong.
    pub(super) fn begin(&mut self) {
        self.begun = self.at();
    }

    /// Where the next byte is, in the record's bytes from 0: that of a struct, before its fields are read.
    pub(super) fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Says that what is wrong began here.
    pub(super) fn blame(&mut self, begun: usize) {
        self.begun = begun;
    }

    /// Reads the fields of a struct with `field`, up to its end.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, Header) -> Result<()>,
    ) -> Result<()> {
        let outer = std::mem::take(&mut self.last);
        loop {
            self.begin();
            let Some(header) = self.header()? else { break };
            self.last = header.id;
            field(self, header)?;
        }
        self.last = outer;
        Ok(())
    }

    fn header(&mut self) -> Result<Option<Header>> {
        let first = self.byte()?;
        let (code, delta) = match self.protocol {
            ThriftProtocol::Binary => (first, 0),
            ThriftProtocol::Compact => (first & 0x0f, first >> 4),
        };
        if first == 0 {
            return Ok(None);
        }
        let kind = self.kind(code)?;
        let id = match delta {
            0 => self.whole(Kind::I16)?,
            delta => i64::from(self.last) + i64::from(delta),
        };
        self.truth = match (self.protocol, kind) {
            (ThriftProtocol::Compact, Kind::Bool) => Some(code == 1),
            _ => None,
        };
        match i16::try_from(id) {
            Ok(id) => Ok(Some(Header { id, kind })),
            Err(_) => damaged(format!(
                "a field has the number {id}, and Thrift has 16 bits for it"
            )),
        }
    }

    /// Takes a value that nobody wants.
    pub(super) fn skip(&mut self, kind: Kind) -> Result<()> {
        self.skip_within(kind, DEPTH_MAX)
    }

    fn skip_within(&mut self, kind: Kind, depth: usize) -> Result<()> {
        let Some(below) = depth.checked_sub(1) else {
            return damaged(format!("it is nested more than {DEPTH_MAX} levels deep"));
        };
        match kind {
            Kind::Bool => self.truth().map(drop),
            Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => self.whole(kind).map(drop),
            Kind::Double => self.double().map(drop),
            Kind::Binary => self.bytes().map(drop),
            Kind::Uuid => self.take(16).map(drop),
            Kind::Struct => self.fields(|cursor, header| cursor.skip_within(header.kind, below)),
            Kind::List | Kind::Set => match self.list()? {
                (None, _) => Ok(()),
                (Some(item), count) => (0..count).try_for_each(|_| self.skip_within(item, below)),
            },
            Kind::Map => match self.map()? {
                (None, _) => Ok(()),
                (Some((key, value)), count) => (0..count).try_for_each(|_| {
                    self.skip_within(key, below)?;
                    self.skip_within(value, below)
                }),
            },
        }
    }
}
