//! Deletes segments that nothing reaches and nothing ever will.
//!
//! `model::log::verdict` decides; this gathers the facts in the order that it asks for: segments
//! first, then the jobs' logs, then the dataset's. A segment that a job no longer lists was committed
//! before that, so that the later view of the dataset holds it; in the other order it would be
//! deleted. What was data and was taken out goes by `model::log::spent`: a grace after the slot that
//! took it out, and past the pins of jobs that go on. Invariant: a segment that a slot, a pending epoch,
//! a pinned reader or an open transaction reaches is kept, and so is one whose receipt may still be
//! carried in.

use super::log::Driver;
use super::logs::Logs;
use super::names::{self, Owner as Named, WriterId};
use super::transactions::{Standing, standing};
use super::writers::{WriterHeard, sweep_parts, writer_heard, writer_of};
use super::{Key, Listed};
use async_trait::async_trait;
use flinkspark_model::Result;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{
    Generation, JobFacts, LogId, Manifest, Owner, SegmentName, Slot, Staged, Verdict, View,
    WriterName, WriterTimes, spent, verdict,
};
use flinkspark_model::port::RETENTION_MS_DEFAULT;
use flinkspark_model::position::SlotNo;
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
    /// Segments among the kept ones that go once their grace has passed.
    pub waiting: u64,
    /// Their size.
    pub waiting_bytes: u64,
}

/// Who may hold what no log says. It is asked after segments were listed.
#[async_trait]
pub trait Holders: Sync {
    /// The slots to which readers of the dataset are pinned: jobs that go on after a restart.
    async fn pins(&self, dataset: DatasetId) -> Result<Vec<SlotNo>>;

    /// Whether the job has ended and no incarnation of it lives.
    async fn has_ended(&self, job: LogId) -> Result<bool>;
}

/// Nobody holds anything, and no job has ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

#[async_trait]
impl Holders for Nobody {
    async fn pins(&self, _: DatasetId) -> Result<Vec<SlotNo>> {
        Ok(Vec::new())
    }

    async fn has_ended(&self, _: LogId) -> Result<bool> {
        Ok(false)
    }
}

impl Logs {
    /// Deletes a dataset's garbage. Safe at any time, beside any writer and reader.
    pub async fn collect(&self, dataset: DatasetId, holders: &dyn Holders) -> Result<Collected> {
        let driver = self.dataset_driver(dataset)?;
        let root = driver.root().join("segments")?;
        let listed = self.shared().store.list(&root).await?;
        let before = driver.refresh().await?;
        let names = listed
            .iter()
            .filter_map(|file| names::from_file(&file.name));
        let jobs = self
            .jobs_of(
                names.filter(|name| !before.is_live(name) && !before.is_retired(name)),
                holders,
            )
            .await?;
        let pins = holders.pins(dataset).await?;
        let writers = self.writers_of(&driver, &listed, &before).await?;
        let view = driver.refresh().await?;
        let waiting = self.taken_out(&driver, &view, &listed).await?;
        let now_ms = self.shared().clock.now_ms();
        let over = |until: SlotNo| waiting.get(&until).is_some_and(|at_ms| *at_ms <= now_ms);
        let facts = Facts {
            spent: spent(&view, &pins, over),
            runs: runs(&view),
            view: &view,
            jobs,
            writers,
            now_ms,
            ended_before_ms: now_ms.saturating_sub(self.shared().settings.grace_ms),
        };
        let there = listed.iter();
        let there = there.filter_map(|file| names::from_file(&file.name));
        let there: BTreeSet<SegmentName> = there.filter(|name| writer_of(name).is_some()).collect();
        let collected = self.sweep(&root, listed, |name| facts.fate(name)).await?;
        sweep_parts(&driver, &view, |name| there.contains(name)).await?;
        Ok(collected)
    }

    /// What is known of the named writers that put what no slot names, read before the log is: a commit between
    /// makes their segments data.
    async fn writers_of(
        &self,
        driver: &Driver,
        listed: &[Listed],
        view: &View,
    ) -> Result<BTreeMap<WriterId, Heard>> {
        let names = listed
            .iter()
            .filter_map(|file| names::from_file(&file.name));
        let staged = names.filter(|name| !view.is_live(name) && !view.is_retired(name));
        let ids: BTreeSet<WriterId> = staged.filter_map(|name| writer_of(&name)).collect();
        let states = view.writers();
        let states: BTreeMap<WriterId, _> = states
            .map(|(name, state)| (WriterId::from(name), state))
            .collect();
        let mut writers = BTreeMap::new();
        for id in ids {
            let durable = writer_heard(&*self.shared().store, driver.root(), id).await?;
            let state = states.get(&id);
            let own = state.filter(|state| state.last() > state.restored);
            let own_since_ms = match own {
                Some(state) => Some(driver.slot(state.fenced_at).await?.committed_at_ms),
                None => None,
            };
            writers.insert(
                id,
                Heard {
                    durable,
                    own_since_ms,
                },
            );
        }
        Ok(writers)
    }

