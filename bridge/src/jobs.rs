//! Durable jobs: submitted once, resumed at every start, ended exactly once.
//!
//! Owns the records of jobs and their incarnations; the engines do the work, the job's own log
//! says how far it came. Invariant: what a client was told was accepted is run to its end, by
//! this server or by the next one on the same data directory.

mod admit;
mod bind;
mod build;
mod compare;
mod end;
mod engines;
mod outputs;
mod pace;
mod query;
mod record;
mod records;
mod run;
mod snapshot;
mod supervisor;
mod tolerance;
mod turns;
mod verify;

pub use bind::Planner;
pub(crate) use bind::output_schema;
pub use build::Explained;
pub use compare::Difference;
pub use end::{Counts, End, Failure, Outcome};
pub use engines::Engines;
pub use query::Questions;
pub use record::{JobId, JobRecord, Options, Submission, Target};
pub use records::{DamagedJob, Event, Found, Happened, Life, Records};
pub use run::Progress;
pub use snapshot::{Retry, Snapshot, State};
pub use supervisor::Supervisor;
pub(crate) use turns::Turns;
pub(crate) use verify::clear_scratch;
pub use verify::{Answer, Verified};
