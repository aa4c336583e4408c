//! The annotations that only FlinkSpark knows.
//!
//! `flinkspark.type` says a type that Thrift has no word for: as the name of a flat type, or as a column's JSON in the
//! form of `dataset show -o json`, name and metadata included. `flinkspark.name` says a name that Thrift does not take, and
//! `flinkspark.metadata` what else the schema holds. Invariant: one of them that is not understood is wrong, and those of
//! other programs are let be.

use super::Wrong;
use super::tokens::Place;
use arrow_schema::{DataType, Field};
use flinkspark_model::schema::from_json;
use serde_json::json;
use std::collections::HashMap;

pub(super) const TYPE: &str = "flinkspark.type";
pub(super) const NAME: &str = "flinkspark.name";
pub(super) const METADATA: &str = "flinkspark.metadata";

/// The text of an annotation of which there may be one, among these.
pub(super) fn one<'a>(
    annotations: &'a [(String, String)],
    wanted: &str,
    allowed: &[&str],
    place: Place,
) -> Result<Option<&'a str>, Wrong> {
    let mut found = None;
    for (key, value) in annotations {
        if key.starts_with("flinkspark.") && !allowed.contains(&key.as_str()) {
            return place.wrong(format!("{key} has no meaning here"));
        }
        if key == wanted && found.replace(value.as_str()).is_some() {
            return place.wrong(format!("{key} is there twice"));
        }
    }
    Ok(found)
}

/// The type that a text says, and the column where it is that of one.
pub(super) fn typed(text: &str, place: Place) -> Result<(DataType, Option<Field>), Wrong> {
    let column = text.starts_with('{');
    let field = match column {
        true => text.to_owned(),
        false => json!({ "name": "x", "type": text, "nullable": true }).to_string(),
    };
    let schema = from_json(&format!(r#"{{"version":1,"fields":[{field}]}}"#));
    let fields = schema.map(|schema| schema.fields().to_vec());
    match fields.as_deref() {
        Ok([field]) => {
            let field = field.as_ref().clone();
            Ok((field.data_type().clone(), column.then_some(field)))
        }
        _ => place.wrong(format!("\"{}\" is no type", text.escape_debug())),
    }
}

/// The metadata of a schema.
pub(super) fn metadata(text: &str, place: Place) -> Result<HashMap<String, String>, Wrong> {
    serde_json::from_str(text).or_else(|_| place.wrong("its metadata is no object of texts"))
}
