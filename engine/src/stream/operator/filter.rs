//! Keeps the rows for which a predicate is true; null counts as false.

use super::{Batch, Event, Operator, Output};
use crate::expr;
use crate::stream::message::broken;
use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray};
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::Result;
use std::sync::Arc;

pub(super) struct Filter {
    predicate: Arc<dyn PhysicalExpr>,
}

impl Filter {
    pub(super) fn new(predicate: Arc<dyn PhysicalExpr>) -> Self {
        Self { predicate }
    }
}

impl Operator for Filter {
    fn on_batch(&mut self, batch: Batch, out: &mut Output) -> Result<()> {
        let truth = expr::evaluate(self.predicate.as_ref(), &batch.rows)?;
        let truth = truth.as_boolean_opt().ok_or_else(|| {
            broken(arrow_schema::ArrowError::SchemaError(format!(
                "{} gave {}",
                self.predicate,
                truth.data_type()
            )))
        })?;
        let keep = match truth.nulls() {
            Some(valid) => BooleanArray::new(truth.values() & valid.inner(), None),
            None => truth.clone(),
        };
        match keep.true_count() {
            0 => {}
            kept if kept == keep.len() => out.events.push(Event::Batch(batch)),
            _ => out.events.push(Event::Batch(batch.filter(&keep)?)),
        }
        Ok(())
    }
}
