//! `cargo xtask bench NAME`: measures against a peer in the same run.

use flinkspark_integration_tests::bench::{
    cold, crowd, formats, get, hourly, joins, lookup, segments, surface, tail,
};
use flinkspark_integration_tests::{Failure, Step};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench failed: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Step {
    let scale = |rest: &[&str], usual: u64| -> Result<u64, Failure> {
        match rest {
            [] => Ok(usual),
            ["--scale", value] => Ok(value.parse()?),
            other => Err(format!("unknown arguments {other:?}").into()),
        }
    };
    match arguments {
        ["lookup", rest @ ..] => lookup::run(scale(rest, 100_000)?),
        ["hourly", rest @ ..] => hourly::run(scale(rest, 30)?),
        ["joins", rest @ ..] => joins::run(scale(rest, 1)?),
        ["cold"] => cold::run(),
        ["crowd", rest @ ..] => crowd::run(rest),
        ["formats", format @ ("arrow" | "parquet" | "csv" | "json" | "avro"), rest @ ..] => {
            formats::run(scale(rest, 30)?, Some(format))
        }
        ["formats", rest @ ..] => formats::run(scale(rest, 30)?, None),
        ["formats-ours", rest @ ..] => formats::ours(rest),
        ["get", rest @ ..] => get::run(scale(rest, 10)?),
        ["segments", rest @ ..] => segments::run(scale(rest, segments::SEGMENTS)?),
        ["surface"] => surface::run(),
        ["tail", rest @ ..] => tail::run(rest),
        _ => Err(
            "usage: bench lookup [--scale DATASETS] | hourly [--scale YEARS] | joins [--scale YEARS] | cold | crowd [--scale PERCENT] [--without KIND] | formats [FORMAT] [--scale YEARS] | get [--scale MILLIONS] | segments [--scale SEGMENTS] | surface | tail [--rate EPOCHS]"
                .into(),
        ),
    }
}
