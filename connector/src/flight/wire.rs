//! Schemas at the border: what is sent, what is accepted, and the cast between them.
//!
//! A dataset's rows are sent without dictionaries, run ends or views: Spark's and Flink's readers do
//! not take them, and a slice of a view carries all of its buffers. Rows that arrive must have the dataset's columns; text, binary and lists may
//! come with 32-bit or 64-bit offsets or as views. Invariant: a batch that passed [`conform`] has
//! exactly the dataset's schema, null-checked.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// The schema with every dictionary, run-end encoding and view replaced by the plain type.
pub(super) fn plain(schema: &Schema) -> Schema {
    let fields: Fields = schema.fields().iter().map(plain_field).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = plain_type(field.data_type());
    if data_type == *field.data_type() {
        return Arc::clone(field);
    }
    let metadata = field.metadata().clone();
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata))
}

fn plain_type(data_type: &DataType) -> DataType {
    use DataType as D;
    match data_type {
        D::Dictionary(_, values) => plain_type(values),
        D::RunEndEncoded(_, values) => plain_type(values.data_type()),
        D::Utf8View => D::Utf8,
        D::BinaryView => D::Binary,
        D::List(item) | D::ListView(item) => D::List(plain_field(item)),
        D::LargeList(item) | D::LargeListView(item) => D::LargeList(plain_field(item)),
        D::FixedSizeList(item, length) => D::FixedSizeList(plain_field(item), *length),
        D::Struct(fields) => D::Struct(fields.iter().map(plain_field).collect()),
        D::Map(entries, sorted) => D::Map(plain_field(entries), *sorted),
        other => other.clone(),
    }
}

/// Refuses a schema that is not the dataset's, before anything is staged.
pub(crate) fn check(dataset: &str, expected: &Schema, given: &Schema) -> Result<()> {
    let refuse = |message: String, why: String| {
        Error::new(Kind::Invalid, "FS0408", message).with_detail(format!("{why} (dataset {dataset})")).with_hint(
            format!("`flinkspark dataset show {dataset}` prints the columns; cast, rename or reorder them before the put"),
        )
    };
    for (index, field) in expected.fields().iter().enumerate() {
        let name = field.name();
        let Some(came) = given.fields().get(index) else {
            return Err(refuse(
                format!("column \"{name}\" is missing"),
                format!(
                    "expected {} columns, got {}",
                    expected.fields().len(),
                    given.fields().len()
                ),
            ));
        };
        if came.name() != name {
            return Err(refuse(
                format!(
                    "column {} is named \"{}\"",
                    index + 1,
                    came.name().escape_debug()
                ),
                format!(
                    "expected \"{name}\", got \"{}\"",
                    came.name().escape_debug()
                ),
            ));
        }
        if !fits(field.data_type(), came.data_type()) {
            return Err(refuse(
                format!("column \"{name}\" has another type"),
                format!(
                    "expected {}, got {}",
                    type_name(field.data_type()),
                    type_name(came.data_type())
                ),
            ));
        }
    }
    match given.fields().get(expected.fields().len()) {
        None => Ok(()),
        Some(extra) => Err(refuse(
            format!(
                "column \"{}\" is not in the dataset",
                extra.name().escape_debug()
            ),
            format!(
                "expected {} columns, got {}",
                expected.fields().len(),
                given.fields().len()
            ),
        )),
    }
}

/// Whether rows of type `given` can be stored as `expected` without a change of any value.
fn fits(expected: &DataType, given: &DataType) -> bool {
    use DataType as D;
    match (plain_type(expected), given) {
        (D::Utf8 | D::LargeUtf8, D::Utf8 | D::LargeUtf8 | D::Utf8View)
        | (D::Binary | D::LargeBinary, D::Binary | D::LargeBinary | D::BinaryView) => true,
        (
            D::List(expected) | D::LargeList(expected),
            D::List(given) | D::LargeList(given) | D::ListView(given) | D::LargeListView(given),
        ) => fits(expected.data_type(), given.data_type()),
        (D::FixedSizeList(expected, length), D::FixedSizeList(given, got)) => {
            length == *got && fits(expected.data_type(), given.data_type())
        }
        (D::Struct(expected), D::Struct(given)) => {
            let named = |(e, g): (&FieldRef, &FieldRef)| {
                e.name() == g.name() && fits(e.data_type(), g.data_type())
            };
            expected.len() == given.len() && expected.iter().zip(given).all(named)
        }
        // The names of a map's entries are a convention of each writer, not part of the type.
        (D::Map(expected, _), D::Map(given, _)) => {
            match (expected.data_type(), given.data_type()) {
                (D::Struct(expected), D::Struct(given)) => {
                    expected.len() == given.len()
                        && expected
                            .iter()
                            .zip(given)
                            .all(|(e, g)| fits(e.data_type(), g.data_type()))
                }
                _ => false,
            }
        }
        (expected, given) => expected == *given,
    }
}

/// The batch at `schema`; a null where the schema allows none is refused.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|cause| {
        Error::new(
            Kind::Invalid,
            "FS0409",
            "a batch does not fit the dataset's schema",
        )
        .with_source(cause)
        .with_hint("fill or drop the nulls of columns that the dataset declares NOT NULL")
    })
}

fn cast(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column, field.data_type(), &options).map_err(|cause| {
        Error::new(
            Kind::Invalid,
            "FS0409",
            format!(
                "column \"{}\" does not fit the type that was asked for",
                field.name()
            ),
        )
        .with_detail(format!(
            "from {} to {}: {cause}",
            type_name(column.data_type()),
            type_name(field.data_type())
        ))
        .with_hint("cast the column, or choose another profile")
    })
}
