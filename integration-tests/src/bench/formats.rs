//! Files of each format, read and written beside the programs that others read and write them with.
//!
//! Each piece of work is a process of its own, ours and the peers' in turns, on the same flights. Nobody syncs what is
//! written. Invariant: a time counts only where all rows were there, and their distances had the right sum.

use super::{SAMPLES, Samples, report};
use crate::flights::{write, years_of_flights};
use crate::{Failure, Step};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_schema::SchemaRef;
use flinkspark_bridge::parts::connector::format::{Format, ReadOptions, WriteOptions};
use serde_json::{Value, json};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Each format with the peers that have it, the part of the best one's rate that we are to reach, and who writes the
/// file that everybody reads.
const FORMATS: [(&str, &[&str], f64, Option<&str>); 5] = [
    ("arrow", &["pyarrow", "polars"], 0.7, None),
    ("parquet", &["pyarrow", "polars", "duckdb"], 0.7, None),
    ("csv", &["pyarrow", "polars", "duckdb"], 0.7, None),
    ("json", &["pyarrow", "polars", "duckdb"], 1.0, None),
    // polars reads no zstandard, which is what we write.
    ("avro", &["polars"], 1.0, Some("polars")),
];

/// What a reader or writer may have in memory, in KiB.
const MEMORY_KIB_MAX: u64 = 512 << 10;

/// Measures over this many years of flights; of one format where it is named.
pub fn run(years: u64, only: Option<&str>) -> Step {
    let dir = tempfile::tempdir()?;
    let source = dir.path().join("source.arrow");
    write(&source, &years_of_flights(years)?)?;
    let truth = read(&source, None)?;
    println!("{} rows; rows per second are medians of {SAMPLES}", truth.0);
    println!(
        "format   work   ours        best of the peers       ratio  wanted  our memory  its memory"
    );
    let mut short = Vec::new();
    let mut all = Vec::new();
    for (format, peers, wanted, writer) in FORMATS {
        if only.is_some_and(|only| only != format) {
            continue;
        }
        let read = dir.path().join(format!("read.{format}"));
        one(writer.unwrap_or("ours"), "write", format, &read, &source)?;
        for work in ["write", "read"] {
            let line = measure(format, peers, work, wanted, &read, &source, truth)?;
            if !line.reached {
                short.push(format!("{format} {work}"));
            }
            all.push(line.json);
        }
        std::fs::remove_file(&read)?;
    }
    report("formats", json!({ "input": truth.0, "formats": all }))?;
    match short.as_slice() {
        [] => Ok(()),
        short => Err(Failure::from(format!(
            "below the ratio or above the memory: {}",
            short.join(", ")
        ))),
    }
}

/// A line of the table.
struct Line {
    reached: bool,
    json: Value,
}

fn measure(
    format: &str,
    peers: &[&str],
    work: &str,
    wanted: f64,
    file: &Path,
    source: &Path,
    truth: (u64, i64),
) -> Step<Line> {
    let written = file.with_file_name(format!("written.{format}"));
    let target = if work == "write" { &written } else { file };
    // pyarrow writes no JSON.
    let has = |peer: &&str| (work, format, *peer) != ("write", "json", "pyarrow");
    let who: Vec<&str> = ["ours"]
        .into_iter()
        .chain(peers.iter().copied().filter(has))
        .collect();
    let mut results: Vec<Vec<Value>> = vec![Vec::new(); who.len()];
    for sample in 0..SAMPLES {
        for (who, results) in who.iter().zip(&mut results) {
            let result = one(who, work, format, target, source)?;
            check(who, work, format, &result, truth)?;
            if work == "write" {
                if sample == 0 {
                    let back = read(&written, Some(source))?;
                    if back != truth {
                        return Err(
                            format!("{who} wrote {format} with {back:?} for {truth:?}").into()
                        );
                    }
                }
                std::fs::remove_file(&written)?;
            }
            results.push(result);
        }
    }
    let rate = |results: &[Value]| {
        let seconds = results
            .iter()
            .filter_map(|result| result["seconds"].as_f64());
        truth.0 as f64 / Samples::of(seconds.collect()).median()
    };
    let peak = |results: &[Value]| {
        let peaks = results
            .iter()
            .filter_map(|result| result["peak_kib"].as_u64());
        peaks.max().unwrap_or(0)
    };
    let rates: Vec<f64> = results.iter().map(|results| rate(results)).collect();
    let best = (1..who.len())
        .max_by(|one, other| rates[*one].total_cmp(&rates[*other]))
        .ok_or("no peer has it")?;
    let (ratio, memory) = (rates[0] / rates[best], peak(&results[0]));
    println!(
        "{format:8} {work:6} {:6.2} M/s  {:8} {:6.2} M/s  {ratio:10.2}  {wanted:6.1}  {:6} MiB  {:6} MiB",
        rates[0] / 1e6,
        who[best],
        rates[best] / 1e6,
        memory >> 10,
        peak(&results[best]) >> 10,
    );
    let others = who.iter().zip(&rates).zip(&results);
    let others = others.map(|((who, rate), results)| {
        json!({ "who": who, "rows_per_second": rate, "peak_kib": peak(results), "version": results[0]["version"] })
    });
    Ok(Line {
        reached: ratio >= wanted && memory <= MEMORY_KIB_MAX,
        json: json!({
            "format": format, "work": work, "unit": "rows/s", "ratio": ratio, "ours": rates[0], "peer": rates[best],
            "peer_version": results[best][0]["version"], "samples": SAMPLES, "all": others.collect::<Vec<_>>(),
        }),
    })
}

