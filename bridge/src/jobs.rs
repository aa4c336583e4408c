//! Durable jobs: submitted once, resumed at every start, ended exactly once.
//!
//! Owns the records of jobs and their incarnations; the engines do the work, the job's own log
//! says how far it came. Invariant: what a client was told was accepted is run to its end, by
//! this server or by the next one on the same data directory.

mod compare;
mod compile;
mod manager;
mod record;
mod records;
mod run;
mod verify;

pub use compare::Difference;
pub(crate) use compile::output_schema;
pub use compile::{Compiled, Compiler};
pub use manager::{Manager, Snapshot, State};
pub use record::{Counts, End, JobId, JobRecord, Options, Outcome, Pinned, Submission, Target};
pub use records::Records;
pub use run::{Engines, Progress};
pub(crate) use verify::clear_scratch;
pub use verify::{Answer, Verified};
