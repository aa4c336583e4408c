//! Deletes segments that nothing reaches and nothing ever will.
//!
//! `model::log::verdict` decides; this gathers the facts in the order that it asks for: segments
//! first, then the jobs' logs, then the dataset's. A segment that a job no longer lists was committed
//! before that, so that the later view of the dataset holds it; in the other order it would be
//! deleted. Invariant: a segment that a slot, a pending epoch or an open transaction reaches is
//! kept, and so is one whose receipt may still be carried in.

use super::log::Driver;
use super::logs::Logs;
use super::names::{self, Owner as Named};
use super::transactions::{Standing, Txn, standing};
use flinkspark_model::Result;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{
    Generation, JobFacts, LogId, Manifest, Owner, Replacement, SegmentName, Slot, Staged, Verdict,
    View, verdict,
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
            .jobs_of(names.filter(|name| !before.is_live(name)))
            .await?;
        let view = driver.refresh().await?;
        let facts = Facts {
            driver: &driver,
            view: &view,
            jobs,
        };
        let mut collected = Collected::default();
        for file in listed {
            let name = names::from_file(&file.name);
            let garbage = match &name {
                Some(name) => facts.verdict(name).await? == Verdict::Garbage,
                None => false,
            };
            if garbage {
                self.shared().store.delete(&root.join(&file.name)?).await?;
                collected.deleted += 1;
                collected.bytes += file.bytes;
            } else {
                collected.kept += 1;
            }
        }
        Ok(collected)
    }

    /// Deletes the operators' state of a job's earlier checkpoints: a restore reads the latest one.
    /// Safe at any time, beside any incarnation that owns the job.
    pub async fn collect_job(&self, job: LogId) -> Result<Collected> {
        let driver = self.job_driver(job)?;
        let root = driver.root().join("segments")?;
        let listed = self.shared().store.list(&root).await?;
        let view = driver.refresh().await?;
        let superseded: BTreeSet<&SegmentName> = view
            .live()
            .rev()
            .skip(1)
            .flat_map(|checkpoint| &checkpoint.segments)
            .map(|segment| &segment.name)
            .collect();
        let mut collected = Collected::default();
        for file in listed {
            let garbage =
                names::from_file(&file.name).is_some_and(|name| superseded.contains(&name));
            if garbage {
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
    driver: &'a Driver,
    view: &'a View,
    jobs: BTreeMap<LogId, JobState>,
}

impl Facts<'_> {
    async fn verdict(&self, name: &SegmentName) -> Result<Verdict> {
        let keep = |owner| Staged {
            name: name.clone(),
            receipted: true,
            owner,
        };
        // What the log reaches or has given up needs no further facts.
        if self.view.is_live(name) || self.view.is_void(name) {
            return Ok(verdict(&keep(Owner::Elsewhere), self.view, None));
        }
        match Named::of(name) {
            None | Some(Named::Anybody) => Ok(verdict(&keep(Owner::Elsewhere), self.view, None)),
            Some(Named::Transaction(txn)) => {
                let (owner, receipted) = self.transaction(name, &txn).await?;
                Ok(verdict(
                    &Staged {
                        name: name.clone(),
                        receipted,
                        owner,
                    },
                    self.view,
                    None,
                ))
            }
            Some(Named::Job(job, generation)) => {
                let facts = self.jobs.get(&job).map(|(current, retained)| JobFacts {
                    generation: *current,
                    retained,
                });
                Ok(verdict(&keep(Owner::Job(generation)), self.view, facts))
            }
        }
    }

    /// Who may still commit a transaction's segment, and whether its receipt is worth anything.
    async fn transaction(&self, name: &SegmentName, txn: &Txn) -> Result<(Owner, bool)> {
        Ok(match standing(self.view, txn) {
            Standing::Open => (Owner::OpenTransaction, true),
            // Its `begin` is not in the log that was read after the segment: that cannot be; keep it.
            Standing::Unknown => (Owner::Elsewhere, true),
            // No receipt of it can be committed any more.
            Standing::Aborted(_) => (Owner::Elsewhere, false),
            // What it committed and a later slot replaced goes by retention, not here.
            Standing::Committed(slot) => (Owner::Elsewhere, self.named_in(slot, name).await?),
        })
    }

    async fn named_in(&self, slot: u64, name: &SegmentName) -> Result<bool> {
        Ok(match self.driver.slot(slot).await?.body {
            Slot::Epoch(commit)
            | Slot::Replace {
                with: Replacement::Overwrite(commit),
                ..
            } => commit.segments.iter().any(|segment| segment.name == *name),
            _ => true,
        })
    }
}
