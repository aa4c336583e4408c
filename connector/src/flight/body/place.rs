//! Positions as JSON has them.
//!
//! Invariant: what a batch's metadata says as its position is taken as `from`, character by character.

use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::split::Start;
use flinkspark_model::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A position: `"SLOT.SEGMENT.ROW"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(pub Position);

impl TryFrom<String> for Place {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse().map(Self)
    }
}

impl core::convert::From<Place> for String {
    fn from(place: Place) -> Self {
        place.0.to_string()
    }
}

/// A position, or the number of the slot that it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Point {
    /// Before the first row of a slot.
    Slot(SlotNo),
    /// `"SLOT.SEGMENT.ROW"`.
    Position(String),
}

impl Point {
    /// The position.
    pub fn position(&self) -> Result<Position> {
        match self {
            Self::Slot(slot) => Ok(Position::at_slot(*slot)),
            Self::Position(text) => text.parse(),
        }
    }
}

/// Where a read begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum From {
    /// In every partition.
    Everywhere(Point),
    /// By partition; one that is not named is read from the first row that is there.
    Partitions(BTreeMap<String, Point>),
}

impl From {
    /// Where it begins in each partition, in those that are not named at `others`.
    pub fn start(&self, others: Position) -> Result<Start> {
        let partitions = match self {
            Self::Everywhere(point) => return Ok(Start::everywhere(point.position()?)),
            Self::Partitions(partitions) => partitions,
        };
        let named = partitions.iter().map(|(partition, point)| {
            let number = partition.parse().map_err(|_| not_a_partition(partition))?;
            Ok((number, point.position()?))
        });
        Ok(Start {
            partitions: named.collect::<Result<_>>()?,
            others,
        })
    }
}

fn not_a_partition(text: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0447",
        "the range that was asked for cannot be read",
    )
    .with_detail(format!(
        "its \"from\" names the partition \"{}\"",
        text.escape_debug()
    ))
    .with_hint("write from as {\"0\": \"7.0.12\", \"1\": 7}: partitions are numbers from 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_slot_a_position_or_one_for_each_partition() {
        let at = |slot, row| Position {
            row,
            ..Position::at_slot(slot)
        };
        let others = Position::at_slot(3);
        for (json, zero, one, two) in [
            ("7", at(7, 0), at(7, 0), at(7, 0)),
            ("\"7.0.12\"", at(7, 12), at(7, 12), at(7, 12)),
            (r#"{"0": "7.0.12", "1": 6}"#, at(7, 12), at(6, 0), others),
            ("{}", others, others, others),
        ] {
            let from: From = serde_json::from_str(json).unwrap();
            let start = from.start(others).unwrap();
            assert_eq!((start.of(0), start.of(1), start.of(2)), (zero, one, two));
        }
        for (json, code) in [
            ("\"7\"", "FS0223"),
            (r#"{"x": 7}"#, "FS0447"),
            (r#"{"-1": 7}"#, "FS0447"),
            (r#"{"0": "a.b.c"}"#, "FS0223"),
        ] {
            let from: From = serde_json::from_str(json).unwrap();
            assert_eq!(from.start(others).unwrap_err().code(), code, "{json}");
        }
        for json in ["-1", "[]", "7.5", "null", r#"{"0": {}}"#] {
            assert!(serde_json::from_str::<From>(json).is_err(), "{json}");
        }
    }
}
