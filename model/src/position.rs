//! Positions: where a reader stands in a dataset.
//!
//! Checkpoints and lineage hold positions, never tickets. Rows are counted as stored, before any
//! filter. Invariant: positions of one partition order as the partition's rows do.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The number of a slot in a log, from 1; 0 means before the first.
pub type SlotNo = u64;

/// A place between two stored rows of one partition.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Position {
    /// The slot of the next row.
    pub slot: SlotNo,
    /// The index of the segment within the slot's list.
    pub segment: u32,
    /// Stored rows of that segment before the next row.
    pub row: u64,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self {
        slot: 0,
        segment: 0,
        row: 0,
    };

    /// Before the first row of `slot`.
    pub const fn at_slot(slot: SlotNo) -> Self {
        Self {
            slot,
            segment: 0,
            row: 0,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.slot, self.segment, self.row)
    }
}

impl FromStr for Position {
    type Err = Error;

    /// Reads back what [`Display`](fmt::Display) writes: three numbers in decimal, joined by dots.
    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.splitn(4, '.').collect();
        let read = match parts.as_slice() {
            [slot, segment, row] => number(slot).zip(number(segment)).zip(number(row)),
            _ => None,
        };
        let position = read.and_then(|((slot, segment), row)| {
            let segment = u32::try_from(segment).ok()?;
            Some(Self { slot, segment, row })
        });
        position.ok_or_else(|| {
            let shown: String = text.chars().take(TEXT_SHOWN_MAX).collect();
            Error::new(
                Kind::Invalid,
                "FS0223",
                format!("\"{}\" is not a position", shown.escape_debug()),
            )
            .with_detail("a position is SLOT.SEGMENT.ROW, three numbers in decimal")
            .with_hint(
                "give a position back as a batch's metadata said it, or a slot's number alone",
            )
        })
    }
}

/// The most characters of a text in an error.
const TEXT_SHOWN_MAX: usize = 80;

/// A number without a sign, which `u64` would take.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_as_it_was_written_and_nothing_else_is() {
        for position in [
            Position::START,
            Position::at_slot(7),
            Position {
                slot: u64::MAX,
                segment: u32::MAX,
                row: u64::MAX,
            },
        ] {
            assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }
        for text in [
            "",
            "7",
            "7.0",
            "7.0.0.0",
            "+7.0.0",
            "7.-1.0",
            "7..0",
            " 7.0.0",
            "7.0.0x",
            "7.4294967296.0",
            "18446744073709551616.0.0",
            &"9".repeat(1 << 16),
        ] {
            let error = text.parse::<Position>().unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0223"));
            assert!(error.message().len() < 200);
        }
    }
}
