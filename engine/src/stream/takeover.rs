//! Carries out the taking over of a job, in the one order that loses and doubles nothing.
//!
//! Fence the job's log, read the latest manifest, fence each output's log with the same
//! generation, commit what is pending. Invariant: when it returns, no older incarnation can commit
//! to any log of the job, and everything that a completed checkpoint promised is committed.

use super::checkpoint::injected;
use super::recovery::{self, Plan, Restore};
use flinkspark_model::log::{Commit, Generation, Intent, LogId, Slot, WriterName};
use flinkspark_model::port::{Dataset, Log};
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

/// Takes the job over.
pub(crate) async fn take_over(
    log: &dyn Log,
    writer: &WriterName,
    outputs: &[Output],
    incarnation: &str,
    program: &str,
) -> Result<Owned> {
    let taken = fence_job(log, writer, incarnation).await?;
    fault::reach("recover.job.fenced").map_err(injected)?;
    let latest = latest(log, writer, taken.restored).await?;
    let Plan { commits, restore } = recovery::plan(latest.as_ref(), taken.generation, program)?;
    for output in outputs {
        let intent = taken.fence(&output.writer, incarnation);
        let fenced = output.dataset.append(intent).await;
        fenced.map_err(|refusal| recovery::beaten(refusal, &output.name))?;
        fault::reach("recover.output.fenced").map_err(injected)?;
    }
    for (id, commit) in commits {
        output_of(outputs, id)?
            .dataset
            .append(Intent::Commit(commit))
            .await?;
        fault::reach("recover.pending.committed").map_err(injected)?;
    }
    Ok(Owned {
        generation: taken.generation,
        restored: taken.restored,
        restore,
    })
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
    let slot = committed.map(|committed| committed.slot).ok_or_else(|| {
        super::checkpoint::damaged(format!("checkpoint {n} is not in the job's log"))
    })?;
    match log.slot(slot).await?.body {
        Slot::Epoch(commit) => Ok(Some(commit)),
        other => Err(super::checkpoint::damaged(format!(
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
            super::checkpoint::damaged(format!(
                "an epoch is pending for dataset {id}, which is no output of the job"
            ))
        })
}
