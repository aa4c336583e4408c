//! Numbers in two's complement, the first byte first, in as few bytes as they need.
//!
//! Invariant: what [`shortest`] gives is what [`extended`] takes back, and no number comes out as another.

/// The shortest bytes of a number, of which the first says the sign.
pub(super) fn shortest(bytes: &[u8]) -> &[u8] {
    let sign = bytes.first().map_or(0, |first| (first >> 7) * 0xff);
    let filling = bytes.iter().take_while(|byte| **byte == sign).count();
    let kept = match bytes.get(filling) {
        Some(first) if (first >> 7) * 0xff == sign => filling,
        _ => filling.saturating_sub(1),
    };
    bytes.get(kept..).unwrap_or_default()
}

/// A number's bytes, filled up with its sign; none where it has more bits. No bytes are 0.
pub(super) fn extended<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let sign = bytes.first().map_or(0, |first| (first >> 7) * 0xff);
    let mut whole = [sign; N];
    let (above, kept) = bytes.split_at(bytes.len().saturating_sub(N));
    let negative = kept.first().is_some_and(|first| first & 0x80 != 0);
    if above.iter().any(|byte| *byte != sign) || negative != (sign != 0) {
        return None;
    }
    whole[N - kept.len()..].copy_from_slice(kept);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_their_shortest_bytes() {
        for number in [0, 1, -1, 127, 128, -128, -129, 255, 256, i32::MAX, i32::MIN] {
            let bytes = number.to_be_bytes();
            let short = shortest(&bytes);
            assert_eq!(extended(short), Some(bytes), "{number}");
            assert!(short.len() == 1 || extended::<4>(&short[1..]) != Some(bytes));
        }
    }

    #[test]
    fn more_bits_than_there_are_is_no_number() {
        assert_eq!(extended::<1>(&[0, 0x7f]), Some([0x7f]));
        assert_eq!(extended::<1>(&[0xff, 0x80]), Some([0x80]));
        assert_eq!(extended::<1>(&[0, 0x80]), None);
        assert_eq!(extended::<1>(&[0xff, 0x7f]), None);
        assert_eq!(extended::<1>(&[1, 0]), None);
    }
}
