//! Lists from arrays.
//!
//! Invariant: a list of fixed length has that many items, or it is wrong.

use super::{Column, Row};
use crate::format::json::leaf::Reading;
use crate::format::json::wrong::{What, Wrong};
use arrow_array::{ArrayRef, FixedSizeListArray, GenericListArray, OffsetSizeTrait};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, FieldRef};
use std::sync::Arc;

/// A list's items.
pub(super) struct Lists {
    items: Column,
    /// The length of each list, where it is fixed.
    length: Option<usize>,
    lengths: Vec<usize>,
    valid: NullBufferBuilder,
}

impl Lists {
    pub(super) fn new(
        item: &FieldRef,
        length: Option<usize>,
        reading: &Reading,
    ) -> Result<Self, DataType> {
        Ok(Self {
            items: Column::new(item, reading)?,
            length,
            lengths: Vec::new(),
            valid: NullBufferBuilder::new(0),
        })
    }

    /// What a null adds to it beside itself, in bytes.
    pub(super) fn null_bytes(&self) -> usize {
        let length = self.length.unwrap_or_default();
        self.items.null_bytes.saturating_mul(length)
    }

    pub(super) fn items(&self) -> &Column {
        &self.items
    }

    /// Appends the array whose bracket, at byte `at`, was taken.
    pub(super) fn read(&mut self, at: usize, row: &mut Row<'_>) -> Result<(), Wrong> {
        let mut count = 0;
        while row.tokens.item()? {
            let read = self.items.read(row);
            read.map_err(|wrong| wrong.in_item(count))?;
            count += 1;
        }
        if let Some(length) = self.length.filter(|length| *length != count) {
            let found = format!("an array of {count} items");
            let wanted = format!("list of {length} items");
            return Err(Wrong::new(at, What::Misfit { found, wanted }));
        }
        self.lengths.push(count);
        self.valid.append_non_null();
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        (0..self.length.unwrap_or_default()).for_each(|_| self.items.push_null());
        self.lengths.push(0);
        self.valid.append_null();
    }

    pub(super) fn finish<O: OffsetSizeTrait>(
        &mut self,
        item: &FieldRef,
    ) -> Result<ArrayRef, ArrowError> {
        let offsets = OffsetBuffer::<O>::from_lengths(self.lengths.drain(..));
        let (items, nulls) = (self.items.finish()?, self.valid.finish());
        let array = GenericListArray::try_new(Arc::clone(item), offsets, items, nulls)?;
        Ok(Arc::new(array))
    }

    pub(super) fn finish_fixed(
        &mut self,
        item: &FieldRef,
        length: i32,
    ) -> Result<ArrayRef, ArrowError> {
        let rows = self.lengths.drain(..).len();
        let (items, nulls) = (self.items.finish()?, self.valid.finish());
        let item = Arc::clone(item);
        let array = FixedSizeListArray::try_new_with_length(item, length, items, nulls, rows)?;
        Ok(Arc::new(array))
    }
}
