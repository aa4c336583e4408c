//! A dataset of a hundred thousand small segments: how long its log takes to open, a flight over it to plan, and
//! whether it moves out and in.
//!
//! Somebody else's client writes it, as a named writer, in commits whose segments are more than a slot names. Invariant: a figure counts only
//! where the rows that came out are those that were put in, by count and digest.

use super::{percentile, report};
use crate::server::Server;
use crate::{Failure, Step, flights};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_bridge::parts::connector::flight::Client;
use flinkspark_bridge::parts::connector::flight::body::{InfoMetadata, ReadCommand, Splits};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Segments without `--scale`.
pub const SEGMENTS: u64 = 100_000;
/// Segments of a commit.
const COMMIT_SEGMENTS: u64 = 1_000;
/// How often a flight is planned.
const FLIGHTS: usize = 20;
/// The most endpoints that the flights ask for.
const ENDPOINTS_MAX: usize = 200;
/// How long a flight may take to plan.
const FLIGHT_LIMIT: Duration = Duration::from_millis(200);
/// How long the first flight may take after the server has started anew.
const OPEN_LIMIT: Duration = Duration::from_secs(2);

/// Measures over so many segments.
pub fn run(segments: u64) -> Step {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let server = Server::start(&data)?;
    let none = path("none.arrow");
    flights::write(Path::new(&none), &[RecordBatch::new_empty(schema())])?;
    server.must(&["dataset", "register", "many", "--like", &none])?;
    let since = Instant::now();
    let rows = write(&server, segments)?;
    println!(
        "{segments} segments of {rows} rows written in {:.0} s",
        since.elapsed().as_secs_f64()
    );
    server.kill()?;

    let server = Server::start(&data)?;
    let since = Instant::now();
    let (first, endpoints) = flight(&server, "many")?;
    let opened = since.elapsed();
    let mut planned = Vec::with_capacity(FLIGHTS);
    for _ in 0..FLIGHTS {
        let since = Instant::now();
        flight(&server, "many")?;
        planned.push(since.elapsed());
    }
    planned.sort();
    let (p50, max) = (percentile(&planned, 0.5), percentile(&planned, 1.0));
    println!(
        "the first flight after kill -9 {:.0} ms (limit {})",
        ms(opened),
        OPEN_LIMIT.as_millis()
    );
    println!(
        "a flight       p50 {:.1} ms, max {:.1} ms of {FLIGHTS} (limit {}), {endpoints} endpoints (limit {ENDPOINTS_MAX})",
        ms(p50),
        ms(max),
        FLIGHT_LIMIT.as_millis()
    );

    let file = path("many.arrow");
    let since = Instant::now();
    server.must(&["transfer", "dataset://many", &file])?;
    let out = since.elapsed();
    server.must(&["dataset", "register", "again", "--like", &file])?;
    let since = Instant::now();
    server.must(&["transfer", &file, "dataset://again"])?;
    let back = since.elapsed();
    let (again, _) = flight(&server, "again")?;
    if (again.rows, again.digest) != (first.rows, first.digest) || first.rows != rows {
        return Err(format!("{first:?} went out, {again:?} came back").into());
    }
    println!(
        "transfer out {:.1} s, back {:.1} s: {rows} rows, equal digest",
        out.as_secs_f64(),
        back.as_secs_f64()
    );
    report(
        "segments",
        json!({
            "unit": "ms", "input": segments, "open": ms(opened), "flight_p50": ms(p50), "flight_max": ms(max),
            "endpoints": endpoints, "transfer_out_s": out.as_secs_f64(), "transfer_back_s": back.as_secs_f64(),
        }),
    )?;
    match opened <= OPEN_LIMIT && max <= FLIGHT_LIMIT && endpoints <= ENDPOINTS_MAX {
        true => Ok(()),
        false => Err(Failure::from("a limit was passed")),
    }
}

/// What `python/segments.py` writes.
fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Lets pyarrow write the segments; gives the rows that it put.
fn write(server: &Server, segments: u64) -> Step<u64> {
    let commits = (segments / COMMIT_SEGMENTS).max(1);
    let mut command = Command::new(interpreter()?);
    command
        .arg(crate::path("python/segments.py"))
        .args([&format!("grpc://{}", server.grpc()), "many"])
        .args([segments, commits].map(|number| number.to_string()));
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// The Python that has pyarrow.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is told where the peers are by its environment"
)]
fn interpreter() -> Step<std::path::PathBuf> {
    let peers = std::env::var("FLINKSPARK_PEERS");
    let peers = peers.map_err(|_| "FLINKSPARK_PEERS names no folder")?;
    Ok(Path::new(&peers).join("pyarrow/bin/python"))
}

/// A flight over all rows, and its number of endpoints.
fn flight(server: &Server, dataset: &str) -> Step<(InfoMetadata, usize)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let command = ReadCommand {
        dataset: dataset.into(),
        splits: Some(Splits {
            max: Some(ENDPOINTS_MAX),
            ..Splits::default()
        }),
        ..ReadCommand::default()
    };
    let info = runtime.block_on(async {
        let client = Client::connect(server.url().as_str()).await?;
        client.info(&command).await
    })?;
    Ok((info.metadata, info.endpoints.len()))
}
