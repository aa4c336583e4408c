//! Flink's SQL types, the types of every plan in this crate.
//!
//! Owns their identity, their text and their Arrow form; never decides which conversions exist.
//! Invariant: [`FlinkType::arrow`] is total and loses nothing that [`FlinkType`] does not keep itself.

use arrow_schema::{DataType, Field, Fields, TimeUnit};
use flinkspark_model::schema::type_name;
use std::fmt;
use std::sync::Arc;

/// The length of `STRING`, which is `VARCHAR(2147483647)`.
pub const STRING_LENGTH: u32 = i32::MAX as u32;
/// The most digits of a `DECIMAL`.
pub const DECIMAL_PRECISION_MAX: u8 = 38;

/// A type root with its parameters, without nullability.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Root {
    /// The type of a bare `NULL`; never a column's type.
    Null,
    /// `BOOLEAN`.
    Boolean,
    /// `TINYINT`, 8 bits.
    TinyInt,
    /// `SMALLINT`, 16 bits.
    SmallInt,
    /// `INT`, 32 bits.
    Int,
    /// `BIGINT`, 64 bits.
    BigInt,
    /// `FLOAT`, 32 bits.
    Float,
    /// `DOUBLE`, 64 bits.
    Double,
    /// `DECIMAL(precision, scale)`, at most 38 digits.
    Decimal(u8, u8),
    /// `CHAR(n)`, in UTF-16 units as Flink counts a literal.
    Char(u32),
    /// `VARCHAR(n)`; `STRING` is the longest.
    Varchar(u32),
    /// `BINARY(n)`.
    Binary(u32),
    /// `DATE`, in days since 1970-01-01.
    Date,
    /// `TIME(p)`, kept in milliseconds as Flink does whatever `p`.
    Time(u8),
    /// `TIMESTAMP(p)` without a zone, `p` from 0 to 9.
    Timestamp(u8),
    /// An interval of months; a value inside expressions, never a column.
    IntervalMonths,
    /// An interval of milliseconds; a value inside expressions, never a column.
    IntervalMillis,
    /// `ARRAY<element>`.
    Array(Box<FlinkType>),
    /// `MAP<key, value>`.
    Map(Box<FlinkType>, Box<FlinkType>),
    /// `ROW<name type, ...>`.
    Row(Vec<(String, FlinkType)>),
    /// A dataset's column that no function reads yet, by its Arrow type ([`super::foreign`]).
    Foreign(DataType),
}

/// A type root with nullability.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FlinkType {
    /// The type without nullability.
    pub root: Root,
    /// Whether NULL is a value of the type.
    pub nullable: bool,
}

impl FlinkType {
    /// The nullable type of a root.
    pub fn nullable(root: Root) -> Self {
        Self {
            root,
            nullable: true,
        }
    }

    /// The `NOT NULL` type of a root.
    pub fn not_null(root: Root) -> Self {
        Self {
            root,
            nullable: false,
        }
    }

    /// The same root with this nullability.
    pub fn with_nullable(&self, nullable: bool) -> Self {
        Self {
            root: self.root.clone(),
            nullable,
        }
    }

    /// The type in Flink's notation without any `NOT NULL`, which answers are compared by.
    pub fn text_without_nullability(&self) -> String {
        self.to_string().replace(" NOT NULL", "")
    }

    /// The Arrow field that carries a column of this type.
    pub fn field(&self, name: &str) -> Field {
        Field::new(name, self.root.arrow(), true)
    }
}

impl Root {
    /// `STRING`.
    pub const STRING: Self = Self::Varchar(STRING_LENGTH);

