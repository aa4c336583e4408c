//! The cells of a column, written value by value.
//!
//! Invariant: a cell is written as [`layout`](super::layout) says that its column stands in the file, or it is refused;
//! nothing that is null is written, and where an absent field would be read as something else, or there is no absence,
//! a null is refused.

mod flat;
mod nested;

pub(super) use nested::Record;

use super::layout::Wire;
use super::out::{Out, Refused, Result};
use arrow_array::ArrayRef;

/// Writes the cells of one column.
pub(super) trait Cells {
    /// Writes the cell of a row, which is not null.
    fn put(&self, row: usize, out: &mut Out) -> Result<()>;
}

type Boxed<'a> = Box<dyn Cells + 'a>;

/// The cells of a column that stands in this way.
fn cells<'a>(column: &'a ArrayRef, wire: &'a Wire) -> Boxed<'a> {
    match wire {
        Wire::List(_) | Wire::Set(_) | Wire::Map(_) | Wire::Struct(_) => nested::of(column, wire),
        _ => flat::of(column, wire),
    }
}

impl Refused {
    /// The same of a value below this field.
    fn below(mut self, field: &str) -> Self {
        let dot = match self.path.as_str() {
            "" => "",
            path if path.starts_with('[') => "",
            _ => ".",
        };
        self.path = format!("{field}{dot}{}", self.path);
        self
    }
}
