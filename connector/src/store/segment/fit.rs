//! Brings batches to the dataset's schema, or refuses them by column.
//!
//! Invariant: it changes encodings, never values: a batch that fits has the same digest after.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_model::schema::{type_name, widens};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// Fits batches of one schema to the dataset's, as it is stored.
pub(in crate::store) struct Fit {
    stored: SchemaRef,
}

impl Fit {
    /// Refuses (`FS1009`) a schema whose columns are not the dataset's, by name and logical type.
    pub(in crate::store) fn new(dataset: &Schema, given: &Schema) -> Result<Self> {
        if dataset.fields().len() != given.fields().len() {
            return Err(refuse(&format!(
                "the dataset has {} columns, these rows have {}",
                dataset.fields().len(),
                given.fields().len()
            )));
        }
        for (index, (ours, theirs)) in dataset.fields().iter().zip(given.fields()).enumerate() {
            if ours.name() != theirs.name() {
                let (ours, theirs) = (ours.name(), theirs.name());
                return Err(refuse(&format!(
                    "column {} is \"{ours}\" in the dataset and \"{theirs}\" here",
                    index + 1
                )));
            }
            check_type(ours, theirs.data_type())?;
        }
        Ok(Self {
            stored: stored(dataset),
        })
    }

    /// The schema in which rows are stored: dictionaries of columns are resolved, because an Arrow
    /// file holds one dictionary per column and batches bring many.
    pub(in crate::store) fn stored(&self) -> &SchemaRef {
        &self.stored
    }

    /// The same rows at the stored schema.
    pub(in crate::store) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if batch.num_columns() != self.stored.fields().len() {
            return Err(refuse(&format!(
                "a batch has {} columns",
                batch.num_columns()
            )));
        }
        let columns = self.stored.fields().iter().zip(batch.columns());
        let columns = columns
            .map(|(field, column)| convert(field, column))
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.stored), columns, &options)
            .map_err(|cause| refuse(&cause.to_string()))
    }
}

/// One column at a field's type; the values stay, or it is refused.
pub(in crate::store) fn convert(field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    check_type(field, column.data_type())?;
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column, field.data_type(), &strict)
        .map_err(|cause| refuse(&format!("column \"{}\": {cause}", field.name())))
}

/// One column as it was stored, at the type that its field has now: the same, or wider.
pub(in crate::store) fn widen(field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    if !widens(column.data_type(), field.data_type()) {
        return convert(field, column);
    }
    cast_with_options(
        column,
        field.data_type(),
        &CastOptions {
            safe: false,
            ..CastOptions::default()
        },
    )
    .map_err(|cause| refuse(&format!("column \"{}\": {cause}", field.name())))
}

fn check_type(field: &Field, given: &DataType) -> Result<()> {
    if logical(field.data_type()) == logical(given) {
        return Ok(());
    }
    let (ours, theirs) = (type_name(field.data_type()), type_name(given));
    Err(refuse(&format!(
        "column \"{}\" is {ours} in the dataset and {theirs} here",
        field.name()
    )))
}

/// The type's name without the encodings of text, binary and dictionaries.
fn logical(data_type: &DataType) -> String {
    match data_type {
        DataType::Dictionary(_, values) => logical(values),
        DataType::LargeUtf8 | DataType::Utf8View => type_name(&DataType::Utf8),
        DataType::LargeBinary | DataType::BinaryView => type_name(&DataType::Binary),
        other => type_name(other),
    }
}

fn stored(dataset: &Schema) -> SchemaRef {
    let resolve = |field: &Arc<Field>| match field.data_type() {
        DataType::Dictionary(_, values) => Arc::new(
            field
                .as_ref()
                .clone()
                .with_data_type(values.as_ref().clone()),
        ),
        _ => Arc::clone(field),
    };
    let fields: Vec<Arc<Field>> = dataset.fields().iter().map(resolve).collect();
    Arc::new(Schema::new_with_metadata(
        fields,
        dataset.metadata().clone(),
    ))
}

fn refuse(why: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS1009",
        "the rows do not have the dataset's schema",
    )
    .with_detail(why)
    .with_hint(
        "`flinkspark dataset show NAME` prints the schema; cast the rows to it before writing",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{DictionaryArray, Int32Array, StringViewArray, types::Int8Type};

    fn schema(fields: Vec<Field>) -> Schema {
        Schema::new(fields)
    }

    #[test]
    fn encodings_are_converted_and_values_kept() {
        let dataset = schema(vec![
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::LargeUtf8, false),
        ]);
        let dictionary: DictionaryArray<Int8Type> =
            vec![Some("x"), None, Some("x")].into_iter().collect();
        let given = RecordBatch::try_from_iter([
            ("a", Arc::new(dictionary) as ArrayRef),
            (
                "b",
                Arc::new(StringViewArray::from(vec!["p", "q", "r"])) as ArrayRef,
            ),
        ])
        .unwrap();
        let fitted = Fit::new(&dataset, &given.schema())
            .unwrap()
            .apply(&given)
            .unwrap();
        assert_eq!(fitted.schema().as_ref(), &dataset);
        let digest = |batch| flinkspark_model::digest::digest(&dataset, [batch]).unwrap();
        assert_eq!(digest(&given), digest(&fitted));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_column() {
        let dataset = schema(vec![Field::new("a", DataType::Int32, false)]);
        for (given, says) in [
            (schema(vec![]), "0"),
            (
                schema(vec![Field::new("b", DataType::Int32, false)]),
                "\"b\"",
            ),
            (
                schema(vec![Field::new("a", DataType::Int64, false)]),
                "int64",
            ),
        ] {
            let error = Fit::new(&dataset, &given).err().unwrap();
            assert_eq!(error.code(), "FS1009");
            assert!(error.detail().unwrap().contains(says), "{error}");
        }
        let nulls =
            RecordBatch::try_from_iter([("a", Arc::new(Int32Array::from(vec![None])) as ArrayRef)])
                .unwrap();
        let fit = Fit::new(&dataset, &nulls.schema()).unwrap();
        assert_eq!(fit.apply(&nulls).unwrap_err().code(), "FS1009");
    }
}
