//! Deletes segments that nothing reaches and nothing ever will.
//!
//! `model::log::verdict` decides; this gathers the facts in the order that it asks for: segments
//! first, then the dataset's log, then the job's. Invariant: a segment that a slot, a pending epoch
//! or an open transaction reaches is kept, and so is one whose receipt may still be carried in.

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
        let view = driver.refresh().await?;
        let mut facts = Facts {
            logs: self,
            driver: &driver,
            view: &view,
            jobs: BTreeMap::new(),
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
}

/// A job's generation, and every manifest that a restore may read.
type JobState = (Generation, Vec<Manifest>);

struct Facts<'a> {
    logs: &'a Logs,
    driver: &'a Driver,
    view: &'a View,
    jobs: BTreeMap<LogId, JobState>,
}

impl Facts<'_> {
    async fn verdict(&mut self, name: &SegmentName) -> Result<Verdict> {
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
                let view = self.view;
                let (current, retained) = self.job(job).await?;
                let facts = JobFacts {
                    generation: *current,
                    retained,
                };
                Ok(verdict(&keep(Owner::Job(generation)), view, Some(facts)))
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

    async fn job(&mut self, job: LogId) -> Result<(&Generation, &[Manifest])> {
        if !self.jobs.contains_key(&job) {
            let state = self.read_job(job).await?;
            self.jobs.insert(job, state);
        }
        let state = self.jobs.get(&job);
        Ok(state.map_or((&0, &[]), |(generation, manifests)| {
            (generation, manifests.as_slice())
        }))
    }

    async fn read_job(&self, job: LogId) -> Result<JobState> {
        let driver = self.logs.job_driver(job)?;
        let view = driver.refresh().await?;
        let generation = view
            .writers()
            .map(|(_, state)| state.generation)
            .max()
            .unwrap_or(0);
        let slots: BTreeSet<u64> = view
            .writers()
            .flat_map(|(_, state)| state.commits.values().map(|there| there.slot))
            .collect();
        let mut manifests = Vec::new();
        for slot in slots.into_iter().filter(|slot| *slot > view.horizon()) {
            if let Slot::Epoch(commit) = driver.slot(slot).await?.body {
                manifests.extend(commit.manifest);
            }
        }
        Ok((generation, manifests))
    }
}
