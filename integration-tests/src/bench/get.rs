//! What the checksums of segments cost a reader over Flight.
//!
//! One dataset of plain numbers is stored twice, and the second time its segments are made what the version without
//! checksums wrote: the same bytes in the same places, written in the same way. Both are read in turns. Invariant: a read counts only where it
//! gave every row.

use super::{SAMPLES, Samples, report};
use crate::flights::write;
use crate::server::Server;
use crate::{Failure, Step};
use arrow_array::{Float64Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use flinkspark_bridge::parts::connector::flight::Client;
use flinkspark_bridge::parts::connector::flight::body::ReadCommand;
use futures::StreamExt;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of a batch that is written.
const BATCH_ROWS: usize = 1 << 16;
/// Bytes of a row: two integers and two floats.
const ROW_BYTES: usize = 32;
/// The most that checksums may add to a read, as a part of its time.
const COST_MAX: f64 = 0.05;
/// How often the rows are stored anew: where they come to lie in memory makes more of a difference than what is measured.
const ROUNDS: usize = 2 * SAMPLES - 1;
/// Pairs of reads of a round, one of each dataset.
const READS: usize = 8 * SAMPLES;
/// The dataset as it is written today, and as the version before wrote it.
const DATASETS: [&str; 2] = ["sealed", "unsealed"];

/// Measures over so many millions of rows.
pub fn run(millions: u64) -> Step {
    let rows = usize::try_from(millions)? * 1_000_000;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("rows.arrow");
    write(&file, &numbers(rows)?)?;
    let mut seconds = [Vec::new(), Vec::new()];
    let mut costs = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let pairs = round(&file, rows)?;
        let ratios = pairs.iter().map(|[ours, without]| ours / without);
        costs.push(Samples::of(ratios.collect()).median() - 1.0);
        for (seconds, which) in seconds.iter_mut().zip([0, 1]) {
            seconds.extend(pairs.iter().map(|pair| pair[which]));
        }
    }
    let [ours, without] = seconds.map(Samples::of);
    let costs = Samples::of(costs);
    let cost = costs.median();
    let rate = |samples: &Samples| (rows * ROW_BYTES) as f64 / 1e9 / samples.median();
    println!("{rows} rows, {ROUNDS} rounds of {READS} pairs of reads, medians");
    println!("with checksums    {:.2} GB/s", rate(&ours));
    println!("without           {:.2} GB/s", rate(&without));
    println!(
        "checksums cost    {:.1} % (limit {:.0} %), by round {:.1} to {:.1} %",
        cost * 100.0,
        COST_MAX * 100.0,
        costs.spread().0 * 100.0,
        costs.spread().1 * 100.0
    );
    report(
        "get",
        json!({
            "unit": "GB/s", "ours": rate(&ours), "peer": rate(&without), "peer_version": "segments without checksums",
            "ratio": 1.0 / (1.0 + cost), "input": rows, "samples": ROUNDS * READS,
            "spread_s": [ours.spread().0, ours.spread().1], "peer_spread_s": [without.spread().0, without.spread().1],
        }),
    )?;
    match cost <= COST_MAX {
        true => Ok(()),
        false => Err(Failure::from("the checksums cost more than that")),
    }
}

