//! What a filter lets a reader pass over, and what it does not.

use super::fixture::*;
use arrow_schema::{DataType, Field, Schema};
use flinkspark_model::checksum;
use flinkspark_model::filter::{Bound, Filter};
use flinkspark_model::log::Intent;
use flinkspark_model::port::{Dataset, Extent, Log, PositionedBatch, ReadOptions};
use flinkspark_model::position::Position;
use flinkspark_model::schema::to_json;
use serde_json::json;
use std::sync::Arc;

const ALL: i64 = 100_000;

fn options(dataset: &dyn Dataset, filter: serde_json::Value) -> ReadOptions {
    let filter: Filter = serde_json::from_value(filter).unwrap();
    let bound: Bound = filter.bind(&dataset.schema()).unwrap();
    ReadOptions {
        batch_rows_max: 1 << 16,
        filter: Some(Arc::new(bound)),
        ..ReadOptions::default()
    }
}

fn sums(batches: &[PositionedBatch]) -> (Extent, Extent) {
    let (mut read, mut skipped) = (Extent::default(), Extent::default());
    for batch in batches {
        read += batch.read;
        skipped += batch.skipped;
    }
    (read, skipped)
}

fn at(n: i64) -> serde_json::Value {
    json!({"eq": {"column": "n", "value": n}})
}

#[tokio::test]
async fn only_blocks_that_may_match_are_read_and_every_row_is_passed() {
    let dataset = dataset(&memory().await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    put(&dataset, 1, rows(0..ALL)).await.unwrap();
    put(&dataset, 2, rows(ALL..2 * ALL)).await.unwrap();
    for (n, blocks) in [
        (0, 1),
        (ALL - 1, 1),
        (ALL, 1),
        (50_000, 1),
        (-1, 0),
        (2 * ALL, 0),
    ] {
        let found = read(&dataset, 0, Position::START, 3, options(&dataset, at(n)))
            .await
            .unwrap();
        let (read, skipped) = sums(&found);
        assert_eq!(read.blocks, blocks, "{n}");
        assert_eq!(read.rows + skipped.rows, 2 * ALL as u64, "{n}");
        let last = found.last().unwrap();
        assert_eq!((last.next.slot, last.next.row), (3, ALL as u64), "{n}");
    }
    // From within a block, that is read or not.
    for (from, n, behind) in [(9_000, 50_000, 91_000), (50_000, 50_001, 50_000)] {
        let position = Position {
            slot: 2,
            segment: 0,
            row: from,
        };
        let found = read(&dataset, 0, position, 2, options(&dataset, at(n)))
            .await
            .unwrap();
        let (read, skipped) = sums(&found);
        assert_eq!((read.blocks, read.rows + skipped.rows), (1, behind));
    }
}

#[tokio::test]
async fn a_segment_without_statistics_is_read_whole() {
    let root = tempfile::tempdir().unwrap();
    let logs = local(root.path(), 1).await;
    let dataset = dataset(&logs).await;
    dataset.append(fence(1, 0)).await.unwrap();
    let receipt = seal(&dataset, 0, &[rows(0..ALL)]).await.unwrap();
    dataset
        .append(Intent::Commit(commit(1, 1, std::slice::from_ref(&receipt))))
        .await
        .unwrap();
    let name = receipt.segment.name.to_string();
    let path = root
        .path()
        .join(format!("datasets/{}/segments/{name}.arrow", id()));
    let mut file = std::fs::read(&path).unwrap();
    let places = |part: &[u8]| {
        (0..file.len())
            .filter(|at| file[*at..].starts_with(part))
            .collect::<Vec<_>>()
    };
    let mark = *places(b"FSK2").last().unwrap();
    let version: Vec<usize> = places(&[1, 0, 0, 0, b'3', 0, 0, 0])
        .into_iter()
        .filter(|at| *at > mark)
        .collect();
    let [version] = version[..] else {
        panic!("its version is at {version:?}")
    };
    file[version + 4] = b'2';
    let sum = checksum::crc32c(&file[mark + 8..]).to_le_bytes();
    file[mark + 4..mark + 8].copy_from_slice(&sum);
    std::fs::write(&path, file).unwrap();
    let found = read(&dataset, 0, Position::START, 2, options(&dataset, at(-1)))
        .await
        .unwrap();
    let (read, skipped) = sums(&found);
    assert_eq!((read.rows, skipped), (ALL as u64, Extent::default()));
    logs.verify_segment(id(), &receipt.segment).await.unwrap();
}

#[tokio::test]
async fn a_column_that_came_later_is_null_in_what_was_there() {
    let dataset = dataset(&memory().await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    put(&dataset, 1, rows(0..10)).await.unwrap();
    let mut fields: Vec<Field> = schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    fields.push(Field::new("added", DataType::Int32, true));
    let schema = to_json(&Schema::new(fields)).unwrap();
    dataset
        .append(Intent::Schema { version: 2, schema })
        .await
        .unwrap();
    let term = |name: &str| json!({name: {"column": "added", "value": 1}});
    for (filter, rows) in [
        (term("eq"), 0),
        (term("ne"), 0),
        (json!({"is_null": {"column": "added"}}), 10),
        (json!({"not": {"is_null": {"column": "added"}}}), 0),
    ] {
        let found = read(&dataset, 0, Position::START, 3, options(&dataset, filter))
            .await
            .unwrap();
        assert_eq!(sums(&found).0.rows, rows);
    }
}

#[tokio::test]
async fn no_flipped_byte_changes_what_a_filter_passes_over() {
    let root = tempfile::tempdir().unwrap();
    let dataset = dataset(&local(root.path(), 1).await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    let receipt = seal(&dataset, 0, &[rows(0..20)]).await.unwrap();
    dataset
        .append(Intent::Commit(commit(1, 1, std::slice::from_ref(&receipt))))
        .await
        .unwrap();
    let name = receipt.segment.name.to_string();
    let path = root
        .path()
        .join(format!("datasets/{}/segments/{name}.arrow", id()));
    let good = std::fs::read(&path).unwrap();
    let mark = (0..good.len())
        .rfind(|at| good[*at..].starts_with(b"FSK2"))
        .unwrap();
    let mut refused = 0;
    for byte in mark..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 0x01;
        std::fs::write(&path, &bad).unwrap();
        for n in [7, 30] {
            match read(&dataset, 0, Position::START, 2, options(&dataset, at(n))).await {
                Ok(found) => assert_eq!(
                    sums(&found).0.rows,
                    if n == 7 { 20 } else { 0 },
                    "byte {byte}"
                ),
                Err(_) => refused += 1,
            }
        }
    }
    assert_eq!(
        refused,
        2 * (good.len() - mark),
        "every byte of the footer is sealed"
    );
}
