//! Segments and reading.

use super::fixture::*;
use crate::store::{LogDataset, Logs};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use flinkspark_model::Kind;
use flinkspark_model::budget::Budget;
use flinkspark_model::log::{Intent, Receipt, SegmentFormat};
use flinkspark_model::port::{Dataset, Log, ReadOptions, SegmentSpec};
use flinkspark_model::position::Position;
use flinkspark_model::schema::to_json;
use futures::StreamExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn rows_max(batch_rows_max: usize) -> ReadOptions {
    ReadOptions {
        batch_rows_max,
        ..ReadOptions::default()
    }
}

/// Writes batches of 500 rows to three segments in turn; what they kept at most, and what is read back.
async fn written_within(limit: u64) -> (u64, Vec<RecordBatch>) {
    let budget = Budget::new(limit);
    let dataset = dataset(&memory_within(budget.share("writers", limit)).await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    let mut writers = Vec::new();
    for partition in 0..3 {
        writers.push(dataset.stage(spec(partition)).await.unwrap());
    }
    let mut most = 0;
    for n in 0..48 {
        let writer = &mut writers[n as usize % 3];
        writer.write(&rows(n * 500..(n + 1) * 500)).await.unwrap();
        most = most.max(budget.used());
    }
    let mut receipts = Vec::new();
    for writer in writers {
        receipts.push(writer.seal().await.unwrap());
    }
    assert_eq!(budget.used(), 0, "everything is given back");
    let intent = Intent::Commit(commit(1, 1, &receipts));
    dataset.append(intent).await.unwrap();
    (most, read_all(&dataset).await.unwrap())
}

#[tokio::test]
async fn where_the_memory_of_writers_is_spent_rows_are_stored_in_smaller_batches() {
    let (free, joined) = written_within(u64::MAX).await;
    let limit = free / 3;
    let (most, cut) = written_within(limit).await;
    // Each of the three keeps 64 KiB in any case.
    let bound = limit + 3 * (64 << 10);
    assert!(
        most <= bound && bound < free,
        "{most} of {limit}, {free} without one"
    );
    assert!(most > 0 && cut.len() > joined.len());
    assert_eq!(digest_of(&cut), digest_of(&joined));
    // Below what each keeps in any case nothing is cut, and it is counted all the same.
    let (most, _) = written_within(32 << 10).await;
    assert!(most > 32 << 10, "{most}");
}

#[tokio::test]
async fn what_is_written_is_read_in_order_whatever_the_batches_were() {
    let dataset = dataset(&memory().await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    let small: Vec<RecordBatch> = (0..1000).map(|n| rows(n..n + 1)).collect();
    let receipts = [
        seal(&dataset, 0, &small).await.unwrap(),
        seal(&dataset, 1, &[rows(5000..5100)]).await.unwrap(),
        seal(&dataset, 0, &[rows(1000..201_000)]).await.unwrap(),
        seal(&dataset, 0, &[]).await.unwrap(),
    ];
    assert_eq!(receipts[0].segment.digest, digest_of(&small));
    assert_eq!(receipts[3].segment.rows, 0);
    dataset
        .append(Intent::Commit(commit(1, 1, &receipts)))
        .await
        .unwrap();
    let batches = read(&dataset, 0, Position::START, 2, rows_max(8192))
        .await
        .unwrap();
    assert!(batches.iter().all(|batch| batch.batch.num_rows() <= 8192));
    let batches: Vec<RecordBatch> = batches.into_iter().map(|batch| batch.batch).collect();
    let whole = arrow_select::concat::concat_batches(&schema(), &batches).unwrap();
    assert_eq!(whole, rows(0..201_000));
    assert_eq!(
        read(&dataset, 2, Position::START, 2, rows_max(10))
            .await
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn a_reader_goes_on_from_every_position() {
    let dataset = dataset(&memory().await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    put(&dataset, 1, rows(0..10)).await.unwrap();
    let receipts = [
        seal(&dataset, 0, &[rows(10..15)]).await.unwrap(),
        seal(&dataset, 0, &[rows(15..20)]).await.unwrap(),
    ];
    dataset
        .append(Intent::Commit(commit(1, 2, &receipts)))
        .await
        .unwrap();
    let all = read(&dataset, 0, Position::START, 3, rows_max(3))
        .await
        .unwrap();
    let mut seen = 0;
    for batch in &all {
        seen += batch.batch.num_rows() as i64;
        let rest = read(&dataset, 0, batch.next, 3, rows_max(4)).await.unwrap();
        let rest: Vec<RecordBatch> = rest.into_iter().map(|batch| batch.batch).collect();
        assert_eq!(
            digest_of(&rest),
            digest_of(&[rows(seen..20)]),
            "after {}",
            batch.next
        );
    }
    assert_eq!(seen, 20);
    let first = read(&dataset, 0, Position::START, 2, rows_max(100))
        .await
        .unwrap();
    assert_eq!(
        first.last().unwrap().next,
        Position {
            slot: 2,
            segment: 0,
            row: 10
        }
    );
    assert_eq!(
        dataset
            .read(0, Position::START, 4, rows_max(1))
            .await
            .err()
            .unwrap()
            .code(),
        "FS1011"
    );
}

#[tokio::test]
async fn columns_can_be_chosen_and_reordered() {
    let dataset = dataset(&memory().await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    put(&dataset, 1, rows(0..10)).await.unwrap();
    let options = |columns| ReadOptions {
        columns: Some(columns),
        ..ReadOptions::default()
    };
    let swapped = read(&dataset, 0, Position::START, 2, options(vec![1, 0]))
        .await
        .unwrap();
    assert_eq!(swapped[0].batch, rows(0..10).project(&[1, 0]).unwrap());
    let none = read(&dataset, 0, Position::START, 2, options(vec![]))
        .await
        .unwrap();
    assert_eq!(
        (none[0].batch.num_rows(), none[0].batch.num_columns()),
        (10, 0)
    );
    assert_eq!(
        dataset
            .read(0, Position::START, 2, options(vec![2]))
            .await
            .err()
            .unwrap()
            .code(),
        "FS1027"
    );
}

#[tokio::test]
async fn a_column_added_later_reads_as_null() {
    let dataset = dataset(&memory().await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    put(&dataset, 1, rows(0..10)).await.unwrap();
    let mut fields: Vec<Field> = schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    fields.insert(1, Field::new("added", DataType::Float64, true));
    let wider = Schema::new(fields);
    let text = to_json(&wider).unwrap();
    dataset
        .append(Intent::Schema {
            version: 2,
            schema: text,
        })
        .await
        .unwrap();
    assert_eq!(dataset.schema().as_ref(), &wider);
    let batch = &read(&dataset, 0, Position::START, 3, rows_max(100))
        .await
        .unwrap()[0]
        .batch;
    assert_eq!(
        (batch.schema().as_ref(), batch.column(1).null_count()),
        (&wider, 10)
    );
    assert_eq!(batch.project(&[0, 2]).unwrap(), rows(0..10));
    assert_eq!(
        seal(&dataset, 0, &[rows(0..1)]).await.unwrap_err().code(),
        "FS1009"
    );
}

#[tokio::test]
async fn expired_positions_are_an_error_and_never_a_skip() {
    let dataset = dataset(&memory().await).await;
    dataset.append(fence(1, 0)).await.unwrap();
    put(&dataset, 1, rows(0..10)).await.unwrap();
    put(&dataset, 2, rows(10..20)).await.unwrap();
    dataset
        .append(Intent::Expire {
            read_at: 3,
            through: 2,
        })
        .await
        .unwrap();
    for from in [Position::START, Position::at_slot(2)] {
        let error = dataset.read(0, from, 4, rows_max(10)).await.err().unwrap();
        assert_eq!((error.kind(), error.code()), (Kind::Data, "FS1010"));
    }
    let rest = read(&dataset, 0, Position::at_slot(3), 4, rows_max(10))
        .await
        .unwrap();
    assert_eq!(rest[0].batch, rows(10..20));
}

#[tokio::test]
async fn dropping_a_writer_or_a_reader_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let logs = local(root.path(), 1).await;
    let dataset = dataset(&logs).await;
    let mut writer = dataset.stage(spec(0)).await.unwrap();
    writer.write(&rows(0..100_000)).await.unwrap();
    drop(writer);
    assert_eq!(
        std::fs::read_dir(root.path().join(".tmp")).unwrap().count(),
        0
    );
    dataset.append(fence(1, 0)).await.unwrap();
    put(&dataset, 1, rows(0..300_000)).await.unwrap();
    let mut stream = dataset
        .read(0, Position::START, 2, rows_max(10))
        .await
        .unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().batch, rows(0..10));
}

#[tokio::test]
async fn a_receipt_is_valid_for_its_log_and_unchanged_only() {
    let logs = memory().await;
    let dataset = dataset(&logs).await;
    let receipt = seal(&dataset, 0, &[rows(0..10)]).await.unwrap();
    logs.signer()
        .verify_receipt(dataset.id(), &receipt)
        .unwrap();
    let changed = |change: fn(&mut Receipt)| {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        receipt
    };
    for forged in [
        changed(|receipt| receipt.segment.rows += 1),
        changed(|receipt| receipt.segment.partition += 1),
        changed(|receipt| receipt.segment.name = "s-x".into()),
        changed(|receipt| receipt.signature.clear()),
        changed(|receipt| receipt.signature = "AAAA".into()),
    ] {
        assert_eq!(
            logs.signer()
                .verify_receipt(dataset.id(), &forged)
                .unwrap_err()
                .code(),
            "FS1008"
        );
    }
    let other = flinkspark_model::log::LogId(uuid::Uuid::from_u128(99));
    assert_eq!(
        logs.signer()
            .verify_receipt(other, &receipt)
            .unwrap_err()
            .kind(),
        Kind::Invalid
    );
}

#[tokio::test]
async fn only_arrow_segments_are_written() {
    let dataset = dataset(&memory().await).await;
    let spec = SegmentSpec {
        format: SegmentFormat::Parquet,
        ..spec(0)
    };
    assert_eq!(dataset.stage(spec).await.err().unwrap().code(), "FS1025");
    let narrow = SegmentSpec {
        schema: Arc::new(Schema::empty()),
        ..super::fixture::spec(0)
    };
    assert_eq!(dataset.stage(narrow).await.err().unwrap().code(), "FS1009");
}

#[tokio::test]
async fn a_missing_a_torn_and_a_foreign_segment_are_named() {
    let root = tempfile::tempdir().unwrap();
    let logs = local(root.path(), 1).await;
    let dataset = dataset(&logs).await;
    dataset.append(fence(1, 0)).await.unwrap();
    let receipts = [
        seal(&dataset, 0, &[rows(0..100)]).await.unwrap(),
        seal(&dataset, 1, &[rows(0..100)]).await.unwrap(),
    ];
    dataset
        .append(Intent::Commit(commit(1, 1, &receipts)))
        .await
        .unwrap();
    let path = |index: usize| {
        let name = receipts[index].segment.name.to_string();
        root.path()
            .join(format!("datasets/{}/segments/{name}.arrow", id()))
    };
    let good = std::fs::read(path(0)).unwrap();
    let other = std::fs::read(path(1)).unwrap();
    assert_eq!(good.len(), other.len());
    for (content, code) in [
        (Some(&good[..good.len() - 1]), "FS1006"),
        (Some(&other[..]), "FS1007"),
        (None, "FS1005"),
        (Some(&[][..]), "FS1006"),
    ] {
        std::fs::remove_file(path(0)).ok();
        if let Some(content) = content {
            std::fs::write(path(0), content).unwrap();
        }
        let error = read_all(&dataset).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Data, code));
        assert!(
            error.message().contains(receipts[0].segment.name.as_str()),
            "{error}"
        );
        assert!(
            error.detail().unwrap().contains(&id().to_string()),
            "{error}"
        );
        assert_eq!(
            logs.verify_segment(id(), &receipts[0].segment)
                .await
                .unwrap_err()
                .code(),
            code
        );
    }
    std::fs::write(path(0), good).unwrap();
    logs.verify_segment(id(), &receipts[0].segment)
        .await
        .unwrap();
}

/// A dataset on a disk with one committed segment, and the segment's file.
async fn on_disk(root: &Path, batch: RecordBatch) -> (Logs, LogDataset, Receipt, PathBuf) {
    let logs = local(root, 1).await;
    let dataset = dataset(&logs).await;
    dataset.append(fence(1, 0)).await.unwrap();
    let receipt = seal(&dataset, 0, &[batch]).await.unwrap();
    let receipts = std::slice::from_ref(&receipt);
    let commit = Intent::Commit(commit(1, 1, receipts));
    dataset.append(commit).await.unwrap();
    let name = receipt.segment.name.to_string();
    let path = root.join(format!("datasets/{}/segments/{name}.arrow", id()));
    (logs, dataset, receipt, path)
}

#[tokio::test]
async fn every_flipped_byte_of_a_segment_is_caught_by_verifying_it() {
    let root = tempfile::tempdir().unwrap();
    let (logs, _, receipt, path) = on_disk(root.path(), rows(0..20)).await;
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        for flips in [0x55, 0x01, 0x03] {
            let mut bad = good.clone();
            bad[at] ^= flips;
            std::fs::write(&path, &bad).unwrap();
            let error = logs
                .verify_segment(id(), &receipt.segment)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Data, "byte {at}: {error}");
        }
    }
}

#[tokio::test]
async fn no_flipped_byte_of_a_segment_changes_what_is_read() {
    let root = tempfile::tempdir().unwrap();
    let (_, dataset, _, path) = on_disk(root.path(), rows(0..20)).await;
    let good = std::fs::read(&path).unwrap();
    let mut harmless = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        std::fs::write(&path, &bad).unwrap();
        match read_all(&dataset).await {
            Ok(read) => {
                harmless += 1;
                assert_eq!(digest_of(&read), digest_of(&[rows(0..20)]), "byte {at}");
            }
            Err(error) => assert_eq!(error.kind(), Kind::Data, "byte {at}: {error}"),
        }
    }
    // What comes before the first batch, and the mark after the last one, are not read.
    assert!(harmless < good.len() / 2, "{harmless} of {}", good.len());
    // Without columns no batch is read, and what is counted stands in the footer.
    std::fs::write(&path, &good).unwrap();
    let none = ReadOptions {
        columns: Some(vec![]),
        ..ReadOptions::default()
    };
    let counted = read(&dataset, 0, Position::START, 2, none).await.unwrap();
    assert_eq!(counted[0].batch.num_rows(), 20);
}

#[tokio::test]
async fn a_flipped_value_is_refused_before_anything_of_its_batch_is_given_out() {
    let root = tempfile::tempdir().unwrap();
    let (_, dataset, receipt, path) = on_disk(root.path(), rows(0..100_000)).await;
    let mut bad = std::fs::read(&path).unwrap();
    let value = 99_999_i64.to_le_bytes();
    let at = bad.windows(8).position(|window| window == value).unwrap();
    bad[at] ^= 1;
    std::fs::write(&path, &bad).unwrap();
    let mut stream = dataset
        .read(0, Position::START, 2, rows_max(1 << 20))
        .await
        .unwrap();
    let mut sound = 0;
    let error = loop {
        match stream.next().await.unwrap() {
            Ok(batch) => sound += batch.batch.num_rows(),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS1006"));
    assert!(error.message().contains(receipt.segment.name.as_str()));
    assert!(sound < 100_000, "{sound}");
}
