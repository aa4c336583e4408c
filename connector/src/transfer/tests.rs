//! Whole transfers over loopback, files on a real disk.

use super::*;
use crate::flight::tests::fake::Damage;
use crate::flight::tests::{Bridge, bridge, rows, schema};
use crate::format;
use flinkspark_model::digest::digest;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

fn write(folder: &Path, name: &str, count: i64) -> PathBuf {
    let path = folder.join(name);
    let mut writer = format::create(&path, schema(), &WriteOptions::default()).unwrap();
    for first in (0..count).step_by(1000) {
        writer.write(&rows(first, 1000.min(count - first))).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn transfer(id: &str, source: impl ToString, target: impl ToString) -> Transfer {
    Transfer {
        id: id.into(),
        source: source.to_string().parse().unwrap(),
        target: target.to_string().parse().unwrap(),
        options: Options::default(),
    }
}

async fn run(bridge: &Bridge, transfer: &Transfer) -> Result<Outcome> {
    transfer.run(&bridge.client, &Silent).await
}

#[tokio::test]
async fn every_format_goes_in_and_out_with_one_digest() {
    let bridge = bridge().await;
    let folder = tempfile::tempdir().unwrap();
    let original = digest(&schema(), [&rows(0, 2500)]).unwrap();
    for name in ["in.arrow", "in.parquet", "in.csv", "in.jsonl"] {
        let dataset = bridge
            .fake
            .dataset_named(&name.replace('.', "-"), schema())
            .await;
        let there = format!("dataset://{}", dataset.name);
        let source = write(folder.path(), name, 2500);
        let imported = run(&bridge, &transfer(name, source.display(), &there))
            .await
            .unwrap();
        assert_eq!(
            (imported.rows, imported.digest, imported.replayed),
            (2500, original, false)
        );
        assert_eq!(bridge.fake.totals(&dataset).await, (2500, original));
        let back = folder.path().join(name.replace("in", "out"));
        let exported = run(&bridge, &transfer(name, &there, back.display()))
            .await
            .unwrap();
        assert_eq!((exported.rows, exported.digest), (2500, original));
        assert_eq!(exported.bytes, std::fs::metadata(&back).unwrap().len());
    }
}

#[tokio::test]
async fn the_same_id_again_doubles_nothing_and_another_id_appends_after_saying_so() {
    #[derive(Default)]
    struct Said(Mutex<Vec<String>>, Mutex<Vec<u64>>);
    impl Progress for Said {
        fn total(&self, rows: Option<u64>) {
            assert_eq!(rows.unwrap_or(100), 100);
        }
        fn moved(&self, rows: u64, _: u64) {
            self.1.lock().unwrap().push(rows);
        }
        fn say(&self, text: &str) {
            self.0.lock().unwrap().push(text.into());
        }
    }
    let (bridge, said) = (bridge().await, Said::default());
    let folder = tempfile::tempdir().unwrap();
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let source = write(folder.path(), "in.parquet", 100);
    for (id, replayed, rows) in [("one", false, 100), ("one", true, 100), ("two", false, 200)] {
        let transfer = transfer(id, source.display(), "dataset://a");
        let outcome = transfer.run(&bridge.client, &said).await.unwrap();
        assert_eq!((outcome.rows, outcome.replayed), (100, replayed), "{id}");
        assert_eq!(bridge.fake.totals(&dataset).await.0, rows, "{id}");
    }
    let said = (said.0.into_inner().unwrap(), said.1.into_inner().unwrap());
    assert_eq!(said.0.len(), 2, "{said:?}");
    assert!(
        said.0[1].contains("100 rows; these are appended"),
        "{said:?}"
    );
    assert_eq!(said.1.iter().max(), Some(&100));
}

#[tokio::test]
async fn replace_takes_the_place_of_what_was_there() {
    let bridge = bridge().await;
    let folder = tempfile::tempdir().unwrap();
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let first = write(folder.path(), "first.csv", 100);
    run(&bridge, &transfer("one", first.display(), "dataset://a"))
        .await
        .unwrap();
    let second = write(folder.path(), "second.csv", 7);
    let mut replace = transfer("two", second.display(), "dataset://a");
    replace.options.mode = Mode::Replace;
    run(&bridge, &replace).await.unwrap();
    assert_eq!(bridge.fake.totals(&dataset).await.0, 7);
}

#[tokio::test]
async fn an_id_of_another_transfer_is_a_conflict() {
    let bridge = bridge().await;
    let folder = tempfile::tempdir().unwrap();
    bridge.fake.dataset_named("a", schema()).await;
    let source = write(folder.path(), "in.parquet", 100);
    run(&bridge, &transfer("one", source.display(), "dataset://a"))
        .await
        .unwrap();
    let other = write(folder.path(), "other.parquet", 99);
    // As many rows, but not the same.
    let same_length = folder.path().join("same_length.csv");
    let mut writer = format::create(&same_length, schema(), &WriteOptions::default()).unwrap();
    writer.write(&rows(1, 100)).unwrap();
    writer.finish().unwrap();
    for other in [other, same_length] {
        let error = run(&bridge, &transfer("one", other.display(), "dataset://a"))
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0431"));
    }
    let same = write(folder.path(), "same.csv", 100);
    let again = transfer("one", same.display(), "dataset://a");
    let again = run(&bridge, &again);
    assert!(
        again.await.unwrap().replayed,
        "the same rows in another file"
    );
}

#[tokio::test]
async fn rows_are_spread_over_partitions() {
    let bridge = bridge().await;
    let folder = tempfile::tempdir().unwrap();
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let source = write(folder.path(), "in.parquet", 1000);
    let mut spread = transfer("one", source.display(), "dataset://a");
    spread.options.partitions = Some(4);
    run(&bridge, &spread).await.unwrap();
    let command = crate::flight::body::ReadCommand {
        dataset: "a".into(),
        ..Default::default()
    };
    let info = bridge.client.info(&command).await.unwrap();
    let partitions: Vec<(u32, u64)> = info
        .endpoints
        .iter()
        .map(|e| (e.metadata.partition, e.metadata.rows))
        .collect();
    assert_eq!(partitions.len(), 4);
    assert!(
        partitions.iter().all(|(_, rows)| (100..400).contains(rows)),
        "{partitions:?}"
    );
    assert_eq!(
        bridge.fake.totals(&dataset).await,
        (1000, digest(&schema(), [&rows(0, 1000)]).unwrap())
    );
    for count in [0, PARTITIONS_MAX + 1] {
        spread.options.partitions = Some(count);
        assert_eq!(run(&bridge, &spread).await.unwrap_err().code(), "FS0434");
    }
}

#[tokio::test]
async fn a_torn_file_publishes_nothing() {
    let bridge = bridge().await;
    let folder = tempfile::tempdir().unwrap();
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let whole = write(folder.path(), "whole.csv", 5000);
    let torn = folder.path().join("torn.csv");
    let mut text = std::fs::read_to_string(&whole).unwrap();
    text.push_str("not a number,x\n");
    std::fs::write(&torn, text).unwrap();
    let error = run(&bridge, &transfer("one", torn.display(), "dataset://a"))
        .await
        .unwrap_err();
    assert!(error.code().starts_with("FS03"), "{error}");
    assert_eq!(bridge.fake.totals(&dataset).await.0, 0);
    let outcome = run(&bridge, &transfer("one", whole.display(), "dataset://a"))
        .await
        .unwrap();
    assert_eq!(
        (outcome.rows, outcome.replayed),
        (5000, false),
        "the same id still finishes"
    );
}

#[tokio::test]
async fn an_export_that_is_not_the_dataset_leaves_the_old_file() {
    let bridge = bridge().await;
    let folder = tempfile::tempdir().unwrap();
    bridge.fake.dataset_named("a", schema()).await;
    let source = write(folder.path(), "in.parquet", 100);
    run(&bridge, &transfer("one", source.display(), "dataset://a"))
        .await
        .unwrap();
    let target = folder.path().join("out.csv");
    std::fs::write(&target, "before").unwrap();
    for (damage, code) in [(Damage::Short, "FS0419"), (Damage::Altered, "FS0432")] {
        *bridge.fake.damage.lock().unwrap() = Some(damage);
        let mut transfer = transfer("two", "dataset://a", target.display());
        let error = run(&bridge, &transfer).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0321"));
        transfer.options.force = true;
        let error = run(&bridge, &transfer).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Data, code));
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "before");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing else is left behind"
    );
}

