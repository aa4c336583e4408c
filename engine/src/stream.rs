//! The bundled streaming engine.
//!
//! A [`Program`](program::Program) is cut into chains; a [`Job`] runs them as subtasks that meet
//! over bounded channels, takes aligned checkpoints, and commits its output by epochs. It reaches
//! logs and time through `model::port` only, and is never one DataFusion physical plan.
//! Invariants: what a job answers, and which rows are late, does not depend on batch sizes, on
//! parallelism or on restarts; an epoch is committed only after the checkpoint that holds it.

mod channel;
mod checkpoint;
mod coordinator;
mod counts;
mod error;
mod exchange;
mod gate;
mod graph;
mod handle;
mod job;
mod keygroup;
pub(crate) mod message;
mod operator;
pub mod program;
mod recovery;
mod report;
mod sink;
mod source;
mod takeover;
mod task;
pub(crate) mod time;
mod valve;
mod wiring;

#[cfg(test)]
mod tests;

pub use coordinator::Ended;
pub use counts::Totals;
pub use graph::{ExecutionGraph, JobGraph, PARALLELISM_MAX};
pub use handle::{Handle, Phase, Status};
pub use job::{CHECKPOINT_INTERVAL_MIN, Job, Options, Settled};
