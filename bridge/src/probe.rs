//! Runs a file of probes on every target and adds the verdicts up.
//!
//! The adapter judges; this only wires the targets and prints. Invariant: the last line is the
//! sum: `probes: 300 run, right R, refused F, wrong W`.

mod stream;

use crate::workers::no_threads;
use flinkspark_adapter::probe::{self, Batch};
use flinkspark_model::Result;
use std::fmt;

/// The verdicts over one file.
pub struct Summary {
    /// Probes with Flink's answer on `batch`.
    pub right: usize,
    /// Probes with Flink's answer on `stream`.
    pub right_on_stream: usize,
    /// Wrong answers, on any target.
    pub wrong: usize,
    text: String,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Runs every probe of the text, one JSON object a line.
pub fn run(text: &str) -> Result<Summary> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(no_threads)?;
    let summary = runtime.block_on(probe::run_file(text, &[&Batch, &stream::Stream]))?;
    let (right, _, wrong) = summary.counts("batch");
    let (right_on_stream, _, _) = summary.counts("stream");
    let wrongs = summary.wrong().map(|outcome| {
        format!(
            "wrong: {} on {}: {:?}\n",
            outcome.id, outcome.target, outcome.verdict
        )
    });
    Ok(Summary {
        right,
        right_on_stream,
        wrong,
        text: format!("{}{summary}", wrongs.collect::<String>()),
    })
}
