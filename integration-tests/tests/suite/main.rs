//! The binary from outside, one file a subject.

mod access;
mod catalogue;
mod day_one;
mod errors;
mod examples;
mod filters;
mod flight_errors;
mod formats;
mod full_disk;
mod interpreter;
mod jobs;
mod live;
mod long;
mod matrix;
mod memory;
mod peers;
mod profiles;
mod python;
mod query;
mod readme;
mod server;
mod sql;
mod surface;
mod transactions;
mod trouble;
mod writers;

use flinkspark_integration_tests::{Step, path};

/// A file of the crate, as an argument.
fn file(name: &str) -> Step<String> {
    path(name)
        .to_str()
        .map(Into::into)
        .ok_or_else(|| "the path is text".into())
}
