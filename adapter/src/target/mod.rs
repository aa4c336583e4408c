//! Targets: what a plan becomes on an engine.
//!
//! Invariant: a target gives every node exactly the meaning that `semantics` states, or refuses the plan
//! before anything starts.

pub mod batch;
mod column;
mod stored;
pub mod stream;
