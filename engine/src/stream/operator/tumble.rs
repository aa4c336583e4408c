//! Tumbling windows on event time.
//!
//! A row belongs to the window `[s, e)` and is late if `e - 1` is at or below the watermark in
//! force at that row; a window fires when the subtask's watermark reaches `e - 1`. A whole batch
//! is judged, then added, then windows fire: row by row gives the same, because a row that comes
//! after its window would have fired carries the watermark that fired it, and is late.
//! Invariant: a row counts in exactly one of its window's result and the late rows.

use super::grouped::{Bucket, Grouped};
use super::{Batch, EMIT_ROWS_MAX, Event, Operator, Output};
use crate::expr::window;
use crate::stream::message::{NO_WATERMARK, Watermark, broken};
use crate::stream::program::{Node, Tumble};
use crate::stream::time;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, TimestampMillisecondArray};
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;
use flinkspark_model::Result;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) struct TumblingAggregate {
    description: Tumble,
    time_name: String,
    state: Grouped,
    output: SchemaRef,
    watermark: Watermark,
}

impl TumblingAggregate {
    pub(super) fn new(tumble: &Tumble, node: &Node) -> Result<Self> {
        Ok(Self {
            description: tumble.clone(),
            time_name: node.input.field(tumble.time).name().clone(),
            state: Grouped::new(&tumble.keys, &tumble.aggregates, &node.input)?,
            output: Arc::clone(&node.output),
            watermark: NO_WATERMARK,
        })
    }

    /// The end of each time's window, exclusive.
    fn window_ends(&self, times: &[i64]) -> Result<Vec<i64>> {
        let (size, offset) = (self.description.size_ms, self.description.offset_ms);
        let (mut start, mut end) = (0, 0);
        let window_end = |time: &i64| {
            if *time < start || *time >= end {
                (start, end) = window::required(*time, size, offset, &self.time_name)?;
            }
            Ok(end)
        };
        times.iter().map(window_end).collect()
    }

    /// Sets the late rows aside.
    fn without_late(
        &self,
        batch: Batch,
        ends: Vec<i64>,
        out: &mut Output,
    ) -> Result<(RecordBatch, Vec<i64>)> {
        let late: Vec<bool> = (ends.iter().zip(batch.watermarks.by_row()))
            .map(|(end, watermark)| window::is_late(*end, watermark))
            .collect();
        let count = late.iter().filter(|late| **late).count();
        if count == 0 {
            return Ok((batch.rows, ends));
        }
        out.counts.late += count as u64;
        if self.description.late_to.is_some() {
            let mask = BooleanArray::from(late.clone());
            out.late
                .push(filter_record_batch(&batch.rows, &mask).map_err(broken)?);
        }
        let timely: Vec<bool> = late.iter().map(|late| !late).collect();
        let ends = ends.iter().zip(&timely).filter(|(_, timely)| **timely);
        let ends = ends.map(|(end, _)| *end).collect();
        let rows = filter_record_batch(&batch.rows, &BooleanArray::from(timely)).map_err(broken)?;
        Ok((rows, ends))
    }

    /// Emits the results of the windows that end at or before the watermark, in window order.
    fn fire(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        let mut ready = Vec::new();
        let mut count = 0;
        while self
            .state
            .first()
            .is_some_and(|end| window::is_late(end, watermark))
        {
            let Some((end, bucket)) = self.state.take_first() else {
                break;
            };
            count += bucket.len();
            ready.push((end, bucket));
            if count >= EMIT_ROWS_MAX {
                self.emit(std::mem::take(&mut ready), out)?;
                count = 0;
            }
        }
        self.emit(ready, out)
    }

    /// Results are older than the watermark that fires them: the one before is in force at them.
    fn emit(&mut self, ready: Vec<(i64, Bucket)>, out: &mut Output) -> Result<()> {
        if ready.is_empty() {
            return Ok(());
        }
        let ends = ready
            .iter()
            .flat_map(|(end, bucket)| std::iter::repeat_n(*end, bucket.len()));
        let ends = TimestampMillisecondArray::from_iter_values(ends);
        let starts: TimestampMillisecondArray = ends.unary(|end| end - self.description.size_ms);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(starts), Arc::new(ends)];
        columns.extend(self.state.evaluate(&ready)?);
        let rows = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(broken)?;
        out.counts.fired += rows.num_rows() as u64;
        out.emit(&rows, self.watermark);
        for (_, bucket) in ready {
            self.state.release(bucket);
        }
        Ok(())
    }
}

impl Operator for TumblingAggregate {
    fn on_batch(&mut self, batch: Batch, out: &mut Output) -> Result<()> {
        let column = batch.rows.column(self.description.time);
        let times = time::millis(column, &self.time_name, self.description.precision)?;
        let ends = self.window_ends(&times)?;
        let partition = batch.partition;
        let (rows, ends) = self.without_late(batch, ends, out)?;
        self.state.update(&rows, partition, &ends)
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        self.fire(watermark, out)?;
        self.watermark = watermark;
        out.events.push(Event::Watermark(watermark));
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
