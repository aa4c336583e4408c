//! The compact protocol's numbers: seven bits a byte, the lowest first, and signs in the lowest bit.
//!
//! Invariant: a number of more than 64 bits is none.

/// The most bytes of a number.
const BYTES_MAX: usize = 10;

/// The bits that `next` gives the bytes of; none where there are more than 64.
pub(in crate::format::thrift) fn varint<E>(
    mut next: impl FnMut() -> Result<u8, E>,
) -> Result<Option<u64>, E> {
    let mut bits = 0_u64;
    for at in 0..BYTES_MAX {
        let byte = next()?;
        bits |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let fits = at + 1 < BYTES_MAX || byte <= 1;
            return Ok(fits.then_some(bits));
        }
    }
    Ok(None)
}

/// Appends bits, as few bytes as they need.
pub(in crate::format::thrift) fn put_varint(mut bits: u64, out: &mut Vec<u8>) {
    while bits >= 0x80 {
        out.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// The number whose sign stands in the lowest bit.
pub(in crate::format::thrift) fn unzigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())
}

/// A number with its sign in the lowest bit.
pub(in crate::format::thrift) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}
