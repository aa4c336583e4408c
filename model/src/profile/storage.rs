//! What a field keeps of its metadata when its type changes.
//!
//! An extension type is its name and the type that stores it: where that type changes, the name would be a lie, and a
//! client that knows the extension would refuse the column. Everything else that metadata says (lengths of texts,
//! collations, Spark's marks of variants and geometries) is of the values and stays. Invariant: a field whose type does
//! not change keeps all of it.

use arrow_schema::{DataType, Field, FieldRef};

/// The keys of an extension type.
const EXTENSION: [&str; 2] = ["ARROW:extension:name", "ARROW:extension:metadata"];

/// Extensions whose specifications leave the width of offsets, and views, to the writer.
const ANY_WIDTH: [&str; 4] = [
    "arrow.json",
    "arrow.parquet.variant",
    "geoarrow.wkb",
    "geoarrow.wkt",
];

/// The field at another type, without its extension where that type does not store it.
pub fn retyped(field: &Field, data_type: DataType) -> Field {
    let keeps = keeps_extension(field, &data_type);
    let mut metadata = field.metadata().clone();
    if !keeps {
        for key in EXTENSION {
            metadata.remove(key);
        }
    }
    Field::new(field.name(), data_type, field.is_nullable())
        .with_dict_is_ordered(field.dict_is_ordered() == Some(true))
        .with_metadata(metadata)
}

fn keeps_extension(field: &Field, to: &DataType) -> bool {
    let [name, _] = EXTENSION;
    let Some(extension) = field.metadata().get(name) else {
        return true;
    };
    let any_width = ANY_WIDTH.contains(&extension.as_str());
    stores(field.data_type(), to, any_width)
}

/// Whether two types store the same; the names of a list's items and a map's entries are conventions.
fn stores(a: &DataType, b: &DataType, any_width: bool) -> bool {
    use DataType as D;
    let item = |a: &FieldRef, b: &FieldRef| stores(a.data_type(), b.data_type(), any_width);
    match (a, b) {
        (D::List(a), D::List(b)) | (D::LargeList(a), D::LargeList(b)) => item(a, b),
        (D::FixedSizeList(a, n), D::FixedSizeList(b, m)) => n == m && item(a, b),
        (D::Map(a, _), D::Map(b, _)) => match (a.data_type(), b.data_type()) {
            (D::Struct(a), D::Struct(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| item(a, b))
            }
            _ => false,
        },
        (D::Struct(a), D::Struct(b)) => {
            let same = |(a, b): (&FieldRef, &FieldRef)| a.name() == b.name() && item(a, b);
            a.len() == b.len() && a.iter().zip(b).all(same)
        }
        (D::Utf8 | D::LargeUtf8 | D::Utf8View, D::Utf8) if any_width => true,
        (D::Binary | D::LargeBinary | D::BinaryView, D::Binary) if any_width => true,
        (a, b) => a == b,
    }
}
