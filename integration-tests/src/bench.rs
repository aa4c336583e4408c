//! Benchmarks: each figure is a ratio against a peer measured in the same run, or a count.
//!
//! Invariant: what was measured was verified to be the right answer.

pub mod cold;
pub mod crowd;
pub mod formats;
pub mod get;
pub mod hourly;
pub mod joins;
pub mod lookup;
pub mod segments;
pub mod surface;
pub mod tail;

use crate::Step;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Samples of each measurement.
pub const SAMPLES: usize = 5;

/// Five times of one piece of work, sorted.
#[derive(Debug, Clone)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Runs the work five times.
    pub fn take(mut work: impl FnMut() -> Step) -> Step<Self> {
        let mut seconds = Vec::with_capacity(SAMPLES);
        for _ in 0..SAMPLES {
            let since = Instant::now();
            work()?;
            seconds.push(since.elapsed().as_secs_f64());
        }
        Ok(Self::of(seconds))
    }

    /// Of times in seconds.
    pub fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    /// The median, in seconds.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The least and the greatest, in seconds.
    pub fn spread(&self) -> (f64, f64) {
        let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        (end(self.0.first()), end(self.0.last()))
    }
}

/// The time below which this share of the samples lies.
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share) as usize;
    sorted
        .get(index.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// Writes `target/bench/NAME.json` below the working directory's target folder.
pub fn report(name: &str, fields: Value) -> Step {
    let folder = std::path::Path::new("target/bench");
    std::fs::create_dir_all(folder)?;
    let mut report = json!({ "name": name });
    if let (Value::Object(report), Value::Object(fields)) = (&mut report, fields) {
        report.extend(fields);
    }
    std::fs::write(folder.join(format!("{name}.json")), format!("{report:#}\n"))?;
    Ok(())
}
