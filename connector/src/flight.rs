//! The Arrow Flight service and its client.
//!
//! Owns everything that crosses the network as Arrow: the service over the ports of
//! `flinkspark_model`, the tickets, the JSON bodies that `docs/flight.md` documents, and the Rust
//! client. It never opens a store, a catalogue or a file; `bridge` hands those in as
//! [`Components`]. Invariant: nothing becomes visible because a stream ended. A transaction
//! commits by its action alone; a plain put, the named weaker mode, by its half-close.

pub mod body;
pub mod client;
mod decode;
mod encode;
pub mod limits;
mod named;
mod peer;
mod server;
mod taking;
mod ticket;
mod ticks;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use client::Client;
pub use server::{Admitted, Components, Memory, Service, admitted, service};
pub use ticket::Key;

pub(crate) use body::decode_all as decode_bodies;
pub(crate) use decode::decode_messages;
pub(crate) use encode::slice_bytes as bytes_of;
pub(crate) use ticket::decode as decode_ticket;
