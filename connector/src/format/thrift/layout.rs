//! How the values of a schema stand in a record.
//!
//! A column has a type of Arrow and stands in the file as one of Thrift; which of the first may stand as which of the second
//! is decided here, for reading and writing alike. Invariant: a type and its [`Wire`] that were made here or that
//! [`fits`] let through are ones that `column` builds and `cells` writes.

use crate::format::error::unheld;
use crate::format::{Format, stored_schema};
use arrow_schema::{DataType, Field, FieldRef, IntervalUnit, Schema, SchemaRef};
use flinkspark_model::Result;
use flinkspark_model::schema::type_name;
use std::sync::Arc;

/// How a value stands in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wire {
    Bool,
    I8,
    I16,
    I32,
    I64,
    Double,
    /// Bytes with their length: text, too.
    Binary,
    Uuid,
    /// The number of one of these words.
    Enum(Arc<Words>),
    List(Arc<Wire>),
    Set(Arc<Wire>),
    Map(Arc<(Wire, Wire)>),
    Struct(Arc<[Member]>),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Its number in the file.
    pub(super) id: i16,
    /// Whether a record without it is none.
    pub(super) required: bool,
    /// What stands for it where it is absent.
    pub(super) default: Option<Constant>,
    pub(super) wire: Wire,
}

/// A value of an IDL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Constant {
    Bool(bool),
    /// Of any width; that it fits was checked.
    Whole(i64),
    /// The bits of a double.
    Double(u64),
    Bytes(Vec<u8>),
}

/// The words of an enum, each with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) name: String,
    /// Sorted by number; no number and no word is there twice.
    pub(super) words: Vec<(i32, String)>,
}

impl Words {
    /// The word of a number.
    pub(super) fn word(&self, number: i32) -> Option<&str> {
        let found = self
            .words
            .binary_search_by_key(&number, |(number, _)| *number);
        let (_, word) = self.words.get(found.ok()?)?;
        Some(word)
    }

    /// The number of a word.
    pub(super) fn number(&self, word: &str) -> Option<i32> {
        let mut words = self.words.iter();
        let (number, _) = words.find(|(_, known)| known == word)?;
        Some(*number)
    }
}

/// A column that has no form in Thrift: its name, and why.
type Unheld = (String, String);

/// The columns of a schema as files have them, and how each stands in records without an IDL; `FS0306` where a column has
/// no such form.
pub(super) fn of_schema(schema: &Schema) -> Result<(SchemaRef, Arc<[Member]>)> {
    let schema = stored_schema(schema)?;
    let members = members(schema.fields()).map_err(|(column, why)| {
        let hint = "write it as .arrow, or leave it out";
        unheld(Format::THRIFT, &column, why, hint)
    })?;
    Ok((schema, members))
}

/// The fields of a struct without an IDL: numbered from 1, and required where they have no nulls.
fn members(fields: &[FieldRef]) -> std::result::Result<Arc<[Member]>, Unheld> {
    let member = |(at, field): (usize, &FieldRef)| -> std::result::Result<Member, Unheld> {
        let below = |why| (field.name().clone(), why);
        let id = i16::try_from(at + 1);
        Ok(Member {
            id: id.map_err(|_| below("a struct of Thrift has at most 32767 fields".into()))?,
            required: !field.is_nullable(),
            default: None,
            wire: wire(field.data_type()).map_err(below)?,
        })
    };
    fields.iter().enumerate().map(member).collect()
}

/// How values of the type stand without an IDL; an error says why there is no such form.
fn wire(data_type: &DataType) -> std::result::Result<Wire, String> {
    use DataType as D;
    if let Some(flat) = flat(data_type) {
        return Ok(flat);
    }
    Ok(match data_type {
        D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) => {
            Wire::List(wire(item.data_type())?.into())
        }
        D::Struct(fields) => {
            let nested = |(field, why)| format!("its field \"{field}\": {why}");
            Wire::Struct(members(fields).map_err(nested)?)
        }
        D::Map(entries, _) => match pair(entries) {
            Some((key, value)) => {
                Wire::Map((wire(key.data_type())?, wire(value.data_type())?).into())
            }
            None => return Err(formless(data_type)),
        },
        other => return Err(formless(other)),
    })
}

fn formless(data_type: &DataType) -> String {
    format!(
        "{} has no form in Thrift that reads back",
        type_name(data_type)
    )
}

/// The key and the value of a map's entries.
pub(super) fn pair(entries: &Field) -> Option<(&FieldRef, &FieldRef)> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

/// How values of a type that holds no others stand.
pub(super) fn flat(data_type: &DataType) -> Option<Wire> {
    use DataType as D;
    Some(match data_type {
        // Nulls are never there.
        D::Null | D::Boolean => Wire::Bool,
        D::Int8 => Wire::I8,
        D::Int16 | D::UInt8 => Wire::I16,
        D::Int32 | D::UInt16 | D::Date32 | D::Time32(_) | D::Interval(IntervalUnit::YearMonth) => {
            Wire::I32
        }
        D::Int64 | D::UInt32 | D::Date64 | D::Time64(_) | D::Timestamp(..) | D::Duration(_) => {
            Wire::I64
        }
        D::Float16 | D::Float32 | D::Float64 => Wire::Double,
        D::Utf8 | D::LargeUtf8 | D::Binary | D::LargeBinary => Wire::Binary,
        D::FixedSizeBinary(size) if *size > 0 => Wire::Binary,
        D::UInt64
        | D::Decimal32(..)
        | D::Decimal64(..)
        | D::Decimal128(..)
        | D::Decimal256(..)
        | D::Interval(_) => Wire::Binary,
        _ => return None,
    })
}

/// Whether values of the type may stand in this way; structs have fields of the same names in the same order as in
/// `resolved`, the type that was made for the wire.
pub(super) fn fits(data_type: &DataType, wire: &Wire, resolved: &DataType) -> bool {
    use DataType as D;
    match (data_type, wire, resolved) {
        (
            D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _),
            Wire::List(wire) | Wire::Set(wire),
            D::List(known) | D::LargeList(known) | D::FixedSizeList(known, _),
        ) => fits(item.data_type(), wire, known.data_type()),
        (D::Map(entries, _), Wire::Map(wires), D::Map(known, _)) => {
            let (key_wire, value_wire) = wires.as_ref();
            match (pair(entries), pair(known)) {
                (Some((key, value)), Some((known_key, known_value))) => {
                    fits(key.data_type(), key_wire, known_key.data_type())
                        && fits(value.data_type(), value_wire, known_value.data_type())
                }
                _ => false,
            }
        }
        (D::Struct(fields), Wire::Struct(members), D::Struct(known)) => {
            let mut each = fields.iter().zip(members.iter()).zip(known);
            fields.len() == members.len()
                && fields.len() == known.len()
                && each.all(|((field, member), known)| {
                    field.name() == known.name()
                        && fits(field.data_type(), &member.wire, known.data_type())
                })
        }
        (D::Utf8 | D::Int32, Wire::Enum(_), _) => true,
        (D::FixedSizeBinary(16), Wire::Uuid, _) => true,
        // Text is text: its bytes are no digits.
        (D::Utf8 | D::LargeUtf8 | D::Binary | D::LargeBinary, Wire::Binary, _) => true,
        (_, Wire::Binary, D::Utf8) => false,
        (flat_type, wire, _) => flat(flat_type).as_ref() == Some(wire),
    }
}
