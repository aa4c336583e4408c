//! Forgets jobs that have ended.
//!
//! A mark says that a job is gone, and nothing finds the job from then on. Its files go later, and the mark stays: its id
//! is never another job's, whose commits its outputs would take for this one's. Invariant: a deletion that was begun is
//! finished, by whoever comes next.

use super::{INDEX, KEPT, Records};
use crate::jobs::record::JobId;
use flinkspark_connector::store::{Created, Key};
use flinkspark_model::log::LogId;
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeSet;

/// The list of jobs that were deleted.
pub(super) const DELETED: &str = "jobs-deleted";

/// What lies in folders below a job's own; its slots go after the state that they name, and from the last one on.
const FOLDERS: [&str; 4] = ["segments", "events", "starts", "log"];

impl Records {
    /// Forgets a job, which has ended for good. Returns whether it was there.
    pub async fn delete(&self, id: &JobId) -> Result<bool> {
        let text = id.as_str().to_owned();
        let marked = self.store.create(&mark(id.log())?, text.into()).await?;
        Ok(matches!(marked, Created::New))
    }

    /// Whether a job of this id was deleted: then no other is accepted under it.
    pub async fn is_deleted(&self, id: &JobId) -> Result<bool> {
        Ok(self.store.read(&mark(id.log())?).await?.is_some())
    }

    /// The jobs that were deleted, by their logs.
    pub async fn deleted(&self) -> Result<BTreeSet<LogId>> {
        self.logs_in(DELETED).await
    }

    /// Removes the files of deleted jobs; who calls it sees to it that nobody reads them meanwhile.
    pub async fn remove_deleted(&self) -> Result<()> {
        let listed = self.logs_in(INDEX).await?;
        for log in self.deleted().await?.intersection(&listed) {
            self.remove(*log).await?;
        }
        Ok(())
    }

    /// Removes everything of a job, and last what lists it.
    async fn remove(&self, log: LogId) -> Result<()> {
        let root = Key::new("jobs")?.join(log.0)?;
        for folder in FOLDERS {
            let below = root.join(folder)?;
            for listed in self.store.list(&below).await?.into_iter().rev() {
                self.store.delete(&below.join(&listed.name)?).await?;
            }
        }
        for listed in self.store.list(&root).await? {
            self.store.delete(&root.join(&listed.name)?).await?;
        }
        for list in [KEPT, INDEX] {
            self.store.delete(&Key::new(list)?.join(log.0)?).await?;
        }
        Ok(())
    }
}

fn mark(log: LogId) -> Result<Key> {
    Key::new(DELETED)?.join(log.0)
}

/// The id is a deleted job's.
pub(in crate::jobs) fn taken(id: &JobId) -> Error {
    let what = format!("job id \"{id}\" is a deleted job's");
    Error::new(Kind::Conflict, "FS0924", what)
        .with_detail(
            "its output has commits under this id, which another run would take for its own",
        )
        .with_hint("choose another --id")
}
