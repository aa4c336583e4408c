//! Aggregation per key over all rows; results come at the end of bounded input.

use super::grouped::Grouped;
use super::{Batch, Operator, Output};
use crate::stream::message::{END_WATERMARK, broken};
use crate::stream::program::{Keyed, Node};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// All groups are in one bucket.
const BUCKET: i64 = 0;

pub(super) struct KeyedAggregate {
    state: Grouped,
    output: SchemaRef,
}

impl KeyedAggregate {
    pub(super) fn new(keyed: &Keyed, node: &Node) -> Result<Self> {
        Ok(Self {
            state: Grouped::new(&keyed.keys, &keyed.aggregates, &node.input)?,
            output: Arc::clone(&node.output),
        })
    }
}

impl Operator for KeyedAggregate {
    fn on_batch(&mut self, batch: Batch, _out: &mut Output) -> Result<()> {
        let buckets = vec![BUCKET; batch.rows.num_rows()];
        self.state.update(&batch.rows, batch.partition, &buckets)
    }

    fn finish(&mut self, out: &mut Output) -> Result<()> {
        let Some(all) = self.state.take_first() else {
            return Ok(());
        };
        let columns = self.state.evaluate(std::slice::from_ref(&all))?;
        let rows = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(broken)?;
        out.emit(&rows, END_WATERMARK);
        self.state.release(all.1);
        Ok(())
    }

    fn snapshot(&self) -> Result<Option<RecordBatch>> {
        self.state.snapshot().map(Some)
    }

    fn state_bytes(&self) -> usize {
        self.state.bytes()
    }

    fn restore(&mut self, state: &RecordBatch, groups: &RangeInclusive<u8>) -> Result<()> {
        self.state.restore(state, groups)
    }
}
