//! Reads the partitions of a dataset that one subtask has, in log order.
//!
//! It counts stored rows by position, gives each row the watermark in force at it, keeps to a
//! rate, and turns the coordinator's orders into marks between batches. Partitions are read one
//! after another. Splits of a bounded source that nobody has read yet hold the minimum, so only
//! the last partition of the dataset has watermarks: which rows are late then depends on the
//! partitions and on nothing else. Invariant: a position that a barrier carries lies between the
//! rows before it and the rows after it.

use super::checkpoint::Progress;
use super::gate::Input;
use super::message::{After, Barrier, Batch, END_WATERMARK, NO_WATERMARK, Watermark, Watermarks};
use super::program::EventTime;
use super::time::{self, Generator};
use flinkspark_model::Result;
use flinkspark_model::port::{BatchStream, Dataset, PositionedBatch, ReadOptions};
use flinkspark_model::position::SlotNo;
use futures::StreamExt;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The most rows that a source reads at once.
pub(crate) const BATCH_ROWS_MAX: usize = 8192;

/// A source with a rate reads this part of a second at once.
const BATCHES_PER_SECOND: u64 = 20;

/// What the coordinator orders.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// A barrier goes between the rows read so far and those that follow.
    Barrier(Barrier),
    /// What was not read will not be read: the input ends here.
    Drain,
}

/// What a reader needs to know.
pub(crate) struct Settings {
    pub(crate) dataset: Arc<dyn Dataset>,
    pub(crate) columns: Option<Vec<usize>>,
    pub(crate) time: Option<EventTime>,
    pub(crate) time_name: String,
    pub(crate) through: SlotNo,
    /// The partition whose rows have watermarks.
    pub(crate) last_partition: u32,
    /// Rows a second, of this subtask.
    pub(crate) rate: Option<u64>,
}

/// The reader of one subtask.
pub(crate) struct Reader {
    settings: Settings,
    partitions: Vec<Progress>,
    /// The first partition that has not ended.
    current: usize,
    stream: Option<BatchStream>,
    orders: mpsc::Receiver<Order>,
    ready: VecDeque<Input>,
    watermark: Watermark,
    data_ended: bool,
    pace: Pace,
    batch_rows_max: usize,
}

impl Reader {
    /// A reader that goes on where these partitions stand.
    pub(crate) fn new(
        settings: Settings,
        partitions: Vec<Progress>,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        let at_once = settings.rate.map_or(BATCH_ROWS_MAX, |rate| {
            usize::try_from(rate / BATCHES_PER_SECOND).unwrap_or(BATCH_ROWS_MAX)
        });
        Self {
            pace: Pace::new(settings.rate),
            batch_rows_max: at_once.clamp(1, BATCH_ROWS_MAX),
            settings,
            partitions,
            current: 0,
            stream: None,
            orders,
            ready: VecDeque::new(),
            watermark: NO_WATERMARK,
            data_ended: false,
        }
    }

    /// Where each partition stands now.
    pub(crate) fn progress(&self) -> Vec<Progress> {
        self.partitions.clone()
    }

