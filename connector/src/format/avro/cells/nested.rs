//! Cells that hold cells.
//!
//! Invariant: a list has as many items as it says, and what stands below a null is not written.

use super::{Boxed, Cells, Out, Refused, cells};
use crate::format::avro::cursor::put_number;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use std::ops::Range;

pub(super) fn of(column: &ArrayRef) -> Boxed<'_> {
    use DataType as D;
    match column.data_type() {
        D::List(item) => {
            let list = column.as_list::<i32>();
            items(cells(list.values(), item), ranges(list.offsets()))
        }
        D::LargeList(item) => {
            let list = column.as_list::<i64>();
            items(cells(list.values(), item), ranges(list.offsets()))
        }
        D::FixedSizeList(item, length) => {
            let list = column.as_fixed_size_list();
            let length = usize::try_from(*length).unwrap_or_default();
            items(cells(list.values(), item), move |row| {
                row * length..(row + 1) * length
            })
        }
        D::Map(..) => {
            let map = column.as_map();
            items(Box::new(record(map.entries())), ranges(map.offsets()))
        }
        _ => Box::new(record(column.as_struct())),
    }
}

struct Record<'a>(Vec<Boxed<'a>>);

fn record(record: &StructArray) -> Record<'_> {
    let columns = record.columns().iter().zip(record.fields());
    Record(
        columns
            .map(|(column, field)| cells(column, field))
            .collect(),
    )
}

impl Cells for Record<'_> {
    fn put(&self, row: usize, out: &mut Out) -> Result<(), Refused> {
        self.0.iter().try_for_each(|cells| cells.put(row, out))
    }
}

fn ranges<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> impl Fn(usize) -> Range<usize> {
    |row| offsets[row].as_usize()..offsets[row + 1].as_usize()
}

/// Lists, the items of each row in this range.
struct Items<'a, R> {
    cells: Boxed<'a>,
    range: R,
}

fn items<'a>(cells: Boxed<'a>, range: impl Fn(usize) -> Range<usize> + 'a) -> Boxed<'a> {
    Box::new(Items { cells, range })
}

impl<R: Fn(usize) -> Range<usize>> Cells for Items<'_, R> {
    fn put(&self, row: usize, out: &mut Out) -> Result<(), Refused> {
        let range = (self.range)(row);
        if !range.is_empty() {
            put_number(range.len() as i64, &mut out.bytes);
            let (before, items) = (out.bytes.len(), range.len());
            range
                .into_iter()
                .try_for_each(|item| self.cells.put(item, out))?;
            if out.bytes.len() == before {
                out.idle += items;
            }
        }
        put_number(0, &mut out.bytes);
        Ok(())
    }
}
