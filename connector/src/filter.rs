//! Filters over Arrow columns: which rows match, and what is known of a column without reading it.
//!
//! The grammar and its meaning are [`flinkspark_model::filter`]'s; here its values meet arrays. Does no I/O.
//! Invariant: a row matches where the filter is true, not where it is unknown, and a column's statistics
//! deny no value of it.

mod evaluate;
mod known;
mod native;
#[cfg(test)]
mod tests;

pub(crate) use evaluate::keep;
pub(crate) use known::statistics;
