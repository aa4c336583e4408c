//! The batch engine: RDD-like handles over committed slots, SQL over their partitions.
//!
//! Owns partitions, tasks with attempts, the cache and the commit of a run's output as one epoch.
//! It never re-runs a stream: a committed epoch is a lineage root, and losing a partition re-reads
//! its segments. Invariant: a partition over slots `[a, b]` is a pure function of those slots, so
//! a recomputed partition has the digest of the one that was lost.

mod answer;
mod cache;
mod cooperate;
mod error;
mod explain;
mod late;
mod memory;
mod origin;
mod rdd;
mod run;
mod session;
mod sliced;
mod table;

pub use answer::answer;
pub use cache::{Cache, Event, Why};
pub use explain::explain;
pub use late::RowsLate;
pub use memory::Memory;
pub use origin::{EventTime, OriginTable};
pub use rdd::{Dependency, Rdd};
pub use run::{Outcome, Run, give_up, outcome};
pub use session::{Options, collect, session};
pub use table::RddTable;