    /// The next rows or mark.
    pub(crate) async fn next(&mut self) -> Result<Input> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return Ok(input);
            }
            if self.data_ended {
                let order = self.orders.recv().await;
                if let Some(input) = self.obey(order).await {
                    return Ok(input);
                }
                continue;
            }
            tokio::select! {
                biased;
                order = self.orders.recv() => {
                    if let Some(input) = self.obey(order).await {
                        return Ok(input);
                    }
                }
                batch = read(&mut self.stream, &self.settings, self.partitions.get(self.current), self.batch_rows_max, &self.pace) => {
                    self.accept(batch?)?;
                }
            }
        }
    }

    async fn obey(&mut self, order: Option<Order>) -> Option<Input> {
        match order {
            Some(Order::Barrier(barrier)) => {
                if barrier.after != After::Continue {
                    self.data_ended = true;
                    self.ready.push_back(Input::End);
                }
                Some(Input::Barrier(barrier))
            }
            Some(Order::Drain) => {
                self.partitions
                    .iter_mut()
                    .for_each(|partition| partition.ended = true);
                self.end_data();
                None
            }
            // The coordinator is gone, and this task is about to be stopped.
            None => std::future::pending().await,
        }
    }

    fn end_data(&mut self) {
        if !std::mem::replace(&mut self.data_ended, true) {
            self.ready.push_back(Input::Watermark(END_WATERMARK));
            self.ready.push_back(Input::EndOfData);
        }
    }

    /// Takes what was read; `None` is the end of the current partition.
    fn accept(&mut self, read: Option<PositionedBatch>) -> Result<()> {
        let Some(progress) = self.partitions.get_mut(self.current) else {
            self.end_data();
            return Ok(());
        };
        let Some(PositionedBatch { batch, next, .. }) = read else {
            progress.ended = true;
            self.stream = None;
            self.current += 1;
            return Ok(());
        };
        let rows = batch.num_rows();
        self.pace.spent(rows);
        let (watermarks, watermark) = match &self.settings.time {
            None => (Watermarks::constant(rows, NO_WATERMARK), NO_WATERMARK),
            Some(time) => {
                let times = time::millis(
                    batch.column(time.column),
                    &self.settings.time_name,
                    time.precision,
                )?;
                let mut generator = Generator::new(time.watermark_delay_ms, progress.max_time_ms);
                let watermarks = generator.advance(&times);
                progress.max_time_ms = generator.max_ms();
                if progress.partition == self.settings.last_partition {
                    (watermarks, generator.watermark())
                } else {
                    (Watermarks::constant(rows, NO_WATERMARK), NO_WATERMARK)
                }
            }
        };
        progress.next = next;
        if rows > 0 {
            self.ready.push_back(Input::Batch(Batch {
                rows: batch,
                watermarks,
                partition: progress.partition,
            }));
        }
        if watermark > self.watermark {
            self.watermark = watermark;
            self.ready.push_back(Input::Watermark(watermark));
        }
        Ok(())
    }

    /// What must be said before the first row: the watermark of what was read before.
    pub(crate) fn resume(&mut self) {
        self.current = self
            .partitions
            .iter()
            .position(|p| !p.ended)
            .unwrap_or(self.partitions.len());
        let last = self.settings.last_partition;
        let restored = match self.partitions.get(self.current..) {
            // Another partition that was not read to its end holds the minimum.
            Some([other, ..]) if other.partition != last => None,
            _ => self
                .partitions
                .iter()
                .find(|progress| progress.partition == last),
        };
        if let (Some(time), Some(progress)) = (&self.settings.time, restored) {
            let watermark =
                Generator::new(time.watermark_delay_ms, progress.max_time_ms).watermark();
            if watermark > self.watermark {
                self.watermark = watermark;
                self.ready.push_back(Input::Watermark(watermark));
            }
        }
    }
}

/// The next batch of a partition. Dropping it half-way loses nothing: the stream keeps its place.
async fn read(
    stream: &mut Option<BatchStream>,
    settings: &Settings,
    progress: Option<&Progress>,
    batch_rows_max: usize,
    pace: &Pace,
) -> Result<Option<PositionedBatch>> {
    let Some(progress) = progress.filter(|progress| !progress.ended) else {
        return Ok(None);
    };
    pace.wait().await;
    if stream.is_none() {
        let options = ReadOptions {
            columns: settings.columns.clone(),
            batch_rows_max,
            ..ReadOptions::default()
        };
        let opened =
            settings
                .dataset
                .read(progress.partition, progress.next, settings.through, options);
        *stream = Some(opened.await?);
    }
    match stream {
        Some(stream) => stream.next().await.transpose(),
        None => Ok(None),
    }
}

/// Keeps to a rate by waiting before each batch.
struct Pace {
    rate: Option<u64>,
    next: Instant,
}

impl Pace {
    fn new(rate: Option<u64>) -> Self {
        Self {
            rate: rate.filter(|rate| *rate > 0),
            next: Instant::now(),
        }
    }

    async fn wait(&self) {
        if self.rate.is_some() {
            tokio::time::sleep_until(self.next).await;
        }
    }

    fn spent(&mut self, rows: usize) {
        if let Some(rate) = self.rate {
            let pause = Duration::from_secs_f64(rows as f64 / rate as f64);
            // A source that was held up does not make up for it in one burst.
            self.next = self.next.max(Instant::now() - pause) + pause;
        }
    }
}
