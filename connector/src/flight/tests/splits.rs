//! Splits and positions over the wire.

use super::*;
use crate::flight::body::{Changes, EpochsRequest, From, Point, SplitBy, Splits};
use crate::flight::client::Endpoint;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use flinkspark_model::Kind;
use flinkspark_model::digest::{Digest, digest};
use flinkspark_model::log::{Commit, Intent, SegmentFormat, SegmentRef, SourceOffsets};
use flinkspark_model::port::Datasets;
use flinkspark_model::position::Position;
use futures::TryStreamExt;
use std::collections::BTreeMap;

/// Partition to the numbers in it, in order.
pub(super) type Numbers = BTreeMap<u32, Vec<i64>>;

pub(super) fn numbers(batch: &RecordBatch) -> Vec<i64> {
    batch
        .column(0)
        .as_primitive::<Int64Type>()
        .values()
        .to_vec()
}

async fn read(bridge: &Bridge, endpoint: &Endpoint) -> Vec<(RecordBatch, Position)> {
    let batches = bridge.client.read(endpoint).await.unwrap();
    let batches: Vec<_> = batches.try_collect().await.unwrap();
    batches
        .into_iter()
        .map(|(batch, metadata)| (batch, metadata.position.unwrap().0))
        .collect()
}

async fn read_all(bridge: &Bridge, command: &ReadCommand) -> Numbers {
    let info = bridge.client.info(command).await.unwrap();
    let mut all = Numbers::new();
    for endpoint in &info.endpoints {
        let of = all.entry(endpoint.metadata.partition).or_default();
        for (batch, _) in read(bridge, endpoint).await {
            of.extend(numbers(&batch));
        }
    }
    let count: usize = all.values().map(Vec::len).sum();
    assert_eq!(count as u64, info.metadata.rows);
    all
}

/// Three epochs of two partitions, the last of one.
async fn three_epochs(bridge: &Bridge, name: &str, rows_each: i64) -> Numbers {
    bridge.fake.dataset_named(name, schema()).await;
    let (mut expected, mut next) = (Numbers::new(), 0);
    for partitions in [2, 2, 1] {
        let mut batches = Vec::new();
        for partition in 0..partitions {
            expected
                .entry(partition)
                .or_default()
                .extend(next..next + rows_each);
            batches.push(rows(next, rows_each));
            next += rows_each;
        }
        bridge.commit(name, &batches).await;
    }
    expected
}

fn by(target_bytes: u64, max: usize, dataset: &str) -> ReadCommand {
    ReadCommand {
        splits: Some(Splits {
            target_bytes: Some(target_bytes),
            max: Some(max),
            ..Splits::default()
        }),
        ..whole(dataset)
    }
}

