//! The journal's bytes as one function: what fuzzers and the counting allocator call.
//!
//! It opens no file, reads no clock and keeps nothing. Invariant: whatever the bytes are, it returns without a
//! panic, and reserves no more than a fixed amount and a multiple of their number.

use crate::journal;
use crate::record::Record;
use flinkspark_model::Result;

/// Reads a journal from its header to its tail, and each of its records as far as it says everything itself.
/// Returns how many records it has.
///
/// Errors: those of opening the catalogue.
pub fn journal(bytes: &[u8]) -> Result<u64> {
    let mut records = 0;
    journal::read(bytes, &mut |_, payload| {
        records += 1;
        Record::decode(payload)?.check()
    })?;
    Ok(records)
}
