//! The types of values, and their numbers in each protocol.
//!
//! Invariant: in each protocol a number is that of one type.

use crate::format::thrift::layout::Wire;
use crate::format::thrift::options::ThriftProtocol;

/// The type of a value, as a record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format::thrift) enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    Double,
    Binary,
    Struct,
    Map,
    Set,
    List,
    Uuid,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Bool,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::Double,
        Self::Binary,
        Self::Struct,
        Self::Map,
        Self::Set,
        Self::List,
        Self::Uuid,
    ];

    /// What a record says of values that stand in this way.
    pub(in crate::format::thrift) fn of(wire: &Wire) -> Self {
        match wire {
            Wire::Bool => Self::Bool,
            Wire::I8 => Self::I8,
            Wire::I16 => Self::I16,
            Wire::I32 | Wire::Enum(_) => Self::I32,
            Wire::I64 => Self::I64,
            Wire::Double => Self::Double,
            Wire::Binary => Self::Binary,
            Wire::Uuid => Self::Uuid,
            Wire::List(_) => Self::List,
            Wire::Set(_) => Self::Set,
            Wire::Map(_) => Self::Map,
            Wire::Struct(_) => Self::Struct,
        }
    }

    /// Its name in an IDL.
    pub(in crate::format::thrift) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::Double => "double",
            Self::Binary => "string",
            Self::Struct => "struct",
            Self::Map => "map",
            Self::Set => "set",
            Self::List => "list",
            Self::Uuid => "uuid",
        }
    }

    /// Its number. In the compact protocol that of true, where it is one of truth.
    pub(in crate::format::thrift) fn code(self, protocol: ThriftProtocol) -> u8 {
        match (protocol, self) {
            (ThriftProtocol::Binary, Self::Bool) => 2,
            (ThriftProtocol::Binary, Self::I8) => 3,
            (ThriftProtocol::Binary, Self::Double) => 4,
            (ThriftProtocol::Binary, Self::I16) => 6,
            (ThriftProtocol::Binary, Self::I32) => 8,
            (ThriftProtocol::Binary, Self::I64) => 10,
            (ThriftProtocol::Binary, Self::Binary) => 11,
            (ThriftProtocol::Binary, Self::Struct) => 12,
            (ThriftProtocol::Binary, Self::Map) => 13,
            (ThriftProtocol::Binary, Self::Set) => 14,
            (ThriftProtocol::Binary, Self::List) => 15,
            (ThriftProtocol::Binary, Self::Uuid) => 16,
            (ThriftProtocol::Compact, Self::Bool) => 1,
            (ThriftProtocol::Compact, Self::I8) => 3,
            (ThriftProtocol::Compact, Self::I16) => 4,
            (ThriftProtocol::Compact, Self::I32) => 5,
            (ThriftProtocol::Compact, Self::I64) => 6,
            (ThriftProtocol::Compact, Self::Double) => 7,
            (ThriftProtocol::Compact, Self::Binary) => 8,
            (ThriftProtocol::Compact, Self::List) => 9,
            (ThriftProtocol::Compact, Self::Set) => 10,
            (ThriftProtocol::Compact, Self::Map) => 11,
            (ThriftProtocol::Compact, Self::Struct) => 12,
            (ThriftProtocol::Compact, Self::Uuid) => 13,
        }
    }

    /// The kind with this number.
    pub(super) fn coded(code: u8, protocol: ThriftProtocol) -> Option<Self> {
        // False, and in lists what writers of old say for the type.
        if protocol == ThriftProtocol::Compact && code == 2 {
            return Some(Self::Bool);
        }
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.code(protocol) == code)
    }
}
