//! Which schemas CSV holds.
//!
//! Invariant: a schema that is held has a text for each of its values, and a column that reads it.

use crate::format::Format;
use crate::format::error::unheld;
use crate::format::text::{column, printer};
use arrow_array::new_empty_array;
use arrow_schema::{DataType, SchemaRef};
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};

/// Whether CSV has a text for each value of the type.
fn is_held(data_type: &DataType) -> bool {
    column(data_type).is_some() && printer(new_empty_array(data_type).as_ref()).is_some()
}

/// Refuses columns for whose values CSV has no text, and a schema without columns.
pub(super) fn check_schema(schema: &SchemaRef) -> Result<()> {
    if schema.fields().is_empty() {
        return Err(Error::new(
            Kind::Invalid,
            "FS0306",
            "rows without columns cannot be held by a CSV file",
        )
        .with_detail("an empty line could not be told from a missing one")
        .with_hint("use .parquet or .arrow"));
    }
    match schema
        .fields()
        .iter()
        .find(|field| !is_held(field.data_type()))
    {
        Some(field) => Err(refuse(field.name(), field.data_type())),
        None => Ok(()),
    }
}

/// A column for whose values there is no text.
pub(super) fn refuse(column: &str, data_type: &DataType) -> Error {
    let why = format!(
        "its type is {}, which has no text that reads back",
        type_name(data_type)
    );
    unheld(
        Format::CSV,
        column,
        why,
        "use .parquet or .arrow, or leave the column out",
    )
}

/// A column whose name cannot be written into the header.
pub(super) fn refuse_name(column: &str, why: String) -> Error {
    let why = format!("of its name: {why}");
    let hint = "leave the header out, or write the file with other options";
    unheld(Format::CSV, column, why, hint)
}