    /// The Arrow type that carries values of this root.
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Boolean => DataType::Boolean,
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale as i8),
            Self::Char(_) | Self::Varchar(_) => DataType::Utf8,
            Self::Binary(_) => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time(_) => DataType::Time32(TimeUnit::Millisecond),
            Self::Timestamp(precision) => DataType::Timestamp(timestamp_unit(*precision), None),
            Self::IntervalMonths => DataType::Int32,
            Self::IntervalMillis => DataType::Int64,
            Self::Array(element) => DataType::List(Arc::new(element.field("element"))),
            Self::Map(key, value) => {
                let entries = Fields::from(vec![
                    Field::new("key", key.root.arrow(), false),
                    value.field("value"),
                ]);
                DataType::Map(
                    Arc::new(Field::new("entries", DataType::Struct(entries), false)),
                    false,
                )
            }
            Self::Row(fields) => {
                DataType::Struct(fields.iter().map(|(name, ty)| ty.field(name)).collect())
            }
            Self::Foreign(data_type) => data_type.clone(),
        }
    }

    /// `TINYINT`, `SMALLINT`, `INT` or `BIGINT`.
    pub fn is_integer(&self) -> bool {
        self.integer_rank().is_some()
    }

    /// The width order of the integer types, none for other roots.
    pub fn integer_rank(&self) -> Option<u8> {
        match self {
            Self::TinyInt => Some(0),
            Self::SmallInt => Some(1),
            Self::Int => Some(2),
            Self::BigInt => Some(3),
            _ => None,
        }
    }

    /// `FLOAT` or `DOUBLE`.
    pub fn is_approximate(&self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    /// An integer, an approximate number or a decimal.
    pub fn is_numeric(&self) -> bool {
        self.is_integer() || self.is_approximate() || matches!(self, Self::Decimal(..))
    }

    /// `CHAR(n)` or `VARCHAR(n)`.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Char(_) | Self::Varchar(_))
    }

    /// The declared length of a text type.
    pub fn text_length(&self) -> Option<u32> {
        match self {
            Self::Char(length) | Self::Varchar(length) => Some(*length),
            _ => None,
        }
    }

    /// The decimal type that holds every value of an exact number's type.
    pub fn as_decimal(&self) -> Option<(u8, u8)> {
        match self {
            Self::TinyInt => Some((3, 0)),
            Self::SmallInt => Some((5, 0)),
            Self::Int => Some((10, 0)),
            Self::BigInt => Some((19, 0)),
            Self::Decimal(precision, scale) => Some((*precision, *scale)),
            _ => None,
        }
    }

    /// Whether the type nests others.
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Map(..) | Self::Row(_))
    }
}

/// The coarsest Arrow unit that holds a timestamp of this precision.
fn timestamp_unit(precision: u8) -> TimeUnit {
    match precision {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

impl fmt::Display for FlinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Null => f.write_str("NULL"),
            Root::Boolean => f.write_str("BOOLEAN"),
            Root::TinyInt => f.write_str("TINYINT"),
            Root::SmallInt => f.write_str("SMALLINT"),
            Root::Int => f.write_str("INT"),
            Root::BigInt => f.write_str("BIGINT"),
            Root::Float => f.write_str("FLOAT"),
            Root::Double => f.write_str("DOUBLE"),
            Root::Decimal(precision, scale) => write!(f, "DECIMAL({precision}, {scale})"),
            Root::Char(length) => write!(f, "CHAR({length})"),
            Root::Varchar(STRING_LENGTH) => f.write_str("STRING"),
            Root::Varchar(length) => write!(f, "VARCHAR({length})"),
            Root::Binary(length) => write!(f, "BINARY({length})"),
            Root::Date => f.write_str("DATE"),
            Root::Time(precision) => write!(f, "TIME({precision})"),
            Root::Timestamp(precision) => write!(f, "TIMESTAMP({precision})"),
            Root::IntervalMonths => f.write_str("INTERVAL MONTH"),
            Root::IntervalMillis => f.write_str("INTERVAL SECOND(3)"),
            Root::Array(element) => write!(f, "ARRAY<{element}>"),
            Root::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Root::Row(fields) => {
                f.write_str("ROW<")?;
                for (index, (name, ty)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}`{name}` {ty}")?;
                }
                f.write_str(">")
            }
            Root::Foreign(data_type) => f.write_str(&type_name(data_type)),
        }?;
        if !self.nullable && self.root != Root::Null {
            f.write_str(" NOT NULL")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_in_flinks_notation() {
        let list = FlinkType::nullable(Root::Array(Box::new(FlinkType::not_null(Root::Int))));
        assert_eq!(list.to_string(), "ARRAY<INT NOT NULL>");
        assert_eq!(list.text_without_nullability(), "ARRAY<INT>");
        assert_eq!(FlinkType::nullable(Root::STRING).to_string(), "STRING");
        assert_eq!(
            FlinkType::not_null(Root::Decimal(23, 13)).to_string(),
            "DECIMAL(23, 13) NOT NULL"
        );
    }
}
