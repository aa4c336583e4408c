//! When writers were last heard: what they put stays for as long after it as they declared.
//!
//! A durable object in the dataset's folder, `writers/ID.MS.json`, renewed when it is older than ten minutes:
//! a writer that goes on costs a small object then and not one a put. Invariant: a writer's last call is at most
//! [`renewed_after_ms`] later than its newest object says.

use crate::store::log::Driver;
use crate::store::names::WriterId;
use crate::store::{Key, Store, record};
use flinkspark_model::Result;
use flinkspark_model::access::Principal;
use flinkspark_model::log::WriterName;
use flinkspark_model::port::RETENTION_MS_DEFAULT;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// How old what is durable may become before it is renewed, in milliseconds: ten minutes, and less where little
/// is kept.
pub(in crate::store) fn renewed_after_ms(retention_ms: u64) -> u64 {
    (retention_ms / 8).min(10 * 60 * 1000)
}

/// Writers that are remembered; of more the objects are read again.
const REMEMBERED_MAX: usize = 10_000;

/// A writer, as it was heard.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct WriterHeard {
    pub(in crate::store) writer: WriterName,
    /// Who was heard under the name first; `None` where callers had no names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) principal: Option<Principal>,
    /// How long what it put stays after it was heard, in milliseconds.
    pub(in crate::store) retention_ms: u64,
    /// In milliseconds since the epoch.
    pub(in crate::store) heard_at_ms: u64,
}

impl WriterHeard {
    /// The latest time at which it may have been heard, in milliseconds since the epoch.
    pub(in crate::store) fn until_ms(&self) -> u64 {
        self.heard_at_ms
            .saturating_add(renewed_after_ms(self.retention_ms))
    }
}

/// What this process has made durable of writers.
#[derive(Default)]
pub(in crate::store) struct Heard(Mutex<HashMap<(Key, WriterId), WriterHeard>>);

impl Heard {
    /// Makes durable that the writer was heard now, where that is not known well enough.
    pub(super) async fn note(
        &self,
        driver: &Driver,
        writer: &WriterName,
        principal: Option<&Principal>,
        retention_ms: Option<u64>,
    ) -> Result<()> {
        let (id, shared) = (WriterId::from(writer), driver.shared());
        let place = (driver.root().clone(), id);
        let now_ms = shared.clock.now_ms();
        let known = self.known(driver, &place).await?;
        let owner = known.as_ref().and_then(|known| known.principal.clone());
        let declared = known.as_ref().map(|known| known.retention_ms);
        let heard = WriterHeard {
            writer: writer.clone(),
            principal: owner.or(principal.cloned()),
            retention_ms: retention_ms.or(declared).unwrap_or(RETENTION_MS_DEFAULT),
            heard_at_ms: now_ms,
        };
        let fresh = known.as_ref().is_some_and(|known| {
            (known.retention_ms, &known.principal) == (heard.retention_ms, &heard.principal)
                && now_ms
                    < known
                        .heard_at_ms
                        .saturating_add(renewed_after_ms(known.retention_ms))
        });
        if fresh {
            self.put(place, known);
            return Ok(());
        }
        let root = driver.root().join("writers")?;
        let key = root.join(format_args!("{id}.{now_ms}.json"))?;
        shared
            .store
            .create(&key, record::encode(&key, &heard)?)
            .await?;
        for older in shared.store.list(&root).await? {
            let at_ms = heard_at(&older.name, id);
            if at_ms.is_some_and(|at_ms| at_ms < now_ms) {
                shared.store.delete(&root.join(&older.name)?).await?;
            }
        }
        self.put(place, Some(heard));
        Ok(())
    }

    /// Whom the writer belongs to.
    pub(super) async fn owner(
        &self,
        driver: &Driver,
        writer: &WriterName,
    ) -> Result<Option<Principal>> {
        let place = (driver.root().clone(), WriterId::from(writer));
        let known = self.known(driver, &place).await?;
        Ok(known.and_then(|known| known.principal))
    }

    async fn known(&self, driver: &Driver, place: &(Key, WriterId)) -> Result<Option<WriterHeard>> {
        match self.get(place) {
            None => writer_heard(&*driver.shared().store, driver.root(), place.1).await,
            known => Ok(known),
        }
    }

    fn get(&self, place: &(Key, WriterId)) -> Option<WriterHeard> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(place).cloned()
    }

    fn put(&self, place: (Key, WriterId), heard: Option<WriterHeard>) {
        let Some(heard) = heard else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(place, heard);
    }
}

/// When an object says that this writer was heard; `None` where it is another's.
fn heard_at(file: &str, writer: WriterId) -> Option<u64> {
    let (id, at_ms) = file.strip_suffix(".json")?.split_once('.')?;
    (Uuid::try_parse(id).ok()? == writer.0).then(|| at_ms.parse().ok())?
}

/// What is durable of a writer; `None` where it was never heard.
pub(in crate::store) async fn writer_heard(
    store: &dyn Store,
    root: &Key,
    writer: WriterId,
) -> Result<Option<WriterHeard>> {
    let root = root.join("writers")?;
    let listed = store.list(&root).await?;
    let newest = listed
        .iter()
        .filter_map(|file| Some((heard_at(&file.name, writer)?, &file.name)))
        .max();
    let Some((_, name)) = newest else {
        return Ok(None);
    };
    let key = root.join(name)?;
    let found = store.read(&key).await?;
    found.map(|bytes| record::decode(&key, &bytes)).transpose()
}
