//! Columns that were matched by name, as the dataset has them.
//!
//! What becomes of each was decided by [`flinkspark_model::matching`]. Invariant: a value is the same afterwards,
//! or the put ends with its column and row.

use super::ticks::{self, Steps};
use super::wire;
use crate::fit;
use crate::format::leaves::{Leaf, Misfit};
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
    new_null_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields};
use flinkspark_model::matching::{Origin, Way};
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// One column or field of `rows` rows, from those that came; `beneath` says which of the rows count.
pub(super) fn made(
    given: &[ArrayRef],
    rows: usize,
    field: &Field,
    origin: &Origin,
    beneath: Option<&NullBuffer>,
) -> Result<ArrayRef> {
    match origin {
        Origin::Null => Ok(new_null_array(field.data_type(), rows)),
        Origin::Column(place, way) => match given.get(*place) {
            Some(array) => one(array, field, way, beneath),
            None => Err(unfit(field, "it did not come".into())),
        },
    }
}

fn one(
    array: &ArrayRef,
    field: &Field,
    way: &Way,
    beneath: Option<&NullBuffer>,
) -> Result<ArrayRef> {
    use DataType as D;
    let made = match (way, field.data_type()) {
        (Way::Same, _) => return wire::cast(array, field),
        (Way::Widened, _) => return widened(array, field, beneath),
        (Way::Struct(origins), D::Struct(fields)) => structs(array, fields, origins, beneath)?,
        (Way::Items(way), D::List(item)) => {
            let plain = relisted(array, field, item, D::List)?;
            lists::<i32>(&plain, item, way)?
        }
        (Way::Items(way), D::LargeList(item)) => {
            let plain = relisted(array, field, item, D::LargeList)?;
            lists::<i64>(&plain, item, way)?
        }
        (Way::Items(way), D::FixedSizeList(item, length)) => {
            let lists = array.as_fixed_size_list();
            let items = one(lists.values(), item, way, None)?;
            let (item, nulls) = (Arc::clone(item), lists.nulls().cloned());
            FixedSizeListArray::try_new_with_length(item, *length, items, nulls, lists.len())
                .map(|array| Arc::new(array) as ArrayRef)
        }
        (Way::Entries(ways), D::Map(entries, sorted)) => {
            maps(array.as_map(), (entries, *sorted), ways)?
        }
        _ => return Err(unfit(field, "its type is not what was matched".into())),
    };
    made.map_err(|cause| unfit(field, cause.to_string()))
}

/// Each value at a type that holds it.
fn widened(array: &ArrayRef, field: &Field, beneath: Option<&NullBuffer>) -> Result<ArrayRef> {
    use DataType as D;
    let (from, to) = (array.data_type(), field.data_type());
    match (from, to) {
        (D::Null, _) => Ok(new_null_array(to, array.len())),
        (D::Timestamp(..), D::Timestamp(..))
        | (D::Duration(_), D::Duration(_))
        | (D::Time32(_) | D::Time64(_), D::Time32(_) | D::Time64(_)) => {
            let leaf = Leaf {
                array,
                beside: None,
                valid: NullBuffer::union(array.nulls(), beneath),
                to,
            };
            let steps = Steps::between(from, to, None, false);
            ticks::convert(&leaf, &steps).map_err(|Misfit { row, why }| {
                let row = row + 1;
                unfit(
                    field,
                    format!("row {row} of a message, {}: {why}", type_name(from)),
                )
            })
        }
        _ => wire::cast(array, field),
    }
}

type Built = std::result::Result<ArrayRef, ArrowError>;

fn structs(
    array: &ArrayRef,
    fields: &Fields,
    origins: &[Origin],
    beneath: Option<&NullBuffer>,
) -> Result<Built> {
    let structs = array.as_struct();
    let (rows, nulls) = (structs.len(), structs.nulls());
    let beneath = NullBuffer::union(nulls, beneath);
    let columns = fields.iter().zip(origins);
    let columns = columns
        .map(|(field, origin)| made(structs.columns(), rows, field, origin, beneath.as_ref()))
        .collect::<Result<Vec<_>>>()?;
    let built = StructArray::try_new_with_length(fields.clone(), columns, nulls.cloned(), rows);
    Ok(built.map(|array| Arc::new(array) as ArrayRef))
}

/// A list of whatever kind as one of the wanted kind, with the items that came.
fn relisted(
    array: &ArrayRef,
    field: &Field,
    wanted: &FieldRef,
    kind: fn(FieldRef) -> DataType,
) -> Result<ArrayRef> {
    use DataType as D;
    let (D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item)) =
        array.data_type()
    else {
        return Err(unfit(field, "its type is not what was matched".into()));
    };
    let item = Field::new(
        wanted.name(),
        fit::plain(item.data_type()),
        item.is_nullable(),
    );
    wire::cast(array, &Field::new(field.name(), kind(item.into()), true))
}

fn lists<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef, way: &Way) -> Result<Built> {
    let lists = array.as_list::<O>();
    let (offsets, items) = shown(lists.offsets(), lists.values());
    let items = one(&items, item, way, None)?;
    let built =
        GenericListArray::<O>::try_new(Arc::clone(item), offsets, items, lists.nulls().cloned());
    Ok(built.map(|array| Arc::new(array) as ArrayRef))
}

fn maps(maps: &MapArray, (field, sorted): (&FieldRef, bool), ways: &[Way; 2]) -> Result<Built> {
    let DataType::Struct(fields) = field.data_type() else {
        return Err(unfit(field, "its type is not what was matched".into()));
    };
    let all: ArrayRef = Arc::new(maps.entries().clone());
    let (offsets, entries) = shown(maps.offsets(), &all);
    let entries = entries.as_struct();
    let columns = entries.columns().iter().zip(fields).zip(ways);
    let columns = columns
        .map(|((column, field), way)| one(column, field, way, None))
        .collect::<Result<Vec<_>>>()?;
    let nulls = maps.nulls().cloned();
    let built = StructArray::try_new_with_length(fields.clone(), columns, None, entries.len());
    let built = built
        .and_then(|entries| MapArray::try_new(Arc::clone(field), offsets, entries, nulls, sorted));
    Ok(built.map(|array| Arc::new(array) as ArrayRef))
}

/// The offsets from 0 on and the values that they show: those of other rows are nobody's.
fn shown<O: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    values: &ArrayRef,
) -> (OffsetBuffer<O>, ArrayRef) {
    let lengths = offsets.lengths();
    let (first, last) = (offsets[0].as_usize(), offsets[offsets.len() - 1].as_usize());
    (
        OffsetBuffer::from_lengths(lengths),
        values.slice(first, last - first),
    )
}

fn unfit(field: &Field, why: String) -> Error {
    let name = field.name();
    Error::new(
        Kind::Invalid,
        "FS0409",
        format!("a value of column \"{name}\" does not fit the dataset"),
    )
    .with_detail(format!("to {}: {why}", type_name(field.data_type())))
    .with_hint("correct the value, or leave out what the dataset cannot hold")
}
