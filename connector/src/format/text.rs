//! Values as text: what a text looks like, its value, and the text of a value.
//!
//! Knows nothing of files, quotes and lines; CSV and JSON put its texts between theirs. The modules build on one another
//! in this order: calendar, pattern, number, look, seen, column, patterns and print. Invariant: what is printed is parsed to the same
//! value, and no two values of a type share a text.

mod calendar;
mod column;
mod look;
mod number;
mod pattern;
mod patterns;
mod print;
mod seen;
#[cfg(test)]
mod tests;

pub(super) use calendar::put;
pub(super) use column::{Column, column, column_of};
pub(super) use look::{Kind, kind};
pub(super) use number::{Number, keeps};
pub(super) use patterns::Patterns;
pub(super) use print::{Printer, printer, printer_of, put_float, within_day};
pub(super) use seen::{Restated, Seen};
