//! A segment that was written before segments had checksums still opens.

use super::fixture::*;
use crate::store::Opened;
use crate::store::segment::SegmentFile;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use flinkspark_model::Kind;
use flinkspark_model::log::{LogId, SegmentFormat, SegmentRef};
use std::io::Cursor;

/// Written by FlinkSpark 0.1.0: 300 rows of n int64, flag bool, text utf8, list list<int32>.
const FILE: &[u8] = include_bytes!("data/segment-v1.arrow");

fn log() -> LogId {
    LogId("01a21afb-58b5-73c5-a489-b931660c63b3".parse().unwrap())
}

fn segment() -> SegmentRef {
    SegmentRef {
        name: "tfcbb30d1f6508ca4abe8f9ca0a964b8d.1-01a21afb59147c5dbb90c45a8350601d".into(),
        partition: 0,
        attempt: 0,
        format: SegmentFormat::Arrow,
        rows: 300,
        bytes: FILE.len() as u64,
        digest: "v1:300:16b4fc0a806924ee287429cb186b3bc7".parse().unwrap(),
    }
}

fn open(file: &[u8]) -> flinkspark_model::Result<SegmentFile> {
    let opened = Opened {
        bytes: file.len() as u64,
        content: Box::new(Cursor::new(file.to_vec())),
    };
    SegmentFile::open(log(), segment(), opened, None)
}

#[test]
fn a_segment_of_version_1_is_read_whole() {
    let mut file = open(FILE).unwrap();
    assert_eq!(file.batch_rows().sum::<u64>(), 300);
    let batch = file.read(0).unwrap();
    let numbers = batch.column(0).as_primitive::<Int64Type>().values();
    assert!(numbers.iter().copied().eq(0..300));
    assert_eq!(batch.column(2).as_string::<i32>().value(299), "row 299");
    assert_eq!(file.digest().unwrap(), segment().digest);
}

#[test]
fn a_changed_segment_of_version_1_is_damage_or_other_rows_and_never_a_panic() {
    for at in 0..FILE.len() {
        let mut bad = FILE.to_vec();
        bad[at] ^= 0x55;
        let read = open(&bad).and_then(|mut file| file.digest());
        if let Err(error) = read {
            assert!(
                matches!(error.kind(), Kind::Data | Kind::Invalid),
                "byte {at}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn a_sealed_segment_is_not_taken_for_one_of_version_1() {
    let root = tempfile::tempdir().unwrap();
    let logs = local(root.path(), 1).await;
    let dataset = dataset(&logs).await;
    let receipt = seal(&dataset, 0, &[rows(0..20)]).await.unwrap();
    let name = receipt.segment.name.to_string();
    let path = root
        .path()
        .join(format!("datasets/{}/segments/{name}.arrow", id()));
    let good = std::fs::read(&path).unwrap();
    let key = b"flinkspark.segment";
    let at = good
        .windows(key.len())
        .rposition(|window| window == key)
        .unwrap();
    let version = (0..good.len()).find(|at| good[*at..].starts_with(&[1, 0, 0, 0, b'3', 0]));
    let (version, mark) = (
        version.unwrap(),
        good.windows(4)
            .rposition(|window| window == b"FSK2")
            .unwrap(),
    );
    assert!(at > mark);
    for changes in [
        vec![(version + 4, b'1')],
        vec![(mark, 0)],
        vec![(mark, 0), (version + 4, b'1')],
    ] {
        let mut bad = good.clone();
        changes.iter().for_each(|(at, byte)| bad[*at] = *byte);
        std::fs::write(&path, &bad).unwrap();
        let read = logs.verify_segment(id(), &receipt.segment).await;
        if changes.len() == 1 {
            assert_eq!(read.unwrap_err().code(), "FS1006");
        }
    }
}
