//! Generated input, the job over it, and what it must give, computed row by row.

use super::super::program::{Aggregate, EventTime, NamedExpr, Program, Sink, Source, Tumble};
use super::super::{Ended, Job, Options};
use super::memory::{Fate, Store, mix};
use crate::expr::aggregate::Function;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::physical_expr::expressions::{Column, IsNotNullExpr};
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::dataset::{DatasetId, TimePrecision};
use flinkspark_model::log::LogId;
use flinkspark_model::port::{Clock, Entropy};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

pub(super) const INPUT: DatasetId = DatasetId(uuid::Uuid::from_u128(1));
pub(super) const OUTPUT: DatasetId = DatasetId(uuid::Uuid::from_u128(2));
pub(super) const LATE: DatasetId = DatasetId(uuid::Uuid::from_u128(3));
pub(super) const JOB: LogId = LogId(uuid::Uuid::from_u128(4));
const SIZE_MS: i64 = 100;

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) time: Option<i64>,
    pub(super) key: String,
    pub(super) value: Option<i32>,
}

/// Rows by partition.
#[derive(Debug, Clone)]
pub(in crate::stream) struct Input {
    pub(super) rows: Vec<Vec<Row>>,
    pub(super) delay_ms: u64,
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(
            "time",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            true,
        ),
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::Int32, true),
    ]))
}

impl Input {
    /// Times that advance and jump about, some of them far enough to be late.
    pub(in crate::stream) fn generate(seed: u64, partitions: usize, rows: usize) -> Self {
        let row = |partition: usize, index: usize| {
            let random = mix(seed ^ ((partition as u64) << 40), index as u64);
            let back = if random.is_multiple_of(10) {
                random % 400
            } else {
                random % 60
            };
            Row {
                time: Some(1000 + index as i64 * 2 - back as i64),
                key: format!("k{}", (random >> 20) % 7),
                value: (!(random >> 30).is_multiple_of(5)).then_some((random >> 33) as i32),
            }
        };
        let rows = (0..partitions).map(|p| (0..rows).map(|index| row(p, index)).collect());
        Self {
            rows: rows.collect(),
            delay_ms: 50,
        }
    }

    /// Commits the rows in this many epochs.
    pub(super) fn load(&self, store: &Store, epochs: usize) {
        for epoch in 0..epochs {
            let part = |rows: &Vec<Row>| {
                let cut = |n: usize| n * rows.len() / epochs;
                batch(&rows[cut(epoch)..cut(epoch + 1)])
            };
            let parts = self.rows.iter().map(part).enumerate();
            let parts = parts
                .filter(|(_, batch)| batch.num_rows() > 0)
                .map(|(p, batch)| (p as u32, batch));
            store.put(INPUT, epoch as u64 + 1, parts.collect(), schema());
        }
    }

    /// The results and the late rows, row by row: `(start, key, rows, total)` and `(time, key, value)`.
    pub(super) fn expected(&self) -> Outcome {
        let mut windows: BTreeMap<(i64, String), (i64, Option<i32>)> = BTreeMap::new();
        let mut late = Vec::new();
        let last = self.rows.len() - 1;
        for (partition, rows) in self.rows.iter().enumerate() {
            let mut watermark = i64::MIN;
            for row in rows {
                let Some(time) = row.time else { continue };
                let start = time.div_euclid(SIZE_MS) * SIZE_MS;
                if row.value.is_none() {
                    // The filter drops it, and its watermark goes on.
                } else if start + SIZE_MS - 1 <= watermark {
                    late.push((time, row.key.clone(), row.value));
                } else {
                    let (count, total) = windows.entry((start, row.key.clone())).or_default();
                    *count += 1;
                    if let Some(value) = row.value {
                        *total = Some(total.unwrap_or(0).wrapping_add(value));
                    }
                }
                let caused = time - self.delay_ms as i64;
                if partition == last && caused > 0 {
                    watermark = watermark.max(caused);
                }
            }
        }
        late.sort();
        let windows = windows
            .into_iter()
            .map(|((start, key), (count, total))| (start, key, count, total));
        Outcome {
            windows: windows.collect(),
            late,
        }
    }
}

/// What a job gave, in an order of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) windows: Vec<(i64, String, i64, Option<i32>)>,
    pub(super) late: Vec<(i64, String, Option<i32>)>,
}

