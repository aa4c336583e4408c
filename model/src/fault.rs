//! Fail points and planted defects, all named here, all absent from ordinary builds.
//!
//! A fail point names one step of the protocol. Without the feature `faults` [`reach`] and
//! [`planted`] are constants. With it, the process installs one hook that decides what a reached
//! point does: go on, fail, or never return because the process was killed.
//! Invariant: every name in [`POINTS`] is reached by a test, which `cargo xtask tidy` checks.

/// Every fail point, by protocol step.
pub const POINTS: &[&str] = &[
    "log.create.staged",
    "log.create.synced",
    "log.create.linked",
    "log.create.done",
    "segment.write",
    "segment.seal.synced",
    "segment.seal.linked",
    "segment.seal.done",
    "catalog.open.start",
    "catalog.open.replayed",
    "catalog.append.written",
    "catalog.append.synced",
    "catalog.index.applied",
    "job.submit.journalled",
    "job.submit.replied",
    "checkpoint.barrier",
    "checkpoint.state.written",
    "checkpoint.manifest.before",
    "checkpoint.manifest.done",
    "checkpoint.commit.before",
    "checkpoint.commit.done",
    "recover.job.fenced",
    "recover.output.fenced",
    "recover.pending.committed",
];

/// Defects that can be planted to prove that a test would catch them.
pub const DEFECTS: &[&str] = &[
    "log-keyed-by-n",
    "manifest-outside-fenced-log",
    "no-fence-check",
    "abort-without-slot",
    "garbage-forgets-pending",
    "garbage-forgets-receipts",
    "in-doubt-is-done",
    "xor-digest",
    "doubled-commit",
    "open-whatever-was-read",
    "replay-by-number-alone",
    "set-completed-by-counting",
    "abort-slot-of-a-checkpoint",
    "fence-without-incarnation",
];

/// A failure that a hook asked for at a fail point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("injected at fail point {point}")]
pub struct Injected {
    /// The fail point's name.
    pub point: &'static str,
}

#[cfg(feature = "faults")]
mod active {
    use super::{DEFECTS, Injected, POINTS};
    use std::sync::RwLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Decides what a reached point does; it may never return.
    pub type Hook = Box<dyn Fn(&'static str) -> Result<(), Injected> + Send + Sync>;

    static HOOK: RwLock<Option<Hook>> = RwLock::new(None);
    static PLANTED: AtomicU64 = AtomicU64::new(0);

    /// Installs the process's hook, replacing the last one.
    pub fn install(hook: Option<Hook>) {
        *HOOK
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = hook;
    }

    /// Reaches a fail point.
    pub fn reach(point: &'static str) -> Result<(), Injected> {
        debug_assert!(POINTS.contains(&point), "{point} is not registered");
        match &*HOOK
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            Some(hook) => hook(point),
            None => Ok(()),
        }
    }

    fn bit(defect: &str) -> u64 {
        DEFECTS
            .iter()
            .position(|name| *name == defect)
            .map_or(0, |index| 1 << index)
    }

    /// Plants exactly these defects; false where a name is not registered.
    pub fn plant(defects: &[&str]) -> bool {
        PLANTED.store(
            defects.iter().map(|defect| bit(defect)).sum(),
            Ordering::SeqCst,
        );
        defects.iter().all(|defect| DEFECTS.contains(defect))
    }

    /// Whether a defect is planted.
    pub fn planted(defect: &str) -> bool {
        PLANTED.load(Ordering::Relaxed) & bit(defect) != 0
    }
}

#[cfg(feature = "faults")]
pub use active::{Hook, install, plant, planted, reach};

/// Reaches a fail point: nothing happens in this build.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn reach(_point: &'static str) -> Result<(), Injected> {
    Ok(())
}

/// Whether a defect is planted: never in this build.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn planted(_defect: &str) -> bool {
    false
}
