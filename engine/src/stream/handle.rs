//! What others can see of a running job, and ask of it.
//!
//! Invariant: a status is a reading, never a promise: what is committed is in the logs.

use super::counts::{Counts, Totals};
use super::message::{NO_WATERMARK, Watermark};
use flinkspark_model::log::Generation;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// It was built and not started.
    #[default]
    Created,
    /// It takes over what an earlier incarnation left.
    Recovering,
    /// It reads.
    Running,
    /// It takes its last checkpoint.
    Stopping,
    /// It has read everything, and everything is committed.
    Finished,
    /// It stopped at a checkpoint and can be started again.
    Suspended,
    /// It stopped with an error and can be started again.
    Failed,
}

/// A reading of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// What it has counted since its first start.
    pub totals: Totals,
    /// The least watermark of the sink's subtasks, in milliseconds since the epoch.
    pub watermark_ms: Option<i64>,
    /// The last completed checkpoint; 0 for none.
    pub checkpoint: u64,
    /// The checkpoint that this incarnation went on from; 0 for none.
    pub restored: u64,
    /// When it was completed, in milliseconds since the epoch.
    pub checkpoint_at_ms: Option<u64>,
    /// Which incarnation of the run this is, from 1.
    pub generation: Generation,
}

/// How a job is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Stop {
    #[default]
    No,
    Suspend,
    Drain,
}

/// A handle of a job; clones refer to the same one.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) meters: Arc<Meters>,
    pub(crate) stop: Arc<watch::Sender<Stop>>,
}

impl Handle {
    pub(crate) fn new() -> Self {
        Self {
            meters: Arc::default(),
            stop: Arc::new(watch::Sender::new(Stop::No)),
        }
    }

    /// How the job stands.
    pub fn status(&self) -> Status {
        self.meters.status()
    }

    /// Takes a checkpoint and stops, without firing what is open: the next start goes on.
    pub fn suspend(&self) {
        self.stop.send_if_modified(|stop| {
            let first = *stop == Stop::No;
            if first {
                *stop = Stop::Suspend;
            }
            first
        });
    }

    /// Ends the input here: everything that is open fires, and the job is finished for good.
    pub fn drain(&self) {
        self.stop
            .send_if_modified(|stop| std::mem::replace(stop, Stop::Drain) != Stop::Drain);
    }
}

/// Live counters of a job.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    read: AtomicU64,
    late: AtomicU64,
    fired: AtomicU64,
    written: AtomicU64,
    watermarks: Mutex<Arc<[AtomicI64]>>,
    rest: Mutex<Status>,
}

impl Meters {
    pub(crate) fn add_read(&self, rows: u64) {
        self.read.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn add_written(&self, rows: u64) {
        self.written.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn add_counts(&self, counts: Counts) {
        self.late.fetch_add(counts.late, Ordering::Relaxed);
        self.fired.fetch_add(counts.fired, Ordering::Relaxed);
    }

    /// Counting goes on from these totals, with this many sink subtasks.
    pub(crate) fn start(&self, totals: Totals, sinks: usize) {
        self.read.store(totals.rows_read, Ordering::Relaxed);
        self.late.store(totals.rows_late, Ordering::Relaxed);
        self.fired.store(totals.windows_fired, Ordering::Relaxed);
        self.written.store(totals.rows_written, Ordering::Relaxed);
        let fresh = (0..sinks).map(|_| AtomicI64::new(NO_WATERMARK)).collect();
        *self
            .watermarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    pub(crate) fn watermark(&self, sink: usize, watermark: Watermark) {
        let watermarks = self
            .watermarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = watermarks.get(sink) {
            slot.store(watermark, Ordering::Relaxed);
        }
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.rest.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn status(&self) -> Status {
        let rest = *self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let watermarks = self
            .watermarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let least = watermarks
            .iter()
            .map(|slot| slot.load(Ordering::Relaxed))
            .min();
        Status {
            totals: Totals {
                rows_read: self.read.load(Ordering::Relaxed),
                rows_late: self.late.load(Ordering::Relaxed),
                windows_fired: self.fired.load(Ordering::Relaxed),
                rows_written: self.written.load(Ordering::Relaxed),
            },
            watermark_ms: least.filter(|watermark| *watermark != NO_WATERMARK),
            ..rest
        }
    }
}
