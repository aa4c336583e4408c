//! One schema for several files.
//!
//! Invariant: every column of every file is in it, at a type that holds the values of all of them.

use super::apart;
use crate::fit::plain;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_model::Result;
use flinkspark_model::schema::{type_name, widens};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A schema, and what is to be said of it.
pub(super) struct Unified {
    pub(super) schema: SchemaRef,
    pub(super) notices: Vec<String>,
}

/// A column, and where it was seen.
struct Column {
    field: Field,
    first: PathBuf,
    files: usize,
}

/// The schema of all files. `is_text` where a value may be kept as its text.
pub(super) fn unify(
    asked: &Path,
    files: &[(PathBuf, SchemaRef)],
    is_text: bool,
) -> Result<Unified> {
    let mut columns: Vec<Column> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut metadata = HashMap::new();
    for (file, schema) in files {
        metadata.extend(schema.metadata().clone());
        for field in schema.fields() {
            let Some(place) = places.get(field.name()) else {
                places.insert(field.name().clone(), columns.len());
                columns.push(Column {
                    field: field.as_ref().clone(),
                    first: file.clone(),
                    files: 1,
                });
                continue;
            };
            let Some(column) = columns.get_mut(*place) else {
                continue;
            };
            column.files += 1;
            let (known, came) = (column.field.data_type(), field.data_type());
            let Some(data_type) = both(known, came, is_text) else {
                let why = format!(
                    "column \"{}\" is {} in \"{}\" and {} in \"{}\"",
                    field.name().escape_debug(),
                    type_name(known),
                    column.first.display(),
                    type_name(came),
                    file.display()
                );
                let hint = "move them one after another into a dataset that is registered, or cast the column in the file";
                return Err(apart(asked, why, hint));
            };
            let nullable = column.field.is_nullable() || field.is_nullable();
            column.field = column
                .field
                .clone()
                .with_data_type(data_type)
                .with_nullable(nullable);
        }
    }
    let mut notices = Vec::new();
    for column in &mut columns {
        let missing = files.len() - column.files;
        if missing > 0 {
            notices.push(format!(
                "column \"{}\" is not in {missing} of the {} files: it is null there",
                column.field.name().escape_debug(),
                files.len()
            ));
            column.field.set_nullable(true);
        }
    }
    let fields: Vec<Field> = columns.into_iter().map(|column| column.field).collect();
    Ok(Unified {
        schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
        notices,
    })
}

/// The type that holds the values of both.
fn both(one: &DataType, other: &DataType, is_text: bool) -> Option<DataType> {
    let is_leaf = |data_type: &DataType| !data_type.is_nested();
    match (one, other) {
        _ if one == other => Some(one.clone()),
        (DataType::Null, some) | (some, DataType::Null) => Some(some.clone()),
        _ if plain(one) == plain(other) => Some(plain(one)),
        _ if widens(one, other) => Some(other.clone()),
        _ if widens(other, one) => Some(one.clone()),
        // What was inferred of each file alone: the reader says which digits were not kept.
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) if is_text => {
            Some(DataType::Float64)
        }
        _ if is_text && is_leaf(one) && is_leaf(other) => Some(DataType::Utf8),
        _ => None,
    }
}
