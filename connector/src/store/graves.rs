//! What is left of datasets that were dropped.
//!
//! A small object `dropped/ID.VERSION.json` is written before the catalogue forgets the record at that
//! version; its files go after a grace, for readers who are still at them, and the object after them.
//! Where the catalogue did not forget the record, the object goes alone. Invariant: no file of a dataset
//! goes while the catalogue knows it.

use super::logs::Logs;
use super::{Created, Key, record};
use flinkspark_model::Result;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::Leaving;

/// A dataset that was dropped, or was about to be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grave {
    /// The dataset.
    pub dataset: DatasetId,
    /// Its name then.
    pub name: DatasetName,
    /// The version of its record that was to be forgotten.
    pub version: u64,
    /// When, in milliseconds since the epoch.
    pub dropped_at_ms: u64,
}

/// What was done about a grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buried {
    /// The dataset lives: nothing was deleted.
    Lives,
    /// Its grace lasts until then, in milliseconds since the epoch.
    Waits {
        /// When it ends.
        until_ms: u64,
    },
    /// Its files are gone.
    Gone {
        /// How many they were.
        files: u64,
        /// Their size.
        bytes: u64,
    },
}

fn folder() -> Result<Key> {
    Key::new("dropped")
}

fn place(dataset: DatasetId, version: u64) -> Result<Key> {
    folder()?.join(format_args!("{}.{version}.json", dataset.0.simple()))
}

impl Logs {
    pub(super) async fn bury(&self, dataset: &Dataset) -> Result<Leaving> {
        let store = &self.shared().store;
        let grave = Grave {
            dataset: dataset.id,
            name: dataset.name.clone(),
            version: dataset.version,
            dropped_at_ms: self.shared().clock.now_ms(),
        };
        let key = place(dataset.id, dataset.version)?;
        let bytes = record::encode(&key, &grave)?;
        if let Created::Exists(_) = store.create(&key, bytes.clone()).await? {
            // An attempt before this one came to nothing: the grace begins now.
            store.delete(&key).await?;
            store.create(&key, bytes).await?;
        }
        let root = self.dataset_driver(dataset.id)?.root().join("segments")?;
        let segments = store.list(&root).await?;
        Ok(Leaving {
            bytes: segments.iter().map(|listed| listed.bytes).sum(),
            until_ms: grave
                .dropped_at_ms
                .saturating_add(self.shared().settings.grace_ms),
        })
    }

    /// The datasets that were dropped and whose files may still be there.
    pub async fn graves(&self) -> Result<Vec<Grave>> {
        let folder = folder()?;
        let mut graves = Vec::new();
        for listed in self.shared().store.list(&folder).await? {
            let key = folder.join(&listed.name)?;
            if let Some(bytes) = self.shared().store.read(&key).await? {
                graves.push(record::decode(&key, &bytes)?);
            }
        }
        Ok(graves)
    }

    /// Deletes a dropped dataset's files once their grace has passed. `known` is the version of the
    /// record that the catalogue has of it, `None` where it has none; a dataset that is `held` waits.
    pub async fn collect_dropped(
        &self,
        grave: &Grave,
        known: Option<u64>,
        held: bool,
    ) -> Result<Buried> {
        let until_ms = grave
            .dropped_at_ms
            .saturating_add(self.shared().settings.grace_ms);
        let passed = self.shared().clock.now_ms() >= until_ms;
        let key = place(grave.dataset, grave.version)?;
        if let Some(version) = known {
            // At the same version the drop may be under way.
            if version > grave.version || passed {
                self.shared().store.delete(&key).await?;
            }
            return Ok(Buried::Lives);
        }
        if held || !passed {
            return Ok(Buried::Waits { until_ms });
        }
        let root = self.dataset_driver(grave.dataset)?.root().clone();
        let (mut files, mut bytes) = (0, 0);
        for part in [
            "segments",
            "txn",
            "parts",
            "writers",
            "consumers",
            "log",
            "lists",
        ] {
            let below = root.join(part)?;
            // The last slot first: what is left is a log, whenever this is cut off.
            for listed in self.shared().store.list(&below).await?.into_iter().rev() {
                self.shared()
                    .store
                    .delete(&below.join(&listed.name)?)
                    .await?;
                files += 1;
                bytes += listed.bytes;
            }
        }
        self.forget(&root);
        self.shared().store.delete(&key).await?;
        Ok(Buried::Gone { files, bytes })
    }
}
