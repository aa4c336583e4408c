//! Encodings that files do not keep, and the check that rows fit a file.
//!
//! Changes encodings only. Invariant: the digest of a batch is the same before and after.

use super::BatchWriter;
use super::bounds::rows_within;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use flinkspark_model::digest::Digester;
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// The schema that files of a schema have: dictionaries and run-ends are plain columns, views
/// plain strings; everything else stays.
///
/// Unions (`FS0110`) and nesting that is too deep (`FS0111`) are refused.
pub fn stored_schema(schema: &Schema) -> Result<SchemaRef> {
    Digester::new(schema)?;
    let fields: Vec<FieldRef> = schema
        .fields()
        .iter()
        .map(|field| retype(field, plain_type(field.data_type())))
        .collect();
    Ok(Arc::new(Schema::new_with_metadata(
        fields,
        schema.metadata().clone(),
    )))
}

fn retype(field: &Field, data_type: DataType) -> FieldRef {
    field.clone().with_data_type(data_type).into()
}

/// The type without dictionaries, run-ends and views.
pub(crate) fn plain_type(data_type: &DataType) -> DataType {
    use DataType as D;
    let child = |field: &FieldRef| retype(field, plain_type(field.data_type()));
    match data_type {
        D::Dictionary(_, values) => plain_type(values),
        D::RunEndEncoded(_, values) => plain_type(values.data_type()),
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

/// The type without encodings, nullability and names of items: equal for what a cast only re-encodes.
fn canonical(data_type: &DataType) -> DataType {
    use DataType as D;
    let item = |field: &FieldRef| Arc::new(Field::new("", canonical(field.data_type()), true));
    match plain_type(data_type) {
        D::LargeUtf8 => D::Utf8,
        D::LargeBinary => D::Binary,
        D::List(field) | D::LargeList(field) => D::List(item(&field)),
        D::Map(entries, _) => D::Map(item(&entries), false),
        D::Struct(fields) => D::Struct(
            fields
                .iter()
                .map(|field| Field::new(field.name(), canonical(field.data_type()), true))
                .collect(),
        ),
        other => other,
    }
}

/// The batch with the encodings of `schema`; `FS0304` where that would take more than re-encoding.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    if batch.num_columns() != schema.fields().len() {
        let (given, wanted) = (batch.num_columns(), schema.fields().len());
        return Err(misfit(
            "the rows do not fit the file",
            format!("they have {given} columns, the file has {wanted}"),
        ));
    }
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            let (from, to) = (column.data_type(), field.data_type());
            let message = format!("column \"{}\" does not fit the file", field.name());
            if from == to {
                return Ok(Arc::clone(column));
            }
            if canonical(from) != canonical(to) {
                let why = format!(
                    "it is {} and the file holds {}",
                    type_name(from),
                    type_name(to)
                );
                return Err(misfit(&message, why));
            }
            let strict = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(column, to, &strict)
                .map_err(|cause| misfit(&message, cause.to_string()))
        });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|cause| misfit("the rows do not fit the file", cause.to_string()))
}

fn misfit(message: &str, why: String) -> Error {
    Error::new(Kind::Invalid, "FS0304", message)
        .with_detail(why)
        .with_hint("cast the column to the file's type before writing, or create the file with the rows' schema")
}

/// Re-encodes and cuts what is written.
pub(super) struct Conformed {
    writer: Box<dyn BatchWriter>,
    schema: SchemaRef,
    rows_max: usize,
    bytes_max: usize,
}

impl Conformed {
    pub(super) fn new(
        writer: Box<dyn BatchWriter>,
        schema: SchemaRef,
        rows_max: usize,
        bytes_max: usize,
    ) -> Self {
        Self {
            writer,
            schema,
            rows_max,
            bytes_max,
        }
    }
}

impl BatchWriter for Conformed {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = conform(batch, &self.schema)?;
        let mut first = 0;
        while first < batch.num_rows() {
            let rest = batch.slice(first, batch.num_rows() - first);
            let rows = rows_within(&rest, self.rows_max, self.bytes_max);
            self.writer
                .write(&rest.slice(0, rows.min(rest.num_rows())))?;
            first += rows;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.writer.finish()
    }
}
