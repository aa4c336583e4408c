//! Lookups and joins over the flights, each beside DataFusion's plan of the same question.
//!
//! Both sides plan and compute over one table in memory, in one process. Invariant: a shape counts only
//! where both gave the same rows and ours is a hash join with its filters below it.

use super::{SAMPLES, Samples, report};
use crate::flights::years_of_flights;
use crate::{Failure, Step};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_bridge::parts::adapter::front::flink::{self, TableInfo, Tables};
use flinkspark_bridge::parts::adapter::plan::{Home, Job};
use flinkspark_bridge::parts::adapter::target::batch::{Providers, lower};
use flinkspark_bridge::parts::datafusion::arrow::util::display::array_value_to_string;
use flinkspark_bridge::parts::datafusion::datasource::MemTable;
use flinkspark_bridge::parts::datafusion::prelude::{SessionConfig, SessionContext};
use flinkspark_bridge::parts::engine::batch;
use flinkspark_bridge::parts::model;
use flinkspark_bridge::parts::model::dataset::TimePrecision;
use flinkspark_bridge::parts::model::name::DatasetName;
use serde_json::json;
use std::sync::Arc;

/// Partitions of the table and of both plans.
const PARALLELISM: usize = 2;
/// The slowest that a shape may be, as a multiple of the peer's time.
const LIMIT: f64 = 5.0;
/// Each shape with its question, which both dialects read alike.
const SHAPES: [(&str, &str); 5] = [
    (
        "in",
        "SELECT COUNT(*) AS n, SUM(f.distance) AS d FROM flights AS f \
         WHERE f.distance > 200 AND f.dest IN (SELECT dest FROM flights WHERE carrier = 'AS')",
    ),
    (
        "not in",
        "SELECT COUNT(*) AS n, SUM(f.distance) AS d FROM flights AS f \
         WHERE f.tailnum NOT IN (SELECT tailnum FROM flights WHERE carrier = 'AS' AND tailnum IS NOT NULL)",
    ),
    (
        "exists",
        "SELECT COUNT(*) AS n, SUM(f.distance) AS d FROM flights AS f \
         WHERE EXISTS (SELECT 1 FROM flights AS u WHERE u.tailnum = f.tailnum AND u.carrier = 'UA')",
    ),
    (
        "comma",
        "SELECT COUNT(*) AS n, SUM(f.distance) AS d FROM flights AS f, \
         (SELECT DISTINCT dest AS place FROM flights WHERE carrier = 'HA') AS h \
         WHERE f.dest = h.place AND f.distance > 1000",
    ),
    (
        "left",
        "SELECT COUNT(*) AS n, COUNT(h.place) AS m, SUM(f.distance) AS d FROM flights AS f \
         LEFT JOIN (SELECT DISTINCT dest AS place FROM flights WHERE carrier = 'UA') AS h \
         ON f.dest = h.place AND f.distance > 500 WHERE f.origin = 'JFK'",
    ),
];

/// Measures every shape over this many years of flights.
pub fn run(years: u64) -> Step {
    let batches = years_of_flights(years)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let schema = batches.first().ok_or("no rows")?.schema();
    let mut parts = batches;
    let second = parts.split_off(parts.len() / PARALLELISM);
    let table = Arc::new(MemTable::try_new(Arc::clone(&schema), vec![parts, second])?);
    let peer =
        SessionContext::new_with_config(SessionConfig::new().with_target_partitions(PARALLELISM));
    peer.register_table("flights", Arc::clone(&table) as _)?;
    let options = batch::Options {
        parallelism: PARALLELISM,
        ..batch::Options::default()
    };
    let session = batch::session(&options)?;
    let mut providers = Providers::default();
    providers.insert(DatasetName::new("flights")?, table);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(PARALLELISM)
        .enable_all()
        .build()?;
    println!(
        "{rows} rows; milliseconds by the median of {SAMPLES}; limit {LIMIT} times DataFusion's"
    );
    println!(
        "{:8} {:>10} {:>10} {:>6}",
        "shape", "ours", "datafusion", "ratio"
    );
    let mut ratios = serde_json::Map::new();
    let mut slow = Vec::new();
    for (shape, sql) in SHAPES {
        let (mut theirs_said, mut ours_said) = (Vec::new(), Vec::new());
        let theirs = Samples::take(|| {
            let answer: Result<Vec<RecordBatch>, Failure> =
                runtime.block_on(async { Ok(peer.sql(sql).await?.collect().await?) });
            theirs_said = texts(&answer?)?;
            Ok(())
        })?;
        let ours = Samples::take(|| {
            let plan = lower(&bound(sql, &schema)?, &providers)?;
            ours_said = texts(&runtime.block_on(batch::collect(&session, &plan.logical))?)?;
            Ok(())
        })?;
        if ours_said != theirs_said {
            return Err(format!("{shape}: {ours_said:?} is not the peer's {theirs_said:?}").into());
        }
        let plan = lower(&bound(sql, &schema)?, &providers)?;
        check_shape(
            shape,
            &runtime.block_on(batch::explain(&session, &plan.logical))?,
        )?;
        let ratio = ours.median() / theirs.median();
        let (a, b) = (ours.median() * 1e3, theirs.median() * 1e3);
        println!("{shape:8} {a:>10.1} {b:>10.1} {ratio:>6.2}");
        if ratio > LIMIT {
            slow.push(shape);
        }
        ratios.insert(shape.into(), json!({
            "ratio": ratio, "ours": ours.median(), "peer": theirs.median(),
            "spread_s": [ours.spread().0, ours.spread().1], "peer_spread_s": [theirs.spread().0, theirs.spread().1],
        }));
    }
    report(
        "joins",
        json!({
            "ratio": ratios, "unit": "s", "peer_version": "datafusion 55", "input": rows, "samples": SAMPLES,
            "limit": LIMIT,
        }),
    )?;
    match slow.as_slice() {
        [] => Ok(()),
        slow => Err(format!("slower than {LIMIT} times DataFusion: {}", slow.join(", ")).into()),
    }
}

/// A hash join, and every filter below it.
fn check_shape(shape: &str, explained: &str) -> Step {
    let operators = explained.rsplit("\n\n").next().unwrap_or(explained);
    let join = operators
        .find("HashJoinExec")
        .ok_or_else(|| format!("{shape} is no hash join:\n{operators}"))?;
    let filter = operators.find("FilterExec").unwrap_or(usize::MAX);
    let other = ["NestedLoopJoinExec", "CrossJoinExec"];
    if filter < join || other.iter().any(|other| operators.contains(other)) {
        return Err(format!("{shape} does not filter below one hash join:\n{operators}").into());
    }
    Ok(())
}

/// Every cell as text: a sum is INT here and BIGINT there.
fn texts(batches: &[RecordBatch]) -> Step<Vec<String>> {
    let mut cells = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                cells.push(array_value_to_string(column, row)?);
            }
        }
    }
    Ok(cells)
}

fn bound(sql: &str, schema: &SchemaRef) -> Step<Job> {
    let job = flink::bind(&flink::parse(sql)?, &Flights(Arc::clone(schema)))?;
    let home = Home::FlinkBatch;
    Ok(Job { home, ..job })
}

/// The flights as the only dataset.
struct Flights(SchemaRef);

impl Tables for Flights {
    fn table(&self, name: &DatasetName) -> model::Result<Option<TableInfo>> {
        Ok((name.as_str() == "flights").then(|| TableInfo {
            schema: Arc::clone(&self.0),
            time_attribute: None,
            time_precision: TimePrecision::Exact,
            watermark_delay_ms: None,
            bounded: true,
        }))
    }
}
