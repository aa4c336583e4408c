//! Sends rows to the subtasks that own their keys.
//!
//! Rows keep their order and their own watermarks; marks go to every subtask. Invariant: what a
//! receiver gets depends on the rows and on the receivers' number, never on batches.

use super::channel::Sender;
use super::keygroup;
use super::message::{Batch, Message, Watermarks, broken};
use crate::expr;
use arrow_array::{ArrayRef, UInt32Array};
use arrow_select::take::take_record_batch;
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::Result;
use std::sync::Arc;

/// The sending side of an exchange, of one subtask.
pub(crate) struct Exchange {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    targets: Vec<Sender>,
}

impl Exchange {
    /// Sends by these keys; without keys everything goes to one subtask.
    pub(crate) fn new(keys: Vec<Arc<dyn PhysicalExpr>>, targets: Vec<Sender>) -> Self {
        Self { keys, targets }
    }

    /// Sends each row to the owner of its key.
    pub(crate) async fn send(&self, batch: Batch) -> Result<()> {
        if let [only] = self.targets.as_slice() {
            only.send(Message::Data(batch)).await;
            return Ok(());
        }
        for (target, part) in self.targets.iter().zip(self.split(&batch)?) {
            if let Some(part) = part {
                target.send(Message::Data(part)).await;
            }
        }
        Ok(())
    }

    /// Sends a mark to every subtask.
    pub(crate) async fn broadcast(&self, message: Message) {
        for target in &self.targets {
            target.send(message.clone()).await;
        }
    }

    fn split(&self, batch: &Batch) -> Result<Vec<Option<Batch>>> {
        let evaluate = |expr: &Arc<dyn PhysicalExpr>| expr::evaluate(expr.as_ref(), &batch.rows);
        let keys: Vec<ArrayRef> = self.keys.iter().map(evaluate).collect::<Result<_>>()?;
        let groups = keygroup::groups(&keys, batch.rows.num_rows());
        let mut parts = vec![(Vec::new(), Watermarks::default()); self.targets.len()];
        for (row, (group, watermark)) in groups.iter().zip(batch.watermarks.by_row()).enumerate() {
            let (rows, watermarks) = &mut parts[keygroup::owner(*group, self.targets.len())];
            rows.push(row as u32);
            watermarks.push(1, watermark);
        }
        let part = |(rows, watermarks): (Vec<u32>, Watermarks)| {
            if rows.is_empty() {
                return Ok(None);
            }
            let rows = take_record_batch(&batch.rows, &UInt32Array::from(rows)).map_err(broken)?;
            Ok(Some(Batch {
                rows,
                watermarks,
                partition: batch.partition,
            }))
        };
        parts.into_iter().map(part).collect()
    }
}
