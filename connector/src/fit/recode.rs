//! Casts one column to another encoding of its type.
//!
//! Structs go by position, because their fields may share a name; the children of a list are cut to what
//! the list shows, so that a slice does not cast what it does not hold. Invariant: the caller has bounded
//! what the column takes once it is plain.

use super::encoding::entries;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowDictionaryKeyType, Int16Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, FixedSizeListArray, GenericListArray, GenericListViewArray,
    Int64Array, MapArray, OffsetSizeTrait, RunArray, StructArray, downcast_integer, make_array,
};
use arrow_buffer::OffsetBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_data::transform::MutableArrayData;
use arrow_schema::{ArrowError, DataType, FieldRef};
use arrow_select::take::take;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ArrowError>;

/// The same values at type `to`, of which the array's type is an encoding.
pub(super) fn recode(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    use DataType as D;
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), to) {
        (D::Dictionary(..), _) => recode(&resolved(array)?, to),
        (D::RunEndEncoded(_, values), _) => recode(&cast(array, values.data_type())?, to),
        (_, D::Dictionary(keys, values)) => {
            let values = recode(array, values)?;
            cast(&values, to).or_else(|_| numbered(values, keys))
        }
        (_, D::RunEndEncoded(ends, values)) => {
            let values = recode(array, values.data_type())?;
            cast(&values, to).or_else(|_| single_runs(values, ends.data_type()))
        }
        (D::ListView(item), _) => recode(&flat::<i32>(array, item)?, to),
        (D::LargeListView(item), _) => recode(&flat::<i64>(array, item)?, to),
        (D::List(_), D::ListView(item)) => cast(&list::<i32>(array, item)?, to),
        (D::List(_), D::LargeListView(item)) => cast(&list::<i32>(array, item)?, to),
        (D::LargeList(_), D::ListView(item)) => cast(&list::<i64>(array, item)?, to),
        (D::LargeList(_), D::LargeListView(item)) => cast(&list::<i64>(array, item)?, to),
        (D::List(_), D::List(item)) => list::<i32>(array, item),
        (D::LargeList(_), D::LargeList(item)) => list::<i64>(array, item),
        (D::List(_), D::LargeList(item)) => cast(&list::<i32>(array, item)?, to),
        (D::LargeList(_), D::List(item)) => cast(&list::<i64>(array, item)?, to),
        (D::FixedSizeList(..), D::FixedSizeList(item, length)) => {
            let lists = array.as_fixed_size_list();
            let values = recode(lists.values(), item.data_type())?;
            let nulls = lists.nulls().cloned();
            let (item, rows) = (Arc::clone(item), lists.len());
            FixedSizeListArray::try_new_with_length(item, *length, values, nulls, rows).map(boxed)
        }
        (D::FixedSizeList(item, length), D::List(_)) => recode(&listed(array, item, *length)?, to),
        (D::Struct(_), D::Struct(fields)) => {
            let structs = array.as_struct();
            let columns = children(structs, fields)?;
            let (nulls, rows) = (structs.nulls().cloned(), structs.len());
            StructArray::try_new_with_length(fields.clone(), columns, nulls, rows).map(boxed)
        }
        (D::Map(..), D::Map(field, sorted)) => map(array.as_map(), field, *sorted),
        _ => cast(array, to),
    }
}

fn boxed(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

pub(super) fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &strict)
}

fn children(structs: &StructArray, fields: &[FieldRef]) -> Result<Vec<ArrayRef>> {
    let columns = structs.columns().iter().zip(fields);
    columns
        .map(|(column, field)| recode(column, field.data_type()))
        .collect()
}

/// A dictionary's values, one for each key.
fn resolved(array: &ArrayRef) -> Result<ArrayRef> {
    fn of<K: ArrowDictionaryKeyType>(array: &ArrayRef) -> Result<ArrayRef> {
        let dictionary = array.as_dictionary::<K>();
        take(dictionary.values(), dictionary.keys(), None)
    }
    macro_rules! keys {
        ($key:ty, $array:expr) => {
            of::<$key>($array)
        };
    }
    let DataType::Dictionary(keys, _) = array.data_type() else {
        return Ok(Arc::clone(array));
    };
    downcast_integer! {
        keys.as_ref() => (keys, array),
        other => Err(ArrowError::CastError(format!("{other} is no type of keys")))
    }
}

