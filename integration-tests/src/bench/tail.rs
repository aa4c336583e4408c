//! From the first byte of an epoch that was put to its rows at a follower, beside the disk's own syncs.
//!
//! One writer, one committing party, and a follower of each partition, at rates of epochs that come whether or not the
//! ones before are done. The peer is the disk alone: the same files and syncs at the same rate. Invariant: a time counts
//! only where every row before it came once and in order.

mod bridge;
mod disk;
mod pace;

use super::{percentile, report};
use crate::flights::write;
use crate::server::Server;
use crate::{Failure, Step};
use bridge::{Bridge, Followers, ROWS};
use disk::Disk;
use pace::Paced;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The most that an epoch may take beyond the disk's own syncs, at the 99th percentile.
const BEYOND_MAX: Duration = Duration::from_millis(20);
/// Epochs that warm what the next ones find, and their rate.
const WARM: (u64, f64) = (40, 20.0);
/// Publications that are timed one by one, before and after.
const SYNCS: usize = 200;
/// Bytes of a slot's file, about; any number below a block's costs the same.
const SLOT_BYTES: usize = 1024;
/// Syncs that an epoch waits for until it can be seen: of a file and of its name, for its rows and then for its slot.
const SYNCS_IN_THE_PATH: u32 = 4;

/// What is measured: so many epochs a second, for so long, in so many partitions.
const MEASURES: [Measure; 4] = [
    Measure::of(1, 30, 1),
    Measure::of(20, 30, 1),
    Measure::of(200, 20, 1),
    Measure::of(20, 20, 4),
];

#[derive(Debug, Clone, Copy)]
struct Measure {
    rate: u64,
    seconds: u64,
    partitions: u32,
}

impl Measure {
    const fn of(rate: u64, seconds: u64, partitions: u32) -> Self {
        Self {
            rate,
            seconds,
            partitions,
        }
    }
}

/// How long the syncs of one publication took.
struct Syncs {
    /// Of the file.
    file: Duration,
    /// Of the folder with its name.
    name: Duration,
}

/// What came of a measure.
struct Figures {
    /// From when it was due to when it was seen, sorted.
    times: Vec<Duration>,
    /// From when it was due to when it was begun, sorted.
    late: Vec<Duration>,
    /// Epochs and commits a second.
    epochs: f64,
    commits: f64,
}

/// Measures, prints and reports; only so many epochs a second where that is said.
pub fn run(arguments: &[&str]) -> Step {
    let only: Option<u64> = match arguments {
        [] => None,
        ["--rate", rate] => Some(rate.parse()?),
        other => return Err(format!("unknown arguments {other:?}").into()),
    };
    let measures: Vec<Measure> = MEASURES
        .into_iter()
        .filter(|measure| only.is_none_or(|rate| measure.rate == rate))
        .collect();
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let fields = runtime.block_on(measure_all(&server, dir.path(), &measures))?;
    drop(runtime);
    server.terminate(Duration::from_secs(30))?;
    let worst = fields.iter().filter_map(|each| each["beyond_ms"].as_f64());
    let worst = worst.fold(f64::NEG_INFINITY, f64::max);
    report(
        "tail",
        json!({
            "unit": "ms, p99 beyond the disk's own", "ours": worst, "limit": ms(BEYOND_MAX),
            "peer_version": "the same files and syncs, without a server", "measures": fields,
        }),
    )?;
    match worst <= ms(BEYOND_MAX) {
        true => Ok(()),
        false => Err(Failure::from("an epoch takes longer than that")),
    }
}

async fn measure_all(server: &Server, dir: &Path, measures: &[Measure]) -> Step<Vec<Value>> {
    let like = dir.join("rows.arrow");
    write(&like, &[bridge::rows(0)?])?;
    say_syncs(dir, "before")?;
    println!(
        "\n{ROWS} rows an epoch and partition; ms from when an epoch was due to its last row at the follower, and the disk alone"
    );
    println!(
        "rate  partitions  epochs/s  commits/s  late p99 |    p50     p99     max | disk  epochs/s  commits/s     p50     p99     max | p99 beyond (limit {:.0})",
        ms(BEYOND_MAX)
    );
    let mut fields = Vec::new();
    for (number, &measure) in measures.iter().enumerate() {
        let dataset = format!("tail_{number}");
        let partitions = measure.partitions;
        let (bridge, followers) = Bridge::open(server, &like, &dataset, partitions).await?;
        let ours = of_bridge(&bridge, followers, measure).await?;
        let bytes = (bridge.bytes(), SLOT_BYTES);
        let disk = Disk::new(&dir.join(dataset), partitions, bytes)?;
        let peer = of_disk(&disk, measure).await?;
        fields.push(say(measure, &ours, &peer));
    }
    println!();
    say_syncs(dir, "after")?;
    Ok(fields)
}

