//! The typed plan of a job: what every front produces and every target lowers.
//!
//! Owns relational nodes, their text and their order; types, values and expressions are those of
//! [`crate::semantics`], which knows no relation. Never does I/O. Invariant: every
//! expression and column has a Flink type, and nothing in a plan needs to be resolved again.

pub mod column;
pub mod display;
pub mod identity;
pub mod order;
pub mod rel;
mod sink;
pub mod window;

use flinkspark_model::name::DatasetName;
use std::collections::BTreeSet;

pub use rel::{Column, Rel};
pub use sink::Misfit;

/// The engine and mode whose answers a job keeps on every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Home {
    /// Flink SQL over unbounded input.
    #[default]
    FlinkStreaming,
    /// Flink SQL in batch mode.
    FlinkBatch,
}

impl Home {
    /// The home's name, as in `flink/batch`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FlinkStreaming => "flink/streaming",
            Self::FlinkBatch => "flink/batch",
        }
    }
}

/// A bound statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Whose answers count.
    pub home: Home,
    /// Where the rows go; none for a bare query.
    pub sink: Option<DatasetName>,
    /// Whether its rows take the place of those that are there.
    pub overwrites: bool,
    /// The columns that the statement lists after it; none where it lists none.
    pub sink_columns: Vec<String>,
    /// What is computed.
    pub root: Rel,
    /// The result's names and types.
    pub columns: Vec<Column>,
    /// The ledger entries that the binder relied on, for `job explain`.
    pub relied_on: BTreeSet<&'static str>,
}
