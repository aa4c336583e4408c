//! The bridge: the command line, the server, and the wiring of concrete types to ports.
//!
//! The only crate that reads arguments, the environment and the wall clock. It decides nothing
//! about logs, plans or formats: it parses at the edge, wires, and renders.
//! Invariant: data goes to stdout, everything else to stderr.

mod access;
pub mod cli;
pub mod client;
pub mod config;
pub mod damage;
pub mod exit;
#[cfg(feature = "faults")]
pub mod faults;
pub mod jobs;
pub mod memory;
pub mod metrics;
pub mod pages;
pub mod probe;
pub mod server;
pub mod system;
mod tls;
mod workers;

/// The parts, for programs that embed the bridge or measure it.
pub mod parts {
    pub use datafusion;
    pub use flinkspark_adapter as adapter;
    pub use flinkspark_connector as connector;
    pub use flinkspark_engine as engine;
    pub use flinkspark_metadata as metadata;
    pub use flinkspark_model as model;
}
