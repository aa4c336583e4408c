//! Deletes segments that nothing reaches and nothing ever will.
//!
//! `model::log::verdict` decides; this gathers the facts in the order that it asks for: segments
//! first, then the jobs' logs, then the dataset's. A segment that a job no longer lists was committed
//! before that, so that the later view of the dataset holds it; in the other order it would be
//! deleted. Invariant: a segment that a slot, a pending epoch or an open transaction reaches is
//! kept, and so is one whose receipt may still be carried in.

use super::logs::Logs;
use super::names::{self, Owner as Named};
use super::transactions::{Standing, standing};
use super::{Key, Listed};
use flinkspark_model::Result;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{
    Generation, JobFacts, LogId, Manifest, Owner, SegmentName, Slot, Staged, Verdict, View, verdict,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a collection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Segments that stay.
    pub kept: u64,
    /// Segments that were deleted.
    pub deleted: u64,
    /// The deleted segments' size.
    pub bytes: u64,
}

impl Logs {
    /// Deletes a dataset's garbage. Safe at any time, beside any writer and reader.
    pub async fn collect(&self, dataset: DatasetId) -> Result<Collected> {
        let driver = self.dataset_driver(dataset)?;
        let root = driver.root().join("segments")?;
        let listed = self.shared().store.list(&root).await?;
        let before = driver.refresh().await?;
        let names = listed
            .iter()
            .filter_map(|file| names::from_file(&file.name));
        let jobs = self
            .jobs_of(names.filter(|name| !before.is_live(name) && !before.is_retired(name)))
            .await?;
        let view = driver.refresh().await?;
        let facts = Facts { view: &view, jobs };
        self.sweep(&root, listed, |name| {
            facts.verdict(name) == Verdict::Garbage
        })
        .await
    }

    /// Deletes the operators' state of a job's earlier checkpoints: a restore reads the latest one.
    /// Safe at any time, beside any incarnation that owns the job: no segment is in two checkpoints
    /// (`FS0218`).
    pub async fn collect_job(&self, job: LogId) -> Result<Collected> {
        let driver = self.job_driver(job)?;
        let root = driver.root().join("segments")?;
        let listed = self.shared().store.list(&root).await?;
        if listed.is_empty() {
            return Ok(Collected::default());
        }
        let view = driver.refresh().await?;
        let superseded: BTreeSet<&SegmentName> = view
            .live()
            .rev()
            .skip(1)
            .flat_map(|checkpoint| &checkpoint.segments)
            .map(|segment| &segment.name)
            .collect();
        self.sweep(&root, listed, |name| superseded.contains(name))
            .await
    }

    /// Deletes the listed segments that are garbage; a file that is no segment stays.
    async fn sweep(
        &self,
        root: &Key,
        listed: Vec<Listed>,
        garbage: impl Fn(&SegmentName) -> bool,
    ) -> Result<Collected> {
        let mut collected = Collected::default();
        for file in listed {
            if names::from_file(&file.name).is_some_and(|name| garbage(&name)) {
                self.shared().store.delete(&root.join(&file.name)?).await?;
                collected.deleted += 1;
                collected.bytes += file.bytes;
            } else {
                collected.kept += 1;
            }
        }
        Ok(collected)
    }

    /// The state of every job that staged one of the segments.
    async fn jobs_of(
        &self,
        names: impl Iterator<Item = SegmentName>,
    ) -> Result<BTreeMap<LogId, JobState>> {
        let mut jobs = BTreeMap::new();
        for name in names {
            if let Some(Named::Job(job, _)) = Named::of(&name)
                && !jobs.contains_key(&job)
            {
                jobs.insert(job, self.job_state(job).await?);
            }
        }
        Ok(jobs)
    }

    async fn job_state(&self, job: LogId) -> Result<JobState> {
        let driver = self.job_driver(job)?;
        let view = driver.refresh().await?;
        let generation = view
            .writers()
            .map(|(_, state)| state.generation)
            .max()
            .unwrap_or(0);
        // The latest manifest lists everything that was pending when it was made.
        let latest = view
            .writers()
            .filter_map(|(_, state)| state.commits.last_key_value())
            .map(|(_, there)| there.slot)
            .filter(|slot| *slot > view.horizon());
        let mut manifests = Vec::new();
        for slot in latest {
            if let Slot::Epoch(commit) = driver.slot(slot).await?.body {
                manifests.extend(commit.manifest);
            }
        }
        Ok((generation, manifests))
    }
}

/// A job's generation, and the manifest that a restore reads.
type JobState = (Generation, Vec<Manifest>);

struct Facts<'a> {
    view: &'a View,
    jobs: BTreeMap<LogId, JobState>,
}

impl Facts<'_> {
    fn verdict(&self, name: &SegmentName) -> Verdict {
        let (owner, receipted, job) = match Named::of(name) {
            None | Some(Named::Anybody) => (Owner::Elsewhere, true, None),
            Some(Named::Transaction(txn)) => match standing(self.view, &txn) {
                Standing::Open => (Owner::OpenTransaction, true, None),
                // Its `begin` is not in the log that was read after the segment: that cannot be; keep it.
                Standing::Unknown => (Owner::Elsewhere, true, None),
                // No receipt can be committed any more: what its commit named is live or retired.
                Standing::Aborted(_) | Standing::Committed(_) => (Owner::Elsewhere, false, None),
            },
            Some(Named::Job(job, generation)) => {
                (Owner::Job(generation), true, self.jobs.get(&job))
            }
        };
        let staged = Staged {
            name: name.clone(),
            receipted,
            owner,
        };
        let facts = job.map(|(generation, retained)| JobFacts {
            generation: *generation,
            retained,
        });
        verdict(&staged, self.view, facts)
    }
}