    /// When the graces of the slots end that took listed segments out.
    async fn taken_out(
        &self,
        driver: &Driver,
        view: &View,
        listed: &[Listed],
    ) -> Result<BTreeMap<SlotNo, u64>> {
        let there: BTreeSet<SegmentName> = listed
            .iter()
            .filter_map(|file| names::from_file(&file.name))
            .filter(|name| view.is_retired(name))
            .collect();
        let mut ends = BTreeMap::new();
        for (until, epoch) in view.retired() {
            let holds = epoch
                .segments
                .iter()
                .any(|segment| there.contains(&segment.name));
            if holds && !ends.contains_key(&until) {
                let at_ms = driver.slot(until).await?.committed_at_ms;
                ends.insert(until, at_ms.saturating_add(self.shared().settings.grace_ms));
            }
        }
        Ok(ends)
    }

    /// Deletes the operators' state of a job's earlier checkpoints, for a restore reads the latest one,
    /// and what dead incarnations staged for checkpoints that never came about. Safe at any time,
    /// beside any incarnation that owns the job: no segment is in two checkpoints (`FS0218`).
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
        let facts = JobFacts {
            generation: generation(&view),
            retained: &[],
        };
        let dead = |name: &SegmentName| match Named::of(name) {
            Some(Named::Job(_, generation)) => {
                let staged = Staged {
                    name: name.clone(),
                    receipted: true,
                    owner: Owner::Job(generation),
                };
                verdict(&staged, &view, Some(facts)) == Verdict::Garbage
            }
            _ => false,
        };
        self.sweep(&root, listed, |name| {
            if superseded.contains(name) || dead(name) {
                Fate::Goes
            } else {
                Fate::Stays
            }
        })
        .await
    }

    /// Deletes the listed segments that are garbage; a file that is no segment stays.
    async fn sweep(
        &self,
        root: &Key,
        listed: Vec<Listed>,
        fate: impl Fn(&SegmentName) -> Fate,
    ) -> Result<Collected> {
        let mut collected = Collected::default();
        for file in listed {
            let fate = names::from_file(&file.name).map_or(Fate::Stays, |name| fate(&name));
            if fate == Fate::Goes {
                self.shared().store.delete(&root.join(&file.name)?).await?;
                collected.deleted += 1;
                collected.bytes += file.bytes;
                continue;
            }
            collected.kept += 1;
            if fate == Fate::Waits {
                collected.waiting += 1;
                collected.waiting_bytes += file.bytes;
            }
        }
        Ok(collected)
    }

    /// The state of every job that staged one of the segments.
    async fn jobs_of(
        &self,
        names: impl Iterator<Item = SegmentName>,
        holders: &dyn Holders,
    ) -> Result<BTreeMap<LogId, JobState>> {
        let mut jobs = BTreeMap::new();
        for name in names {
            if let Some(Named::Job(job, _)) = Named::of(&name)
                && !jobs.contains_key(&job)
            {
                // In this order an incarnation that ended in between has written its last manifest.
                let ended = holders.has_ended(job).await?;
                jobs.insert(job, self.job_state(job, ended).await?);
            }
        }
        Ok(jobs)
    }

    async fn job_state(&self, job: LogId, ended: bool) -> Result<JobState> {
        let driver = self.job_driver(job)?;
        let view = driver.refresh().await?;
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
        Ok(JobState {
            generation: generation(&view),
            manifests,
            ended,
        })
    }
}

/// The generation that owns a job's log; 0 where it was never fenced, as a batch run's is not.
fn generation(view: &View) -> Generation {
    let states = view.writers().map(|(_, state)| state.generation);
    states.max().unwrap_or(0)
}

/// A job's generation, the manifest that a restore reads, and whether the job has ended.
struct JobState {
    generation: Generation,
    manifests: Vec<Manifest>,
    ended: bool,
}

