//! Columns that hold columns.
//!
//! Invariant: below a null there stand as many values as Arrow asks for, and each of them is counted.

use super::{Boxed, Column, column, mismatched};
use crate::format::avro::cursor::{Cursor, Result, damaged};
use crate::format::avro::schema::{Shape, Wire};
use arrow_array::cast::AsArray;
use arrow_array::{
    ArrayRef, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, OffsetBufferBuilder};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields};
use std::sync::Arc;

pub(super) fn of(data_type: &DataType, shape: &Shape) -> Result<Boxed> {
    use DataType as D;
    Ok(match (data_type, shape) {
        (D::List(item), Shape::Array(wire)) => list::<i32>(item, wire)?,
        (D::LargeList(item), Shape::Array(wire)) => list::<i64>(item, wire)?,
        (D::FixedSizeList(item, length), Shape::Array(wire)) => Box::new(FixedList {
            values: column(item.data_type(), wire)?,
            item: Arc::clone(item),
            length: *length,
            rows: Rows::default(),
        }),
        (D::Struct(fields), Shape::Record(wires)) => Box::new(record(fields, wires)?),
        (D::Map(entries, sorted), shape) => {
            let D::Struct(fields) = entries.data_type() else {
                return mismatched(data_type);
            };
            let pairs = match shape {
                Shape::Map(value) => record(fields, &[Wire::PLAIN, value.as_ref().clone()])?,
                // Keys that are no text: a list of records, each a key and a value.
                Shape::Array(wire) => match &wire.shape {
                    Shape::Record(wires) => record(fields, wires)?,
                    _ => return mismatched(data_type),
                },
                _ => return mismatched(data_type),
            };
            Box::new(Entries {
                pairs,
                entries: Arc::clone(entries),
                sorted: *sorted,
                offsets: Offsets::default(),
            })
        }
        (other, _) => return mismatched(other),
    })
}

/// Which rows are null, and how many there are.
struct Rows(NullBufferBuilder);

impl Default for Rows {
    fn default() -> Self {
        Self(NullBufferBuilder::new(0))
    }
}

/// Where the lists of each row end, and which of them are null.
struct Offsets<O: OffsetSizeTrait> {
    ends: OffsetBufferBuilder<O>,
    rows: Rows,
}

impl<O: OffsetSizeTrait> Default for Offsets<O> {
    fn default() -> Self {
        Self {
            ends: OffsetBufferBuilder::new(0),
            rows: Rows::default(),
        }
    }
}

impl<O: OffsetSizeTrait> Offsets<O> {
    fn read(&mut self, cursor: &mut Cursor<'_>, column: &mut dyn Column) -> Result<()> {
        cursor.charge(size_of::<O>())?;
        self.ends
            .push_length(cursor.items(|cursor| column.read(cursor))?);
        self.rows.0.append_non_null();
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(size_of::<O>())?;
        self.ends.push_length(0);
        self.rows.0.append_null();
        Ok(())
    }

    fn finish(&mut self) -> (OffsetBuffer<O>, Rows) {
        let Self { ends, rows } = std::mem::take(self);
        (ends.finish(), rows)
    }
}

struct List<O: OffsetSizeTrait> {
    values: Boxed,
    item: FieldRef,
    offsets: Offsets<O>,
}

fn list<O: OffsetSizeTrait>(item: &FieldRef, wire: &Wire) -> Result<Boxed> {
    Ok(Box::new(List::<O> {
        values: column(item.data_type(), wire)?,
        item: Arc::clone(item),
        offsets: Offsets::default(),
    }))
}

impl<O: OffsetSizeTrait> Column for List<O> {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.offsets.read(cursor, self.values.as_mut())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.offsets.skip(cursor)
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let (offsets, mut rows) = self.offsets.finish();
        let (item, values) = (Arc::clone(&self.item), self.values.finish()?);
        let list = GenericListArray::try_new(item, offsets, values, rows.0.finish())?;
        Ok(Arc::new(list))
    }
}

struct FixedList {
    values: Boxed,
    item: FieldRef,
    length: i32,
    rows: Rows,
}

impl Column for FixedList {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        let found = cursor.items(|cursor| self.values.read(cursor))?;
        if i32::try_from(found) != Ok(self.length) {
            let length = self.length;
            return damaged(format!(
                "a list of {length} items has {found}, which its column has not"
            ));
        }
        self.rows.0.append_non_null();
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        for _ in 0..self.length {
            self.values.skip(cursor)?;
        }
        self.rows.0.append_null();
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let Rows(mut nulls) = std::mem::take(&mut self.rows);
        let (item, values, rows) = (Arc::clone(&self.item), self.values.finish()?, nulls.len());
        let nulls = nulls.finish();
        let list = FixedSizeListArray::try_new_with_length(item, self.length, values, nulls, rows)?;
        Ok(Arc::new(list))
    }
}

struct Record {
    columns: Vec<Boxed>,
    fields: Fields,
    rows: Rows,
}

fn record(fields: &Fields, wires: &[Wire]) -> Result<Record> {
    if fields.len() != wires.len() {
        return mismatched(&DataType::Struct(fields.clone()));
    }
    let columns = fields.iter().zip(wires);
    let columns = columns.map(|(field, wire)| column(field.data_type(), wire));
    Ok(Record {
        columns: columns.collect::<Result<_>>()?,
        fields: fields.clone(),
        rows: Rows::default(),
    })
}

impl Column for Record {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        for column in &mut self.columns {
            column.read(cursor)?;
        }
        self.rows.0.append_non_null();
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        for column in &mut self.columns {
            column.skip(cursor)?;
        }
        self.rows.0.append_null();
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let Rows(mut nulls) = std::mem::take(&mut self.rows);
        let columns = self.columns.iter_mut().map(|column| column.finish());
        let columns = columns.collect::<std::result::Result<_, _>>()?;
        let (fields, rows) = (self.fields.clone(), nulls.len());
        let nulls = nulls.finish();
        let record = StructArray::try_new_with_length(fields, columns, nulls, rows)?;
        Ok(Arc::new(record))
    }
}

/// A map: lists of keys and values.
struct Entries {
    pairs: Record,
    entries: FieldRef,
    sorted: bool,
    offsets: Offsets<i32>,
}

impl Column for Entries {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.offsets.read(cursor, &mut self.pairs)
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.offsets.skip(cursor)
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let (offsets, mut rows) = self.offsets.finish();
        let pairs = self.pairs.finish()?.as_struct().clone();
        let entries = Arc::clone(&self.entries);
        let map = MapArray::try_new(entries, offsets, pairs, rows.0.finish(), self.sorted)?;
        Ok(Arc::new(map))
    }
}
