//! Structs from objects.
//!
//! Invariant: a key that is unknown, unless unknown ones are skipped, or there twice is wrong, wherever it stands in
//! the object.

use super::{Column, Row};
use crate::format::json::leaf::Reading;
use crate::format::json::print::quoted;
use crate::format::json::wrong::{What, Wrong, shown};
use arrow_array::{ArrayRef, StructArray};
use arrow_buffer::NullBufferBuilder;
use arrow_schema::{ArrowError, DataType, Fields};
use std::collections::HashMap;
use std::sync::Arc;

/// A struct's columns.
pub(super) struct Structs {
    columns: Vec<Member>,
    places: HashMap<String, usize>,
    /// Whether keys that are unknown are no error.
    skips: bool,
    valid: NullBufferBuilder,
    /// How many objects were read.
    objects: u64,
}

struct Member {
    column: Column,
    /// Its key with the colon behind it, as most writers have it.
    quoted: Vec<u8>,
    /// The last object that had its key.
    object: u64,
}

impl Structs {
    pub(super) fn new(fields: &Fields, reading: &Reading) -> Result<Self, DataType> {
        let columns = fields.iter().map(|field| {
            Ok(Member {
                column: Column::new(field, reading)?,
                quoted: [&quoted(field.name())[..], b":"].concat(),
                object: 0,
            })
        });
        let names = fields.iter().map(|field| field.name().clone());
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            places: names.zip(0..).collect(),
            skips: false,
            valid: NullBufferBuilder::new(0),
            objects: 0,
        })
    }

    /// Objects may have other keys from now on.
    pub(super) fn skip_unknown(&mut self) {
        self.skips = true;
    }

    /// What a null adds to it, in bytes.
    pub(super) fn null_bytes(&self) -> usize {
        let columns = self.columns.iter().map(|member| member.column.null_bytes);
        columns.fold(1, usize::saturating_add)
    }

    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().map(|member| &member.column)
    }

    /// Appends the object whose brace was taken.
    pub(super) fn read(&mut self, row: &mut Row<'_>) -> Result<(), Wrong> {
        self.objects += 1;
        let (mut found, mut next) = (0, 0);
        loop {
            // Most objects have the order of the schema, and nothing between their tokens.
            let expected = self.columns.get(next);
            let expected = expected.filter(|member| row.tokens.take_key(&member.quoted));
            let (place, at) = match expected {
                Some(member) => (next, row.tokens.taken() - member.quoted.len()),
                None => {
                    let Some((at, key)) = row.tokens.key()? else {
                        break;
                    };
                    match self.places.get(key.as_ref()) {
                        Some(place) => (*place, at),
                        None if self.skips => {
                            row.tokens.skip().map_err(|wrong| wrong.in_field(&key))?;
                            continue;
                        }
                        None => {
                            return Err(Wrong::new(at, What::Unknown(shown(&key).to_string())));
                        }
                    }
                }
            };
            let Some(member) = self.columns.get_mut(place) else {
                break;
            };
            let repeated = std::mem::replace(&mut member.object, self.objects) == self.objects;
            if repeated {
                return Err(Wrong::twice(at, member.column.field.name()));
            }
            let read = member.column.read(row);
            read.map_err(|wrong| wrong.in_field(member.column.field.name()))?;
            (found, next) = (found + 1, place + 1);
        }
        if found < self.columns.len() {
            self.fill(row)?;
        }
        self.valid.append_non_null();
        Ok(())
    }

    /// Appends nothing to the columns whose keys the object lacked.
    fn fill(&mut self, row: &mut Row<'_>) -> Result<(), Wrong> {
        let end = row.tokens.taken().saturating_sub(1);
        let lacked = self
            .columns
            .iter_mut()
            .filter(|member| member.object != self.objects);
        for Member { column, .. } in lacked {
            let filled = if column.is_nullable() {
                column.fill(end, row)
            } else {
                Err(Wrong::new(end, What::Null))
            };
            filled.map_err(|wrong| wrong.in_field(column.field.name()))?;
        }
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        for member in &mut self.columns {
            member.column.push_null();
        }
        self.valid.append_null();
    }

    pub(super) fn finish(&mut self, fields: &Fields) -> Result<ArrayRef, ArrowError> {
        let rows = self.valid.len();
        let nulls = self.valid.finish();
        let columns = self.columns.iter_mut().map(|member| member.column.finish());
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let array = StructArray::try_new_with_length(fields.clone(), columns, nulls, rows)?;
        Ok(Arc::new(array))
    }
}
