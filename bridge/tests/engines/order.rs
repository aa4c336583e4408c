//! The order of rows and of floats: the same bits on both engines, however a job is run.

use super::fixture::{Fixture, How};
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_adapter::plan::Home;
use flinkspark_model::Kind;
use std::collections::BTreeMap;
use std::sync::Arc;

const SUMS: &str =
    "SELECT k, SUM(x) AS s, AVG(x) AS a, MIN(x) AS l, MAX(x) AS h, COUNT(*) AS n FROM t GROUP BY k";

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, false),
        Field::new("x", DataType::Float64, true),
        Field::new("s", DataType::Utf8, true),
    ]))
}

type Row = (i64, Option<f64>, String);

/// xorshift: the same rows in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Of magnitudes 1e-8 to 1e8 with both signs.
    fn float(&mut self) -> f64 {
        let digits = 1.0 + (self.next() % 9_000_000) as f64 / 1e6;
        let power = (self.next() % 17) as i32 - 8;
        let value = digits * 10f64.powi(power);
        if self.next().is_multiple_of(2) {
            -value
        } else {
            value
        }
    }
}

fn rows(seed: u64, partitions: usize, count: usize) -> Vec<Vec<Row>> {
    let mut random = Random(seed | 1);
    let mut all = vec![Vec::new(); partitions];
    for row in 0..count {
        let x = match random.below(50) {
            0 => None,
            1 if seed.is_multiple_of(3) => Some(f64::NAN),
            2 => Some(-0.0),
            _ => Some(random.float()),
        };
        all[random.below(partitions)].push((random.below(10) as i64, x, format!("r{row}")));
    }
    all
}

fn batch(rows: &[Row]) -> RecordBatch {
    let keys: Int64Array = rows.iter().map(|row| Some(row.0)).collect();
    let values: Float64Array = rows.iter().map(|row| row.1).collect();
    let texts: StringArray = rows.iter().map(|row| Some(row.2.as_str())).collect();
    RecordBatch::try_new(
        schema(),
        vec![Arc::new(keys), Arc::new(values), Arc::new(texts)],
    )
    .unwrap()
}

/// The rows in so many epochs, each partition's cut into batches at random.
async fn stored(rows: &[Vec<Row>], epochs: usize, seed: u64) -> Fixture {
    let mut random = Random(seed | 1);
    let mut all = Vec::new();
    for epoch in 0..epochs {
        let mut parts = Vec::new();
        for (partition, rows) in (0..).zip(rows) {
            let cut = |n: usize| n * rows.len() / epochs;
            let mut left = &rows[cut(epoch)..cut(epoch + 1)];
            let mut batches = Vec::new();
            while !left.is_empty() {
                let count = (1 + random.below(9_000)).min(left.len());
                batches.push(batch(&left[..count]));
                left = &left[count..];
            }
            if !batches.is_empty() {
                parts.push((partition, batches));
            }
        }
        all.push(parts);
    }
    Fixture::new(schema(), None, &all).await
}

/// The sum of each key by the definition: each partition in row order, the partitions in their order.
fn sums(rows: &[Vec<Row>]) -> BTreeMap<i64, Option<u64>> {
    let mut sums: BTreeMap<i64, Option<f64>> = BTreeMap::new();
    for rows in rows {
        let mut own: BTreeMap<i64, Option<f64>> = BTreeMap::new();
        for (key, x, _) in rows {
            let sum = own.entry(*key).or_default();
            if let Some(x) = x {
                *sum = Some(sum.map_or(*x, |sum| sum + x));
            }
        }
        for (key, part) in own {
            let sum = sums.entry(key).or_default();
            if let Some(part) = part {
                *sum = Some(sum.map_or(part, |sum| sum + part));
            }
        }
    }
    sums.into_iter()
        .map(|(key, sum)| (key, sum.map(f64::to_bits)))
        .collect()
}

fn by_key(batches: &[RecordBatch]) -> BTreeMap<i64, Option<u64>> {
    let mut sums = BTreeMap::new();
    for batch in batches {
        let keys = batch
            .column(0)
            .as_primitive::<arrow_array::types::Int64Type>();
        let values = batch.column(1).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let sum = values.is_valid(row).then(|| values.value(row).to_bits());
            sums.insert(keys.value(row), sum);
        }
    }
    sums
}

#[tokio::test]
async fn sums_of_floats_are_the_same_bits_on_both_engines_at_any_parallelism() {
    for partitions in [1, 4] {
        let rows = rows(2, partitions, 200_000);
        let fixture = stored(&rows, 3, 5).await;
        let job = fixture.bind(SUMS, Home::FlinkStreaming).unwrap();
        let expected = sums(&rows);
        let first = fixture.batch(SUMS, How::at(1)).await.unwrap();
        assert_eq!(by_key(&fixture.latest(&job).await.unwrap()), expected);
        for parallelism in [1, 2, 4] {
            for run in 0..3 {
                let batch = fixture.batch(SUMS, How::at(parallelism)).await.unwrap();
                let stream = fixture.stream(SUMS, How::at(parallelism)).await.unwrap();
                assert_eq!(
                    batch.digest, first.digest,
                    "batch, {partitions}, {parallelism}, {run}"
                );
                assert_eq!(
                    stream.digest, first.digest,
                    "stream, {partitions}, {parallelism}, {run}"
                );
            }
        }
    }
}

