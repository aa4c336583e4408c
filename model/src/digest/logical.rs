//! Logical types: what the digest sees of an Arrow type.
//!
//! Never holds a width, a unit or an encoding. Invariant: two columns of one logical type absorb
//! equal values as equal words.

use crate::error::Result;
use crate::schema::{self, DEPTH_MAX};
use arrow_schema::{DataType, Schema};
use std::fmt;

/// A type without its encoding, its width and its unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Logical {
    Null,
    Boolean,
    Integer,
    Float,
    Decimal { scale: i8 },
    Date,
    Time,
    Timestamp { zoned: bool },
    Duration,
    Interval,
    Binary,
    Text,
    List(Box<Self>),
    Struct(Vec<Self>),
    Map(Box<Self>, Box<Self>),
}

/// The logical types of a schema's columns.
pub(super) fn columns(schema: &Schema) -> Result<Vec<Logical>> {
    schema
        .fields()
        .iter()
        .map(|field| Logical::of(field.data_type(), field.name(), 0))
        .collect()
}

impl Logical {
    fn of(data_type: &DataType, path: &str, depth: usize) -> Result<Self> {
        use DataType as D;
        if depth >= DEPTH_MAX {
            return Err(schema::too_deep(path));
        }
        let child = |field: &arrow_schema::FieldRef| Self::of(field.data_type(), path, depth + 1);
        Ok(match data_type {
            D::Null => Self::Null,
            D::Boolean => Self::Boolean,
            D::Int8 | D::Int16 | D::Int32 | D::Int64 => Self::Integer,
            D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 => Self::Integer,
            D::Float16 | D::Float32 | D::Float64 => Self::Float,
            D::Decimal32(_, scale)
            | D::Decimal64(_, scale)
            | D::Decimal128(_, scale)
            | D::Decimal256(_, scale) => Self::Decimal { scale: *scale },
            D::Date32 | D::Date64 => Self::Date,
            D::Time32(_) | D::Time64(_) => Self::Time,
            D::Timestamp(_, zone) => Self::Timestamp {
                zoned: zone.is_some(),
            },
            D::Duration(_) => Self::Duration,
            D::Interval(_) => Self::Interval,
            D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => Self::Binary,
            D::Utf8 | D::LargeUtf8 | D::Utf8View => Self::Text,
            D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item) => {
                Self::List(child(item)?.into())
            }
            D::FixedSizeList(item, _) => Self::List(child(item)?.into()),
            D::Struct(fields) => Self::Struct(fields.iter().map(child).collect::<Result<_>>()?),
            D::Map(entries, _) => match entries.data_type() {
                D::Struct(fields) if fields.len() == 2 => {
                    Self::Map(child(&fields[0])?.into(), child(&fields[1])?.into())
                }
                _ => return Err(schema::unsupported(path, data_type)),
            },
            D::Dictionary(_, values) => Self::of(values, path, depth + 1)?,
            D::RunEndEncoded(_, values) => child(values)?,
            D::Union(..) => return Err(schema::unsupported(path, data_type)),
        })
    }

    /// Whether a column of type `given` is an encoding of this type; a column of nulls is one of any.
    pub(super) fn holds(&self, given: &Self) -> bool {
        match (self, given) {
            (_, Self::Null) => true,
            (Self::List(a), Self::List(b)) => a.holds(b),
            (Self::Struct(a), Self::Struct(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.holds(b))
            }
            (Self::Map(a, x), Self::Map(b, y)) => a.holds(b) && x.holds(y),
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Logical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nulls"),
            Self::Boolean => f.write_str("booleans"),
            Self::Integer => f.write_str("integers"),
            Self::Float => f.write_str("floats"),
            Self::Decimal { scale } => write!(f, "decimals of scale {scale}"),
            Self::Date => f.write_str("dates"),
            Self::Time => f.write_str("times of day"),
            Self::Timestamp { zoned: true } => f.write_str("timestamps with a time zone"),
            Self::Timestamp { zoned: false } => f.write_str("timestamps without a time zone"),
            Self::Duration => f.write_str("durations"),
            Self::Interval => f.write_str("intervals"),
            Self::Binary => f.write_str("binary"),
            Self::Text => f.write_str("text"),
            Self::List(item) => write!(f, "lists of {item}"),
            Self::Struct(fields) => {
                f.write_str("structs of (")?;
                for (index, field) in fields.iter().enumerate() {
                    write!(f, "{}{field}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Map(key, value) => write!(f, "maps from {key} to {value}"),
        }
    }
}
