//! Runs a file of probes on the batch target and prints what became of them.
//!
//! `cargo run -p flinkspark-adapter --example probes [-- FILE.jsonl [--verbose]]`; ends 0 exactly when
//! nothing is wrong. Without a file it runs the repository's own.

use flinkspark_adapter::probe::{Batch, Verdict, run_file};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.iter().any(|arg| arg == "--verbose");
    args.retain(|arg| arg != "--verbose");
    let shipped =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../integration-tests/data/probes.jsonl");
    let path = args.first().map_or(shipped, PathBuf::from);
    match run(&path, verbose) {
        Ok(wrong) => ExitCode::from(u8::from(wrong > 0)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(path: &std::path::Path, verbose: bool) -> Result<usize, Box<dyn std::error::Error>> {
    let contents = std::fs::read_to_string(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let summary = runtime.block_on(run_file(&contents, &[&Batch]))?;
    for outcome in &summary.outcomes {
        match &outcome.verdict {
            Verdict::Wrong(why) => eprintln!("{} on {}: {why}", outcome.id, outcome.target),
            Verdict::Refused(error) if verbose => {
                eprintln!("{} on {} refused: {error}", outcome.id, outcome.target)
            }
            _ => {}
        }
    }
    println!("{summary}");
    Ok(summary.wrong().count())
}
