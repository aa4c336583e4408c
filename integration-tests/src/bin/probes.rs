//! Runs the probes of a file on both targets and judges them against Flink's answers.

use flinkspark_bridge::probe;
use std::path::PathBuf;
use std::process::ExitCode;

/// Right answers that the shipped file must give on `batch`.
const RIGHT_MIN: usize = 120;

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
    let shipped = file.is_none();
    let path = file.unwrap_or_else(|| flinkspark_integration_tests::path("data/probes.jsonl"));
    let summary = match std::fs::read_to_string(&path)
        .map_err(|cause| cause.to_string())
        .and_then(|text| probe::run(&text).map_err(|error| error.to_string()))
    {
        Ok(summary) => summary,
        Err(why) => {
            eprintln!("{}: {why}", path.display());
            return ExitCode::from(2);
        }
    };
    println!("{summary}");
    if shipped && summary.right < RIGHT_MIN {
        eprintln!("the shipped probes must give at least {RIGHT_MIN} right answers");
        return ExitCode::FAILURE;
    }
    if summary.wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
