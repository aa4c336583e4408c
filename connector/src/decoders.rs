//! Every decoder of bytes from strangers, each as one function: what fuzzers and the counting allocator call.
//!
//! None does I/O, reads a clock or keeps anything. Invariant: whatever the bytes are, each returns, without
//! a panic, and reserves no more than `docs/flight.md` says of its limits.

use crate::flight;
use crate::store;
use flinkspark_model::Result;
use flinkspark_model::log::{LogId, SegmentRef};

/// The messages of a put, each as its header's length and its body's (32 bits, little-endian), header and
/// body. Returns the rows that would be stored, after they were made plain.
///
/// Errors: those of `DoPut`.
pub fn flight_messages(bytes: &[u8]) -> Result<u64> {
    flight::decode_messages(bytes)
}

/// The content of a ticket, as if its signature were right.
///
/// Errors: `FS0404`.
pub fn ticket(payload: &[u8]) -> Result<()> {
    flight::decode_ticket(payload)
}

/// The JSON of descriptors, actions and closing messages, read as each of them in turn; how many took it.
pub fn bodies(json: &[u8]) -> usize {
    flight::decode_bodies(json)
}

/// A small record of the store, read as each kind of them in turn; how many took it.
pub fn store_records(record: &[u8]) -> usize {
    store::decode_records(record)
}

/// The file of a segment: every row of it, against the digest that was sealed.
///
/// Errors: those of `dataset verify`.
pub fn segment(log: LogId, segment: &SegmentRef, file: Vec<u8>) -> Result<()> {
    store::decode_segment(log, segment, file)
}
