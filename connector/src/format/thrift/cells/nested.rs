//! Cells that hold cells.
//!
//! Invariant: a list has as many items as it says, none of which is null, and what stands below a null is not written.

use super::{Boxed, Cells, cells};
use crate::format::thrift::layout::{Member, Wire};
use crate::format::thrift::out::{Out, Refused, Result};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Fields};
use std::ops::Range;

pub(super) fn of<'a>(column: &'a ArrayRef, wire: &'a Wire) -> Boxed<'a> {
    use {DataType as D, Wire as W};
    match (column.data_type(), wire) {
        (D::List(_), W::List(item) | W::Set(item)) => {
            let list = column.as_list::<i32>();
            items(list.values(), item, ranges(list.offsets()))
        }
        (D::LargeList(_), W::List(item) | W::Set(item)) => {
            let list = column.as_list::<i64>();
            items(list.values(), item, ranges(list.offsets()))
        }
        (D::FixedSizeList(_, length), W::List(item) | W::Set(item)) => {
            let list = column.as_fixed_size_list();
            let length = usize::try_from(*length).unwrap_or_default();
            items(list.values(), item, move |row| {
                row * length..(row + 1) * length
            })
        }
        (D::Map(..), W::Map(wires)) => {
            let map = column.as_map();
            Box::new(Entries {
                keys: Whole::new(map.keys(), &wires.0),
                values: Whole::new(map.values(), &wires.1),
                wires,
                range: ranges(map.offsets()),
            })
        }
        (D::Struct(fields), W::Struct(members)) => {
            Box::new(Record::new(column.as_struct().columns(), fields, members))
        }
        // The schema was made to prevent it.
        _ => Box::new(Formless),
    }
}

struct Formless;

impl Cells for Formless {
    fn put(&self, _: usize, _: &mut Out) -> Result<()> {
        Err(Refused::from("its type has no form in Thrift".to_owned()))
    }
}

/// The fields of structs.
pub(in crate::format::thrift) struct Record<'a>(Vec<Slot<'a>>);

struct Slot<'a> {
    name: &'a str,
    column: &'a ArrayRef,
    member: &'a Member,
    cells: Boxed<'a>,
}

impl<'a> Record<'a> {
    pub(in crate::format::thrift) fn new(
        columns: &'a [ArrayRef],
        fields: &'a Fields,
        members: &'a [Member],
    ) -> Self {
        let slots = columns.iter().zip(fields).zip(members);
        let slots = slots.map(|((column, field), member)| Slot {
            name: field.name(),
            column,
            member,
            cells: cells(column, &member.wire),
        });
        Self(slots.collect())
    }
}

impl Slot<'_> {
    fn put(&self, row: usize, out: &mut Out) -> Result<()> {
        if !self.column.is_null(row) && *self.column.data_type() != DataType::Null {
            out.field(self.member.id, &self.member.wire);
            return self.cells.put(row, out);
        }
        let why = match self.member {
            Member { required: true, .. } => "it is null, and every record has the field",
            Member {
                default: Some(_), ..
            } => "it is null, and an absent field is read as its default",
            _ => return Ok(()),
        };
        Err(Refused::from(why.to_owned()))
    }
}

impl Cells for Record<'_> {
    fn put(&self, row: usize, out: &mut Out) -> Result<()> {
        out.structure(|out| {
            let mut slots = self.0.iter();
            slots.try_for_each(|slot| {
                let put = slot.put(row, out);
                put.map_err(|refused| refused.below(slot.name))
            })
        })
    }
}

fn ranges<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> impl Fn(usize) -> Range<usize> {
    |row| offsets[row].as_usize()..offsets[row + 1].as_usize()
}

/// Cells of which none may be null.
struct Whole<'a> {
    column: &'a ArrayRef,
    cells: Boxed<'a>,
}

impl<'a> Whole<'a> {
    fn new(column: &'a ArrayRef, wire: &'a Wire) -> Self {
        let cells = cells(column, wire);
        Self { column, cells }
    }

    fn put(&self, row: usize, out: &mut Out) -> Result<()> {
        if self.column.is_null(row) || *self.column.data_type() == DataType::Null {
            let why = "it is null, and lists and maps of Thrift have no nulls";
            return Err(Refused::from(why.to_owned()));
        }
        self.cells.put(row, out)
    }
}

/// Lists, the items of each row in this range.
struct Items<'a, R> {
    items: Whole<'a>,
    wire: &'a Wire,
    range: R,
}

fn items<'a>(
    column: &'a ArrayRef,
    wire: &'a Wire,
    range: impl Fn(usize) -> Range<usize> + 'a,
) -> Boxed<'a> {
    let items = Whole::new(column, wire);
    Box::new(Items { items, wire, range })
}

impl<R: Fn(usize) -> Range<usize>> Cells for Items<'_, R> {
    fn put(&self, row: usize, out: &mut Out) -> Result<()> {
        let range = (self.range)(row);
        out.list(self.wire, range.len())?;
        range.enumerate().try_for_each(|(at, item)| {
            let put = self.items.put(item, out);
            put.map_err(|refused| refused.below(&format!("[{at}]")))
        })
    }
}

struct Entries<'a, R> {
    keys: Whole<'a>,
    values: Whole<'a>,
    wires: &'a (Wire, Wire),
    range: R,
}

impl<R: Fn(usize) -> Range<usize>> Cells for Entries<'_, R> {
    fn put(&self, row: usize, out: &mut Out) -> Result<()> {
        let range = (self.range)(row);
        out.map(self.wires, range.len())?;
        range.enumerate().try_for_each(|(at, entry)| {
            let put = self.keys.put(entry, out);
            let put = put.and_then(|()| self.values.put(entry, out));
            put.map_err(|refused| refused.below(&format!("[{at}]")))
        })
    }
}
