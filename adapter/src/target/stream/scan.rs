//! The dataset that a program reads: which of its columns, in which types, and its event time.
//!
//! Invariant: every column that the plan reads has the plan's Arrow type; one that nothing reads is
//! not read.

use super::{Lowered, Lowering, Value, scalar, unsupported};
use crate::plan::Home;
use crate::plan::rel::{Column, Scan};
use crate::semantics::broken;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::expressions::{CastExpr, Column as Physical, Literal};
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_engine::stream::program::{self, Program, Source};
use flinkspark_model::dataset::Dataset;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

impl Lowering<'_> {
    pub(super) fn scan(&self, scan: &Scan, columns: &[Column]) -> Result<Lowered> {
        let dataset = (self.binding.dataset)(&scan.dataset)?;
        let read = self.read(scan, columns, &dataset)?;
        let mut lowered = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let at = place(scan, &dataset, &column.name)?;
            let wanted = column.ty.root.arrow();
            let expr: Arc<dyn PhysicalExpr> = match read.iter().position(|other| *other == at) {
                // Nothing reads it.
                None => Arc::new(Literal::new(ScalarValue::Null)),
                Some(at_read) => {
                    let stored: Arc<dyn PhysicalExpr> =
                        Arc::new(Physical::new(&column.name, at_read));
                    if scan.time_attribute == Some(index) {
                        scalar::event_time(
                            stored,
                            &format!("{}.{}", scan.dataset, column.name),
                            scan.time_precision,
                        )
                    } else if *dataset.schema.field(at).data_type() == wanted {
                        stored
                    } else {
                        Arc::new(CastExpr::new(stored, wanted, None))
                    }
                }
            };
            lowered.push(Value {
                expr,
                ty: column.ty.clone(),
                bound: None,
            });
        }
        let time = self.event_time(scan, columns, &dataset, &read)?;
        let all = read.len() == dataset.schema.fields().len();
        let source = Source {
            uid: super::SOURCE.into(),
            dataset: dataset.id,
            name: scan.dataset.to_string(),
            schema: Arc::clone(&dataset.schema),
            columns: (!all || self.binding.late.is_none()).then_some(read),
            time,
            through: self.binding.through,
        };
        if !scan.bounded {
            return Err(unsupported(
                "an unbounded dataset",
                "a source reads to the slot at which the run started",
            ));
        }
        Ok(Lowered {
            builder: Program::from(source)?,
            columns: lowered,
        })
    }

    /// The dataset's columns that are read, ascending: late rows have all of them.
    pub(super) fn read(
        &self,
        scan: &Scan,
        columns: &[Column],
        dataset: &Dataset,
    ) -> Result<Vec<usize>> {
        if self.binding.late.is_some() {
            return Ok((0..dataset.schema.fields().len()).collect());
        }
        let mut needed = self.needed.clone();
        needed.extend(
            scan.time_attribute
                .filter(|_| self.home == Home::FlinkStreaming),
        );
        let names = needed.iter().filter_map(|index| columns.get(*index));
        let mut read: Vec<usize> = names
            .map(|column| place(scan, dataset, &column.name))
            .collect::<Result<_>>()?;
        if read.is_empty() {
            // Rows are counted by their columns.
            read.push(0);
        }
        read.sort_unstable();
        Ok(read)
    }

    /// In batch mode Flink drops nothing as late: there is one watermark, at the end.
    fn event_time(
        &self,
        scan: &Scan,
        columns: &[Column],
        dataset: &Dataset,
        read: &[usize],
    ) -> Result<Option<program::EventTime>> {
        let (Home::FlinkStreaming, Some(index)) = (self.home, scan.time_attribute) else {
            return Ok(None);
        };
        let column = columns
            .get(index)
            .ok_or_else(|| broken("a time attribute without a column"))?;
        let at = among(read, place(scan, dataset, &column.name)?)?;
        let delay = scan.watermark_delay_ms.unwrap_or(0);
        Ok(Some(program::EventTime {
            column: at,
            watermark_delay_ms: u64::try_from(delay)
                .map_err(|_| broken("a negative watermark delay"))?,
            precision: scan.time_precision,
        }))
    }
}

/// The position in the dataset's schema of a column that the plan was bound to.
pub(super) fn place(scan: &Scan, dataset: &Dataset, column: &str) -> Result<usize> {
    dataset.schema.index_of(column).map_err(|error| {
        Error::new(
            Kind::Conflict,
            "FS0810",
            format!("dataset {} changed its schema", scan.dataset),
        )
        .with_detail(error.to_string())
        .with_hint("submit the job again: it is planned for the schema as it is now")
    })
}

/// The position of a dataset's column among those that are read.
pub(super) fn among(read: &[usize], column: usize) -> Result<usize> {
    read.iter()
        .position(|other| *other == column)
        .ok_or_else(|| broken("the time attribute is not read"))
}
