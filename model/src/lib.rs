//! FlinkSpark's vocabulary and its pure protocol.
//!
//! Owns the names, the datasets and their handles, the dataset log's slot machine, positions,
//! lineage, recovery, type profiles, error kinds, and the ports through which the other crates meet.
//! It never does I/O, never reads a clock and never spawns. Invariant: everything here is a
//! value or a pure function of values.

pub mod access;
pub mod budget;
pub mod checksum;
pub mod dataset;
pub mod digest;
pub mod error;
pub mod fault;
pub mod filter;
pub mod handle;
pub mod lineage;
pub mod log;
pub mod matching;
pub mod name;
pub mod port;
pub mod position;
pub mod profile;
pub mod recovery;
pub mod schema;
pub mod split;

pub use error::{Error, Kind, Result};
