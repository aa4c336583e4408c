//! Thrift's values as bytes, in both protocols.
//!
//! Invariant: what is put here is what [`Cursor`](super::cursor::Cursor) reads.

use super::cursor::{Kind, put_varint, zigzag};
use super::layout::{Constant, Wire};
use super::options::ThriftProtocol;

/// Why a value has no place in the file: what is wrong, and which field or item of the column it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) why: String,
    pub(super) path: String,
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        let path = String::new();
        Self { why, path }
    }
}

pub(super) type Result<T> = std::result::Result<T, Refused>;

/// The bytes of a record.
#[derive(Debug)]
pub(super) struct Out {
    protocol: ThriftProtocol,
    pub(super) bytes: Vec<u8>,
    /// The field before, in the struct that is being written.
    last: i16,
    /// A field of a truth value, which stands in its header.
    pending: Option<i16>,
}

impl Out {
    pub(super) fn new(protocol: ThriftProtocol) -> Self {
        Self {
            protocol,
            bytes: Vec::new(),
            last: 0,
            pending: None,
        }
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.last = 0;
        self.pending = None;
    }

    pub(super) fn truth(&mut self, value: bool) {
        let compact = if value { 1 } else { 2 };
        match (self.pending.take(), self.protocol) {
            (Some(id), _) => self.header(id, compact),
            (None, ThriftProtocol::Binary) => self.bytes.push(value.into()),
            (None, ThriftProtocol::Compact) => self.bytes.push(compact),
        }
    }

    /// A number that the kind holds.
    pub(super) fn whole(&mut self, value: i64, kind: Kind) {
        let bytes = value.to_be_bytes();
        let width = match (kind, self.protocol) {
            (Kind::I8, _) => 1,
            (_, ThriftProtocol::Compact) => return put_varint(zigzag(value), &mut self.bytes),
            (Kind::I16, _) => 2,
            (Kind::I32, _) => 4,
            _ => 8,
        };
        let kept = bytes.get(bytes.len() - width..).unwrap_or_default();
        self.bytes.extend(kept);
    }

    pub(super) fn double(&mut self, value: f64) {
        self.bytes.extend(match self.protocol {
            ThriftProtocol::Binary => value.to_be_bytes(),
            ThriftProtocol::Compact => value.to_le_bytes(),
        });
    }

    /// A length or a count; more than 31 bits have no place.
    fn size(&mut self, size: usize) -> Result<()> {
        let size = i32::try_from(size)
            .map_err(|_| format!("its length is {size}, and Thrift has 31 bits for it"))?;
        match self.protocol {
            ThriftProtocol::Binary => self.bytes.extend(size.to_be_bytes()),
            ThriftProtocol::Compact => put_varint(size.unsigned_abs().into(), &mut self.bytes),
        }
        Ok(())
    }

    /// Bytes with their length before them.
    pub(super) fn sized(&mut self, value: &[u8]) -> Result<()> {
        self.size(value.len())?;
        self.bytes.extend(value);
        Ok(())
    }

    /// What stands before the items of a list or a set.
    pub(super) fn list(&mut self, item: &Wire, count: usize) -> Result<()> {
        let code = Kind::of(item).code(self.protocol);
        let short = u8::try_from(count).ok().filter(|count| *count < 15);
        match (self.protocol, short) {
            (ThriftProtocol::Compact, Some(count)) => self.bytes.push(count << 4 | code),
            (ThriftProtocol::Compact, None) => {
                self.bytes.push(0xf0 | code);
                self.size(count)?;
            }
            (ThriftProtocol::Binary, _) => {
                self.bytes.push(code);
                self.size(count)?;
            }
        }
        Ok(())
    }

    /// What stands before the entries of a map.
    pub(super) fn map(&mut self, (key, value): &(Wire, Wire), count: usize) -> Result<()> {
        let [key, value] = [key, value].map(|wire| Kind::of(wire).code(self.protocol));
        match self.protocol {
            ThriftProtocol::Binary => {
                self.bytes.extend([key, value]);
                self.size(count)?;
            }
            ThriftProtocol::Compact => {
                self.size(count)?;
                if count > 0 {
                    self.bytes.push(key << 4 | value);
                }
            }
        }
        Ok(())
    }

    /// A struct, whose fields `fields` writes.
    pub(super) fn structure(&mut self, fields: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let outer = std::mem::take(&mut self.last);
        fields(self)?;
        self.bytes.push(0);
        self.last = outer;
        Ok(())
    }

    /// Begins a field; its value comes next.
    pub(super) fn field(&mut self, id: i16, wire: &Wire) {
        let kind = Kind::of(wire);
        match (self.protocol, kind) {
            (ThriftProtocol::Compact, Kind::Bool) => self.pending = Some(id),
            _ => self.header(id, kind.code(self.protocol)),
        }
    }

    fn header(&mut self, id: i16, code: u8) {
        let delta = i32::from(id) - i32::from(self.last);
        self.last = id;
        let short = u8::try_from(delta).ok();
        match (
            self.protocol,
            short.filter(|delta| (1..=15).contains(delta)),
        ) {
            (ThriftProtocol::Compact, Some(delta)) => self.bytes.push(delta << 4 | code),
            _ => {
                self.bytes.push(code);
                self.whole(id.into(), Kind::I16);
            }
        }
    }
}

/// A value of an IDL as an item of a list would stand.
pub(super) fn constant(value: &Constant, wire: &Wire, protocol: ThriftProtocol) -> Result<Vec<u8>> {
    let mut out = Out::new(protocol);
    match value {
        Constant::Bool(value) => out.truth(*value),
        Constant::Whole(value) => out.whole(*value, Kind::of(wire)),
        Constant::Double(bits) => out.double(f64::from_bits(*bits)),
        Constant::Bytes(bytes) if *wire == Wire::Uuid => out.bytes.extend(bytes),
        Constant::Bytes(bytes) => out.sized(bytes)?,
    }
    Ok(out.bytes)
}
