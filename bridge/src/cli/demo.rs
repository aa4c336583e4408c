//! `flinkspark demo`: real flights through both engines and back, exactly once.
//!
//! Everything it shows is what the bridge's own commands do, on servers in processes of their own
//! that can be killed. Invariant: each figure is read back from the datasets, none is assumed.

mod compare;
mod handle;
mod process;

use super::args::Format;
use super::render;
use super::rows::{first, text};
use super::transfer::put_file;
use crate::client::{Client, answer, look_up};
use crate::exit;
use flinkspark_connector::format;
use flinkspark_model::dataset::TimeAttribute;
use flinkspark_model::dataset::Traits;
use flinkspark_model::handle::Handle;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::Registration;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;
use process::{Folder, Process};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// All 336,776 flights that left New York's airports in 2013.
const FLIGHTS: &[u8] = include_bytes!("../../../integration-tests/data/flights.parquet");
/// Departures by hour and origin.
const HOURLY: &str = include_str!("../../../integration-tests/jobs/hourly_departures.sql");
/// The hourly departures by origin, on the other engine.
const BY_ORIGIN: &str = include_str!("../../../integration-tests/jobs/departures_by_origin.sql");
/// Back to the stream: the airports with more than 100,000 departures.
const BUSY: &str = include_str!("../../../integration-tests/jobs/busy_origins.sql");
/// How often the server is killed.
const KILLS: u32 = 3;
/// Rows a second of the job that is killed, so that it lives to see the kills.
const KILLED_RATE: u64 = 120_000;

/// Runs the demo; its exit code.
pub(super) fn run(keep: Option<PathBuf>, plant: Option<String>) -> Result<u8> {
    let faults = plant.map(|defect| plantable(&defect)).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.map_err(process::failed)?;
    runtime.block_on(tell(keep, faults.as_deref()))
}

#[cfg(feature = "faults")]
fn plantable(defect: &str) -> Result<String> {
    if flinkspark_model::fault::DEFECTS.contains(&defect) {
        return Ok(format!("plant={defect}"));
    }
    Err(Error::new(
        Kind::Invalid,
        "FS0002",
        format!("\"{}\" is not a defect", defect.escape_debug()),
    )
    .with_detail(format!(
        "known: {}",
        flinkspark_model::fault::DEFECTS.join(", ")
    )))
}

#[cfg(not(feature = "faults"))]
fn plantable(_defect: &str) -> Result<String> {
    Err(Error::new(
        Kind::Invalid,
        "FS0002",
        "this build has no defects to plant",
    )
    .with_detail("--plant needs a build with the feature `faults`")
    .with_hint("cargo xtask demo --plant doubled-commit"))
}

async fn tell(keep: Option<PathBuf>, faults: Option<&str>) -> Result<u8> {
    let folder = Folder::new(keep)?;
    let file = folder.path().join("flights.parquet");
    std::fs::write(&file, FLIGHTS).map_err(process::failed)?;
    let data = folder.path().join("data");
    let started = Instant::now();

    say(&format!(
        "FlinkSpark {}: one real dataset, two engines, exactly once\n",
        env!("CARGO_PKG_VERSION")
    ))?;
    let server = Process::start(&data, faults)?;
    let mut client = Client::connect(server.url()).await?;
    register(&mut client, &file).await?;
    load(&client, &file).await?;
    stream(&mut client).await?;
    hand_over(&mut client).await?;
    back(&mut client).await?;
    verify(&mut client).await?;
    let whole = killed(server, &data, faults).await?;
    handle::recompute(&data, folder.path()).await?;
    let (verdict, code) = match whole {
        true => ("done", exit::OK),
        false => (
            "failed in step 7, which lost or doubled rows,",
            exit::FAILED,
        ),
    };
    let took = started.elapsed().as_secs_f64();
    say(&format!("\n{verdict} in {took:.1} s\n"))?;
    Ok(code)
}

async fn register(client: &mut Client, file: &Path) -> Result<()> {
    step(1, "register: one identity, a name for each engine")?;
    let registration = Registration {
        name: DatasetName::new("flights")?,
        schema: format::open(file, &format::ReadOptions::default())?.schema(),
        traits: Traits {
            time: Some(TimeAttribute {
                column: "event_time".into(),
                watermark_delay_ms: 86_400_000,
                precision: flinkspark_model::dataset::TimePrecision::Exact,
            }),
            ..Traits::default()
        },
        handles: vec![
            Handle::flink_table("default_catalog.default_database.flights")?,
            Handle::spark_table("spark_catalog.default.flights")?,
        ],
    };
    answer(
        client
            .catalog
            .register(v1::RegisterRequest::try_from(&registration)?)
            .await,
    )?;
    for reference in [
        "flights",
        "flink:default_catalog.default_database.flights",
        "spark:spark_catalog.default.flights",
    ] {
        let view = look_up(client, reference).await?;
        say(&format!(
            "  {reference:48} -> {}\n",
            view.dataset.unwrap_or_default().id
        ))?;
    }
    Ok(())
}

async fn load(client: &Client, file: &Path) -> Result<()> {
    step(
        2,
        "transfer: a Parquet file crosses Arrow Flight in one transaction",
    )?;
    let since = Instant::now();
    let outcome = put_file(client, file, "flights", "demo-flights").await?;
    let rate = outcome.rows as f64 / since.elapsed().as_secs_f64().max(1e-9);
    say(&format!(
        "  {} rows, {:.0} rows/s, {}\n",
        outcome.rows, rate, outcome.digest
    ))?;
    head(client, "flights", 3).await
}

