//! What incarnations work with.
//!
//! Invariant: every incarnation of one server has the same.

use crate::metrics::Metrics;
use flinkspark_model::budget::Share;
use flinkspark_model::port::{Catalog, Clock, Datasets, Entropy};
use std::path::PathBuf;
use std::sync::Arc;

/// What incarnations work with.
#[derive(Clone)]
pub struct Engines {
    /// Opens logs.
    pub datasets: Arc<dyn Datasets>,
    /// Is told of commits and lineage.
    pub catalog: Arc<dyn Catalog>,
    /// Says when.
    pub clock: Arc<dyn Clock>,
    /// Makes incarnations unique.
    pub entropy: Arc<dyn Entropy>,
    /// Shows how far jobs are.
    pub metrics: Arc<Metrics>,
    /// The part of the process's memory that stream jobs share.
    pub stream_memory: Share,
    /// A folder for what lives no longer than a comparison.
    pub scratch: PathBuf,
}
