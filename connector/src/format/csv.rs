//! CSV after RFC 4180: own reader and writer, because null and `""` must be told apart.
//!
//! `docs/csv.md` specifies the text of each type. The modules build on one another in this order:
//! options, record, calendar, print, infer, quote, column, read and write. Invariant: a quoted field
//! is never null and never anything but text to inference; whatever the writer writes, the reader
//! reads back as it was.

mod calendar;
mod column;
mod infer;
mod number;
mod options;
mod print;
mod quote;
mod read;
mod record;
#[cfg(test)]
mod tests;
mod write;

pub use options::CsvOptions;
pub(super) use read::Reader;
pub(super) use write::Writer;
