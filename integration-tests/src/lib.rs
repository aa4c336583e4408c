//! Whole-system tests: the binary from outside, as its users have it.
//!
//! Owns the harness that starts servers and runs commands, the driver that kills, and the sample
//! jobs. It never reaches into a server's parts: what it knows it was told over the public API or
//! the command line. Invariant: no server outlives the test that started it.

pub mod bench;
pub mod command;
pub mod crowd;
pub mod flights;
pub mod kills;
pub mod random;
pub mod server;
pub mod surface;

use std::path::{Path, PathBuf};

/// A file of this crate, such as `data/flights.parquet`.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Why a test or a driver cannot go on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The result of a step of a test.
pub type Step<T = ()> = Result<T, Failure>;