/// Stores the rows anew in both ways and reads them in turns: the seconds of each pair.
fn round(file: &Path, rows: usize) -> Step<Vec<[f64; 2]>> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start(&data)?;
    let file = file.to_str().ok_or("the path is text")?;
    let [first, second] = DATASETS;
    store(&server, first, file)?;
    let before = segments(&data)?;
    store(&server, second, file)?;
    server.terminate(Duration::from_secs(30))?;
    let added = segments(&data)?;
    // Both are written at once again: a file that grew by pieces lies otherwise in the system's memory, and is read
    // slower.
    for file in added {
        let bytes = std::fs::read(&file)?;
        let bytes = match before.contains(&file) {
            true => bytes,
            false => unsealed(bytes)?,
        };
        std::fs::write(file, bytes)?;
    }
    let server = Server::start(&data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let timed = |dataset| -> Step<f64> {
        let since = Instant::now();
        let read = runtime.block_on(read(&server.url(), dataset))?;
        let took = since.elapsed().as_secs_f64();
        match read == rows {
            true => Ok(took),
            false => Err(format!("{read} rows of {rows}").into()),
        }
    };
    // The first read of each warms what the next ones find.
    for dataset in DATASETS {
        timed(dataset)?;
    }
    let mut pairs = Vec::with_capacity(READS);
    for number in 0..READS {
        // Neither is always the second.
        let mut pair = [0.0; 2];
        for which in [number % 2, 1 - number % 2] {
            pair[which] = timed(DATASETS[which])?;
        }
        pairs.push(pair);
    }
    server.terminate(Duration::from_secs(30))?;
    Ok(pairs)
}

fn numbers(rows: usize) -> Step<Vec<RecordBatch>> {
    let field = |name, kind| Field::new(name, kind, false);
    let schema = Arc::new(Schema::new(vec![
        field("a", DataType::Int64),
        field("b", DataType::Int64),
        field("x", DataType::Float64),
        field("y", DataType::Float64),
    ]));
    let batch = |from: usize| {
        let numbers = from as i64..(from + BATCH_ROWS).min(rows) as i64;
        let integers = |factor| Int64Array::from_iter_values(numbers.clone().map(|n| n * factor));
        let floats =
            |factor| Float64Array::from_iter_values(numbers.clone().map(|n| n as f64 * factor));
        let columns: [Arc<dyn arrow_array::Array>; 4] = [
            Arc::new(integers(1)),
            Arc::new(integers(7_919)),
            Arc::new(floats(0.1)),
            Arc::new(floats(-3.7)),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns.into())?)
    };
    (0..rows).step_by(BATCH_ROWS).map(batch).collect()
}

fn store(server: &Server, name: &str, file: &str) -> Step {
    server.must(&["dataset", "register", name, "--like", file])?;
    server.must(&["transfer", file, &format!("dataset://{name}")])?;
    Ok(())
}

async fn read(url: &str, dataset: &str) -> Step<usize> {
    let client = Client::connect(url).await?;
    let command = ReadCommand {
        dataset: dataset.into(),
        ..ReadCommand::default()
    };
    let info = client.info(&command).await?;
    let (mut batches, mut rows) = (client.get(&info), 0);
    while let Some(batch) = batches.next().await {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

/// The files of segments below a data directory.
fn segments(folder: &Path) -> Step<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(segments(&path)?);
        } else if path
            .parent()
            .is_some_and(|parent| parent.ends_with("segments"))
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// Makes of a segment what the version before wrote: its version is 1, and there is no mark before its footer.
fn unsealed(mut bytes: Vec<u8>) -> Step<Vec<u8>> {
    const MARK: &[u8] = b"FSK2";
    const VERSION: &[u8] = b"flinkspark.segment";
    let end = bytes.len().saturating_sub(1 << 20);
    let last = |bytes: &[u8], text: &[u8]| {
        let at = bytes[end..]
            .windows(text.len())
            .rposition(|part| part == text);
        at.map(|at| end + at).ok_or("it is no segment of version 3")
    };
    let mark = last(&bytes, MARK)?;
    bytes[mark..mark + 8].fill(0);
    // A text of a flatbuffer: its length before it, and padding to four bytes after it.
    let value = [1_u8, 0, 0, 0, b'3', 0, 0, 0];
    let places = bytes[end..].windows(8).enumerate();
    let places: Vec<usize> = places
        .filter(|(_, part)| *part == value)
        .map(|(at, _)| end + at)
        .collect();
    last(&bytes, VERSION)?;
    let [place] = places.as_slice() else {
        return Err(Failure::from(format!("its version is at {places:?}")));
    };
    bytes[place + 4] = b'1';
    Ok(bytes)
}