#[tokio::test]
async fn rows_are_spread_by_bytes_and_each_comes_once_in_order() {
    let bridge = bridge().await;
    let expected = three_epochs(&bridge, "a", 1000).await;
    for (target, max) in [(1, 7), (1, 2), (5_000, 100), (40_000, 100), (u64::MAX, 100)] {
        let command = by(target, max, "a");
        let info = bridge.client.info(&command).await.unwrap();
        assert!(
            info.endpoints.len() <= max,
            "{} of {max}",
            info.endpoints.len()
        );
        assert_eq!(
            read_all(&bridge, &command).await,
            expected,
            "{target} {max}"
        );
        assert!(info.metadata.digest.is_some(), "all rows are there");
    }
    assert_eq!(
        bridge
            .client
            .info(&by(1, 7, "a"))
            .await
            .unwrap()
            .endpoints
            .len(),
        7
    );
    for by in [SplitBy::Partition, SplitBy::Segment] {
        let splits = Some(Splits {
            by,
            ..Splits::default()
        });
        let command = ReadCommand {
            splits,
            ..whole("a")
        };
        let info = bridge.client.info(&command).await.unwrap();
        let count = if by == SplitBy::Partition { 2 } else { 5 };
        assert_eq!(info.endpoints.len(), count);
        for endpoint in &info.endpoints {
            let got = read(&bridge, endpoint).await.into_iter();
            let got: Vec<_> = got.map(|(batch, _)| batch).collect();
            let stated = endpoint.metadata.digest.unwrap();
            assert_eq!(digest(&schema(), &got).unwrap(), stated);
        }
        assert_eq!(read_all(&bridge, &command).await, expected);
    }
    let error = bridge.client.info(&by(1, 1, "a")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0445"));
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_from_its_last_position_at_every_batch() {
    let bridge = bridge().await;
    let expected = three_epochs(&bridge, "a", 70_000).await;
    for partition in [0, 1] {
        let command = |from| ReadCommand {
            partition: Some(partition),
            from,
            ..whole("a")
        };
        let endpoint = bridge.client.ticket(&command(None)).await.unwrap();
        let all = read(&bridge, &endpoint).await;
        assert!(all.len() > 5);
        let mut seen = Vec::new();
        for (batch, position) in &all {
            seen.extend(numbers(batch));
            // The stream breaks here; the position was kept.
            let from = Some(From::Everywhere(Point::Position(position.to_string())));
            let rest = bridge.client.ticket(&command(from.clone())).await.unwrap();
            let mut whole = seen.clone();
            for (batch, _) in read(&bridge, &rest).await {
                whole.extend(numbers(&batch));
            }
            assert_eq!(whole, expected[&partition], "{position}");
            let flight = bridge.client.info(&command(from)).await.unwrap();
            assert_eq!(flight.metadata.rows + seen.len() as u64, whole.len() as u64);
        }
    }
}

#[tokio::test]
async fn no_columns_give_row_counts() {
    let bridge = bridge().await;
    three_epochs(&bridge, "a", 70_000).await;
    let command = ReadCommand {
        columns: Some(Vec::new()),
        ..whole("a")
    };
    let info = bridge.client.info(&command).await.unwrap();
    assert_eq!(info.schema.fields().len(), 0);
    let batches: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 350_000);
    assert!(batches.iter().all(|batch| batch.num_columns() == 0));
}

#[tokio::test]
async fn a_range_is_given_by_positions_and_slots() {
    let bridge = bridge().await;
    let all = three_epochs(&bridge, "a", 10).await;
    let head = bridge.client.info(&whole("a")).await.unwrap().metadata.head;
    let request = EpochsRequest {
        dataset: "a".into(),
        ..EpochsRequest::default()
    };
    let epochs = bridge.client.epochs(&request).await.unwrap().epochs;
    let epochs = epochs.iter().filter(|epoch| epoch.rows > 0);
    let slots: Vec<u64> = epochs.map(|epoch| epoch.slot).collect();
    let first = |partition: u32, count: usize| all[&partition][..count].to_vec();
    let rest = |partition: u32, from: usize| all[&partition][from..].to_vec();
    let at = |through| ReadCommand {
        through: Some(through),
        ..whole("a")
    };
    let got = read_all(&bridge, &at(slots[0])).await;
    assert_eq!(got, Numbers::from([(0, first(0, 10)), (1, first(1, 10))]));
    let at_slot = ReadCommand {
        at_slot: Some(slots[1]),
        ..whole("a")
    };
    assert_eq!(read_all(&bridge, &at_slot).await[&0], first(0, 20));
    let from = |from| ReadCommand {
        from: Some(from),
        ..whole("a")
    };
    let got = read_all(&bridge, &from(From::Everywhere(Point::Slot(slots[1])))).await;
    assert_eq!(got, Numbers::from([(0, rest(0, 10)), (1, rest(1, 10))]));
    let each = BTreeMap::from([("0".into(), Point::Position(format!("{}.0.7", slots[2])))]);
    let got = read_all(&bridge, &from(From::Partitions(each))).await;
    assert_eq!(got, Numbers::from([(0, rest(0, 27)), (1, rest(1, 0))]));
    let end = from(From::Everywhere(Point::Slot(head + 1)));
    assert_eq!(read_all(&bridge, &end).await, Numbers::new());
    let limited = ReadCommand {
        limit: Some(33),
        ..whole("a")
    };
    assert_eq!(
        read_all(&bridge, &limited).await,
        Numbers::from([(0, first(0, 30)), (1, first(1, 3))])
    );
}

#[tokio::test]
async fn ranges_that_mean_nothing_are_refused_by_name() {
    let bridge = bridge().await;
    three_epochs(&bridge, "a", 10).await;
    let head = bridge.client.info(&whole("a")).await.unwrap().metadata.head;
    let point = |text: &str| Some(From::Everywhere(Point::Position(text.into())));
    let slot = |slot| Some(From::Everywhere(Point::Slot(slot)));
    let cases = [
        (
            ReadCommand {
                from: point("x"),
                ..whole("a")
            },
            "FS0223",
        ),
        (
            ReadCommand {
                from: slot(head + 2),
                ..whole("a")
            },
            "FS0417",
        ),
        (
            ReadCommand {
                from: slot(4),
                through: Some(2),
                ..whole("a")
            },
            "FS0417",
        ),
        (
            ReadCommand {
                through: Some(head + 1),
                ..whole("a")
            },
            "FS0417",
        ),
        (
            ReadCommand {
                through: Some(0),
                ..whole("a")
            },
            "FS0417",
        ),
        (
            ReadCommand {
                through: Some(1),
                at_slot: Some(1),
                ..whole("a")
            },
            "FS0447",
        ),
        (
            ReadCommand {
                at_checkpoint: Some("none".into()),
                ..whole("a")
            },
            "FS0448",
        ),
        (
            ReadCommand {
                follow: true,
                through: Some(1),
                ..whole("a")
            },
            "FS0447",
        ),
        (
            ReadCommand {
                follow: true,
                limit: Some(1),
                ..whole("a")
            },
            "FS0447",
        ),
        (by(1, 0, "a"), "FS0447"),
    ];
    for (command, code) in cases {
        let error = bridge.client.info(&command).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, code),
            "{command:?}"
        );
    }
    let error = bridge.client.ticket(&whole("a")).await.unwrap_err();
    assert_eq!(error.code(), "FS0447", "a ticket is of one partition");
}

