//! What Flink means: types, values and expressions, the ledger of differences, the functions with their
//! signatures, and the evaluator that computes them.
//!
//! Owns the allow-list: a function, a conversion or an aggregate that is not declared here does not
//! exist for a job. Never does I/O and never asks another engine what an expression means.
//! Invariant: everything declared here gave Flink 2.3's answer when it was probed; where only some
//! inputs were known to agree, the others are refused by name.

pub mod aggregate;
pub mod cast;
pub mod compare;
pub mod decimal;
pub mod evaluate;
pub mod expr;
pub mod fallible;
pub mod foreign;
pub mod function;
pub mod ledger;
pub mod number_text;
pub mod types;
pub mod value;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

use flinkspark_model::{Error, Kind};
use std::fmt::Display;

/// A refusal by name: the expression, the ledger entry that stands against it and the way out.
pub fn refuse(expression: impl Display, entry: &'static str) -> Error {
    let found = ledger::named(entry);
    Error::new(
        Kind::Invalid,
        "FS0803",
        format!("{expression} is not known to keep Flink's answer"),
    )
    .with_detail(format!("ledger entry {entry}: {}", found.difference))
    .with_hint(found.way_out)
}

/// A statement that Flink's own rules refuse.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "FS0802", message)
}

/// A failure while running that Flink raises too.
pub fn failed(message: impl Into<String>) -> Error {
    Error::new(Kind::Data, "FS0805", message)
}

/// A plan that the binder should never have built.
pub fn broken(message: impl Into<String>) -> Error {
    Error::new(Kind::Internal, "FS0809", message)
}
