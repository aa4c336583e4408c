//! Filters that a reader pushes down: the JSON grammar, and its limits.
//!
//! A filter is comparisons of one column with one literal, joined by AND, OR and NOT. [`Filter::bind`] types each
//! literal by its column, [`Bound::split`] parts what is answered exactly from what is handed back, and
//! [`Bound::may_match`] asks statistics whether rows can match at all. Evaluates no rows, reads nothing, knows no
//! engine. Invariant: what is answered means SQL's three-valued logic over values in their one order
//! (numbers by value, text and binary by bytes, times by instant), and what engines see differently is residual.
//!
//! ```
//! use arrow_schema::{DataType, Field, Schema};
//! use flinkspark_model::filter::Filter;
//!
//! let schema = Schema::new(vec![Field::new("user", DataType::Utf8, true), Field::new("score", DataType::Float64, true)]);
//! let filter: Filter = serde_json::from_str(
//!     r#"{"and": [{"prefix": {"column": "user", "value": "a"}}, {"gt": {"column": "score", "value": 0.5}}]}"#,
//! )?;
//! let split = filter.bind(&schema)?.split();
//! let json = |part: Option<&Filter>| serde_json::to_string(&part);
//! assert_eq!(json(split.answered.as_ref())?, r#"{"prefix":{"column":"user","value":"a"}}"#);
//! assert_eq!(json(split.residual.as_ref())?, r#"{"gt":{"column":"score","value":0.5}}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bind;
mod bound;
mod calendar;
mod literal;
mod statistics;
#[cfg(test)]
mod tests;
mod value;

pub use bound::{Bound, Node, Operator, Split, Term, Test};
pub use statistics::{ColumnStatistics, VALUE_BYTES_MAX, has_statistics};
pub use value::Value;

use serde::{Deserialize, Serialize};

/// The most bytes of a filter as JSON: each ticket of a flight carries it.
pub const FILTER_BYTES_MAX: usize = 64 << 10;
/// The deepest nesting of AND, OR and NOT, in levels.
pub const FILTER_DEPTH_MAX: usize = 32;
/// The most terms of a filter.
pub const FILTER_TERMS_MAX: usize = 1_000;
/// The most literals of a filter, those of all lists together.
pub const FILTER_LITERALS_MAX: usize = 4_096;

/// A condition on the rows that are wanted: those for which it is true, not false and not unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// All of them hold.
    And(Vec<Filter>),
    /// At least one holds.
    Or(Vec<Filter>),
    /// It does not hold; of what is unknown the opposite is unknown.
    Not(Box<Filter>),
    /// The column equals the literal.
    Eq(Comparison),
    /// It differs from it.
    Ne(Comparison),
    /// It lies below it.
    Lt(Comparison),
    /// It lies below it or equals it.
    Le(Comparison),
    /// It lies above it.
    Gt(Comparison),
    /// It lies above it or equals it.
    Ge(Comparison),
    /// It equals one of the literals.
    In(Among),
    /// Text or binary begins with the literal.
    Prefix(Comparison),
    /// The column is null.
    IsNull(Column),
}

/// A column and a literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The column's name.
    pub column: String,
    /// The literal, typed by the column; `docs/flight.md` says how each type is written.
    pub value: serde_json::Value,
}

/// A column and literals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Among {
    /// The column's name.
    pub column: String,
    /// The literals, at least one.
    pub values: Vec<serde_json::Value>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The column's name.
    pub column: String,
}
