//! What is particular to one Thrift file.
//!
//! Holds what the caller said and checks nothing of it: an IDL is read where its columns are needed.

/// What is particular to one Thrift file: its protocol, and what its records are.
///
/// The IDL comes before a schema, as it says what numbers fields have. Without either, the fields of a schema have the
/// numbers 1, 2, 3 and so on in its order, in nested structs, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThriftOptions {
    /// How values stand in a record.
    pub protocol: ThriftProtocol,
    /// The text of an IDL that defines the records' struct.
    pub idl: Option<String>,
    /// That struct's name; otherwise it is the last one of the IDL that no other struct refers to.
    pub structure: Option<String>,
}

/// How values stand in a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThriftProtocol {
    /// `TBinaryProtocol`: numbers in their full width, the first byte first.
    #[default]
    Binary,
    /// `TCompactProtocol`: numbers as short as they can be.
    Compact,
}

impl ThriftProtocol {
    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary protocol",
            Self::Compact => "compact protocol",
        }
    }
}
