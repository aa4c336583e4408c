//! Columns that hold columns.
//!
//! Invariant: below a null there stand as many values as Arrow asks for, and each of them is counted.

use super::{Boxed, Column, Record, Say, column, mismatched};
use crate::format::thrift::cursor::{Cursor, Kind, Result, damaged};
use crate::format::thrift::layout::{Wire, pair};
use crate::format::thrift::options::ThriftProtocol;
use arrow_array::{
    ArrayRef, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, OffsetBufferBuilder};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields};
use std::sync::Arc;

pub(super) fn of(data_type: &DataType, wire: &Wire, protocol: ThriftProtocol) -> Result<Boxed> {
    use {DataType as D, Wire as W};
    Ok(match (data_type, wire) {
        (D::List(item), W::List(below) | W::Set(below)) => {
            Box::new(List::<i32>::new(Items::new(item, below, protocol)?))
        }
        (D::LargeList(item), W::List(below) | W::Set(below)) => {
            Box::new(List::<i64>::new(Items::new(item, below, protocol)?))
        }
        (D::FixedSizeList(item, length), W::List(below) | W::Set(below)) => Box::new(FixedList {
            items: Items::new(item, below, protocol)?,
            length: *length,
            nulls: NullBufferBuilder::new(0),
        }),
        (D::Struct(fields), W::Struct(members)) => {
            Box::new(Record::new(fields, members, protocol, usize::MAX)?)
        }
        (D::Map(entries, sorted), W::Map(wires)) => {
            let (Some((key, value)), D::Struct(fields)) = (pair(entries), entries.data_type())
            else {
                return mismatched(data_type);
            };
            let (key_wire, value_wire) = wires.as_ref();
            Box::new(Entries {
                keys: column(key.data_type(), key_wire, protocol)?,
                values: column(value.data_type(), value_wire, protocol)?,
                kinds: (Kind::of(key_wire), Kind::of(value_wire)),
                fields: fields.clone(),
                entries: Arc::clone(entries),
                sorted: *sorted,
                offsets: Offsets::default(),
            })
        }
        (other, _) => return mismatched(other),
    })
}

/// Where the lists of each row end, and which of them are null.
struct Offsets<O: OffsetSizeTrait> {
    ends: OffsetBufferBuilder<O>,
    nulls: NullBufferBuilder,
}

impl<O: OffsetSizeTrait> Default for Offsets<O> {
    fn default() -> Self {
        Self {
            ends: OffsetBufferBuilder::new(0),
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl<O: OffsetSizeTrait> Offsets<O> {
    fn add(&mut self, count: usize) {
        self.ends.push_length(count);
        self.nulls.append_non_null();
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(size_of::<O>())?;
        self.ends.push_length(0);
        self.nulls.append_null();
        Ok(())
    }

    fn finish(&mut self) -> (OffsetBuffer<O>, NullBufferBuilder) {
        let Self { ends, nulls } = std::mem::take(self);
        (ends.finish(), nulls)
    }
}

/// The items of lists.
struct Items {
    values: Boxed,
    field: FieldRef,
    kind: Kind,
}

impl Items {
    fn new(field: &FieldRef, wire: &Wire, protocol: ThriftProtocol) -> Result<Self> {
        Ok(Self {
            values: column(field.data_type(), wire, protocol)?,
            field: Arc::clone(field),
            kind: Kind::of(wire),
        })
    }

    /// Reads the items of one list, and says how many there are.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<usize> {
        let (kind, count) = cursor.list()?;
        if let Some(kind) = kind.filter(|kind| *kind != self.kind) {
            let (found, wanted) = (kind.name(), self.kind.name());
            return damaged(format!(
                "its items are {found}, and those of its column {wanted}"
            ));
        }
        for at in 0..count {
            cursor.begin();
            let read = self.values.read(cursor);
            read.map_err(|fault| fault.below(&format!("[{at}]")))?;
        }
        Ok(count)
    }
}

struct List<O: OffsetSizeTrait> {
    items: Items,
    offsets: Offsets<O>,
}

impl<O: OffsetSizeTrait> List<O> {
    fn new(items: Items) -> Self {
        let offsets = Offsets::default();
        Self { items, offsets }
    }
}

impl<O: OffsetSizeTrait> Column for List<O> {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(size_of::<O>())?;
        let count = self.items.read(cursor)?;
        self.offsets.add(count);
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.offsets.skip(cursor)
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let (offsets, mut nulls) = self.offsets.finish();
        let (item, values) = (Arc::clone(&self.items.field), self.items.values.finish()?);
        let list = GenericListArray::try_new(item, offsets, values, nulls.finish())?;
        Ok(Arc::new(list))
    }

    fn unknown(&self, path: &str, say: &mut Say<'_>) {
        self.items.values.unknown(path, say);
    }
}

struct FixedList {
    items: Items,
    length: i32,
    nulls: NullBufferBuilder,
}

impl Column for FixedList {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        let count = self.items.read(cursor)?;
        if i32::try_from(count) != Ok(self.length) {
            let length = self.length;
            return damaged(format!("it has {count} items, and its column {length}"));
        }
        self.nulls.append_non_null();
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        for _ in 0..self.length {
            self.items.values.skip(cursor)?;
        }
        self.nulls.append_null();
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let mut nulls = std::mem::replace(&mut self.nulls, NullBufferBuilder::new(0));
        let (item, values) = (Arc::clone(&self.items.field), self.items.values.finish()?);
        let (length, rows) = (self.length, nulls.len());
        let nulls = nulls.finish();
        let list = FixedSizeListArray::try_new_with_length(item, length, values, nulls, rows)?;
        Ok(Arc::new(list))
    }

    fn unknown(&self, path: &str, say: &mut Say<'_>) {
        self.items.values.unknown(path, say);
    }
}

/// A map: lists of keys and values.
struct Entries {
    keys: Boxed,
    values: Boxed,
    kinds: (Kind, Kind),
    fields: Fields,
    entries: FieldRef,
    sorted: bool,
    offsets: Offsets<i32>,
}

impl Column for Entries {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(size_of::<i32>())?;
        let (kinds, count) = cursor.map()?;
        if let Some((key, value)) = kinds.filter(|kinds| *kinds != self.kinds) {
            let (wanted_key, wanted_value) = self.kinds;
            return damaged(format!(
                "its entries are of {} and {}, and those of its column of {} and {}",
                key.name(),
                value.name(),
                wanted_key.name(),
                wanted_value.name()
            ));
        }
        for at in 0..count {
            cursor.begin();
            let read = self.keys.read(cursor);
            let read = read.and_then(|()| self.values.read(cursor));
            read.map_err(|fault| fault.below(&format!("[{at}]")))?;
        }
        self.offsets.add(count);
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.offsets.skip(cursor)
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let (offsets, mut nulls) = self.offsets.finish();
        let columns = vec![self.keys.finish()?, self.values.finish()?];
        let pairs = StructArray::try_new(self.fields.clone(), columns, None)?;
        let entries = Arc::clone(&self.entries);
        let map = MapArray::try_new(entries, offsets, pairs, nulls.finish(), self.sorted)?;
        Ok(Arc::new(map))
    }

    fn unknown(&self, path: &str, say: &mut Say<'_>) {
        self.keys.unknown(path, say);
        self.values.unknown(path, say);
    }
}
