//! Which rows of a batch match a filter.
//!
//! Numbers are compared as they are stored, text and binary by their bytes, with Arrow's kernels; AND, OR and NOT
//! are Kleene's. Invariant: the filter was bound to the schema whose columns the batch has, and of what is
//! residual there is nothing in it.

use super::native::{Numbers, one};
use crate::fit;
use arrow_arith::boolean::{and_kleene, is_null, not, or_kleene};
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayAccessor, ArrayRef, ArrowNativeTypeOp, BooleanArray, Datum, FixedSizeBinaryArray,
    PrimitiveArray, RecordBatch, Scalar, StringArray, downcast_primitive,
};
use arrow_array::{BinaryArray, LargeBinaryArray, LargeStringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType};
use arrow_select::filter::filter_record_batch;
use flinkspark_model::filter::{Bound, Node, Operator, Term, Test, Value};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// The rows of a batch that match.
pub(crate) struct Kept {
    /// These rows, with all columns.
    pub(crate) batch: RecordBatch,
    /// For each of them, how many rows of the whole batch end with it.
    pub(crate) ends: Vec<u32>,
}

/// The rows of a batch for which the filter is true. `columns` says, ascending, which columns of the schema the
/// batch has; `None` for all.
pub(crate) fn keep(bound: &Bound, batch: &RecordBatch, columns: Option<&[usize]>) -> Result<Kept> {
    let rows = Rows { batch, columns };
    let mut matching = BooleanBuffer::new_set(batch.num_rows());
    for node in bound.conditions() {
        if matching.count_set_bits() == 0 {
            break;
        }
        let (values, valid) = rows.node(node).map_err(broken)?.into_parts();
        matching = &matching & &values;
        if let Some(valid) = valid {
            matching = &matching & valid.inner();
        }
    }
    let end = |row: usize| u32::try_from(row + 1).unwrap_or(u32::MAX);
    let ends = matching.set_indices().map(end).collect();
    let batch = filter_record_batch(batch, &BooleanArray::new(matching, None)).map_err(broken)?;
    Ok(Kept { batch, ends })
}

fn broken(cause: ArrowError) -> Error {
    Error::new(Kind::Internal, "FS0499", "a filter could not be evaluated")
        .with_source(cause)
        .with_hint("report it; without the filter the rows can be read")
}

type Answer = std::result::Result<BooleanArray, ArrowError>;

struct Rows<'a> {
    batch: &'a RecordBatch,
    columns: Option<&'a [usize]>,
}

impl Rows<'_> {
    fn node(&self, node: &Node) -> Answer {
        match node {
            Node::And(parts) => self.join(parts, and_kleene),
            Node::Or(parts) => self.join(parts, or_kleene),
            Node::Not(part) => not(&self.node(part)?),
            Node::Term(Term { column, test }) => evaluate(test, &self.column(*column)?),
        }
    }

    fn join(&self, parts: &[Node], with: fn(&BooleanArray, &BooleanArray) -> Answer) -> Answer {
        let mut parts = parts.iter().map(|part| self.node(part));
        let first = parts.next();
        let first = first.ok_or_else(|| mismatch("a list of the filter is empty"))??;
        parts.try_fold(first, |so_far, part| with(&so_far, &part?))
    }

    /// A column as plain values.
    fn column(&self, index: usize) -> std::result::Result<ArrayRef, ArrowError> {
        let place = match self.columns {
            None => Some(index),
            Some(columns) => columns.binary_search(&index).ok(),
        };
        let field = place.and_then(|place| self.batch.schema_ref().fields().get(place));
        let column = place.and_then(|place| self.batch.columns().get(place));
        let (field, column) = field
            .zip(column)
            .ok_or_else(|| mismatch("a column of the filter was not read"))?;
        let plain = fit::plain(field.data_type());
        if plain == *field.data_type() {
            return Ok(Arc::clone(column));
        }
        let field = field.as_ref().clone().with_data_type(plain);
        fit::column(column, &field).map_err(|misfit| mismatch(&misfit.why))
    }
}

fn mismatch(why: &str) -> ArrowError {
    ArrowError::InvalidArgumentError(why.into())
}

fn evaluate(test: &Test, column: &ArrayRef) -> Answer {
    match test {
        Test::IsNull => is_null(column),
        Test::Compare(_, None) | Test::Prefix(None) => Ok(BooleanArray::new_null(column.len())),
        Test::Compare(operator, Some(value)) => compare(*operator, column, value),
        Test::Prefix(Some(prefix)) => bytes(column, |cell| cell.starts_with(prefix)),
        Test::In { values, null } => among(column, values, *null),
        Test::Residual => Err(mismatch("a residual term was to be evaluated")),
    }
}

