//! Maps from objects: the keys are texts, whatever their type.
//!
//! Invariant: no two entries of a map have one key as it stands in the file.

use super::{Column, Row};
use crate::format::json::leaf::{Leaf, Reading};
use crate::format::json::tokens::Token;
use crate::format::json::wrong::{What, Wrong, shown};
use arrow_array::{ArrayRef, MapArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, FieldRef};
use flinkspark_model::schema::type_name;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// A map's entries.
pub(super) struct Maps {
    keys: Leaf,
    key_type: DataType,
    values: Column,
    lengths: Vec<usize>,
    valid: NullBufferBuilder,
}

impl Maps {
    pub(super) fn new(entries: &FieldRef, reading: &Reading) -> Result<Self, DataType> {
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(entries.data_type().clone());
        };
        let [key, value] = fields.as_ref() else {
            return Err(entries.data_type().clone());
        };
        let key_type = key.data_type().clone();
        Ok(Self {
            keys: Leaf::keys(&key_type, reading).ok_or(key_type.clone())?,
            key_type,
            values: Column::new(value, reading)?,
            lengths: Vec::new(),
            valid: NullBufferBuilder::new(0),
        })
    }

    pub(super) fn values(&self) -> &Column {
        &self.values
    }

    /// Appends the object whose brace was taken.
    pub(super) fn read(&mut self, row: &mut Row<'_>) -> Result<(), Wrong> {
        let mut known: HashSet<Cow<'_, str>> = HashSet::new();
        while let Some((at, key)) = row.tokens.key()? {
            if known.contains(&key) {
                return Err(Wrong::twice(at, &key));
            }
            let token = Token::Text(key);
            let fits = self.keys.push(&token, "");
            let Token::Text(key) = token else { continue };
            if !fits {
                let wanted = type_name(&self.key_type);
                let found = format!("the key \"{}\"", shown(&key));
                return Err(Wrong::new(at, What::Misfit { found, wanted }));
            }
            let read = self.values.read(row);
            read.map_err(|wrong| wrong.in_field(&key))?;
            known.insert(key);
        }
        self.lengths.push(known.len());
        self.valid.append_non_null();
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        self.lengths.push(0);
        self.valid.append_null();
    }

    pub(super) fn finish(
        &mut self,
        entries: &FieldRef,
        sorted: bool,
    ) -> Result<ArrayRef, ArrowError> {
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(ArrowError::SchemaError(type_name(entries.data_type())));
        };
        let offsets = OffsetBuffer::from_lengths(self.lengths.drain(..));
        let pairs = vec![self.keys.finish(), self.values.finish()?];
        let pairs = StructArray::try_new(fields.clone(), pairs, None)?;
        let entries = Arc::clone(entries);
        let array = MapArray::try_new(entries, offsets, pairs, self.valid.finish(), sorted)?;
        Ok(Arc::new(array))
    }
}
