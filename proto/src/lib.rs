//! The public API flinkspark.v1: generated code and conversions to the model.
//!
//! Owns the messages and services ([`v1`]), their way to and from the model ([`convert`]) and
//! errors on the wire ([`error`]). It never opens a connection and never decides anything.
//! Invariant: [`v1`] is exactly what `cargo xtask codegen` makes of `proto/proto`.

pub mod convert;
pub mod error;
pub mod v1;
