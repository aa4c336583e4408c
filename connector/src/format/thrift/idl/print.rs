//! The IDL of a schema.
//!
//! Each type has the nearest one that Thrift has; what that does not say of a column stands in its annotations. Invariant:
//! the numbers, the requiredness and the types are those with which a file without an IDL is read and written.

use super::annotations::{METADATA, NAME, TYPE};
use super::types;
use super::words::names;
use crate::format::thrift::layout::{Wire, flat, of_schema, pair};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use flinkspark_model::Result;
use flinkspark_model::schema::to_json;
use std::collections::BTreeMap;

/// The IDL of Thrift files with this schema: its last struct is that of a row, and it is read again to the same schema.
///
/// The schema is that of the file: dictionaries, run ends and views are plain ([`stored_schema`](crate::format::stored_schema)).
/// `FS0306` where a column has no form in Thrift.
///
/// ```
/// use arrow_schema::{DataType, Field, Schema, TimeUnit};
/// use flinkspark_connector::format::thrift_idl;
///
/// let at = DataType::Timestamp(TimeUnit::Microsecond, None);
/// let schema = Schema::new(vec![Field::new("user", DataType::Utf8, false), Field::new("at", at, true)]);
/// let idl = thrift_idl(&schema)?;
/// assert!(idl.contains("  1: required string user\n"));
/// assert!(idl.contains("  2: optional i64 at (flinkspark.type = \"timestamp[us]\")\n"));
/// # Ok::<(), flinkspark_model::Error>(())
/// ```
pub fn thrift_idl(schema: &Schema) -> Result<String> {
    let (schema, _) = of_schema(schema)?;
    let mut printer = Printer {
        text: String::new(),
        structs: 0,
    };
    let row = printer.fields(schema.fields())?;
    let metadata: BTreeMap<_, _> = schema.metadata().iter().collect();
    let said = match serde_json::to_string(&metadata) {
        Ok(json) if !metadata.is_empty() => format!(" ({METADATA} = {})", quoted(&json)),
        _ => String::new(),
    };
    Ok(format!("{}struct Row {{\n{row}}}{said}\n", printer.text))
}

/// Prints types, and before them the structs that they refer to.
struct Printer {
    text: String,
    structs: usize,
}

impl Printer {
    /// The lines of a struct's fields.
    fn fields(&mut self, fields: &[FieldRef]) -> Result<String> {
        let mut lines = String::new();
        for (at, (field, name)) in fields.iter().zip(names(fields)).enumerate() {
            let (kind, said) = self.data_type(field.data_type())?;
            let need = if field.is_nullable() {
                "optional"
            } else {
                "required"
            };
            let mut annotations = Vec::new();
            if said != *field.data_type() || !field.metadata().is_empty() {
                match flat(field.data_type()) {
                    Some(_) if field.metadata().is_empty() => {
                        annotations.push(annotated(TYPE, &types::name(field.data_type())));
                    }
                    _ => annotations.push(annotated(TYPE, &json(field)?)),
                }
            }
            if name != *field.name() {
                annotations.push(annotated(NAME, field.name()));
            }
            let annotations = match annotations.is_empty() {
                true => String::new(),
                false => format!(" ({})", annotations.join(", ")),
            };
            lines.push_str(&format!(
                "  {}: {need} {kind} {name}{annotations}\n",
                at + 1
            ));
        }
        Ok(lines)
    }

    /// A type's text, and the type that it is read as without annotations on its field.
    fn data_type(&mut self, data_type: &DataType) -> Result<(String, DataType)> {
        use DataType as D;
        Ok(match data_type {
            D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) => {
                let (kind, said) = self.below(item.data_type())?;
                (format!("list<{kind}>"), types::list(said))
            }
            D::Struct(fields) => {
                let lines = self.fields(fields)?;
                self.structs += 1;
                let name = format!("Struct{}", self.structs);
                self.text
                    .push_str(&format!("struct {name} {{\n{lines}}}\n\n"));
                (name, data_type.clone())
            }
            D::Map(entries, _) => match pair(entries) {
                Some((key, value)) => {
                    let (key, said_key) = self.below(key.data_type())?;
                    let (value, said_value) = self.below(value.data_type())?;
                    (
                        format!("map<{key}, {value}>"),
                        types::map(said_key, said_value),
                    )
                }
                // Refused with the schema.
                None => (String::new(), D::Null),
            },
            other => bare(other),
        })
    }

    /// The type of an item, with its annotation where it is flat.
    fn below(&mut self, data_type: &DataType) -> Result<(String, DataType)> {
        let (kind, said) = self.data_type(data_type)?;
        if said == *data_type || flat(data_type).is_none() {
            return Ok((kind, said));
        }
        let annotation = annotated(TYPE, &types::name(data_type));
        Ok((format!("{kind} ({annotation})"), data_type.clone()))
    }
}

/// Thrift's word for a flat type, and the type that it is read as.
fn bare(data_type: &DataType) -> (String, DataType) {
    use DataType as D;
    let (word, said) = match (data_type, flat(data_type)) {
        (D::Utf8 | D::LargeUtf8, _) => ("string", D::Utf8),
        (_, Some(Wire::Bool)) => ("bool", D::Boolean),
        (_, Some(Wire::I8)) => ("i8", D::Int8),
        (_, Some(Wire::I16)) => ("i16", D::Int16),
        (_, Some(Wire::I32)) => ("i32", D::Int32),
        (_, Some(Wire::I64)) => ("i64", D::Int64),
        (_, Some(Wire::Double)) => ("double", D::Float64),
        _ => ("binary", D::Binary),
    };
    (word.into(), said)
}

/// A column as `dataset show -o json` has it.
fn json(field: &Field) -> Result<String> {
    let schema = to_json(&Schema::new(vec![field.clone()]))?;
    let (_, fields) = schema.split_once('[').unwrap_or_default();
    Ok(fields.strip_suffix("]}").unwrap_or(fields).to_owned())
}

fn annotated(key: &str, value: &str) -> String {
    format!("{key} = {}", quoted(value))
}

/// A text as an IDL has it, in the quotes that it has fewer of.
fn quoted(text: &str) -> String {
    let quote = if text.contains('"') { '\'' } else { '"' };
    let mut quoted = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            c if c == quote => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}