/// A dictionary with a key of its own for each value: arrow packs only values of some types.
fn numbered(values: ArrayRef, keys: &DataType) -> Result<ArrayRef> {
    fn of<K: ArrowDictionaryKeyType>(keys: &ArrayRef, values: ArrayRef) -> Result<ArrayRef> {
        let keys = keys.as_primitive::<K>().clone();
        DictionaryArray::<K>::try_new(keys, values).map(boxed)
    }
    macro_rules! keys {
        ($key:ty, $numbers:expr, $values:expr) => {
            of::<$key>($numbers, $values)
        };
    }
    let nulls = values.logical_nulls();
    let numbers = (0..values.len()).map(|row| i64::try_from(row).unwrap_or(i64::MAX));
    let numbers = Int64Array::new(numbers.collect::<Vec<_>>().into(), nulls);
    let numbers = &cast(&boxed(numbers), keys)?;
    downcast_integer! {
        keys => (keys, numbers, values),
        other => Err(ArrowError::CastError(format!("{other} is no type of keys")))
    }
}

/// Run ends with a run for each value: arrow tells only values of some types apart.
fn single_runs(values: ArrayRef, ends: &DataType) -> Result<ArrayRef> {
    let last = i64::try_from(values.len()).unwrap_or(i64::MAX);
    let numbers = cast(&boxed(Int64Array::from_iter_values(1..=last)), ends)?;
    match ends {
        DataType::Int16 => {
            RunArray::try_new(numbers.as_primitive::<Int16Type>(), &values).map(boxed)
        }
        DataType::Int32 => {
            RunArray::try_new(numbers.as_primitive::<Int32Type>(), &values).map(boxed)
        }
        _ => RunArray::try_new(numbers.as_primitive::<Int64Type>(), &values).map(boxed),
    }
}

/// The offsets from 0 on and the values that they show.
fn shown<O: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    values: &ArrayRef,
) -> (OffsetBuffer<O>, ArrayRef) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let shown = values.slice(first.as_usize(), (last - first).as_usize());
    if first.is_zero() {
        return (offsets.clone(), shown);
    }
    let rebased: Vec<O> = offsets.iter().map(|offset| *offset - first).collect();
    (OffsetBuffer::new(rebased.into()), shown)
}

fn list<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> Result<ArrayRef> {
    let lists = array.as_list::<O>();
    let (offsets, values) = shown(lists.offsets(), lists.values());
    let values = recode(&values, item.data_type())?;
    let nulls = lists.nulls().cloned();
    GenericListArray::<O>::try_new(Arc::clone(item), offsets, values, nulls).map(boxed)
}

fn map(maps: &MapArray, field: &FieldRef, sorted: bool) -> Result<ArrayRef> {
    let fields = match field.data_type() {
        DataType::Struct(fields) if entries(field).is_some() => fields,
        other => {
            return Err(ArrowError::CastError(format!(
                "{other} is no type of entries"
            )));
        }
    };
    let all: ArrayRef = Arc::new(maps.entries().clone());
    let (offsets, entries) = shown(maps.offsets(), &all);
    let entries = entries.as_struct();
    let columns = children(entries, fields)?;
    let nulls = entries.nulls().cloned();
    let entries = StructArray::try_new_with_length(fields.clone(), columns, nulls, entries.len())?;
    let nulls = maps.nulls().cloned();
    MapArray::try_new(Arc::clone(field), offsets, entries, nulls, sorted).map(boxed)
}

/// Lists of one length as lists.
fn listed(array: &ArrayRef, item: &FieldRef, length: i32) -> Result<ArrayRef> {
    let lists = array.as_fixed_size_list();
    let length = usize::try_from(length).unwrap_or_default();
    let items = length.saturating_mul(lists.len());
    if i32::try_from(items).is_err() {
        let why = format!("{items} items are too many for a list");
        return Err(ArrowError::CastError(why));
    }
    let offsets = OffsetBuffer::from_repeated_length(length, lists.len());
    let (values, nulls) = (Arc::clone(lists.values()), lists.nulls().cloned());
    GenericListArray::<i32>::try_new(Arc::clone(item), offsets, values, nulls).map(boxed)
}

/// A list-view as a list of the same items.
fn flat<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> Result<ArrayRef> {
    let views: &GenericListViewArray<O> = array.as_list_view::<O>();
    let values = views.values().to_data();
    let mut taken = MutableArrayData::new(vec![&values], false, 0);
    let mut offsets = Vec::with_capacity(views.len() + 1);
    offsets.push(O::zero());
    for row in 0..views.len() {
        if views.is_valid(row) {
            let start = views.value_offset(row).as_usize();
            taken.try_extend(0, start, start + views.value_size(row).as_usize())?;
        }
        let end = O::from_usize(taken.len());
        offsets
            .push(end.ok_or_else(|| ArrowError::CastError("too many items for one list".into()))?);
    }
    let values = make_array(taken.freeze());
    let offsets = OffsetBuffer::new(offsets.into());
    let nulls = views.nulls().cloned();
    GenericListArray::<O>::try_new(Arc::clone(item), offsets, values, nulls).map(boxed)
}
