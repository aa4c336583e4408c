//! Walks a column down to its leaves and puts it together again around what they become.
//!
//! Lists, maps and structs keep their shape, their nulls and their rows; what happens to a leaf is
//! the caller's. Invariant: a value beneath a null is never shown to the caller as one that counts,
//! and a misfit names the row of the column, however deep the value lies.

use DataType as D;
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, FixedSizeListArray, GenericListArray, MapArray,
    OffsetSizeTrait, PrimitiveArray, StructArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use std::sync::Arc;

/// A value that could not be changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Misfit {
    /// Its row, from 0, in the array that was given.
    pub(crate) row: usize,
    /// Why.
    pub(crate) why: String,
}

impl Misfit {
    /// A misfit that no single row explains.
    fn whole(cause: ArrowError) -> Self {
        Self {
            row: 0,
            why: cause.to_string(),
        }
    }

    fn at(self, row: impl FnOnce(usize) -> usize) -> Self {
        Self {
            row: row(self.row),
            why: self.why,
        }
    }
}

/// A leaf, and what is known of it.
pub(crate) struct Leaf<'a> {
    /// Its values.
    pub(crate) array: &'a ArrayRef,
    /// The same leaf of the column beside it, where there is one.
    pub(crate) beside: Option<&'a ArrayRef>,
    /// Which of its values count; all where there is none.
    pub(crate) valid: Option<NullBuffer>,
    /// The type that it is to have.
    pub(crate) to: &'a DataType,
}

impl Leaf<'_> {
    /// Each value that counts changed by `change`; the others become zero.
    pub(crate) fn map<F, T>(
        &self,
        change: impl Fn(F::Native) -> Result<T::Native, String>,
    ) -> Result<ArrayRef, Misfit>
    where
        F: ArrowPrimitiveType,
        T: ArrowPrimitiveType,
    {
        let values = self.array.as_primitive::<F>().values();
        self.build::<T>(|row| change(values[row]))
    }

    /// A column of this leaf's rows, each value that counts made by its row.
    pub(crate) fn build<T: ArrowPrimitiveType>(
        &self,
        value: impl Fn(usize) -> Result<T::Native, String>,
    ) -> Result<ArrayRef, Misfit> {
        let counts = |row| self.valid.as_ref().is_none_or(|valid| valid.is_valid(row));
        let values = (0..self.array.len()).map(|row| {
            if !counts(row) {
                return Ok(T::Native::default());
            }
            value(row).map_err(|why| Misfit { row, why })
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let array = PrimitiveArray::<T>::new(values.into(), self.array.nulls().cloned());
        Ok(Arc::new(array.with_data_type(self.to.clone())))
    }
}

/// What becomes of a leaf; asked depth first, in the order of the fields.
pub(crate) type Change<'c> = dyn FnMut(Leaf<'_>) -> Result<ArrayRef, Misfit> + 'c;

/// The column at type `to`, which has its shape, with every leaf changed.
///
/// `beside` is a second column of the same rows and shape, whose leaves are handed over, too.
pub(crate) fn change(
    column: &ArrayRef,
    beside: Option<&ArrayRef>,
    to: &DataType,
    leaf: &mut Change<'_>,
) -> Result<ArrayRef, Misfit> {
    walk(column, beside, None, to, leaf)
}

fn walk(
    column: &ArrayRef,
    beside: Option<&ArrayRef>,
    mask: Option<&NullBuffer>,
    to: &DataType,
    leaf: &mut Change<'_>,
) -> Result<ArrayRef, Misfit> {
    let valid = NullBuffer::union(column.nulls(), mask);
    match (column.data_type(), to) {
        (D::Struct(_), D::Struct(_)) => {
            let beside = beside.map(|beside| beside.as_struct());
            structs(column.as_struct(), beside, valid.as_ref(), to, leaf)
        }
        (D::List(_), D::List(item)) => {
            let beside = beside.map(|beside| beside.as_list::<i32>());
            lists(column.as_list::<i32>(), beside, valid.as_ref(), item, leaf)
        }
        (D::LargeList(_), D::LargeList(item)) => {
            let beside = beside.map(|beside| beside.as_list::<i64>());
            lists(column.as_list::<i64>(), beside, valid.as_ref(), item, leaf)
        }
        (D::FixedSizeList(..), D::FixedSizeList(item, length)) => {
            let beside = beside.map(|beside| beside.as_fixed_size_list());
            fixed(
                column.as_fixed_size_list(),
                beside,
                valid.as_ref(),
                (item, *length),
                leaf,
            )
        }
        (D::Map(..), D::Map(entries, sorted)) => {
            let beside = beside.map(|beside| beside.as_map());
            maps(
                column.as_map(),
                beside,
                valid.as_ref(),
                (entries, *sorted),
                leaf,
            )
        }
        _ => leaf(Leaf {
            array: column,
            beside,
            valid,
            to,
        }),
    }
}

fn structs(
    column: &StructArray,
    beside: Option<&StructArray>,
    valid: Option<&NullBuffer>,
    to: &DataType,
    leaf: &mut Change<'_>,
) -> Result<ArrayRef, Misfit> {
    let DataType::Struct(fields) = to else {
        return Ok(Arc::new(column.clone()));
    };
    let children = column.columns().iter().zip(fields).enumerate();
    let children = children.map(|(index, (child, field))| {
        let beside = beside.and_then(|beside| beside.columns().get(index));
        walk(child, beside, valid, field.data_type(), leaf)
    });
    let children = children.collect::<Result<Vec<_>, _>>()?;
    let (nulls, rows) = (column.nulls().cloned(), column.len());
    StructArray::try_new_with_length(fields.clone(), children, nulls, rows)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(Misfit::whole)
}