async fn stream(client: &mut Client) -> Result<()> {
    step(
        3,
        "stream: departures by hour and origin, in event time, checkpointed",
    )?;
    job(client, "demo-stream", HOURLY, v1::Target::Stream, None).await?;
    head(client, "hourly_departures", 3).await
}

async fn hand_over(client: &mut Client) -> Result<()> {
    step(
        4,
        "hand over: the batch engine reads what the stream committed",
    )?;
    let view = look_up(client, "hourly_departures").await?;
    for partition in &view.partitions {
        say(&format!(
            "  partition {} of the RDD-like handle: {} rows at {}\n",
            partition.index,
            partition.rows,
            partition.preferred_locations.join(", ")
        ))?;
    }
    job(client, "demo-batch", BY_ORIGIN, v1::Target::Batch, None).await?;
    head(client, "departures_by_origin", 3).await
}

async fn back(client: &mut Client) -> Result<()> {
    step(
        5,
        "and back: the stream engine reads what the batch committed",
    )?;
    job(client, "demo-back", BUSY, v1::Target::Stream, None).await?;
    head(client, "busy_origins", 3).await
}

async fn verify(client: &mut Client) -> Result<()> {
    step(
        6,
        "verify: the same job on both engines, from the same input",
    )?;
    let request = v1::VerifyRequest {
        text: HOURLY.into(),
        ..v1::VerifyRequest::default()
    };
    let verified = answer(client.jobs.verify(request).await)?;
    for result in &verified.results {
        let target = render::target(result.target());
        say(&format!(
            "  {target:6} {} rows, {} late, {}\n",
            result.rows, result.late_rows, result.digest
        ))?;
    }
    if !verified.equal {
        return Err(
            Error::new(Kind::Data, "FS0021", "the demo found a difference").with_detail(format!(
                "{} rows differ between stream and batch",
                verified.differing_rows
            )),
        );
    }
    say("  stream equals batch\n")
}

/// Kills the server in the middle of a job, again and again, and compares with the unfailed run.
async fn killed(server: Process, data: &Path, faults: Option<&str>) -> Result<bool> {
    step(
        7,
        "kill: the server dies by SIGKILL in the middle, the job goes on exactly once",
    )?;
    let text = HOURLY.replace("hourly_departures", "hourly_again");
    let mut server = server;
    for number in 1..=KILLS {
        let mut client = Client::connect(server.url()).await?;
        submit(
            &mut client,
            "demo-killed",
            &text,
            v1::Target::Stream,
            Some(KILLED_RATE),
        )
        .await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let progress = answer(
            client
                .jobs
                .get(v1::GetJobRequest {
                    id: "demo-killed".into(),
                })
                .await,
        )?
        .progress;
        let progress = progress.unwrap_or_default();
        say(&format!(
            "  kill {number} at checkpoint {}, {} rows in\n",
            progress.checkpoint, progress.rows_in
        ))?;
        server.kill()?;
        server = Process::start(data, faults)?;
    }
    let mut client = Client::connect(server.url()).await?;
    let job = wait(&mut client, "demo-killed").await?;
    let difference = compare::datasets(&client, "hourly_departures", "hourly_again").await?;
    say(&format!(
        "  {} incarnations; {difference}\n",
        job.generation
    ))?;
    server.stop()?;
    Ok(difference.is_none())
}

/// Submits a job and waits for its end.
async fn job(
    client: &mut Client,
    id: &str,
    text: &str,
    target: v1::Target,
    rate: Option<u64>,
) -> Result<()> {
    let since = Instant::now();
    submit(client, id, text, target, rate).await?;
    let job = wait(client, id).await?;
    let progress = job.progress.unwrap_or_default();
    say(&format!(
        "  {} rows in, {} rows out, {} late, {} checkpoints, {:.1} s\n",
        progress.rows_in,
        progress.rows_out,
        progress.late_rows,
        progress.checkpoint,
        since.elapsed().as_secs_f64()
    ))
}

async fn submit(
    client: &mut Client,
    id: &str,
    text: &str,
    target: v1::Target,
    rate: Option<u64>,
) -> Result<()> {
    let options = v1::JobOptions {
        rate_rows_per_second: rate,
        checkpoint_interval_ms: Some(100),
        ..v1::JobOptions::default()
    };
    let request = v1::SubmitRequest {
        id: id.into(),
        text: text.into(),
        target: target.into(),
        options: Some(options),
    };
    answer(client.jobs.submit(request).await).map(drop)
}

async fn wait(client: &mut Client, id: &str) -> Result<v1::Job> {
    let mut jobs = answer(
        client
            .jobs
            .watch(v1::WatchJobRequest { id: id.into() })
            .await,
    )?;
    while let Some(job) = jobs
        .message()
        .await
        .map_err(|status| flinkspark_proto::error::from_status(&status))?
    {
        match job.state() {
            v1::JobState::Finished => return Ok(job),
            v1::JobState::Failed | v1::JobState::Stopped | v1::JobState::Parked => {
                let why = job.error.map_or_else(String::new, |error| error.message);
                return Err(Error::new(
                    Kind::Data,
                    "FS0021",
                    format!("the demo's job {id} failed"),
                )
                .with_detail(why));
            }
            _ => {}
        }
    }
    Err(Error::new(
        Kind::Unavailable,
        "FS0014",
        "the bridge closed the feed of the job",
    ))
}

async fn head(client: &Client, dataset: &str, rows: usize) -> Result<()> {
    let table = text(Format::Table, &first(client, dataset, rows).await?)?;
    say(&table
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect::<String>())
}

fn step(number: u32, text: &str) -> Result<()> {
    say(&format!("\n{number}. {text}\n"))
}

fn say(text: &str) -> Result<()> {
    render::text(text)
}