fn batch(rows: &[Row]) -> RecordBatch {
    let times = rows.iter().map(|row| row.time.map(|time| time * 1000));
    let columns: Vec<arrow_array::ArrayRef> = vec![
        Arc::new(times.collect::<TimestampMicrosecondArray>()),
        Arc::new(
            rows.iter()
                .map(|row| Some(row.key.as_str()))
                .collect::<StringArray>(),
        ),
        Arc::new(rows.iter().map(|row| row.value).collect::<Int32Array>()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

pub(super) fn column(name: &str, index: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(name, index))
}

pub(super) fn sink(uid: &str, dataset: DatasetId, schema: SchemaRef) -> Sink {
    Sink {
        uid: uid.into(),
        dataset,
        name: uid.replace("sink", "output"),
        schema,
    }
}

pub(in crate::stream) fn program(input: &Input, keep_late: bool) -> Program {
    let source = Source {
        uid: "source".into(),
        dataset: INPUT,
        name: "input".into(),
        schema: schema(),
        columns: None,
        time: Some(EventTime {
            column: 0,
            watermark_delay_ms: input.delay_ms,
            precision: TimePrecision::Exact,
        }),
        through: None,
    };
    let tumble = Tumble {
        time: 0,
        precision: TimePrecision::Exact,
        size_ms: SIZE_MS,
        offset_ms: 0,
        keys: vec![NamedExpr {
            expr: column("key", 1),
            name: "key".into(),
        }],
        aggregates: vec![
            Aggregate {
                function: Function::CountStar,
                argument: None,
                name: "rows".into(),
            },
            Aggregate {
                function: Function::Sum,
                argument: Some(column("value", 2)),
                name: "total".into(),
            },
        ],
        late_to: keep_late.then(|| sink("late", LATE, schema())),
    };
    let stream = Program::from(source)
        .unwrap()
        .filter("kept", Arc::new(IsNotNullExpr::new(column("value", 2))))
        .unwrap()
        .tumble("windows", tumble)
        .unwrap();
    let output = stream.schema().clone();
    stream.sink(sink("sink", OUTPUT, output)).unwrap()
}

pub(super) fn options() -> Options {
    Options {
        checkpoint_interval: Duration::from_millis(5),
        ..Options::new("run", JOB)
    }
}

struct Fixed;

impl Clock for Fixed {
    fn now_ms(&self) -> u64 {
        0
    }
}

#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

pub(super) fn build(
    program: Program,
    options: Options,
    datasets: Arc<dyn flinkspark_model::port::Datasets>,
) -> Job {
    options
        .build(
            program,
            datasets,
            Arc::new(Fixed),
            Arc::new(Counting::default()),
        )
        .unwrap()
}

/// A job over generated input, with late rows kept, in an incarnation to which nothing happens.
pub(super) fn job(store: &Store, input: &Input, options: Options) -> Job {
    job_with(store, input, options, Fate::default().into())
}

pub(super) fn job_with(store: &Store, input: &Input, options: Options, fate: Arc<Fate>) -> Job {
    build(program(input, true), options, store.incarnation(fate))
}

/// What an undisturbed job gives for this input; it is checked against the row-by-row answer.
pub(super) async fn reference(seed: u64, partitions: usize, rows: usize) -> Outcome {
    let input = Input::generate(seed, partitions, rows);
    let store = Store::default();
    input.load(&store, 3);
    let ended = job(&store, &input, options())
        .run(std::future::pending())
        .await
        .unwrap();
    assert_eq!(ended, Ended::Finished);
    assert_eq!(store.outcome(), input.expected());
    store.outcome()
}

impl Store {
    pub(super) fn outcome(&self) -> Outcome {
        let mut windows = Vec::new();
        for batch in self.batches(OUTPUT.into()) {
            let starts = batch
                .column(0)
                .as_primitive::<arrow_array::types::TimestampMillisecondType>();
            let counts = batch.column(3).as_primitive::<Int64Type>();
            let totals = batch
                .column(4)
                .as_primitive::<arrow_array::types::Int32Type>();
            for (row, key) in batch.column(2).as_string::<i32>().iter().enumerate() {
                let total = (!arrow_array::Array::is_null(totals, row)).then(|| totals.value(row));
                windows.push((
                    starts.value(row),
                    key.unwrap().to_owned(),
                    counts.value(row),
                    total,
                ));
            }
        }
        let mut late = Vec::new();
        for batch in self.batches(LATE.into()) {
            let times = batch
                .column(0)
                .as_primitive::<arrow_array::types::TimestampMicrosecondType>();
            let values = batch
                .column(2)
                .as_primitive::<arrow_array::types::Int32Type>();
            for (row, key) in batch.column(1).as_string::<i32>().iter().enumerate() {
                let value = (!arrow_array::Array::is_null(values, row)).then(|| values.value(row));
                late.push((times.value(row) / 1000, key.unwrap().to_owned(), value));
            }
        }
        windows.sort();
        late.sort();
        Outcome { windows, late }
    }

    pub(super) fn rows(&self, dataset: DatasetId) -> usize {
        self.batches(dataset.into())
            .iter()
            .map(RecordBatch::num_rows)
            .sum()
    }

    /// The input rows that windows counted, plus those that the filter dropped.
    pub(super) fn counted(&self, dataset: DatasetId) -> u64 {
        let batches = self.batches(dataset.into());
        batches
            .iter()
            .map(|batch| {
                batch
                    .column(3)
                    .as_primitive::<Int64Type>()
                    .values()
                    .iter()
                    .sum::<i64>() as u64
            })
            .sum()
    }

    pub(super) fn head(&self, dataset: DatasetId) -> u64 {
        self.log(dataset.into()).view.head()
    }

    pub(super) fn watermarks(&self, dataset: DatasetId) -> Vec<Option<i64>> {
        self.log(dataset.into())
            .view
            .live()
            .map(|epoch| epoch.watermark_ms)
            .collect()
    }
}
