//! The cells of a column, written value by value.
//!
//! Invariant: a cell is written as [`print`](super::print) says that its column stands in the file, or it is refused.

mod flat;
mod nested;

use super::cursor::put_number;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};

/// The bytes of the rows of a block.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) bytes: Vec<u8>,
    /// How many values there are that take no bytes.
    pub(super) idle: usize,
}

/// Why a value has no place in the file.
pub(super) type Refused = String;

/// Writes the cells of one column.
pub(super) trait Cells {
    /// Writes the cell of a row, which is not null where the column's nulls are its own.
    fn put(&self, row: usize, out: &mut Out) -> Result<(), Refused>;
}

type Boxed<'a> = Box<dyn Cells + 'a>;

/// The cells of a field's column.
pub(super) fn cells<'a>(column: &'a ArrayRef, field: &Field) -> Boxed<'a> {
    let cells = match column.data_type() {
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::Struct(_)
        | DataType::Map(..) => nested::of(column),
        _ => flat::of(column),
    };
    if field.is_nullable() && *column.data_type() != DataType::Null {
        let nulls = column.nulls();
        Box::new(Nullable { nulls, cells })
    } else {
        cells
    }
}

/// Cells with the number of their branch before them: null or the value.
struct Nullable<'a> {
    nulls: Option<&'a NullBuffer>,
    cells: Boxed<'a>,
}

impl Cells for Nullable<'_> {
    fn put(&self, row: usize, out: &mut Out) -> Result<(), Refused> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            put_number(0, &mut out.bytes);
            return Ok(());
        }
        put_number(1, &mut out.bytes);
        self.cells.put(row, out)
    }
}
