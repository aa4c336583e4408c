//! Probes: statements with Flink's recorded answers, run and judged.
//!
//! Owns the suite's rules. Right: the same names and types (nullability aside), the same multiset of rows,
//! the same order under an outer ORDER BY; where Flink failed, a failure while running. Refused: refused
//! by name before anything ran. Wrong: anything else. Never reads a file. Invariant: a probe is judged by
//! Flink's recorded answer only; nothing in this crate knows a probe.

mod answer;
mod judge;
mod values;

#[cfg(test)]
mod conditions;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

pub use answer::{Answer, render};
pub use judge::{Verdict, judge};
pub use values::{Materialised, materialise};

use crate::front::flink::{self, NoTables};
use crate::plan::{Home, Job};
use crate::target::batch;
use arrow_array::RecordBatch;
use flinkspark_model::{Error, Kind, Result};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;

/// The most probes of one file.
pub const PROBES_MAX: usize = 100_000;

/// The table's last topic: the sum of all others.
const ALL: &str = "~ all";

/// One line of a probe file; other keys are ignored.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Probe {
    /// The id; the part before the first `_` is its topic.
    pub id: String,
    /// The statement, in Flink's dialect.
    pub flink_sql: String,
    /// Flink's answer in batch mode: `[columns] ; +I[row] ; ...`, or a text that begins with `ERR`.
    pub flink: String,
    /// Flink's answer in streaming mode, its changes folded, where it was taken.
    #[serde(default)]
    pub flink_stream: Option<String>,
}

impl Probe {
    /// The id's part before the first `_`.
    pub fn topic(&self) -> &str {
        self.id.split('_').next().unwrap_or(&self.id)
    }
}

/// A target that can run a bound job.
pub trait Target {
    /// The target's name in the table.
    fn name(&self) -> &'static str;
    /// Checks that the target takes the job, without running it; a refusal is an error.
    fn check(&self, job: &Job) -> Result<()>;
    /// Runs the job over no datasets.
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Vec<RecordBatch>>>;
}

/// The bundled batch engine, without a dataset to write to.
#[derive(Debug, Clone, Copy)]
pub struct Batch;

impl Target for Batch {
    fn name(&self) -> &'static str {
        "batch"
    }

    fn check(&self, _job: &Job) -> Result<()> {
        Ok(())
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Vec<RecordBatch>>> {
        Box::pin(async move { batch::collect(job, &batch::Providers::default()).await })
    }
}

/// What became of one probe on one target.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The probe's id.
    pub id: String,
    /// The probe's topic.
    pub topic: String,
    /// The target's name.
    pub target: &'static str,
    /// The judgement.
    pub verdict: Verdict,
}

/// What became of a file of probes; it prints as a table and a last line.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The number of probes in the file.
    pub probes: usize,
    /// One outcome for each probe and target, in file order.
    pub outcomes: Vec<Outcome>,
}

impl Summary {
    /// Right and refused on `target`, and wrong on any target.
    pub fn counts(&self, target: &str) -> (usize, usize, usize) {
        let on = |wanted: fn(&Verdict) -> bool| {
            self.outcomes
                .iter()
                .filter(|outcome| outcome.target == target && wanted(&outcome.verdict))
                .count()
        };
        let wrong = self
            .outcomes
            .iter()
            .filter(|outcome| outcome.verdict.is_wrong())
            .count();
        (on(Verdict::is_right), on(Verdict::is_refused), wrong)
    }

    /// The outcomes that are wrong, in file order.
    pub fn wrong(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes
            .iter()
            .filter(|outcome| outcome.verdict.is_wrong())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: BTreeMap<(&str, &str), [usize; 3]> = BTreeMap::new();
        for outcome in &self.outcomes {
            let verdict = match outcome.verdict {
                Verdict::Right => 0,
                Verdict::Refused(_) => 1,
                Verdict::Wrong(_) => 2,
            };
            for topic in [outcome.topic.as_str(), ALL] {
                rows.entry((topic, outcome.target)).or_default()[verdict] += 1;
            }
        }
        writeln!(
            f,
            "{:<14} {:<8} {:>6} {:>8} {:>6}",
            "topic", "target", "right", "refused", "wrong"
        )?;
        for ((topic, target), [right, refused, wrong]) in rows {
            writeln!(
                f,
                "{topic:<14} {target:<8} {right:>6} {refused:>8} {wrong:>6}"
            )?;
        }
        let (right, refused, wrong) = self.counts("batch");
        write!(
            f,
            "probes: {} run, right {right}, refused {refused}, wrong {wrong}",
            self.probes
        )
    }
}

/// Parses a file of JSON lines; `FS0808` names the line that is wrong.
pub fn parse_file(contents: &str) -> Result<Vec<Probe>> {
    let mut probes = Vec::new();
    for (index, line) in contents
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let wrong = |detail: String| {
            Error::new(
                Kind::Invalid,
                "FS0808",
                format!("line {} is no probe", index + 1),
            )
            .with_detail(detail)
            .with_hint("a probe is a JSON object with id, flink_sql and flink")
        };
        if probes.len() == PROBES_MAX {
            return Err(wrong(format!("a file holds at most {PROBES_MAX} probes")));
        }
        probes.push(serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(probes)
}

/// Runs every probe of a file's contents on every target.
pub async fn run_file(contents: &str, targets: &[&dyn Target]) -> Result<Summary> {
    let probes = parse_file(contents)?;
    let mut summary = Summary {
        probes: probes.len(),
        outcomes: Vec::with_capacity(probes.len() * targets.len()),
    };
    for probe in &probes {
        for target in targets {
            let verdict = run_probe(probe, *target).await;
            summary.outcomes.push(Outcome {
                id: probe.id.clone(),
                topic: probe.topic().to_owned(),
                target: target.name(),
                verdict,
            });
        }
    }
    Ok(summary)
}

/// Runs one probe on one target in each mode that Flink was asked in; a wrong answer in one mode is the
/// verdict, and otherwise that of batch mode.
///
/// What Flink's streaming mode does not run has no answer that a target could keep.
pub async fn run_probe(probe: &Probe, target: &dyn Target) -> Verdict {
    let in_batch = run_at(Home::FlinkBatch, &probe.flink_sql, &probe.flink, target).await;
    let streamed = probe.flink_stream.as_ref();
    match streamed.filter(|answer| !answer.starts_with("ERR") && !in_batch.is_wrong()) {
        None => in_batch,
        Some(answer) => {
            let home = Home::FlinkStreaming;
            match run_at(home, &probe.flink_sql, answer, target).await {
                wrong @ Verdict::Wrong(_) => wrong,
                // A target that runs it in this mode only keeps that answer.
                Verdict::Right if in_batch.is_refused() => Verdict::Right,
                _ => in_batch,
            }
        }
    }
}

async fn run_at(home: Home, sql: &str, recorded: &str, target: &dyn Target) -> Verdict {
    let bound = bind(sql, home).and_then(|job| target.check(&job).map(|()| job));
    let job = match bound {
        Ok(job) => job,
        Err(refusal) => return Verdict::Refused(refusal),
    };
    let rows = match target.run(&job).await {
        Ok(batches) => render(&job, &batches),
        Err(error) => Err(error),
    };
    judge(&job, rows, recorded)
}

fn bind(sql: &str, home: Home) -> Result<Job> {
    let statement = flink::parse(sql)?;
    flink::bind(&statement, &NoTables).map(|job| Job { home, ..job })
}