#[tokio::test]
async fn positional_aggregates_take_rows_in_the_order_of_the_partitions() {
    let statement = "SELECT k, FIRST_VALUE(s) AS f, LAST_VALUE(s) AS l, ARRAY_AGG(x) AS xs, VAR_POP(x) AS v, \
                     STDDEV_SAMP(x) AS d, SUM(DISTINCT x) AS ds FROM t GROUP BY k";
    let rows = rows(7, 4, 3_000);
    let fixture = stored(&rows, 2, 9).await;
    let job = fixture.bind(statement, Home::FlinkStreaming).unwrap();
    let first = fixture.batch(statement, How::at(1)).await.unwrap();
    for batch in fixture.latest(&job).await.unwrap() {
        let keys = batch
            .column(0)
            .as_primitive::<arrow_array::types::Int64Type>();
        for row in 0..batch.num_rows() {
            let mut own = rows
                .iter()
                .flatten()
                .filter(|other| other.0 == keys.value(row));
            let text = |column: usize| {
                batch
                    .column(column)
                    .as_string::<i32>()
                    .value(row)
                    .to_owned()
            };
            assert_eq!(Some(text(1)), own.clone().next().map(|row| row.2.clone()));
            assert_eq!(
                Some(text(2)),
                own.clone().next_back().map(|row| row.2.clone())
            );
            let items = batch.column(3).as_list::<i32>().value(row);
            let items = items.as_primitive::<Float64Type>();
            let same = |item: Option<f64>| {
                item.map(f64::to_bits) == own.next().and_then(|row| row.1).map(f64::to_bits)
            };
            assert!(items.iter().all(same));
        }
    }
    for parallelism in 1..5 {
        for _ in 0..3 {
            let again = fixture
                .batch(statement, How::at(parallelism))
                .await
                .unwrap();
            assert_eq!(again.digest, first.digest, "{parallelism}");
        }
    }
}

#[tokio::test]
async fn a_positional_aggregate_over_rows_without_an_order_is_refused_by_name() {
    let fixture = stored(&rows(1, 2, 10), 1, 1).await;
    for (name, from) in [
        (
            "FIRST_VALUE",
            "(SELECT a.x FROM t AS a JOIN t AS b ON a.k = b.k)",
        ),
        ("LAST_VALUE", "(SELECT k, MAX(x) AS x FROM t GROUP BY k)"),
        ("ARRAY_AGG", "(SELECT x FROM t UNION ALL SELECT x FROM t)"),
    ] {
        let statement = format!("SELECT {name}(x) AS q FROM {from} AS u");
        let error = fixture.batch(&statement, How::at(2)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS0720"),
            "{error}"
        );
        assert!(error.message().contains(name), "{error}");
    }
}

#[tokio::test]
async fn the_partitions_of_an_output_follow_from_the_parallelism_alone() {
    let fixture = stored(&rows(3, 3, 2_000), 1, 1).await;
    for parallelism in [1, 2, 3] {
        let batch = fixture.batch(SUMS, How::at(parallelism)).await.unwrap();
        let all: Vec<u32> = (0..parallelism as u32).collect();
        assert_eq!(batch.partitions, all);
        let stream = fixture.stream(SUMS, How::at(parallelism)).await.unwrap();
        assert_eq!(stream.partitions, all);
    }
}

mod property {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

        #[test]
        fn floats_have_the_same_bits_at_any_parallelism_cut_and_kill(
            seed in 1u64..,
            partitions in 1usize..6,
            count in 0usize..1_500,
            epochs in 1usize..4,
            parallelism in 1usize..5,
            killed_every_ms in prop::option::of(3u64..20),
        ) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let rows = rows(seed, partitions, count);
                let one = stored(&rows, 1, 1).await;
                let other = stored(&rows, epochs, seed).await;
                let job = one.bind(SUMS, Home::FlinkStreaming).unwrap();
                let expected = one.batch(SUMS, How::at(1)).await.unwrap().digest;
                prop_assert_eq!(by_key(&one.latest(&job).await.unwrap()), sums(&rows));
                let batch = other.batch(SUMS, How::at(parallelism)).await.unwrap().digest;
                prop_assert_eq!(batch, expected, "batch");
                let how = How { killed_every_ms, ..How::at(parallelism) };
                let stream = other.stream(SUMS, how).await.unwrap().digest;
                prop_assert_eq!(stream, expected, "stream");
                Ok(())
            })?;
        }
    }
}
