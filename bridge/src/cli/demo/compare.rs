//! Compares two datasets row by row, as multisets.

use super::super::rows::first;
use crate::client::Client;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::fmt;

/// The most doubled or lost rows that are shown.
const SHOWN_MAX: usize = 3;

/// What the second dataset has too little or too much of.
#[derive(Debug, Default)]
pub(super) struct Difference {
    lost: u64,
    doubled: u64,
    shown: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        (self.lost, self.doubled) == (0, 0)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lost {}, doubled {}", self.lost, self.doubled)?;
        self.shown
            .iter()
            .try_for_each(|row| write!(f, "\n    {row}"))
    }
}

/// How `other` differs from `whole`.
pub(super) async fn datasets(client: &Client, whole: &str, other: &str) -> Result<Difference> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for (dataset, step) in [(whole, -1), (other, 1)] {
        for batch in first(client, dataset, usize::MAX).await? {
            let options = FormatOptions::new();
            let columns = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
            let columns: Vec<_> =
                columns
                    .collect::<std::result::Result<_, _>>()
                    .map_err(|cause| {
                        Error::new(Kind::Internal, "FS0008", "a row could not be printed")
                            .with_source(cause)
                    })?;
            for row in 0..batch.num_rows() {
                let text: Vec<String> = columns
                    .iter()
                    .map(|column| column.value(row).to_string())
                    .collect();
                *counts.entry(text.join(" | ")).or_default() += step;
            }
        }
    }
    let mut difference = Difference::default();
    for (row, count) in counts.into_iter().filter(|(_, count)| *count != 0) {
        let what = if count < 0 { "lost" } else { "doubled" };
        if count < 0 {
            difference.lost += count.unsigned_abs();
        } else {
            difference.doubled += count.unsigned_abs();
        }
        if difference.shown.len() < SHOWN_MAX {
            difference.shown.push(format!("{what}: {row}"));
        }
    }
    Ok(difference)
}
