//! Splits against an oracle that numbers every row.

use super::*;
use crate::log::SegmentFormat;
use proptest::prelude::*;

/// A segment: its partition, rows, bytes.
type Made = (u32, u64, u64);

fn epochs(made: &[Vec<Made>]) -> Vec<Arc<LiveEpoch>> {
    let segment = |slot: u64, index: usize, (partition, rows, bytes): Made| SegmentRef {
        name: format!("s-{slot}-{index}").into(),
        partition,
        attempt: 0,
        format: SegmentFormat::Arrow,
        rows,
        bytes,
        digest: Digest {
            rows,
            sum: u128::from(slot) * 1000 + index as u128,
        },
    };
    let epoch = |(slot, segments): (u64, &Vec<Made>)| {
        let segments = segments.iter().enumerate();
        Arc::new(LiveEpoch {
            slot,
            since: slot,
            schema_version: 1,
            watermark_ms: None,
            checkpoint_ref: None,
            segments: segments.map(|(i, made)| segment(slot, i, *made)).collect(),
        })
    };
    // Slots between may be fences.
    (1..).step_by(3).zip(made).map(epoch).collect()
}

/// Every row from a start on: its partition and the position before it.
fn all_rows(epochs: &[Arc<LiveEpoch>], start: &Start) -> Vec<(u32, Position)> {
    let mut rows = Vec::new();
    for epoch in epochs {
        for (index, segment) in epoch.segments.iter().enumerate() {
            for row in 0..segment.rows {
                let at = Position {
                    slot: epoch.slot,
                    segment: index as u32,
                    row,
                };
                if at >= start.of(segment.partition) {
                    rows.push((segment.partition, at));
                }
            }
        }
    }
    rows.sort_by_key(|(partition, at)| (*partition, *at));
    rows
}

/// The rows of a split, read as a reader does: from its position on, so many of them.
fn rows_in(epochs: &[Arc<LiveEpoch>], split: &Split) -> Vec<(u32, Position)> {
    let all = all_rows(epochs, &Start::everywhere(split.from)).into_iter();
    let of = all.filter(|(partition, _)| *partition == split.partition);
    of.take(split.rows as usize).collect()
}

fn check(epochs: &[Arc<LiveEpoch>], start: &Start, by: By, max: usize) -> Vec<Split> {
    let splits = plan(epochs, start, by, max).unwrap();
    assert!(splits.len() <= max, "{} splits of {max}", splits.len());
    let read: Vec<_> = splits
        .iter()
        .flat_map(|split| rows_in(epochs, split))
        .collect();
    assert_eq!(read, all_rows(epochs, start), "{splits:?}");
    for split in &splits {
        assert!(split.rows > 0 && split.from < split.until, "{split:?}");
        let (_, last) = rows_in(epochs, split).pop().unwrap();
        let after = Position {
            row: last.row + 1,
            ..last
        };
        assert_eq!(after, split.until);
    }
    splits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_row_lies_in_exactly_one_split_in_order(
        made in proptest::collection::vec(
            proptest::collection::vec((0u32..3, 0u64..9, prop_oneof![0u64..4, 0u64..400]), 0..5),
            0..12,
        ),
        target in prop_oneof![Just(0u64), Just(1), 2u64..50, Just(u64::MAX)],
        extra in prop_oneof![0usize..4, Just(1000)],
        mode in 0usize..3,
        from in (0u64..14, 0u32..4, 0u64..9),
    ) {
        let epochs = epochs(&made);
        let mut start = Start::everywhere(Position { slot: from.0, segment: from.1, row: from.2 });
        start.partitions.insert(1, Position::at_slot(from.0 / 2));
        let by = [By::Bytes(target), By::Partition, By::Segment][mode];
        let partitions: std::collections::BTreeSet<u32> =
            all_rows(&epochs, &start).into_iter().map(|(partition, _)| partition).collect();
        let max = (partitions.len() + extra).max(1);
        let splits = check(&epochs, &start, by, max);
        let digested = splits.iter().filter_map(|split| split.digest);
        let digest_rows: u64 = digested.map(|digest| digest.rows).sum();
        let whole = splits.iter().filter(|split| split.digest.is_some());
        prop_assert_eq!(digest_rows, whole.map(|split| split.rows).sum::<u64>());
        if by == By::Segment && extra == 1000 {
            prop_assert!(splits.iter().all(|split| split.segments == 1));
        }
        if by == By::Partition {
            prop_assert_eq!(splits.len(), partitions.len());
        }
    }
}

#[test]
fn one_huge_segment_is_cut_into_even_parts() {
    let epochs = epochs(&[vec![(0, 1000, 1_000_000)]]);
    for (target, count) in [(1_000_000, 1), (999_999, 2), (250_000, 4), (1, 100)] {
        let splits = check(&epochs, &Start::default(), By::Bytes(target), 100);
        assert_eq!(splits.len(), count);
        let bytes: u64 = splits.iter().map(|split| split.bytes).sum();
        assert_eq!(bytes, 1_000_000);
        assert!(
            splits
                .iter()
                .all(|split| split.rows.abs_diff(1000 / count as u64) <= 1)
        );
        assert_eq!(splits[0].digest.is_some(), count == 1);
    }
}

#[test]
fn many_tiny_segments_share_splits_whole() {
    let tiny = vec![vec![(0, 2, 100), (1, 2, 100)]; 500];
    let epochs = epochs(&tiny);
    let splits = check(&epochs, &Start::default(), By::Bytes(5_000), 1000);
    assert_eq!(splits.len(), 20);
    for split in &splits {
        assert_eq!((split.segments, split.rows, split.bytes), (50, 100, 5_000));
        assert_eq!(
            split.digest.unwrap().rows,
            100,
            "whole segments have a digest"
        );
    }
    let few = check(&epochs, &Start::default(), By::Bytes(5_000), 3);
    assert_eq!(few.len(), 2, "the target grew until they fit");
}

#[test]
fn more_partitions_than_endpoints_are_refused_by_name() {
    let epochs = epochs(&[(0..5).map(|partition| (partition, 1, 1)).collect()]);
    let error = plan(&epochs, &Start::default(), By::Partition, 4).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0445"));
    check(&epochs, &Start::default(), By::Partition, 5);
}

#[test]
fn numbers_at_the_end_of_64_bits_are_planned() {
    let epochs = epochs(&[vec![(0, u64::MAX, u64::MAX), (0, u64::MAX, u64::MAX)]]);
    let splits = plan(&epochs, &Start::default(), By::Bytes(1), 7).unwrap();
    assert!((2..=7).contains(&splits.len()));
}

#[test]
fn a_limit_keeps_the_first_rows_and_drops_the_rest() {
    let epochs = epochs(&[vec![(0, 10, 100), (1, 10, 100)]]);
    let splits = plan(&epochs, &Start::default(), By::Partition, 9).unwrap();
    for (rows, kept) in [
        (0, vec![]),
        (4, vec![4]),
        (10, vec![10]),
        (13, vec![10, 3]),
        (99, vec![10, 10]),
    ] {
        let within = limit(splits.clone(), rows);
        let counts: Vec<u64> = within.iter().map(|split| split.rows).collect();
        assert_eq!(counts, kept);
        let cut = within.iter().filter(|split| split.digest.is_none()).count();
        assert_eq!(cut, usize::from([4, 13].contains(&rows)));
    }
}
