//! Kills servers and clients in the middle of a job; nothing may be lost or doubled.

use flinkspark_integration_tests::kills::{Plan, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut plan = Plan { count: 30, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (argument.as_str(), value) {
            ("--count", Some(value)) => plan.count = value,
            ("--seed", Some(value)) => plan.seed = value,
            _ => {
                eprintln!("usage: kills [--count N] [--seed S]");
                return ExitCode::from(2);
            }
        }
    }
    match run(plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!(
                "kills failed: {why}\nreplay with --count {} --seed {}",
                plan.count, plan.seed
            );
            ExitCode::FAILURE
        }
    }
}
