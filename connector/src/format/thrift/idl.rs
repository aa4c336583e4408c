//! IDLs: the schema that a Thrift file does not carry.
//!
//! Reads the part of Thrift's language that says what a record holds, and prints it for a schema. Invariant: what was
//! read is used or refused by name; a schema that was printed is read again as it was, types, names, nullability and
//! metadata.

mod annotations;
mod defaults;
mod parse;
mod print;
mod resolve;
mod tokens;
mod types;
mod words;

pub use print::thrift_idl;

use super::layout::{Member, fits};
use crate::format::Format;
use crate::format::error::{unheld, unread_idl};
use arrow_schema::{DataType, FieldRef, Fields, Schema};
use flinkspark_model::Result;
use std::sync::Arc;

/// The longest text that is read, in bytes.
const BYTES_MAX: usize = 4 << 20;

/// What an IDL says of a file: its columns, and how each stands in the records.
#[derive(Debug, Clone)]
pub(super) struct Idl {
    schema: Schema,
    members: Arc<[Member]>,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    place: tokens::Place,
    why: String,
}

/// Reads an IDL for this struct, or for the last one that no other refers to; `FS0318` where it cannot be used.
pub(super) fn read(text: &str, structure: Option<&str>) -> Result<Idl> {
    if text.len() > BYTES_MAX {
        let bytes = text.len();
        return Err(unread_idl(format!(
            "it has {bytes} bytes; the limit is {BYTES_MAX}"
        )));
    }
    let read = || {
        let document = parse::document(&tokens::tokens(text)?)?;
        resolve::idl(&document, structure)
    };
    read().map_err(|Wrong { place, why }| {
        let tokens::Place { line, column } = place;
        unread_idl(format!("line {line}, column {column}: {why}"))
    })
}

/// The columns of an IDL in the order of a schema, where there is one; what the IDL has no exact type for has that of the
/// schema's column with its name, if values of that may stand so.
pub(super) fn at_schema(idl: Idl, schema: Option<&Schema>) -> (Schema, Arc<[Member]>) {
    let Some(wanted) = schema else {
        return (idl.schema, idl.members);
    };
    let columns = idl.schema.fields().iter().zip(idl.members.iter());
    let mut columns: Vec<(usize, FieldRef, Member)> = columns
        .map(|(field, member)| match wanted.fields().find(field.name()) {
            Some((at, column)) if may_be(column.data_type(), field.data_type(), member) => {
                let field = field.as_ref().clone();
                let field = field.with_data_type(column.data_type().clone());
                (at, Arc::new(field), member.clone())
            }
            Some((at, _)) => (at, Arc::clone(field), member.clone()),
            None => (usize::MAX, Arc::clone(field), member.clone()),
        })
        .collect();
    columns.sort_by_key(|(at, _, _)| *at);
    let fields: Fields = columns
        .iter()
        .map(|(_, field, _)| Arc::clone(field))
        .collect();
    let members = columns.into_iter().map(|(_, _, member)| member).collect();
    let metadata = idl.schema.metadata().clone();
    (Schema::new_with_metadata(fields, metadata), members)
}

/// How columns stand in records of an IDL; `FS0306` where it has no field for one of them, or requires another.
pub(super) fn members_for(idl: &Idl, columns: &Fields) -> Result<Arc<[Member]>> {
    let refuse = |column: &str, why: String| {
        let hint = "correct the IDL, or leave it out: then the columns have the numbers 1, 2, 3";
        unheld(Format::THRIFT, column, why, hint)
    };
    let mut known = idl.schema.fields().iter().zip(idl.members.iter());
    let missing =
        known.find(|(field, member)| member.required && columns.find(field.name()).is_none());
    if let Some((field, _)) = missing {
        let why = "the IDL requires a field of this name, and no column has it";
        return Err(refuse(field.name(), why.into()));
    }
    let member = |column: &FieldRef| {
        let found = idl.schema.fields().find(column.name());
        let found = found.and_then(|(at, field)| Some((field, idl.members.get(at)?)));
        let Some((field, member)) = found else {
            return Err(refuse(
                column.name(),
                "the IDL has no field of this name".into(),
            ));
        };
        let same = column.data_type() == field.data_type();
        if same || may_be(column.data_type(), field.data_type(), member) {
            return Ok(member.clone());
        }
        let [has, says] = [column, field].map(|field| types::name(field.data_type()));
        Err(refuse(
            column.name(),
            format!("its type is {has}, and the IDL says {says}"),
        ))
    };
    columns.iter().map(member).collect()
}

/// Whether a column may have this type where an IDL says another, for want of an exact one.
fn may_be(wanted: &DataType, said: &DataType, member: &Member) -> bool {
    types::is_bare(said) && fits(wanted, &member.wire, said)
}
