//! Logs whose last slots are gone, while somebody else knows of them.

use super::fixture::*;
use crate::store::local::Local;
use crate::store::{Key, Logs, Settings};
use flinkspark_model::budget::Budget;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Intent, KnownHead};
use flinkspark_model::port::{Heads, Log};
use flinkspark_model::{Kind, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// What a catalogue would know.
#[derive(Default)]
struct Known(Mutex<BTreeMap<DatasetId, KnownHead>>);

impl Heads for Known {
    fn known_head(&self, dataset: DatasetId) -> Result<Option<KnownHead>> {
        Ok(self.0.lock().unwrap().get(&dataset).copied())
    }
}

impl Known {
    async fn learn(&self, log: &dyn Log, dataset: DatasetId) {
        let view = log.refresh().await.unwrap();
        let known = KnownHead {
            head: view.head(),
            rows: view.totals().0,
            watermark_ms: view.watermark_ms(),
        };
        self.0.lock().unwrap().insert(dataset, known);
    }
}

async fn open(root: &Path, known: &Arc<Known>) -> Logs {
    let store = Arc::new(Local::open(root).await.unwrap());
    let (clock, entropy) = (Arc::new(Hand::default()), Arc::new(Seeded::new(1)));
    let heads = Arc::clone(known) as Arc<dyn Heads>;
    let writers = Budget::unlimited().share("writers", u64::MAX);
    Logs::open_known(store, clock, entropy, Settings::default(), heads, writers)
        .await
        .unwrap()
}

fn other() -> DatasetId {
    DatasetId(Uuid::from_u128(2))
}

/// Two datasets of a fence and five epochs of 60 rows, both known to a catalogue.
async fn populated(root: &Path) -> Arc<Known> {
    let known = Arc::new(Known::default());
    let logs = open(root, &known).await;
    for dataset in [id(), other()] {
        let log = logs.open_dataset(dataset, schema()).await.unwrap();
        log.append(fence(1, 0)).await.unwrap();
        for n in 1..=5 {
            put(&log, n, rows(0..60)).await.unwrap();
        }
        known.learn(&log, dataset).await;
    }
    known
}

async fn refused(logs: &Logs) {
    let error = logs.open_dataset(id(), schema()).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Data, "FS1050"),
        "{error}"
    );
}

#[tokio::test]
async fn a_log_without_its_last_slots_is_refused_and_the_others_are_served() {
    for (lost, gone) in [("one", 6..=6), ("three", 4..=6), ("all", 1..=6)] {
        let root = tempfile::tempdir().unwrap();
        let known = populated(root.path()).await;
        let log = root.path().join(format!("datasets/{}/log", id()));
        for slot in gone {
            std::fs::remove_file(log.join(format!("{slot:020}.slot"))).unwrap();
        }
        let logs = open(root.path(), &known).await;
        refused(&logs).await;
        // Not the first refusal alone: nobody takes the lost numbers again.
        let driver = logs.dataset_driver(id()).unwrap();
        let error = driver.append(Intent::Commit(commit(1, 9, &[]))).await;
        assert_eq!(error.unwrap_err().code(), "FS1050", "{lost}");
        let fine = logs.open_dataset(other(), schema()).await.unwrap();
        assert_eq!(fine.refresh().await.unwrap().totals().0, 300);
    }
}

#[tokio::test]
async fn a_log_whose_folder_is_gone_is_refused_until_it_is_back() {
    let root = tempfile::tempdir().unwrap();
    let known = populated(root.path()).await;
    let folder = root.path().join(format!("datasets/{}", id()));
    let aside = root.path().join("aside");
    std::fs::rename(&folder, &aside).unwrap();
    let logs = open(root.path(), &known).await;
    refused(&logs).await;
    assert!(!folder.exists(), "a refused log leaves nothing");
    std::fs::rename(&aside, &folder).unwrap();
    let back = logs.open_dataset(id(), schema()).await.unwrap();
    assert_eq!(back.refresh().await.unwrap().totals().0, 300);
}

#[tokio::test]
async fn a_number_that_was_taken_again_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let known = populated(root.path()).await;
    let last = root
        .path()
        .join(format!("datasets/{}/log/{:020}.slot", id(), 6));
    std::fs::remove_file(last).unwrap();
    // Somebody who knows of nothing writes slot 6 anew.
    let logs = open(root.path(), &Arc::new(Known::default())).await;
    let log = logs.open_dataset(id(), schema()).await.unwrap();
    put(&log, 5, rows(0..59)).await.unwrap();
    assert_eq!(log.refresh().await.unwrap().head(), 6);
    refused(&open(root.path(), &known).await).await;
}

#[tokio::test]
async fn a_log_that_has_grown_is_ahead_and_no_damage() {
    let root = tempfile::tempdir().unwrap();
    let known = populated(root.path()).await;
    let logs = open(root.path(), &known).await;
    let log = logs.open_dataset(id(), schema()).await.unwrap();
    put(&log, 6, rows(0..60)).await.unwrap();
    drop((log, logs));
    let again = open(root.path(), &known).await;
    let log = again.open_dataset(id(), schema()).await.unwrap();
    assert_eq!(log.refresh().await.unwrap().totals().0, 360);
}

#[tokio::test]
async fn a_log_that_nobody_knew_is_opened_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let logs = open(root.path(), &Arc::new(Known::default())).await;
    let log = logs.open_dataset(id(), schema()).await.unwrap();
    assert_eq!(log.refresh().await.unwrap().head(), 0);
    let key = Key::new(&format!("datasets/{}/log", id())).unwrap();
    assert_eq!(logs.shared().store.list(&key).await.unwrap(), []);
}
