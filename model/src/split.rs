//! Cuts a read into splits: ordered ranges of one partition, by bytes.
//!
//! A split spans segments, and a large segment holds several: where one is cut, its rows count for its bytes in
//! proportion. It knows no ticket and reads no row. Invariant: each row of the epochs from the start on lies in exactly
//! one split, the splits of a partition follow one another in its order, and there are never more than were allowed.

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::log::{LiveEpoch, SegmentName, SegmentRef};
use crate::position::Position;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A cut this near to a segment's end, as a part of a split's bytes, is made there.
const SNAP: u128 = 8;

/// Where a read begins in each partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// Where it begins in the partitions that were named.
    pub partitions: BTreeMap<u32, Position>,
    /// Where it begins in the others.
    pub others: Position,
}

impl Start {
    /// The same place in every partition.
    pub fn everywhere(position: Position) -> Self {
        Self {
            partitions: BTreeMap::new(),
            others: position,
        }
    }

    /// Where it begins in one partition.
    pub fn of(&self, partition: u32) -> Position {
        let named = self.partitions.get(&partition);
        named.copied().unwrap_or(self.others)
    }

    /// The places that it begins at, the others' first.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        std::iter::once(self.others).chain(self.partitions.values().copied())
    }
}

/// What splits are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// About so many stored bytes each, in bytes; more where there would be too many.
    Bytes(u64),
    /// One for each partition.
    Partition,
    /// One for each segment; several of one partition where there would be too many.
    Segment,
}

/// A range of one partition's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The partition.
    pub partition: u32,
    /// The position of its first row.
    pub from: Position,
    /// The position after its last row.
    pub until: Position,
    /// Its rows.
    pub rows: u64,
    /// Their size in the store, in proportion where a segment is cut, in bytes.
    pub bytes: u64,
    /// The segments that hold them.
    pub segments: u64,
    /// The first of these.
    pub name: SegmentName,
    /// Of its rows; none where a segment is cut.
    pub digest: Option<Digest>,
}

/// The splits of the epochs' rows from `start` on, partition by partition, at most `max` of them.
///
/// Errors: `FS0445` where there are more partitions with rows than that.
pub fn plan(epochs: &[Arc<LiveEpoch>], start: &Start, by: By, max: usize) -> Result<Vec<Split>> {
    let partitions = partitions(epochs, start, by);
    if partitions.len() > max {
        return Err(too_many(partitions.len(), max));
    }
    let share = share(&partitions, by, max);
    let mut splits = Vec::new();
    for (partition, pieces) in &partitions {
        let mut cutter = Cutter {
            partition: *partition,
            splits: &mut splits,
            open: None,
        };
        cutter.cut(pieces, share, by == By::Segment);
    }
    Ok(splits)
}

/// The rows of a split list up to a number of them. A split that is cut has no digest.
pub fn limit(splits: Vec<Split>, rows_max: u64) -> Vec<Split> {
    let mut left = rows_max;
    let mut within = Vec::new();
    for mut split in splits {
        if left == 0 {
            break;
        }
        if split.rows > left {
            split.bytes = part(split.bytes, left, split.rows);
            split.rows = left;
            split.digest = None;
        }
        left -= split.rows;
        within.push(split);
    }
    within
}

/// `FS0445`: each endpoint is of one partition.
pub fn too_many(partitions: usize, max: usize) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0445",
        "there are more partitions than endpoints",
    )
    .with_detail(format!(
        "{partitions} partitions have rows to read, at most {max} endpoints are wanted, and an endpoint is of one partition"
    ))
    .with_hint("raise splits.max, or ask for a ticket of one partition after the other with the action \"ticket\"")
}

/// Rows of one segment.
struct Piece<'a> {
    at: Position,
    rows: u64,
    /// What it counts for.
    weight: u64,
    segment: &'a SegmentRef,
}

impl Piece<'_> {
    fn bytes(&self) -> u64 {
        part(self.segment.bytes, self.rows, self.segment.rows)
    }
}

