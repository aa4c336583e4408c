//! `flinkspark.v1`: the messages, clients and servers of the services Catalog, Jobs, Server and Tokens.
//!
//! Generated from `proto/proto` by `cargo xtask codegen` and committed, so that nobody needs a
//! protobuf compiler to build. Invariant: nothing here is written by hand.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

include!("generated/flinkspark.v1.rs");

/// The encoded `FileDescriptorSet` of the package, for gRPC's server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/flinkspark.v1.bin");
