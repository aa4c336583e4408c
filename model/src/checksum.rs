//! CRC-32C (Castagnoli, RFC 3720), which tells that stored bytes are the ones that were written.
//!
//! Invariant: however bytes are cut into pieces, their checksum is the same.

use crc_fast::{CrcAlgorithm, Digest, crc32_iscsi};

/// The checksum of these bytes.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32_iscsi(bytes)
}

/// The checksum of what has the checksum `before`, followed by these bytes; that of nothing is 0.
#[must_use]
pub fn crc32c_append(before: u32, bytes: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!before));
    digest.update(bytes);
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the catalogue of CRCs (reveng), and the vectors of RFC 3720, B.4.
    #[test]
    fn known_bytes_have_known_checksums() {
        let ascending: Vec<u8> = (0..32).collect();
        let known: [(&[u8], u32); 5] = [
            (b"", 0),
            (b"123456789", 0xE306_9283),
            (&[0; 32], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&ascending, 0x46DD_794E),
        ];
        for (bytes, checksum) in known {
            assert_eq!(crc32c(bytes), checksum, "{bytes:?}");
            assert_eq!(crc32c_append(0, bytes), checksum, "{bytes:?}");
        }
    }

    /// Lengths on both sides of where the implementation changes its way.
    #[test]
    fn pieces_add_up_to_the_whole() {
        let bytes: Vec<u8> = (0..70_000_u32)
            .map(|at| (at.wrapping_mul(at) >> 3) as u8)
            .collect();
        for length in [1, 7, 64, 255, 256, 257, 1_023, 4_096, 65_536, 70_000] {
            let whole = &bytes[..length];
            for cut in [0, 1, length / 3, length - 1, length] {
                let (first, second) = whole.split_at(cut);
                let pieces = crc32c_append(crc32c(first), second);
                assert_eq!(pieces, crc32c(whole), "{length} bytes cut at {cut}");
            }
        }
    }
}