/// So many of a segment's bytes as it has rows of it.
fn part(bytes: u64, rows: u64, of: u64) -> u64 {
    let part = u128::from(bytes) * u128::from(rows) / u128::from(of.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

fn partitions<'a>(
    epochs: &'a [Arc<LiveEpoch>],
    start: &Start,
    by: By,
) -> BTreeMap<u32, Vec<Piece<'a>>> {
    let mut partitions: BTreeMap<u32, Vec<Piece<'a>>> = BTreeMap::new();
    for epoch in epochs {
        for (index, segment) in (0..).zip(&epoch.segments) {
            let here = Position {
                slot: epoch.slot,
                segment: index,
                row: 0,
            };
            let from = start.of(segment.partition);
            let row = match (here.slot, here.segment).cmp(&(from.slot, from.segment)) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal => from.row,
                std::cmp::Ordering::Greater => 0,
            };
            let Some(rows) = segment.rows.checked_sub(row).filter(|rows| *rows > 0) else {
                continue;
            };
            let mut piece = Piece {
                at: Position { row, ..here },
                rows,
                weight: 1,
                segment,
            };
            if by != By::Segment {
                piece.weight = piece.bytes().max(1);
            }
            partitions.entry(segment.partition).or_default().push(piece);
        }
    }
    partitions
}

fn weight(pieces: &[Piece<'_>]) -> u128 {
    pieces.iter().map(|piece| u128::from(piece.weight)).sum()
}

/// What a split counts for at most: what was asked for, or the least with which there are not too many.
fn share(partitions: &BTreeMap<u32, Vec<Piece<'_>>>, by: By, max: usize) -> u128 {
    let weights: Vec<u128> = partitions.values().map(|pieces| weight(pieces)).collect();
    let whole = weights.iter().copied().max().unwrap_or(1).max(1);
    let count = |share: u128| -> u128 { weights.iter().map(|weight| weight.div_ceil(share)).sum() };
    let mut low = match by {
        By::Bytes(target) => u128::from(target.max(1)).min(whole),
        By::Partition => whole,
        By::Segment => 1,
    };
    let mut high = whole;
    while low < high {
        let middle = low + (high - low) / 2;
        match count(middle) <= max as u128 {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    high
}

/// Puts the rows of one partition into splits.
struct Cutter<'a> {
    partition: u32,
    splits: &'a mut Vec<Split>,
    open: Option<Split>,
}

impl Cutter<'_> {
    fn cut(&mut self, pieces: &[Piece<'_>], share: u128, at_segments: bool) {
        let whole = weight(pieces);
        let count = whole.div_ceil(share);
        let slack = match at_segments {
            true => u128::MAX,
            false => whole / count.max(1) / SNAP,
        };
        let mut borders = (1..count).map(|index| index * whole / count).peekable();
        let mut before = 0;
        for piece in pieces {
            let weight = u128::from(piece.weight);
            let mut taken = 0;
            while let Some(border) = borders.next_if(|border| *border <= before + weight) {
                let row = border_row(border.saturating_sub(before), piece, slack);
                self.take(piece, taken, row.max(taken));
                self.close();
                taken = row.max(taken);
            }
            self.take(piece, taken, piece.rows);
            before += weight;
        }
        self.close();
    }

    /// Takes the piece's rows from one to before another.
    fn take(&mut self, piece: &Piece<'_>, first: u64, end: u64) {
        let rows = end - first;
        if rows == 0 {
            return;
        }
        let at = |row: u64| Position {
            row: piece.at.row + row,
            ..piece.at
        };
        let digest = (rows == piece.segment.rows).then_some(piece.segment.digest);
        let open = self.open.get_or_insert_with(|| Split {
            partition: self.partition,
            from: at(first),
            until: at(first),
            rows: 0,
            bytes: 0,
            segments: 0,
            name: piece.segment.name.clone(),
            digest: Some(Digest::EMPTY),
        });
        // Differences of the part up to a row, so that no byte is lost or counted twice.
        let upto = |row: u64| part(piece.bytes(), row, piece.rows);
        open.until = at(end);
        open.rows = open.rows.saturating_add(rows);
        open.bytes = open.bytes.saturating_add(upto(end) - upto(first));
        open.segments += 1;
        open.digest = open.digest.zip(digest).map(|(sum, digest)| sum + digest);
    }

    fn close(&mut self) {
        self.splits.extend(self.open.take());
    }
}

/// The row of a piece before which a border falls.
fn border_row(offset: u128, piece: &Piece<'_>, slack: u128) -> u64 {
    let weight = u128::from(piece.weight);
    let rest = weight.saturating_sub(offset);
    if offset.min(rest) <= slack {
        return match offset < rest {
            true => 0,
            false => piece.rows,
        };
    }
    let row = offset * u128::from(piece.rows) / weight.max(1);
    u64::try_from(row).unwrap_or(piece.rows).min(piece.rows)
}

#[cfg(test)]
mod tests;
