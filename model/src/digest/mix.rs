//! The state that a row is absorbed into, and its mixing.
//!
//! Two lanes of 64 bits; each absorbs every word, one by addition through SplitMix64's finaliser
//! (Steele, Lea, Flood 2014; Stafford's variant 13), the other by exclusive or through
//! MurmurHash3's. Both steps are bijections of the state and of the word, so a single changed
//! word always changes both lanes. Invariant: the result depends on the order of the words.

/// Tags: the first word of each value, so that no value's words begin another's.
pub(super) mod tag {
    pub(in crate::digest) const NULL: u64 = 0;
    pub(in crate::digest) const BOOLEAN: u64 = 1;
    pub(in crate::digest) const NON_NEGATIVE: u64 = 2;
    pub(in crate::digest) const NEGATIVE: u64 = 3;
    pub(in crate::digest) const FLOAT: u64 = 4;
    pub(in crate::digest) const DECIMAL: u64 = 5;
    pub(in crate::digest) const WIDE_DECIMAL: u64 = 6;
    pub(in crate::digest) const DATE: u64 = 7;
    pub(in crate::digest) const TIME: u64 = 8;
    pub(in crate::digest) const TIMESTAMP: u64 = 9;
    pub(in crate::digest) const ZONED_TIMESTAMP: u64 = 10;
    pub(in crate::digest) const DURATION: u64 = 11;
    pub(in crate::digest) const INTERVAL: u64 = 12;
    pub(in crate::digest) const BINARY: u64 = 13;
    pub(in crate::digest) const TEXT: u64 = 14;
    pub(in crate::digest) const LIST: u64 = 15;
    pub(in crate::digest) const STRUCT: u64 = 16;
    pub(in crate::digest) const MAP: u64 = 17;
}

/// What one row, or one entry of a map, has absorbed.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    a: u64,
    b: u64,
}

impl State {
    /// Nothing absorbed; the digits of pi, for want of a reason for any others.
    pub(super) const START: Self = Self {
        a: 0x243f_6a88_85a3_08d3,
        b: 0x1319_8a2e_0370_7344,
    };

    /// Absorbs one word.
    #[inline(always)]
    pub(super) fn absorb(&mut self, word: u64) {
        self.a = splitmix(self.a.wrapping_add(word));
        self.b = murmur(self.b ^ word);
    }

    /// Absorbs a signed 128-bit integer, the low word first.
    #[inline(always)]
    pub(super) fn absorb_i128(&mut self, value: i128) {
        self.absorb(value as u64);
        self.absorb((value >> 64) as u64);
    }

    /// Absorbs a byte string: its length, then its words, little-endian, the last filled with zeros.
    #[inline]
    pub(super) fn absorb_bytes(&mut self, bytes: &[u8]) {
        self.absorb(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.absorb(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.absorb(u64::from_le_bytes(last));
        }
    }

    /// The hash: the second lane above the first.
    #[inline(always)]
    pub(super) fn hash(self) -> u128 {
        u128::from(self.b) << 64 | u128::from(self.a)
    }
}

#[inline(always)]
fn splitmix(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[inline(always)]
fn murmur(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ x >> 33
}
