//! Carries out the taking over of a job, in the one order that loses and doubles nothing.
//!
//! Fence the job's log and read the latest manifest; fence the outputs that it has promised epochs and
//! commit those, which needs no program; only then see whether the program is the one that the checkpoint
//! belongs to, and fence the outputs that have not been fenced. Invariant: when it returns, no older
//! incarnation can commit to any log of the job, and everything that a completed checkpoint promised is
//! committed, whatever became of the program.

use super::checkpoint::Body;
use super::error::{damaged, injected};
use super::program::Identity;
use super::recovery::{self, Restore};
use arrow_schema::Schema;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Commit, Generation, Intent, LogId, Slot, WriterName};
use flinkspark_model::port::{Dataset, Datasets, Log};
use flinkspark_model::recovery::TakeOver;
use flinkspark_model::{Error, Kind, Result, fault};
use std::sync::Arc;

/// How often another incarnation may win the race for the job before this one gives up.
const TAKE_OVER_ATTEMPTS_MAX: usize = 16;

/// One of the job's outputs.
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) writer: WriterName,
    pub(crate) dataset: Arc<dyn Dataset>,
    /// Whether its epochs carry the job's watermark: late rows have none.
    pub(crate) has_watermark: bool,
}

/// The job as this incarnation owns it.
pub(crate) struct Owned {
    pub(crate) generation: Generation,
    /// The last completed checkpoint; 0 for none.
    pub(crate) restored: u64,
    pub(crate) restore: Restore,
}

/// A job whose promises are kept.
pub(crate) struct Taken {
    take_over: TakeOver,
    latest: Option<Commit>,
    /// The outputs that were fenced.
    fenced: Vec<(LogId, WriterName)>,
}

/// Fences the job's log and commits what its latest checkpoint promised; needs no program.
pub(crate) async fn keep_promises(
    log: &dyn Log,
    writer: &WriterName,
    datasets: &dyn Datasets,
    incarnation: &str,
) -> Result<Taken> {
    let take_over = fence_job(log, writer, incarnation).await?;
    fault::reach("recover.job.fenced").map_err(injected)?;
    let latest = latest(log, writer, take_over.restored).await?;
    let mut taken = Taken {
        take_over,
        latest,
        fenced: Vec::new(),
    };
    let mut promised = Vec::new();
    for (id, commit) in recovery::promised(taken.latest.as_ref(), take_over.generation)? {
        // Nothing is read from it or staged for it: its columns do not matter.
        let dataset = datasets
            .dataset(DatasetId(id.0), Arc::new(Schema::empty()))
            .await?;
        taken
            .fence(dataset.as_ref(), &commit.writer, incarnation)
            .await?;
        promised.push((dataset, commit));
    }
    for (dataset, commit) in promised {
        dataset.append(Intent::Commit(commit)).await?;
        fault::reach("recover.pending.committed").map_err(injected)?;
    }
    Ok(taken)
}

impl Taken {
    /// Which incarnation this is.
    pub(crate) fn generation(&self) -> Generation {
        self.take_over.generation
    }

    /// The last completed checkpoint; 0 for none.
    pub(crate) fn restored(&self) -> u64 {
        self.take_over.restored
    }

    /// What the latest checkpoint says besides its promises; none where there is no checkpoint.
    pub(crate) fn body(&self) -> Result<Option<Body>> {
        self.latest.as_ref().map(recovery::body).transpose()
    }

    /// Goes on with this program, whose outputs these are.
    pub(crate) async fn go_on(
        mut self,
        program: &Identity,
        outputs: &[Output],
        incarnation: &str,
    ) -> Result<Owned> {
        let restore = recovery::restore(self.latest.as_ref(), program)?;
        for output in outputs {
            let id = output.dataset.id();
            if !self.fenced.contains(&(id, output.writer.clone())) {
                let fenced = self.fence(output.dataset.as_ref(), &output.writer, incarnation);
                fenced.await.map_err(|refusal| of(refusal, &output.name))?;
            }
        }
        Ok(Owned {
            generation: self.take_over.generation,
            restored: self.take_over.restored,
            restore,
        })
    }

    async fn fence(
        &mut self,
        dataset: &dyn Dataset,
        writer: &WriterName,
        incarnation: &str,
    ) -> Result<()> {
        let intent = self.take_over.fence(writer, incarnation);
        let fenced = dataset.append(intent).await;
        fenced.map_err(|refusal| recovery::beaten(refusal, writer.as_str()))?;
        self.fenced.push((dataset.id(), writer.clone()));
        fault::reach("recover.output.fenced").map_err(injected)
    }
}

/// A refusal that says which output it is about.
fn of(refusal: Error, output: &str) -> Error {
    match refusal.detail() {
        Some(detail) => {
            let detail = format!("{detail} (dataset {output})");
            refusal.with_detail(detail)
        }
        None => refusal.with_detail(format!("dataset {output}")),
    }
}

async fn fence_job(log: &dyn Log, writer: &WriterName, incarnation: &str) -> Result<TakeOver> {
    for _ in 0..TAKE_OVER_ATTEMPTS_MAX {
        let view = log.refresh().await?;
        let next = TakeOver::next(view.writer(writer));
        match log.append(next.fence(writer, incarnation)).await {
            Ok(_) => return Ok(next),
            // Another incarnation fenced, or completed a checkpoint, since the log was read.
            Err(refusal) if refusal.kind() == Kind::Conflict => continue,
            Err(refusal) => return Err(refusal),
        }
    }
    Err(
        Error::new(Kind::Conflict, "FS0616", "the job could not be taken over")
            .with_detail(format!(
                "other incarnations won {TAKE_OVER_ATTEMPTS_MAX} times in a row"
            ))
            .with_hint("find out who else runs this job: `flinkspark job list`"),
    )
}

/// The latest checkpoint's commit. After the fence no other can appear.
async fn latest(log: &dyn Log, writer: &WriterName, n: u64) -> Result<Option<Commit>> {
    if n == 0 {
        return Ok(None);
    }
    let view = log.refresh().await?;
    let committed = view.writer(writer).and_then(|state| state.commits.get(&n));
    let slot = committed
        .map(|committed| committed.slot)
        .ok_or_else(|| damaged(format!("checkpoint {n} is not in the job's log")))?;
    match log.slot(slot).await?.body {
        Slot::Epoch(commit) => Ok(Some(commit)),
        other => Err(damaged(format!(
            "slot {slot} holds a {}, not a checkpoint",
            other.kind()
        ))),
    }
}

pub(crate) fn output_of(outputs: &[Output], id: LogId) -> Result<&Output> {
    outputs
        .iter()
        .find(|output| output.dataset.id() == id)
        .ok_or_else(|| {
            damaged(format!(
                "an epoch is pending for dataset {id}, which is no output of the job"
            ))
        })
}
