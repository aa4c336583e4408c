//! What a batch run may hold in memory, and where it puts what it may not.
//!
//! Every sort, aggregate and join of a run asks here first: a fair part of the run's own limit, and
//! room in the process's budget. Invariant: what an operator was granted is reserved in the budget
//! until it gives it back; who is refused spills below the data directory, or fails by name.

use datafusion::common::DataFusionError;
use datafusion::error::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryLimit, MemoryPool, MemoryReservation,
};
use flinkspark_model::Kind;
use flinkspark_model::budget::{Budget, Reservation, Share};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most that one run may have in spilled files, in bytes.
const SPILLED_BYTES_MAX: u64 = 64 << 30;

/// How the text of a refusal ends that others are the reason of: operators hand on no more than a text.
pub(super) const OTHERS_HOLD: &str = ", of which others hold the rest";

/// What batch runs work with.
#[derive(Clone)]
pub struct Memory {
    /// The part of the process's budget that they share.
    pub share: Share,
    /// The folder for spilled files; without one, a run that does not fit fails.
    pub spill_dir: Option<PathBuf>,
}

impl Memory {
    /// So many bytes, without a process around them and without a folder: for tools and tests.
    pub fn alone(bytes_max: u64) -> Self {
        Self {
            share: Budget::new(bytes_max).share("batch", bytes_max),
            spill_dir: None,
        }
    }

    /// The pool of one run.
    pub(super) fn pool(&self) -> Pool {
        let limit = self.share.limit();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Pool {
            fair: FairSpillPool::new(limit),
            limit,
            held: Mutex::new(self.share.empty()),
        }
    }

    /// Where one run spills.
    pub(super) fn disk(&self) -> DiskManagerBuilder {
        let mode = match &self.spill_dir {
            Some(dir) => {
                // Where it cannot be made, the run says so when it makes its own folder in it.
                let _ = std::fs::create_dir_all(dir);
                DiskManagerMode::Directories(vec![dir.clone()])
            }
            None => DiskManagerMode::Disabled,
        };
        DiskManagerBuilder::default()
            .with_mode(mode)
            .with_max_temp_directory_size(SPILLED_BYTES_MAX)
    }
}

/// A run's memory: fair among its operators, and within the process's budget.
pub(super) struct Pool {
    fair: FairSpillPool,
    limit: usize,
    held: Mutex<Reservation>,
}

impl Pool {
    fn held(&self) -> MutexGuard<'_, Reservation> {
        // A count, whole after each call: a panic elsewhere cannot have torn it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "flinkspark"
    }

    fn register(&self, consumer: &datafusion::execution::memory_pool::MemoryConsumer) {
        self.fair.register(consumer);
    }

    fn unregister(&self, consumer: &datafusion::execution::memory_pool::MemoryConsumer) {
        self.fair.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.fair.grow(reservation, additional);
        self.held().grow(additional as u64);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.fair.shrink(reservation, shrink);
        self.held().shrink(shrink as u64);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.fair.try_grow(reservation, additional)?;
        let granted = self.held().try_grow(additional as u64);
        granted.map_err(|refused| {
            self.fair.shrink(reservation, additional);
            let why = refused.detail().unwrap_or_else(|| refused.message());
            let others = match refused.kind() {
                Kind::Unavailable => OTHERS_HOLD,
                _ => "",
            };
            let name = reservation.consumer().name();
            DataFusionError::ResourcesExhausted(format!("{name}: {why}{others}"))
        })
    }

    fn reserved(&self) -> usize {
        self.fair.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("fair", &self.fair)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.fair.reserved(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::unwrap;
    use super::*;
    use datafusion::execution::memory_pool::MemoryConsumer;
    use std::sync::Arc;

    #[test]
    fn two_runs_share_one_budget() {
        let budget = Budget::new(1000);
        let memory = Memory {
            share: budget.share("batch", 800),
            spill_dir: None,
        };
        let pools: [Arc<dyn MemoryPool>; 2] = [Arc::new(memory.pool()), Arc::new(memory.pool())];
        let [a, b] = pools.map(|pool| MemoryConsumer::new("join").register(&pool));
        a.try_grow(500).unwrap();
        let refused = b.try_grow(400).unwrap_err();
        assert!(matches!(refused, DataFusionError::ResourcesExhausted(_)));
        // Alone it may be enough; what is more than a run's own limit never is.
        assert_eq!(unwrap(&refused).kind(), Kind::Unavailable);
        assert_eq!(unwrap(&refused).code(), "FS0030");
        let refused = b.try_grow(801).unwrap_err();
        assert_eq!(unwrap(&refused).kind(), Kind::Invalid);
        assert_eq!(unwrap(&refused).code(), "FS0701");
        b.try_grow(300).unwrap();
        assert_eq!(budget.used(), 800);
        a.free();
        assert_eq!(budget.used(), 300);
        drop(b);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_run_spills_below_its_folder_and_nowhere_else() {
        use super::super::{Options, collect, session};
        let dir = std::env::temp_dir().join(format!("flinkspark-spill-{}", std::process::id()));
        let run = |spill_dir| async move {
            let options = Options {
                parallelism: 1,
                memory: Memory {
                    share: Budget::new(24 << 20).share("batch", 24 << 20),
                    spill_dir,
                },
                ..Options::default()
            };
            let session = session(&options)?;
            let sorted = "SELECT value * 7919 % 1000003 AS n FROM range(2000000) ORDER BY n";
            let plan = session.sql(sorted).await.unwrap();
            let rows = collect(&session, plan.logical_plan()).await?;
            let disk = &session.runtime_env().disk_manager;
            let paths = disk.temp_dir_paths();
            let rows: usize = rows.iter().map(|batch| batch.num_rows()).sum();
            Ok::<_, flinkspark_model::Error>((rows, paths, disk.max_temp_directory_size()))
        };
        let below = dir.join("spill");
        let (rows, paths, limit) = run(Some(below.clone())).await.unwrap();
        assert_eq!((rows, limit), (2_000_000, SPILLED_BYTES_MAX));
        assert!(!paths.is_empty() && paths.iter().all(|path| path.starts_with(&below)));
        assert!(run(None).await.is_err(), "it fits without a folder");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_refused_operator_holds_nothing_of_its_run() {
        let budget = Budget::new(1000);
        let share = budget.share("batch", 1000);
        let _others = budget.share("puts", 1000).try_reserve(900).unwrap();
        let memory = Memory {
            share,
            spill_dir: None,
        };
        let pool: Arc<dyn MemoryPool> = Arc::new(memory.pool());
        let sort = MemoryConsumer::new("sort")
            .with_can_spill(true)
            .register(&pool);
        assert!(sort.try_grow(200).is_err());
        assert_eq!((pool.reserved(), budget.used()), (0, 900));
    }
}
