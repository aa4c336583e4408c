//! The hourly job over the flights of many years, both engines beside DataFusion's plain plan.

use super::{SAMPLES, Samples, report};
use crate::flights::{write, years_of_flights};
use crate::server::Server;
use crate::{Failure, Step};
use arrow_array::RecordBatch;
use flinkspark_bridge::parts::datafusion::datasource::MemTable;
use flinkspark_bridge::parts::datafusion::prelude::{SessionConfig, SessionContext};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Partitions of the peer's table and parallelism of ours.
const PARALLELISM: usize = 2;
/// What the peer runs.
const PEER: &str = "SELECT date_trunc('hour', event_time) AS w, origin, COUNT(*) AS n, COUNT(dep_delay), AVG(dep_delay), \
                    MAX(dep_delay), SUM(distance), AVG(distance) FROM flights GROUP BY date_trunc('hour', event_time), origin";

/// Runs the job over this many years of flights.
pub fn run(years: u64) -> Step {
    let dir = tempfile::tempdir()?;
    let batches = years_of_flights(years)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let file = dir.path().join("flights.arrow");
    write(&file, &batches)?;
    let (peer, groups) = peer(batches)?;
    let server = Server::start(&dir.path().join("data"))?;
    let path = file.to_str().ok_or("text")?;
    server.must(&[
        "dataset",
        "register",
        "flights",
        "--like",
        path,
        "--time-attribute",
        "event_time",
        "--watermark-delay",
        "24h",
    ])?;
    server.must(&["transfer", path, "dataset://flights"])?;
    println!(
        "{rows} rows; rows/s by the median of {SAMPLES}, and the ratio to DataFusion {groups} groups"
    );
    println!(
        "{:12} {:>12.0}  {:.2}",
        "datafusion",
        rows as f64 / peer.median(),
        1.0
    );
    let mut ratios = serde_json::Map::new();
    for on in ["stream", "batch"] {
        let mut number = 0;
        let ours = Samples::take(|| {
            number += 1;
            ours(&server, dir.path(), on, number, groups)
        })?;
        let ratio = peer.median() / ours.median();
        println!("{on:12} {:>12.0}  {ratio:.2}", rows as f64 / ours.median());
        ratios.insert(on.into(), json!({"ratio": ratio, "ours": rows as f64 / ours.median(), "spread_s": [ours.spread().0, ours.spread().1]}));
    }
    report(
        "hourly",
        json!({
            "ratio": ratios, "peer": rows as f64 / peer.median(), "unit": "rows/s", "peer_version": "datafusion 55",
            "input": rows, "samples": SAMPLES, "peer_spread_s": [peer.spread().0, peer.spread().1],
        }),
    )
}

/// DataFusion over the same batches in memory: times, and how many groups there are.
fn peer(batches: Vec<RecordBatch>) -> Step<(Samples, usize)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(PARALLELISM)
        .enable_all()
        .build()?;
    let session =
        SessionContext::new_with_config(SessionConfig::new().with_target_partitions(PARALLELISM));
    let schema = batches.first().ok_or("no rows")?.schema();
    let half = batches.len() / PARALLELISM;
    let mut parts = batches;
    let second = parts.split_off(half);
    session.register_table(
        "flights",
        Arc::new(MemTable::try_new(schema, vec![parts, second])?),
    )?;
    let mut groups = 0;
    let samples = Samples::take(|| {
        let answer: Result<Vec<RecordBatch>, Failure> =
            runtime.block_on(async { Ok(session.sql(PEER).await?.collect().await?) });
        groups = answer?.iter().map(RecordBatch::num_rows).sum();
        Ok(())
    })?;
    let plan = runtime.block_on(async { session.sql(PEER).await?.create_physical_plan().await })?;
    let shape = format!("{plan:?}");
    if !shape.contains("AggregateExec") {
        return Err("the peer's plan is not an aggregation".into());
    }
    Ok((samples, groups))
}

fn ours(server: &Server, dir: &Path, on: &str, number: usize, groups: usize) -> Step {
    let output = format!("{on}_{number}");
    let text = std::fs::read_to_string(crate::path("jobs/hourly_departures.sql"))?;
    let file = dir.join(format!("{output}.sql"));
    std::fs::write(&file, text.replace("hourly_departures", &output))?;
    let parallelism = PARALLELISM.to_string();
    let since = Instant::now();
    let run = [
        "job",
        "run",
        file.to_str().ok_or("text")?,
        "--on",
        on,
        "--parallelism",
        &parallelism,
        "--checkpoint-interval",
        "1s",
        "-o",
        "json",
    ];
    let said = server.must(&run)?.json()?;
    if said["rows_out"].as_u64() != u64::try_from(groups).ok() || said["rows_late"] != 0 {
        return Err(format!(
            "after {:?} the answer is not the peer's {groups} groups: {said}",
            since.elapsed()
        )
        .into());
    }
    Ok(())
}