/// Puts other rows in the place of everything.
pub(super) async fn overwrite(bridge: &Bridge, dataset: &str, batch: RecordBatch) {
    let request = BeginRequest {
        dataset: dataset.into(),
        id: None,
        mode: Mode::Replace,
    };
    let txn = bridge.client.begin(&request).await.unwrap().txn.to_string();
    let receipt = bridge.put(&txn, 0, vec![Ok(batch)]).await.unwrap();
    bridge.client.commit(&txn, vec![receipt]).await.unwrap();
}

#[tokio::test]
async fn a_reader_is_not_carried_over_an_overwrite_unless_it_says_that_it_knows() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 3)]).await;
    let stood_at = bridge.client.info(&whole("a")).await.unwrap().metadata.head + 1;
    overwrite(&bridge, "a", rows(100, 3)).await;
    let from = |slot| ReadCommand {
        from: Some(From::Everywhere(Point::Slot(slot))),
        ..whole("a")
    };
    for slot in [3, stood_at] {
        let error = bridge.client.info(&from(slot)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Conflict, "FS0449"),
            "{slot}"
        );
    }
    let knows = ReadCommand {
        changes: Some(Changes::Allow),
        ..from(stood_at)
    };
    let new = Numbers::from([(0, vec![100, 101, 102])]);
    assert_eq!(read_all(&bridge, &knows).await, new);
    // Who has read nothing yet, and who has read the overwrite, loses nothing by it.
    assert_eq!(read_all(&bridge, &whole("a")).await, new);
    assert_eq!(read_all(&bridge, &from(1)).await, new);
    let head = bridge.client.info(&whole("a")).await.unwrap().metadata.head;
    bridge.commit("a", &[rows(200, 1)]).await;
    assert_eq!(
        read_all(&bridge, &from(head + 1)).await,
        Numbers::from([(0, vec![200])])
    );
    let info = bridge.client.info(&whole("a")).await.unwrap();
    let kinds = info.metadata.kinds.iter().map(|run| run.kind);
    assert!(
        kinds
            .clone()
            .any(|kind| kind == flinkspark_model::log::SlotKind::Overwrite)
    );
    let covered: u64 = info
        .metadata
        .kinds
        .iter()
        .map(|run| run.last - run.first + 1)
        .sum();
    assert_eq!(covered, info.metadata.head, "each slot has a kind");
}

/// A log of epochs with a segment of each partition, of which no row is anywhere.
async fn long_log(bridge: &Bridge, name: &str, epochs: u64, partitions: u32) {
    let dataset = bridge.fake.dataset_named(name, schema()).await;
    let log = bridge.fake.dataset(dataset.id, schema()).await.unwrap();
    let fence = Intent::Fence {
        writer: "w".into(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "one".into(),
    };
    log.append(fence).await.unwrap();
    for n in 1..=epochs {
        let segment = |partition| SegmentRef {
            name: format!("s-{n}-{partition}").into(),
            partition,
            attempt: 0,
            format: SegmentFormat::Arrow,
            rows: 100,
            bytes: 10_000,
            digest: Digest { rows: 100, sum: 1 },
        };
        let commit = Commit {
            writer: "w".into(),
            generation: 1,
            n,
            token: None,
            run: "test".into(),
            source_offsets: SourceOffsets::of("in", n),
            schema_version: 1,
            watermark_ms: Some(n as i64),
            checkpoint_ref: None,
            lineage: Vec::new(),
            segments: (0..partitions).map(segment).collect(),
            manifest: None,
        };
        log.append(Intent::Commit(commit)).await.unwrap();
    }
}

#[tokio::test]
async fn a_hundred_thousand_segments_are_planned_at_once_into_few_endpoints() {
    let bridge = bridge().await;
    long_log(&bridge, "long", 25_000, 4).await;
    let command = by(limits::SPLIT_BYTES_DEFAULT, 200, "long");
    bridge.client.info(&command).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..5 {
        let since = std::time::Instant::now();
        let info = bridge.client.info(&command).await.unwrap();
        took.push(since.elapsed().as_millis());
        assert_eq!(info.metadata.rows, 10_000_000);
        assert_eq!(info.endpoints.len(), 120);
        let largest = info.endpoints.iter().map(|endpoint| endpoint.ticket.len());
        assert!(
            largest.max().unwrap() < 512,
            "a ticket does not grow with its segments"
        );
    }
    took.sort_unstable();
    println!("FlightInfo over 100,000 segments: {took:?} ms");
    // Alone on two cores it takes a tenth of this.
    assert!(took[0] < 1_000, "{took:?} ms");
    let from = ReadCommand {
        from: Some(From::Everywhere(Point::Slot(24_999))),
        ..whole("long")
    };
    let since = std::time::Instant::now();
    assert_eq!(
        bridge.client.info(&from).await.unwrap().metadata.rows,
        1_200
    );
    println!("from the last slots: {} µs", since.elapsed().as_micros());
}
