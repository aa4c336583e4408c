//! Readers of cells that hold or point at other cells.
//!
//! Dictionaries and run-ends are encodings and absorb only what they point at; lists, structs and
//! maps absorb their shape first. Invariant: a map is a multiset of entries, so the order in
//! which its entries are stored does not count.

use super::{BoxedCells, ByRow, cells, with_nulls};
use crate::digest::mix::{State, tag};
use crate::error::Result;
use crate::schema;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{Array, OffsetSizeTrait, RunArray};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;
use std::ops::Range;

pub(super) fn lists(array: &dyn Array) -> Result<BoxedCells<'_>> {
    match array.data_type() {
        DataType::List(_) => offset_lists::<i32>(array),
        DataType::LargeList(_) => offset_lists::<i64>(array),
        DataType::ListView(_) => list_views::<i32>(array),
        DataType::LargeListView(_) => list_views::<i64>(array),
        _ => {
            let list = array.as_fixed_size_list();
            let length = list.value_length().as_usize();
            spans(array, list.values().as_ref(), move |row| {
                let first = list.value_offset(row).as_usize();
                first..first + length
            })
        }
    }
}

fn offset_lists<O: OffsetSizeTrait>(array: &dyn Array) -> Result<BoxedCells<'_>> {
    let list = array.as_list::<O>();
    let offsets = list.value_offsets();
    spans(array, list.values().as_ref(), move |row| {
        offsets[row].as_usize()..offsets[row + 1].as_usize()
    })
}

fn list_views<O: OffsetSizeTrait>(array: &dyn Array) -> Result<BoxedCells<'_>> {
    let list = array.as_list_view::<O>();
    spans(array, list.values().as_ref(), move |row| {
        let first = list.value_offset(row).as_usize();
        first..first + list.value_size(row).as_usize()
    })
}

/// Lists whose items at a row are a span of `items`.
fn spans<'a>(
    array: &'a dyn Array,
    items: &'a dyn Array,
    span: impl Fn(usize) -> Range<usize> + 'a,
) -> Result<BoxedCells<'a>> {
    let items = cells(items)?;
    let absorb = move |row, state: &mut State| {
        let span = span(row);
        state.absorb(tag::LIST);
        state.absorb(span.len() as u64);
        span.for_each(|item| items.absorb(item, state));
    };
    Ok(with_nulls(array.nulls(), ByRow(absorb)))
}

pub(super) fn structs(array: &dyn Array) -> Result<BoxedCells<'_>> {
    let fields = array
        .as_struct()
        .columns()
        .iter()
        .map(|column| cells(column.as_ref()))
        .collect::<Result<Vec<_>>>()?;
    let absorb = move |row, state: &mut State| {
        state.absorb(tag::STRUCT);
        fields.iter().for_each(|field| field.absorb(row, state));
    };
    Ok(with_nulls(array.nulls(), ByRow(absorb)))
}

pub(super) fn maps(array: &dyn Array) -> Result<BoxedCells<'_>> {
    let map = array.as_map();
    let offsets = map.value_offsets();
    let (keys, values) = (cells(map.keys().as_ref())?, cells(map.values().as_ref())?);
    let absorb = move |row: usize, state: &mut State| {
        let span = offsets[row].as_usize()..offsets[row + 1].as_usize();
        state.absorb(tag::MAP);
        state.absorb(span.len() as u64);
        let entry = |index| {
            let mut entry = State::START;
            keys.absorb(index, &mut entry);
            values.absorb(index, &mut entry);
            entry.hash()
        };
        state.absorb_i128(span.map(entry).fold(0, u128::wrapping_add) as i128);
    };
    Ok(with_nulls(array.nulls(), ByRow(absorb)))
}

pub(super) fn dictionary(array: &dyn Array) -> Result<BoxedCells<'_>> {
    let dictionary = array.as_any_dictionary();
    let values = cells(dictionary.values().as_ref())?;
    // Without values every key is null, and `normalized_keys` needs one to point at.
    let keys = if dictionary.values().is_empty() {
        Vec::new()
    } else {
        dictionary.normalized_keys()
    };
    Ok(with_nulls(
        array.nulls(),
        ByRow(move |row: usize, state: &mut State| values.absorb(keys[row], state)),
    ))
}

pub(super) fn runs(array: &dyn Array) -> Result<BoxedCells<'_>> {
    if let Some(runs) = array.as_run_opt::<Int16Type>() {
        typed_runs(runs)
    } else if let Some(runs) = array.as_run_opt::<Int32Type>() {
        typed_runs(runs)
    } else if let Some(runs) = array.as_run_opt::<Int64Type>() {
        typed_runs(runs)
    } else {
        Err(schema::unsupported("", array.data_type()))
    }
}

fn typed_runs<R: RunEndIndexType>(runs: &RunArray<R>) -> Result<BoxedCells<'_>> {
    let values = cells(runs.values().as_ref())?;
    Ok(Box::new(ByRow(move |row, state: &mut State| {
        values.absorb(runs.get_physical_index(row), state)
    })))
}