fn compare(operator: Operator, column: &ArrayRef, value: &Value) -> Answer {
    let literal = Scalar::new(literal(value, column.data_type())?);
    let kernel: fn(&dyn Datum, &dyn Datum) -> Answer = match operator {
        Operator::Eq => cmp::eq,
        Operator::Ne => cmp::neq,
        Operator::Lt => cmp::lt,
        Operator::Le => cmp::lt_eq,
        Operator::Gt => cmp::gt,
        Operator::Ge => cmp::gt_eq,
    };
    kernel(column, &literal)
}

/// A literal as an array of one row.
fn literal(value: &Value, data_type: &DataType) -> std::result::Result<ArrayRef, ArrowError> {
    let array = match value {
        Value::Number(number) => {
            macro_rules! number {
                ($t:ty) => {
                    one::<$t>(*number, data_type).map(|array| Arc::new(array) as ArrayRef)
                };
            }
            downcast_primitive! {
                data_type => (number),
                DataType::Boolean => number.to_i128().map(|is| Arc::new(BooleanArray::from(vec![is != 0])) as ArrayRef),
                _ => None,
            }
        }
        Value::Bytes(bytes) => binary(bytes, data_type)?,
    };
    array.ok_or_else(|| mismatch(&format!("a literal is not a value of {data_type}")))
}

fn binary(bytes: &[u8], data_type: &DataType) -> std::result::Result<Option<ArrayRef>, ArrowError> {
    let text = || std::str::from_utf8(bytes).map_err(|cause| mismatch(&cause.to_string()));
    Ok(Some(match data_type {
        DataType::Utf8 => Arc::new(StringArray::from(vec![text()?])) as ArrayRef,
        DataType::LargeUtf8 => Arc::new(LargeStringArray::from(vec![text()?])),
        DataType::Binary => Arc::new(BinaryArray::from(vec![bytes])),
        DataType::LargeBinary => Arc::new(LargeBinaryArray::from(vec![bytes])),
        DataType::FixedSizeBinary(_) => {
            Arc::new(FixedSizeBinaryArray::try_from_iter([bytes].into_iter())?)
        }
        _ => return Ok(None),
    }))
}

/// A test of each cell's bytes.
fn bytes(column: &ArrayRef, test: impl Fn(&[u8]) -> bool) -> Answer {
    fn each<A: ArrayAccessor>(column: A, test: impl FnMut(A::Item) -> bool) -> Answer {
        Ok(BooleanArray::from_unary(column, test))
    }
    match column.data_type() {
        DataType::Utf8 => each(column.as_string::<i32>(), |cell| test(cell.as_bytes())),
        DataType::LargeUtf8 => each(column.as_string::<i64>(), |cell| test(cell.as_bytes())),
        DataType::Binary => each(column.as_binary::<i32>(), test),
        DataType::LargeBinary => each(column.as_binary::<i64>(), test),
        DataType::FixedSizeBinary(_) => each(column.as_fixed_size_binary(), test),
        other => Err(mismatch(&format!("{other} has no bytes"))),
    }
}

/// Whether each cell is one of the sorted values.
fn among(column: &ArrayRef, values: &[Value], null: bool) -> Answer {
    let data_type = column.data_type();
    macro_rules! numbers {
        ($t:ty) => {
            among_numbers(column.as_primitive::<$t>(), values)
        };
    }
    let found = downcast_primitive! {
        data_type => (numbers),
        DataType::Boolean => {
            let is = |value: bool| values.contains(&Value::number(value.into()));
            let (no, yes) = (is(false), is(true));
            BooleanArray::from_unary(column.as_boolean(), |cell| if cell { yes } else { no })
        },
        _ => {
            let wanted = values.iter().filter_map(|value| match value {
                Value::Bytes(bytes) => Some(bytes.as_slice()),
                Value::Number(_) => None,
            });
            let wanted: Vec<&[u8]> = wanted.collect();
            bytes(column, |cell| wanted.binary_search(&cell).is_ok())?
        },
    };
    if !null {
        return Ok(found);
    }
    // What is not found may be the NULL of the list.
    let (found, valid) = found.into_parts();
    let known = match valid {
        Some(valid) => &found & valid.inner(),
        None => found.clone(),
    };
    Ok(BooleanArray::new(found, Some(NullBuffer::new(known))))
}

fn among_numbers<T: Numbers>(column: &PrimitiveArray<T>, values: &[Value]) -> BooleanArray {
    let wanted = values.iter().filter_map(|value| match value {
        Value::Number(number) => T::stored(*number),
        Value::Bytes(_) => None,
    });
    let wanted: Vec<T::Native> = wanted.collect();
    BooleanArray::from_unary(column, |cell| {
        wanted.binary_search_by(|probe| probe.compare(cell)).is_ok()
    })
}