/// What is known of a named writer.
struct Heard {
    durable: Option<WriterHeard>,
    /// When the incarnation opened it that has committed above what it came back from.
    own_since_ms: Option<u64>,
}

impl Heard {
    /// Whether nobody will commit a segment of the writer that was put then.
    fn is_over(&self, put_at_ms: u64, now_ms: u64) -> bool {
        let durable = self.durable.as_ref();
        let times = WriterTimes {
            put_at_ms,
            heard_at_ms: durable.map(WriterHeard::until_ms),
            retention_ms: durable.map_or(RETENTION_MS_DEFAULT, |durable| durable.retention_ms),
            left_behind: self.own_since_ms.is_some_and(|own| own > put_at_ms),
        };
        times.are_over(now_ms)
    }
}

/// The writers of a log by the job's log that their names stand for.
fn runs(view: &View) -> BTreeMap<LogId, WriterName> {
    let writers = view.writers().map(|(name, _)| name);
    writers
        .map(|name| (LogId::of_job(name.as_str()), name.clone()))
        .collect()
}

/// What becomes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// It goes once its grace has passed.
    Waits,
    Goes,
}

struct Facts<'a> {
    view: &'a View,
    /// What was taken out, and its grace has passed.
    spent: BTreeSet<SegmentName>,
    runs: BTreeMap<LogId, WriterName>,
    jobs: BTreeMap<LogId, JobState>,
    writers: BTreeMap<WriterId, Heard>,
    now_ms: u64,
    /// What an ended job staged before that goes, in milliseconds since the epoch.
    ended_before_ms: u64,
}

impl Facts<'_> {
    fn fate(&self, name: &SegmentName) -> Fate {
        if self.spent.contains(name) {
            Fate::Goes
        } else if self.view.is_retired(name) && !self.view.is_live(name) {
            Fate::Waits
        } else if self.verdict(name) == Verdict::Garbage {
            Fate::Goes
        } else {
            Fate::Stays
        }
    }

    fn verdict(&self, name: &SegmentName) -> Verdict {
        let mut job = None;
        let (owner, receipted) = match Named::of(name) {
            None | Some(Named::Anybody) => (Owner::Elsewhere, true),
            Some(Named::Transaction(txn)) => match standing(self.view, &txn) {
                Standing::Open => (Owner::OpenTransaction, true),
                // Its `begin` is not in the log that was read after the segment: that cannot be; keep it.
                Standing::Unknown => (Owner::Elsewhere, true),
                // No receipt can be committed any more: what its commit named is live or retired.
                Standing::Aborted(_) | Standing::Committed(_) => (Owner::Elsewhere, false),
            },
            Some(Named::Writer(id)) => {
                let heard = self.writers.get(&id);
                let put_at_ms = names::named_at_ms(name);
                let over = heard.zip(put_at_ms);
                let over = over.is_some_and(|(heard, at_ms)| heard.is_over(at_ms, self.now_ms));
                (Owner::Writer { over }, true)
            }
            Some(Named::Job(id, generation)) => match (self.jobs.get(&id), self.runs.get(&id)) {
                // A job without a fence in a log of its own is a batch run: the dataset's log has its fences.
                (Some(state), Some(writer)) if state.generation == 0 => {
                    let gone = self.is_over(state, name);
                    (
                        Owner::Run(writer.clone(), if gone { 0 } else { generation }),
                        true,
                    )
                }
                (state, _) => {
                    job = state.map(|state| JobFacts {
                        generation: self.owner(state, name),
                        retained: &state.manifests,
                    });
                    (Owner::Job(generation), true)
                }
            },
        };
        let staged = Staged {
            name: name.clone(),
            receipted,
            owner,
        };
        verdict(&staged, self.view, job)
    }

    /// The generation that owns the job, for the fate of what an earlier one staged.
    fn owner(&self, state: &JobState, name: &SegmentName) -> Generation {
        match (self.is_over(state, name), state.generation) {
            // It was deleted, its log too: everything that it promised had been committed.
            (true, 0) => Generation::MAX,
            // An ended job's last incarnation commits nothing that its manifest does not list.
            (true, generation) => generation + 1,
            (false, generation) => generation,
        }
    }

    /// Whether the job has ended and the segment is older than the grace.
    fn is_over(&self, state: &JobState, name: &SegmentName) -> bool {
        state.ended && names::named_at_ms(name).is_some_and(|at_ms| at_ms <= self.ended_before_ms)
    }
}