fn check(who: &str, work: &str, format: &str, result: &Value, truth: (u64, i64)) -> Step {
    let found = (result["rows"].as_u64(), result["distance"].as_i64());
    match found == (Some(truth.0), Some(truth.1)) {
        true => Ok(()),
        false => Err(format!("{who}, {work} {format}: {found:?} for {truth:?}").into()),
    }
}

/// Runs one piece of work in a process of its own.
fn one(who: &str, work: &str, format: &str, file: &Path, source: &Path) -> Step<Value> {
    let mut command = match who {
        "ours" => {
            let mut ours = Command::new(std::env::current_exe()?);
            ours.arg("formats-ours");
            ours
        }
        peer => python(peer)?,
    };
    let output = command.args([work, format]).args([file, source]).output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{who}, {work} {format}: {why}").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A peer, in pyarrow's environment with its own beside it.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is told where the peers are by its environment"
)]
fn python(peer: &str) -> Step<Command> {
    let peers =
        std::env::var("FLINKSPARK_PEERS").map_err(|_| "FLINKSPARK_PEERS names no folder")?;
    let peers = Path::new(&peers);
    let mut packages = Vec::new();
    for version in std::fs::read_dir(peers.join(peer).join("lib"))? {
        packages.push(version?.path().join("site-packages"));
    }
    let mut command = Command::new(peers.join("pyarrow/bin/python"));
    command.env("PYTHONPATH", std::env::join_paths(packages)?);
    command
        .arg(crate::path("python/bench/formats.py"))
        .arg(peer);
    Ok(command)
}

/// Our own piece of work, in this process: `read|write FORMAT FILE SOURCE`.
pub fn ours(arguments: &[&str]) -> Step {
    let [work, format, file, source] = arguments else {
        return Err("usage: formats-ours read|write FORMAT FILE SOURCE".into());
    };
    let (file, source) = (Path::new(file), Path::new(source));
    let (seconds, rows, distance) = match *work {
        "read" => {
            let schema = Format::ARROW
                .open(source, &ReadOptions::default())?
                .schema();
            let begin = Instant::now();
            let (rows, distance) = sums(file, Some(schema))?;
            (begin.elapsed().as_secs_f64(), rows, distance)
        }
        "write" => {
            // A part of the rows is in memory, and written as often as makes all of them.
            let (all, _) = sums(source, None)?;
            let year = years_of_flights(1)?;
            let schema = year.first().ok_or("no rows")?.schema();
            let one: u64 = year.iter().map(|batch| batch.num_rows() as u64).sum();
            let distance: i64 = year.iter().map(distance).sum();
            let begin = Instant::now();
            let output = Box::new(BufWriter::with_capacity(256 << 10, File::create(file)?));
            let name = file.display().to_string();
            let format: Format = format.parse()?;
            let mut writer = format.write(output, &name, schema, &WriteOptions::default())?;
            for _ in 0..all / one {
                year.iter().try_for_each(|batch| writer.write(batch))?;
            }
            writer.finish()?;
            let years = i64::try_from(all / one)?;
            (
                begin.elapsed().as_secs_f64(),
                all / one * one,
                distance * years,
            )
        }
        other => return Err(format!("unknown work {other}").into()),
    };
    let version = env!("CARGO_PKG_VERSION");
    let peak_kib = peak_kib()?;
    println!(
        "{}",
        json!({ "seconds": seconds, "rows": rows, "distance": distance, "peak_kib": peak_kib, "version": version })
    );
    Ok(())
}

/// The rows of a file and the sum of their distances, at the schema of another file.
fn read(file: &Path, source: Option<&Path>) -> Step<(u64, i64)> {
    let schema = match source {
        Some(source) => Some(
            Format::ARROW
                .open(source, &ReadOptions::default())?
                .schema(),
        ),
        None => None,
    };
    sums(file, schema)
}

fn sums(file: &Path, schema: Option<SchemaRef>) -> Step<(u64, i64)> {
    let options = ReadOptions {
        schema,
        ..ReadOptions::default()
    };
    let (mut rows, mut sum) = (0, 0);
    for batch in Format::from_path(file)?.open(file, &options)? {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        sum += distance(&batch);
    }
    Ok((rows, sum))
}

fn distance(batch: &RecordBatch) -> i64 {
    let column = batch.column_by_name("distance");
    let column = column.and_then(|column| column.as_primitive_opt::<Int32Type>());
    column.map_or(0, |column| column.iter().flatten().map(i64::from).sum())
}

/// The most memory that this process has had, in KiB.
fn peak_kib() -> Step<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|line| line.split_whitespace().next());
    Ok(peak.ok_or("the system tells no peak of memory")?.parse()?)
}
