//! The driver, segments and reading, on memory and on a local disk.

mod fixture;
mod logs;
mod segments;
