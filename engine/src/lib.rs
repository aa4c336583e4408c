//! The bundled engines, streaming and batch, both Arrow-native.
//!
//! Owns running: subtasks, state, checkpoints. Never parses SQL and never opens a file, a socket
//! or a store: logs, clocks and randomness come in through `flinkspark_model::port`, programs come
//! from the adapter. Invariant: both engines give the same multiset of rows for one program and
//! one input, less the rows that the stream reports as late.

pub mod batch;
pub mod expr;
pub mod stream;