#[tokio::test]
async fn a_file_with_other_columns_is_refused_before_a_transaction_begins() {
    let bridge = bridge().await;
    let folder = tempfile::tempdir().unwrap();
    let fields = vec![arrow_schema::Field::new(
        "n",
        arrow_schema::DataType::Int32,
        false,
    )];
    let dataset = bridge
        .fake
        .dataset_named("a", std::sync::Arc::new(arrow_schema::Schema::new(fields)))
        .await;
    let source = write(folder.path(), "in.parquet", 10);
    let error = run(&bridge, &transfer("one", source.display(), "dataset://a"))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0408"));
    assert_eq!(bridge.fake.open_transactions(&dataset).await, 0);
}

#[test]
fn ends_are_told_apart_by_their_scheme() {
    assert_eq!(
        "dataset://a.b".parse::<End>().unwrap(),
        End::Dataset("a.b".into())
    );
    assert_eq!(
        "out.csv".parse::<End>().unwrap(),
        End::File("out.csv".into())
    );
    assert_eq!(
        "file:///tmp/out.csv".parse::<End>().unwrap(),
        End::File("/tmp/out.csv".into())
    );
    for text in ["", "dataset://", "s3://bucket/key", "file://"] {
        assert_eq!(text.parse::<End>().unwrap_err().code(), "FS0433", "{text}");
    }
}

#[tokio::test]
async fn two_files_or_two_datasets_are_refused() {
    let bridge = bridge().await;
    for (source, target) in [("a.csv", "b.csv"), ("dataset://a", "dataset://b")] {
        assert_eq!(
            run(&bridge, &transfer("x", source, target))
                .await
                .unwrap_err()
                .code(),
            "FS0430"
        );
    }
}

#[tokio::test]
async fn an_id_that_is_blank_or_too_long_is_refused_before_anything_is_sent() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let folder = tempfile::tempdir().unwrap();
    let source = write(folder.path(), "in.arrow", 10);
    for (id, code) in [
        ("", "FS0441"),
        ("  ", "FS0441"),
        ("\u{200b}", "FS0441"),
        (&*"k".repeat(64 << 10), "FS0442"),
    ] {
        let error = run(&bridge, &transfer(id, source.display(), "dataset://a"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code);
    }
    assert_eq!(bridge.fake.totals(&dataset).await.0, 0);
    // Ids that look alike, or like paths, are transfers of their own.
    for (count, id) in (1..).zip(["k", "K", "\u{e9}", "e\u{301}", "..", "../../key", "a/b"]) {
        run(&bridge, &transfer(id, source.display(), "dataset://a"))
            .await
            .unwrap();
        assert_eq!(bridge.fake.totals(&dataset).await.0, count * 10, "{id}");
    }
}
