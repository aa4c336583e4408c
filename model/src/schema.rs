//! Schemas as values that outlive a process: their JSON, their text, their compatibility.
//!
//! Owns the versioned JSON form of an Arrow schema, the readable names of types and the rule that
//! decides whether a schema may follow another. It never holds data and never guesses: a type it
//! does not know is refused by name. Invariant: `from_json(to_json(s)) == s`, field metadata,
//! nullability and names of nested fields included.
//!
//! ```
//! use arrow_schema::{DataType, Field, Schema};
//! use flinkspark_model::schema;
//!
//! let clicks = Schema::new(vec![Field::new("user", DataType::Utf8, false)]);
//! let json = schema::to_json(&clicks)?;
//! assert_eq!(json, r#"{"version":1,"fields":[{"name":"user","type":"utf8","nullable":false}]}"#);
//! assert_eq!(schema::from_json(&json)?, clicks);
//! # Ok::<(), flinkspark_model::Error>(())
//! ```

mod codec;
mod compatibility;
pub mod names;
#[cfg(test)]
mod tests;
mod text;

pub use codec::{JSON_BYTES_MAX, VERSION, from_json, to_json};
pub use compatibility::{Compatibility, compatible, readable, widens};
pub use text::type_name;

use crate::error::{Error, Kind};
use arrow_schema::DataType;

/// The deepest nesting of types that is accepted, in levels; a flat column is one level deep.
pub const DEPTH_MAX: usize = 32;

/// Refuses a type that neither the digest nor the codec knows.
pub(crate) fn unsupported(path: &str, data_type: &DataType) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0110",
        format!("column \"{path}\" has a type that datasets do not hold"),
    )
    .with_detail(format!("its type is {}", type_name(data_type)))
    .with_hint("split a union into one nullable column for each of its members before writing")
}

/// Refuses a type that is nested deeper than [`DEPTH_MAX`].
pub(crate) fn too_deep(path: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0111",
        format!("column \"{path}\" is nested too deep"),
    )
    .with_detail(format!("types may be nested {DEPTH_MAX} levels deep"))
    .with_hint("flatten the column, or store its inner part as text or binary")
}
