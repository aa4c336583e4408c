//! The judgement of one run.
//!
//! Invariant: a run that answers where Flink failed, or fails where Flink answered, is wrong.

use super::answer::Answer;
use crate::plan::Job;
use crate::plan::rel::{Node, Rel};
use flinkspark_model::{Error, Kind, Result};

/// What a probe shows.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Flink's answer, or Flink's failure.
    Right,
    /// Refused by name before anything ran.
    Refused(Error),
    /// Something else; the text says what.
    Wrong(String),
}

impl Verdict {
    /// Whether this is [`Verdict::Right`].
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Right)
    }

    /// Whether this is [`Verdict::Refused`].
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether this is [`Verdict::Wrong`].
    pub fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong(_))
    }
}

/// Judges a run by Flink's recorded answer.
pub fn judge(job: &Job, run: Result<Answer>, recorded: &str) -> Verdict {
    match run {
        Err(error) if error.kind() == Kind::Internal => {
            Verdict::Wrong(format!("failed by a bug: {error}"))
        }
        Err(_) if recorded.starts_with("ERR") => Verdict::Right,
        Err(error) => Verdict::Wrong(format!(
            "failed while running: {error}\n  flink: {recorded}"
        )),
        Ok(answer) if recorded.starts_with("ERR") => Verdict::Wrong(format!(
            "answered {} {}\n  flink: {recorded}",
            answer.columns,
            answer.rows.join(" ; ")
        )),
        Ok(answer) => compare(job, &answer, &Answer::parse(recorded)),
    }
}

fn compare(job: &Job, ours: &Answer, flinks: &Answer) -> Verdict {
    if ours.columns != flinks.columns {
        return Verdict::Wrong(format!(
            "columns {}\n  flink: {}",
            ours.columns, flinks.columns
        ));
    }
    let sorted = |rows: &[String]| {
        let mut rows = rows.to_vec();
        rows.sort();
        rows
    };
    if sorted(&ours.rows) != sorted(&flinks.rows) {
        return Verdict::Wrong(format!(
            "rows {}\n  flink: {}",
            ours.rows.join(" ; "),
            flinks.rows.join(" ; ")
        ));
    }
    if let Some(keys) = order_keys(&job.root)
        && !same_order(&keys, ours, flinks)
    {
        return Verdict::Wrong(format!(
            "order {}\n  flink: {}",
            ours.rows.join(" ; "),
            flinks.rows.join(" ; ")
        ));
    }
    Verdict::Right
}

/// The columns of an outer ORDER BY, none where there is no order.
fn order_keys(root: &Rel) -> Option<Vec<usize>> {
    match &root.node {
        Node::Sort(_, keys) => Some(keys.iter().map(|key| key.column).collect()),
        Node::Limit { input, .. } | Node::Project(input, _) => order_keys(input),
        _ => None,
    }
}

/// Whether the rows, which are the same, come in the same order; rows of equal keys may change places.
fn same_order(keys: &[usize], ours: &Answer, flinks: &Answer) -> bool {
    let key = |cells: &Vec<String>| -> Option<Vec<String>> {
        keys.iter()
            .map(|column| cells.get(*column).cloned())
            .collect()
    };
    let our_keys: Option<Vec<Vec<String>>> = ours.cells.iter().map(key).collect();
    let Some(our_keys) = our_keys else {
        return ours.rows == flinks.rows;
    };
    // Equal texts are equal rows, so a recorded row has the keys of ours with its text.
    let key_of = |row: &String| {
        ours.rows
            .iter()
            .position(|other| other == row)
            .and_then(|index| our_keys.get(index))
    };
    flinks.rows.iter().map(key_of).eq(our_keys.iter().map(Some))
}
