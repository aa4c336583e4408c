//! The types that Thrift has words for.
//!
//! Invariant: a bare type is what an IDL without annotations says, and nothing more exact.

use arrow_schema::{DataType, Field, Fields};
use flinkspark_model::schema::type_name;
use std::sync::Arc;

/// The bytes of a UUID.
pub(super) const UUID: DataType = DataType::FixedSizeBinary(16);

/// Whether Thrift has a word for the type, and for all that it holds.
pub(super) fn is_bare(data_type: &DataType) -> bool {
    use DataType as D;
    match data_type {
        D::Boolean
        | D::Int8
        | D::Int16
        | D::Int32
        | D::Int64
        | D::Float64
        | D::Utf8
        | D::Binary => true,
        D::List(item) => is_bare(item.data_type()),
        D::Map(entries, _) => is_bare(entries.data_type()),
        D::Struct(fields) => fields.iter().all(|field| is_bare(field.data_type())),
        other => *other == UUID,
    }
}

/// A list, as an IDL says it.
pub(super) fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// A map, as an IDL says it.
pub(super) fn map(key: DataType, value: DataType) -> DataType {
    let key = Field::new("key", key, false);
    let pair = Fields::from(vec![key, Field::new("value", value, true)]);
    let entries = Field::new("entries", DataType::Struct(pair), false);
    DataType::Map(Arc::new(entries), false)
}

/// The readable name of a type.
pub(super) fn name(data_type: &DataType) -> String {
    type_name(data_type)
}
