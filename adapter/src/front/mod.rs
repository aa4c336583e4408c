//! Fronts: what turns a statement into a plan.
//!
//! Invariant: a front resolves every name and type; a plan that it returns is complete.

pub mod flink;
