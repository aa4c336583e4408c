//! Epochs at their times, whoever takes them: an open loop.
//!
//! Owns when an epoch is due, staged and committed; knows nothing of servers or disks. Several epochs are staged at
//! once, as an engine's subtasks do, and one party commits them in order: every epoch by itself while it keeps up, and
//! all that wait in one set where it does not. Invariant: an epoch's time runs from when it was due, so that no
//! lateness is hidden.

use crate::{Failure, Step};
use futures::stream::{self, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Epochs that are staged at once.
const STAGED_AT_ONCE: usize = 8;
/// Epochs that wait to be committed: more than any run has.
const WAITING_MAX: usize = 1 << 16;
/// From the start of a run to its first epoch.
const LEAD: Duration = Duration::from_millis(50);

/// Who takes epochs.
pub(super) trait Way: Sized + Send + Sync + 'static {
    /// What staging an epoch gives, for its commit.
    type Staged: Send + 'static;

    /// Makes an epoch durable; nothing of it is visible yet.
    fn stage(self: &Arc<Self>, epoch: u64) -> impl Future<Output = Step<Self::Staged>> + Send;

    /// Makes these epochs visible, at once.
    fn commit(
        self: &Arc<Self>,
        epochs: Vec<(u64, Self::Staged)>,
    ) -> impl Future<Output = Step> + Send;
}

/// When epochs were due and begun.
pub(super) struct Paced {
    /// By epoch, from the first of the run.
    pub(super) due: Vec<Instant>,
    /// When the first byte of each was given out.
    pub(super) begun: Vec<Instant>,
    /// In how many sets they were committed.
    pub(super) commits: u64,
    /// When the last set was.
    pub(super) ended: Instant,
}

/// Runs `count` epochs from `first` on, so many a second.
pub(super) async fn run<W: Way>(way: &Arc<W>, first: u64, count: u64, rate: f64) -> Step<Paced> {
    let start = Instant::now() + LEAD;
    let due: Vec<Instant> = (0..count)
        .map(|number| start + Duration::from_secs_f64(number as f64 / rate))
        .collect();
    let (staged, mut waiting) = mpsc::channel(WAITING_MAX);
    let staging = tokio::spawn(stage_all(Arc::clone(way), first, due.clone(), staged));
    let mut commits = 0;
    while let Some(next) = waiting.recv().await {
        let mut set = vec![next];
        while let Ok(more) = waiting.try_recv() {
            set.push(more);
        }
        way.commit(set).await?;
        commits += 1;
    }
    Ok(Paced {
        begun: staging.await??,
        due,
        commits,
        ended: Instant::now(),
    })
}

/// Stages each epoch when it is due, and hands them on in order; when each was begun.
async fn stage_all<W: Way>(
    way: Arc<W>,
    first: u64,
    due: Vec<Instant>,
    staged: mpsc::Sender<(u64, W::Staged)>,
) -> Step<Vec<Instant>> {
    let mut begun = Vec::with_capacity(due.len());
    let at_their_times =
        stream::iter(due.into_iter().zip(first..)).then(|(due, epoch)| async move {
            tokio::time::sleep_until(due).await;
            epoch
        });
    let stage = |epoch| {
        let way = Arc::clone(&way);
        let task = tokio::spawn(async move {
            let since = Instant::now();
            way.stage(epoch).await.map(|staged| (epoch, since, staged))
        });
        async move { task.await? }
    };
    let mut sets = std::pin::pin!(at_their_times.map(stage).buffered(STAGED_AT_ONCE));
    while let Some(set) = sets.next().await {
        let (epoch, since, receipts) = set?;
        begun.push(since);
        let gone = |_| Failure::from("the committing party has ended");
        staged.send((epoch, receipts)).await.map_err(gone)?;
    }
    Ok(begun)
}