/// The part of a list's values that its offsets reach, from their first on.
struct Inner {
    first: usize,
    length: usize,
    lengths: Vec<usize>,
}

impl Inner {
    fn new<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> Self {
        let first = offsets.first().map_or(0, |first| first.as_usize());
        let lengths: Vec<usize> = offsets
            .windows(2)
            .map(|pair| pair[1].as_usize() - pair[0].as_usize())
            .collect();
        Self {
            first,
            length: lengths.iter().sum(),
            lengths,
        }
    }

    fn of(&self, values: &ArrayRef) -> ArrayRef {
        values.slice(self.first, self.length)
    }

    /// Which values count: those of slots that do.
    fn mask(&self, valid: Option<&NullBuffer>) -> Option<NullBuffer> {
        let valid = valid?;
        let slots = || self.lengths.iter().enumerate();
        if slots().all(|(slot, length)| *length == 0 || valid.is_valid(slot)) {
            return None;
        }
        let bits =
            slots().flat_map(|(slot, length)| std::iter::repeat_n(valid.is_valid(slot), *length));
        Some(NullBuffer::new(BooleanBuffer::from_iter(bits)))
    }

    /// The slot that holds a value.
    fn slot(&self, value: usize) -> usize {
        let mut end = 0;
        let before = |length: &&usize| {
            end += **length;
            end <= value
        };
        self.lengths.iter().take_while(before).count()
    }
}

fn lists<O: OffsetSizeTrait>(
    column: &GenericListArray<O>,
    beside: Option<&GenericListArray<O>>,
    valid: Option<&NullBuffer>,
    item: &FieldRef,
    leaf: &mut Change<'_>,
) -> Result<ArrayRef, Misfit> {
    let inner = Inner::new(column.offsets());
    let beside = beside.map(|beside| Inner::new(beside.offsets()).of(beside.values()));
    let values = walk(
        &inner.of(column.values()),
        beside.as_ref(),
        inner.mask(valid).as_ref(),
        item.data_type(),
        leaf,
    )
    .map_err(|misfit| misfit.at(|value| inner.slot(value)))?;
    let offsets = OffsetBuffer::<O>::from_lengths(inner.lengths);
    GenericListArray::try_new(Arc::clone(item), offsets, values, column.nulls().cloned())
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(Misfit::whole)
}

fn fixed(
    column: &FixedSizeListArray,
    beside: Option<&FixedSizeListArray>,
    valid: Option<&NullBuffer>,
    (item, length): (&FieldRef, i32),
    leaf: &mut Change<'_>,
) -> Result<ArrayRef, Misfit> {
    let width = usize::try_from(length).unwrap_or_default();
    let mask = valid.map(|valid| {
        let bits = valid
            .iter()
            .flat_map(|valid| std::iter::repeat_n(valid, width));
        NullBuffer::new(BooleanBuffer::from_iter(bits))
    });
    let beside = beside.map(FixedSizeListArray::values);
    let values = walk(
        column.values(),
        beside,
        mask.as_ref(),
        item.data_type(),
        leaf,
    )
    .map_err(|misfit| misfit.at(|value| value / width.max(1)))?;
    let nulls = column.nulls().cloned();
    FixedSizeListArray::try_new_with_length(Arc::clone(item), length, values, nulls, column.len())
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(Misfit::whole)
}

fn maps(
    column: &MapArray,
    beside: Option<&MapArray>,
    valid: Option<&NullBuffer>,
    (entries, sorted): (&FieldRef, bool),
    leaf: &mut Change<'_>,
) -> Result<ArrayRef, Misfit> {
    let inner = Inner::new(column.offsets());
    let pairs = |map: &MapArray, inner: &Inner| inner.of(&(Arc::new(map.entries().clone()) as _));
    let beside = beside.map(|beside| pairs(beside, &Inner::new(beside.offsets())));
    let changed = walk(
        &pairs(column, &inner),
        beside.as_ref(),
        inner.mask(valid).as_ref(),
        entries.data_type(),
        leaf,
    )
    .map_err(|misfit| misfit.at(|value| inner.slot(value)))?;
    let offsets = OffsetBuffer::from_lengths(inner.lengths);
    MapArray::try_new(
        Arc::clone(entries),
        offsets,
        changed.as_struct().clone(),
        column.nulls().cloned(),
        sorted,
    )
    .map(|array| Arc::new(array) as ArrayRef)
    .map_err(Misfit::whole)
}

/// The type with its leaves replaced, which are shown depth first.
pub(crate) fn retype(
    data_type: &DataType,
    leaf: &mut dyn FnMut(&DataType) -> DataType,
) -> DataType {
    let mut child = |field: &FieldRef| retyped(field, leaf);
    match data_type {
        D::List(item) => D::List(child(item)),
        D::LargeList(item) => D::LargeList(child(item)),
        D::FixedSizeList(item, length) => D::FixedSizeList(child(item), *length),
        D::Struct(fields) => D::Struct(fields.iter().map(child).collect()),
        D::Map(entries, sorted) => D::Map(child(entries), *sorted),
        other => leaf(other),
    }
}

/// The field with the leaves of its type replaced.
pub(crate) fn retyped(field: &Field, leaf: &mut dyn FnMut(&DataType) -> DataType) -> FieldRef {
    let data_type = retype(field.data_type(), leaf);
    field.clone().with_data_type(data_type).into()
}
