//! The driver, segments and reading, on memory and on a local disk.

mod alone;
pub(crate) mod columns;
pub(crate) mod fixture;
mod logs;
mod old;
mod readable;
mod segments;
mod skipping;
mod tails;
