//! The driver, segments and reading, on memory and on a local disk.

pub(crate) mod fixture;
mod logs;
mod segments;
mod tails;
