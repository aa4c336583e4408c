//! Columns that are built value by value.
//!
//! Invariant: a column holds exactly the values that stand in the block, or there was a fault; what a value takes in
//! its column is counted before it is appended.

mod flat;
mod nested;

use super::cursor::{Cursor, Result, damaged};
use super::schema::{Shape, Union, Wire};
use arrow_array::ArrayRef;
use arrow_schema::{ArrowError, DataType};

/// A column that is being built.
pub(super) trait Column: Send {
    /// Appends the next value of the block.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()>;

    /// Appends a null, or what stands below one.
    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()>;

    /// The column so far; it begins anew.
    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError>;
}

type Boxed = Box<dyn Column>;

/// A column of this type, whose values stand in this way.
pub(super) fn column(data_type: &DataType, wire: &Wire) -> Result<Boxed> {
    let column = match (data_type, &wire.shape) {
        (DataType::Struct(_) | DataType::Map(..), _)
        | (_, Shape::Array(_) | Shape::Map(_) | Shape::Record(_)) => {
            nested::of(data_type, &wire.shape)?
        }
        (flat, shape) => flat::of(flat, shape)?,
    };
    Ok(match wire.union {
        Some(union) => Box::new(Branches { union, column }),
        None => column,
    })
}

/// A type does not fit how its values stand, which the schema was made to prevent.
fn mismatched<T>(data_type: &DataType) -> Result<T> {
    damaged(format!(
        "its schema has another type where a column is {data_type}"
    ))
}

/// A union with at most one type beside null: each value has the number of its branch before it.
struct Branches {
    union: Union,
    column: Boxed,
}

impl Column for Branches {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        match (self.union, cursor.long()?) {
            (Union::NullFirst, 1) | (Union::NullLast | Union::Lone, 0) => self.column.read(cursor),
            (Union::NullFirst, 0) | (Union::NullLast, 1) => self.column.skip(cursor),
            (_, branch) => damaged(format!("a union has no branch {branch}")),
        }
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.column.skip(cursor)
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        self.column.finish()
    }
}
