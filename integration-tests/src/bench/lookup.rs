//! Lookups by name and by an engine's handle, over gRPC and in process.

use super::{percentile, report};
use crate::server::Server;
use crate::{Failure, Step};
use flinkspark_bridge::client::Client;
use flinkspark_bridge::parts::metadata::{self, Catalogue};
use flinkspark_bridge::parts::model::port::{Catalog, Reference};
use flinkspark_bridge::system::{SystemClock, SystemEntropy};
use flinkspark_proto::v1;
use futures::stream::{StreamExt, TryStreamExt};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Registrations under way at once: they share the journal's syncs.
const CONCURRENCY: usize = 256;
/// Lookups of each kind.
const LOOKUPS: u64 = 20_000;
/// A stride that is prime to the count visits datasets in no particular order.
const STRIDE: u64 = 7919;

/// Registers this many datasets and looks them up.
pub fn run(datasets: u64) -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(dir.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (registered, by_name, by_handle) = runtime.block_on(measure(&server.url(), datasets))?;
    server.terminate(Duration::from_secs(30))?;
    let since = Instant::now();
    let server = Server::start(dir.path())?;
    let opened = since.elapsed();
    server.terminate(Duration::from_secs(30))?;
    let (opened_inside, name_inside, handle_inside) =
        runtime.block_on(inside(dir.path(), datasets))?;
    let since = Instant::now();
    let data_dir = dir.path().to_str().ok_or("text")?;
    let said = crate::command::run(&["catalog", "rebuild", "--data-dir", data_dir])?;
    let rebuilt = since.elapsed();
    if said.code != Some(0) {
        return Err(format!("{said:?}").into());
    }
    println!(
        "{datasets} datasets registered in {:.1} s",
        registered.as_secs_f64()
    );
    let measured = [
        ("name, gRPC", &by_name),
        ("handle, gRPC", &by_handle),
        ("name, in process", &name_inside),
        ("handle, in process", &handle_inside),
    ];
    for (what, times) in measured {
        println!(
            "by {what:18} p50 {:?}, p99 {:?} (limit 1 ms)",
            percentile(times, 0.5),
            percentile(times, 0.99)
        );
    }
    println!(
        "catalogue opened in {:.2} s, index rebuilt in {:.2} s (limit 5), server ready again in {:.2} s",
        opened_inside.as_secs_f64(),
        rebuilt.as_secs_f64(),
        opened.as_secs_f64()
    );
    report(
        "lookup",
        json!({
            "ours": percentile(&by_name, 0.99).as_secs_f64(), "unit": "s, p99 by name", "samples": LOOKUPS,
            "handle_p99": percentile(&by_handle, 0.99).as_secs_f64(),
            "in_process_p99": percentile(&name_inside, 0.99).as_secs_f64(), "input": datasets,
            "open_s": opened_inside.as_secs_f64(), "ready_s": opened.as_secs_f64(), "rebuild_s": rebuilt.as_secs_f64(),
        }),
    )
}

type Measured = (Duration, Vec<Duration>, Vec<Duration>);

async fn measure(url: &str, datasets: u64) -> Step<Measured> {
    let client = Client::connect(url).await?;
    let since = Instant::now();
    let register = |number: u64| {
        let mut client = client.clone();
        async move {
            client
                .catalog
                .register(registration(number))
                .await
                .map(drop)
                .map_err(Failure::from)
        }
    };
    futures::stream::iter(0..datasets)
        .map(register)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<Vec<()>>()
        .await?;
    let registered = since.elapsed();
    let name = |number| v1::reference::By::Name(format!("bench.d{number}"));
    let handle = |number| v1::reference::By::Handle(format!("spark:spark_catalog.bench.d{number}"));
    let by_name = lookups(&client, datasets, name).await?;
    let by_handle = lookups(&client, datasets, handle).await?;
    Ok((registered, by_name, by_handle))
}

async fn lookups(
    client: &Client,
    datasets: u64,
    by: impl Fn(u64) -> v1::reference::By,
) -> Step<Vec<Duration>> {
    let mut client = client.clone();
    let mut times = Vec::with_capacity(LOOKUPS as usize);
    for step in 0..LOOKUPS {
        let reference = v1::Reference {
            by: Some(by((step * STRIDE) % datasets)),
        };
        let since = Instant::now();
        let view = client
            .catalog
            .lookup(v1::LookupRequest {
                reference: Some(reference),
            })
            .await?;
        times.push(since.elapsed());
        if view.into_inner().dataset.is_none() {
            return Err("a lookup gave nothing".into());
        }
    }
    times.sort_unstable();
    Ok(times)
}

/// The same lookups without a server, in the catalogue itself.
async fn inside(data_dir: &Path, datasets: u64) -> Step<Measured> {
    let options = metadata::Options::new(flinkspark_bridge::server::catalogue_dir(data_dir));
    let since = Instant::now();
    let catalogue = Catalogue::open(&options, Arc::new(SystemClock), Arc::new(SystemEntropy))?;
    let opened = since.elapsed();
    let mut measured = Vec::new();
    for prefix in ["bench.d", "spark:spark_catalog.bench.d"] {
        let mut times = Vec::with_capacity(LOOKUPS as usize);
        for step in 0..LOOKUPS {
            let reference: Reference = format!("{prefix}{}", (step * STRIDE) % datasets).parse()?;
            let since = Instant::now();
            catalogue.lookup(&reference).await?;
            times.push(since.elapsed());
        }
        times.sort_unstable();
        measured.push(times);
    }
    let by_handle = measured.pop().ok_or("two kinds")?;
    Ok((opened, measured.pop().ok_or("two kinds")?, by_handle))
}

fn registration(number: u64) -> v1::RegisterRequest {
    let fields: Vec<_> = (0..10)
        .map(|column| json!({"name": format!("c{column}"), "type": "int64", "nullable": true}))
        .collect();
    v1::RegisterRequest {
        name: format!("bench.d{number}"),
        schema: json!({"version": 1, "fields": fields}).to_string(),
        traits: None,
        handles: vec![v1::Handle {
            engine: Some(v1::handle::Engine::Spark(v1::SparkHandle {
                identifier: format!("spark_catalog.bench.d{number}"),
                ..v1::SparkHandle::default()
            })),
        }],
    }
}
