//! A file's rows as a dataset's.
//!
//! Invariant: columns are found by name; every one that is filled or made wider is said, and no column of the file is
//! left out without being asked to.

use crate::fit::{Alignment, Misfit, Obstacle};
use crate::format::{BatchReader, stored_schema};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::{Error, Kind, Result};
use serde::Serialize;

/// A file's rows at the dataset's schema.
pub(super) struct Fitted {
    reader: Box<dyn BatchReader>,
    alignment: Alignment,
    rows_read: u64,
}

/// How a column of a dataset comes out of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name.
    pub column: String,
    /// Its type in the file; none where the file lacks it.
    pub from: Option<String>,
    /// Its type in the dataset; none where it becomes null.
    pub to: Option<String>,
}

impl Fitted {
    /// `FS0408` where the file's columns do not go into the dataset, which may be given by its name.
    pub(super) fn new(
        reader: Box<dyn BatchReader>,
        dataset: &str,
        schema: &SchemaRef,
    ) -> Result<Self> {
        let wanted = stored_schema(schema)?;
        let alignment = Alignment::new(&wanted, &reader.schema());
        Ok(Self {
            alignment: alignment.map_err(|obstacles| refuse(dataset, &obstacles))?,
            reader,
            rows_read: 0,
        })
    }

    /// What is not as it is in the file.
    pub(super) fn changes(&self) -> Vec<Change> {
        let widened = self.alignment.widened().map(|(column, from, to)| Change {
            column: column.into(),
            from: Some(from),
            to: Some(to),
        });
        let filled = self.alignment.filled().map(|column| Change {
            column: column.into(),
            from: None,
            to: None,
        });
        widened.chain(filled).collect()
    }

    fn fit(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.alignment.apply(batch).map_err(|misfit| {
            let Misfit { column, why } = misfit;
            let column = column.unwrap_or_default();
            let message = format!(
                "column \"{}\" does not fit the dataset",
                column.escape_debug()
            );
            Error::new(Kind::Invalid, "FS0409", message)
                .with_detail(format!(
                    "{why}: near row {} of the file",
                    self.rows_read + 1
                ))
                .with_hint("fill or drop the nulls of columns that the dataset declares NOT NULL")
        })
    }
}

impl Change {
    /// What is to be said of it.
    fn notice(&self) -> String {
        let column = self.column.escape_debug();
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => {
                format!("column \"{column}\" is {from} in the file and becomes {to}")
            }
            _ => format!("column \"{column}\" is not in the file: it is null"),
        }
    }
}

fn refuse(dataset: &str, obstacles: &[Obstacle]) -> Error {
    let texts: Vec<String> = obstacles.iter().map(text).collect();
    let surplus = obstacles
        .iter()
        .any(|obstacle| matches!(obstacle, Obstacle::Surplus(_)));
    let first = texts.first().cloned().unwrap_or_default();
    let error = Error::new(Kind::Invalid, "FS0408", first);
    let rest = texts.get(1..).unwrap_or_default();
    let detail = match rest {
        [] => format!("dataset {dataset}"),
        _ => format!("dataset {dataset}; besides: {}", rest.join("; ")),
    };
    let show = format!("`flinkspark dataset show {dataset}` prints its columns");
    error.with_detail(detail).with_hint(match surplus {
        true => format!("{show}; choose columns of the file with --columns, or rename them"),
        false => format!("{show}; cast or rename those of the file"),
    })
}

fn text(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Missing(column) => {
            format!(
                "column \"{}\" is missing, and may not be null",
                column.escape_debug()
            )
        }
        Obstacle::Surplus(column) => {
            format!("column \"{}\" is not in the dataset", column.escape_debug())
        }
        Obstacle::Type(column, wanted, came) => {
            format!(
                "column \"{}\" has another type: it is {came} in the file and {wanted} in the dataset",
                column.escape_debug()
            )
        }
    }
}

impl Iterator for Fitted {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        let fitted = batch.and_then(|batch| {
            let fitted = self.fit(&batch);
            self.rows_read += batch.num_rows() as u64;
            fitted
        });
        Some(fitted)
    }
}

impl BatchReader for Fitted {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(self.alignment.schema())
    }

    fn rows_total(&self) -> Option<u64> {
        self.reader.rows_total()
    }

    fn notices(&self) -> Vec<String> {
        let changes = self.changes();
        let changes = changes.iter().map(Change::notice);
        changes.chain(self.reader.notices()).collect()
    }
}