async fn of_bridge(
    bridge: &Arc<Bridge>,
    mut followers: Followers,
    measure: Measure,
) -> Step<Figures> {
    let (warm, rate) = WARM;
    pace::run(bridge, 0, warm, rate).await?;
    followers.take(warm).await?;
    let count = measure.rate * measure.seconds;
    let running = pace::run(bridge, warm, count, measure.rate as f64);
    let (paced, seen) = futures::join!(running, followers.take(count));
    figures(&paced?, warm, &seen?)
}

async fn of_disk(disk: &Arc<Disk>, measure: Measure) -> Step<Figures> {
    let count = measure.rate * measure.seconds;
    let paced = pace::run(disk, 0, count, measure.rate as f64).await?;
    figures(&paced, 0, &disk.seen())
}

/// Of epochs from `first` on, and when each was seen.
fn figures(paced: &Paced, first: u64, seen: &[(u64, Instant)]) -> Step<Figures> {
    let mut times = Vec::with_capacity(seen.len());
    for (epoch, at) in seen {
        let number = usize::try_from(epoch - first)?;
        let due = paced.due.get(number).ok_or("an epoch that was not sent")?;
        times.push(at.duration_since(*due));
    }
    let begun = paced.begun.iter().zip(&paced.due);
    let mut late: Vec<Duration> = begun.map(|(at, due)| at.duration_since(*due)).collect();
    times.sort_unstable();
    late.sort_unstable();
    let (Some(start), Some(end)) = (paced.due.first(), paced.due.last()) else {
        return Err("no epoch was due".into());
    };
    // A run that keeps up ends with its last epoch: the interval after it belongs to it.
    let interval = end.duration_since(*start) / u32::try_from(paced.due.len().max(2) - 1)?;
    let took = paced.ended.max(*end + interval).duration_since(*start);
    Ok(Figures {
        epochs: times.len() as f64 / took.as_secs_f64(),
        commits: paced.commits as f64 / took.as_secs_f64(),
        times,
        late,
    })
}

fn say(measure: Measure, ours: &Figures, peer: &Figures) -> Value {
    let of = |figures: &Figures, share| ms(percentile(&figures.times, share));
    let beyond = of(ours, 0.99) - of(peer, 0.99);
    let late = ms(percentile(&ours.late, 0.99));
    println!(
        "{:4}  {:10}  {:8.1}  {:9.1}  {late:8.1} | {:6.1}  {:6.1}  {:6.1} |       {:8.1}  {:9.1}  {:6.1}  {:6.1}  {:6.1} | {beyond:6.1}",
        measure.rate,
        measure.partitions,
        ours.epochs,
        ours.commits,
        of(ours, 0.5),
        of(ours, 0.99),
        of(ours, 1.0),
        peer.epochs,
        peer.commits,
        of(peer, 0.5),
        of(peer, 0.99),
        of(peer, 1.0),
    );
    let fields = |figures: &Figures| {
        json!({
            "epochs_s": figures.epochs, "commits_s": figures.commits, "samples": figures.times.len(),
            "p50_ms": of(figures, 0.5), "p99_ms": of(figures, 0.99), "max_ms": of(figures, 1.0),
        })
    };
    json!({
        "rate": measure.rate, "partitions": measure.partitions, "late_p99_ms": late,
        "ours": fields(ours), "disk": fields(peer), "beyond_ms": beyond,
    })
}

/// Times single syncs while nothing else is written here, and says them.
fn say_syncs(dir: &Path, when: &str) -> Step {
    let disk = Disk::new(&dir.join(when), 1, (SLOT_BYTES, SLOT_BYTES))?;
    let syncs = disk.syncs(SYNCS)?;
    let sorted = |of: fn(&Syncs) -> Duration| {
        let mut times: Vec<Duration> = syncs.iter().map(of).collect();
        times.sort_unstable();
        (ms(percentile(&times, 0.5)), ms(percentile(&times, 0.99)))
    };
    let (file, name) = (sorted(|syncs| syncs.file), sorted(|syncs| syncs.name));
    println!(
        "this disk {when}: a file's sync p50 {:.2} ms, p99 {:.2}; its name's p50 {:.2}, p99 {:.2}; {SYNCS_IN_THE_PATH} in an epoch's path",
        file.0, file.1, name.0, name.1
    );
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
