//! Which types are encodings of one another.
//!
//! Decides by types alone. Invariant: [`encodes`] is true only where [`recode`](super::recode) changes
//! no value.

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use flinkspark_model::profile;
use std::sync::Arc;

/// Which encodings may arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accept {
    /// Those that come over Flight: widths of offsets and views, but no dictionaries and no run ends.
    Wire,
    /// All.
    Any,
}

/// The type without dictionaries, run ends and views; everything else stays.
pub(crate) fn plain(data_type: &DataType) -> DataType {
    use DataType as D;
    let child = |field: &FieldRef| retype(field, plain(field.data_type()));
    match data_type {
        D::Dictionary(_, values) => plain(values),
        D::RunEndEncoded(_, values) => plain(values.data_type()),
        D::Utf8View => D::Utf8,
        D::BinaryView => D::Binary,
        D::List(item) | D::ListView(item) => D::List(child(item)),
        D::LargeList(item) | D::LargeListView(item) => D::LargeList(child(item)),
        D::FixedSizeList(item, length) => D::FixedSizeList(child(item), *length),
        D::Struct(fields) => D::Struct(fields.iter().map(child).collect()),
        D::Map(entries, sorted) => D::Map(child(entries), *sorted),
        other => other.clone(),
    }
}

/// The schema with every column plain.
pub(crate) fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields: Vec<FieldRef> = fields
        .map(|field| retype(field, plain(field.data_type())))
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn retype(field: &FieldRef, data_type: DataType) -> FieldRef {
    if *field.data_type() == data_type {
        return Arc::clone(field);
    }
    // An extension that the plain type does not store goes.
    profile::retyped(field, data_type).into()
}

/// Whether the type stands for more than its buffers hold, at any depth.
pub(super) fn is_encoded(data_type: &DataType) -> bool {
    use DataType as D;
    match data_type {
        D::Dictionary(..) | D::RunEndEncoded(..) | D::Utf8View | D::BinaryView => true,
        D::ListView(_) | D::LargeListView(_) => true,
        D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) | D::Map(item, _) => {
            is_encoded(item.data_type())
        }
        D::Struct(fields) => fields.iter().any(|field| is_encoded(field.data_type())),
        _ => false,
    }
}

/// Whether rows of type `given` can be held as `expected` without a change of any value.
pub(crate) fn encodes(expected: &DataType, given: &DataType, accept: Accept) -> bool {
    use DataType as D;
    let items = |expected: &FieldRef, given: &FieldRef| {
        encodes(expected.data_type(), given.data_type(), accept)
    };
    match (expected, given) {
        (D::Dictionary(_, expected), given) => encodes(expected, given, accept),
        (D::RunEndEncoded(_, expected), given) => encodes(expected.data_type(), given, accept),
        (_, D::Dictionary(_, given)) => accept == Accept::Any && encodes(expected, given, accept),
        (_, D::RunEndEncoded(_, given)) => {
            accept == Accept::Any && encodes(expected, given.data_type(), accept)
        }
        (D::Utf8 | D::LargeUtf8 | D::Utf8View, D::Utf8 | D::LargeUtf8 | D::Utf8View)
        | (
            D::Binary | D::LargeBinary | D::BinaryView,
            D::Binary | D::LargeBinary | D::BinaryView,
        ) => true,
        (
            D::List(expected)
            | D::LargeList(expected)
            | D::ListView(expected)
            | D::LargeListView(expected),
            D::List(given) | D::LargeList(given) | D::ListView(given) | D::LargeListView(given),
        ) => items(expected, given),
        (D::FixedSizeList(expected, length), D::FixedSizeList(given, got)) => {
            length == got && items(expected, given)
        }
        (D::Struct(expected), D::Struct(given)) => {
            let named = |(e, g): (&FieldRef, &FieldRef)| e.name() == g.name() && items(e, g);
            expected.len() == given.len() && expected.iter().zip(given).all(named)
        }
        // The names of a map's entries are a convention of each writer, not part of the type.
        (D::Map(expected, _), D::Map(given, _)) => entries(expected)
            .zip(entries(given))
            .is_some_and(|([key, value], [k, v])| items(key, k) && items(value, v)),
        (expected, given) => expected == given,
    }
}

/// A map's key and value.
pub(super) fn entries(entries: &Field) -> Option<[&FieldRef; 2]> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some([key, value]),
            _ => None,
        },
        _ => None,
    }
}
