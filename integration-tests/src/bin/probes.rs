//! Runs the probes of a file, or of the shipped ones, on both targets and judges them against Flink's answers.

use flinkspark_bridge::probe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The shipped files, and the right answers that each must give on `batch` and on `stream`.
const SHIPPED: [(&str, usize, usize); 2] = [
    ("data/probes.jsonl", 239, 166),
    ("data/probes-more.jsonl", 71, 58),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut file = None;
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--file", Some(path)) => file = Some(PathBuf::from(path)),
            _ => {
                eprintln!("usage: probes [--file FILE.jsonl]");
                return ExitCode::from(2);
            }
        }
    }
    let files = match file {
        Some(file) => vec![(file, 0, 0)],
        None => SHIPPED
            .map(|(name, batch, stream)| (flinkspark_integration_tests::path(name), batch, stream))
            .to_vec(),
    };
    let mut worst = ExitCode::SUCCESS;
    for (path, batch, stream) in files {
        match judged(&path, batch, stream) {
            Ok(true) => {}
            Ok(false) => worst = ExitCode::FAILURE,
            Err(why) => {
                eprintln!("{}: {why}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    worst
}

/// Prints what became of a file; whether nothing is wrong and as much as must be is right.
fn judged(path: &Path, batch: usize, stream: usize) -> Result<bool, String> {
    let text = std::fs::read_to_string(path).map_err(|cause| cause.to_string())?;
    let summary = probe::run(&text).map_err(|error| error.to_string())?;
    println!("{}\n{summary}", path.display());
    if summary.right < batch || summary.right_on_stream < stream {
        eprintln!("at least {batch} answers must be right on batch and {stream} on stream");
        return Ok(false);
    }
    Ok(summary.wrong == 0)
}
