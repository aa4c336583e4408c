//! Brings batches to the schema that is stored, or refuses them by column.
//!
//! What fits is decided by [`crate::fit`]; here are the store's words for it. Rows are stored plain: an Arrow
//! file holds one dictionary per column and batches bring many, and a slice of a view carries all of its
//! buffers. Invariant: it changes encodings, never values, and what it lets through can be brought back
//! to the dataset's schema.

use crate::fit::{self, Accept, Misfit, TooLarge};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_model::digest::Digester;
use flinkspark_model::schema::{type_name, widens};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// Fits batches of one schema to the dataset's, as it is stored.
pub(in crate::store) struct Fit {
    dataset: SchemaRef,
    stored: SchemaRef,
    /// Whether bringing rows back may fail: keys or run ends of 8 or 16 bits.
    narrow: bool,
}

impl Fit {
    /// Refuses (`FS1009`) a schema whose columns are not the dataset's, by name and logical type, and
    /// (`FS1030`) one whose rows could not be read back.
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
        // Refuses what no dataset holds before it is told apart further.
        Digester::new(dataset)?;
        let fields = dataset.fields().iter();
        let fit = Self {
            dataset: Arc::new(dataset.clone()),
            stored: fit::plain_schema(dataset),
            narrow: fields.clone().any(|field| is_narrow(field.data_type())),
        };
        fit.check_readable(&RecordBatch::new_empty(Arc::clone(&fit.stored)))?;
        Ok(fit)
    }

    /// The schema in which rows are stored.
    pub(in crate::store) fn stored(&self) -> &SchemaRef {
        &self.stored
    }

    /// The same rows at the stored schema.
    pub(in crate::store) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        fit::apply(batch, &self.stored).map_err(misfit)
    }

    /// The stored rows in pieces that can be brought back to the dataset's schema: a dictionary with keys
    /// of 8 bits names 128 values of a batch.
    pub(in crate::store) fn readable(&self, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
        if !self.narrow {
            return Ok(vec![batch]);
        }
        let mut pieces = Vec::new();
        let mut waiting = vec![batch];
        while let Some(piece) = waiting.pop() {
            let rows = piece.num_rows();
            match self.check_readable(&piece) {
                Ok(()) => pieces.push(piece),
                Err(error) if rows <= 1 => return Err(error),
                Err(_) => {
                    waiting.push(piece.slice(rows / 2, rows - rows / 2));
                    waiting.push(piece.slice(0, rows / 2));
                }
            }
        }
        Ok(pieces)
    }

    fn check_readable(&self, stored: &RecordBatch) -> Result<()> {
        fit::apply(stored, &self.dataset).map(|_| ()).map_err(|misfit| {
            let column = misfit.column.unwrap_or_default();
            Error::new(
                Kind::Invalid,
                "FS1030",
                format!("column \"{column}\" could not be read back"),
            )
            .with_detail(misfit.why)
            .with_hint("write fewer different values in one cell, or register the dataset with wider keys or the plain type")
        })
    }
}

/// One column at a field's type; the values stay, or it is refused.
pub(in crate::store) fn convert(field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    check_type(field, column.data_type())?;
    fit::column(column, field).map_err(misfit)
}

/// A cell or a row that no reader could be sent.
pub(in crate::store) fn too_large(cause: TooLarge) -> Error {
    let TooLarge {
        column,
        row,
        bytes,
        limit,
    } = cause;
    let (code, what) = match column {
        Some(column) => (
            "FS1031",
            format!("a cell of column \"{column}\" is too large"),
        ),
        None => ("FS1032", "a row is too large".into()),
    };
    Error::new(Kind::Invalid, code, what)
        .with_detail(format!(
            "row {row} of its batch takes {bytes} bytes; the limit is {limit}"
        ))
        .with_hint(
            "store such values outside and their address in the dataset, or split them over rows",
        )
}

fn is_narrow(data_type: &DataType) -> bool {
    use DataType as D;
    let narrow = |width: Option<usize>| width.is_none_or(|width| width <= 2);
    match data_type {
        D::Dictionary(keys, values) => narrow(keys.primitive_width()) || is_narrow(values),
        D::RunEndEncoded(ends, values) => {
            narrow(ends.data_type().primitive_width()) || is_narrow(values.data_type())
        }
        D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) | D::Map(item, _) => {
            is_narrow(item.data_type())
        }
        D::ListView(item) | D::LargeListView(item) => is_narrow(item.data_type()),
        D::Struct(fields) => fields.iter().any(|field| is_narrow(field.data_type())),
        _ => false,
    }
}

/// One column as it was stored, at the type that its field has now: the same, or wider.
pub(in crate::store) fn widen(field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    if !widens(column.data_type(), field.data_type()) {
        return convert(field, column);
    }
    fit::widened(column, field).map_err(misfit)
}

fn check_type(field: &Field, given: &DataType) -> Result<()> {
    if fit::encodes(field.data_type(), given, Accept::Any) {
        return Ok(());
    }
    let (ours, theirs) = (type_name(field.data_type()), type_name(given));
    Err(refuse(&format!(
        "column \"{}\" is {ours} in the dataset and {theirs} here",
        field.name()
    )))
}

fn misfit(misfit: Misfit) -> Error {
    match misfit.column {
        Some(column) => refuse(&format!("column \"{column}\": {}", misfit.why)),
        None => refuse(&misfit.why),
    }
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
