//! The project's own tasks: `cargo xtask test | lint | ci | codegen | tidy | bench | demo | fuzz`.
//!
//! What runs here runs the same in CI. It depends on nothing of FlinkSpark and builds in seconds;
//! the protobuf compiler hides behind the feature `codegen`. Invariant: a task that did not do all
//! of its work ends with a non-zero exit code.

mod bench;
mod codegen;
mod demo;
mod deny;
mod fuzz;
mod lint;
mod process;
mod profile;
mod python;
mod test;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};
use process::Failure;
use std::process::ExitCode;
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "FlinkSpark's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs the tests: everything, or the named categories and drivers
    Test(test::Arguments),
    /// Formatting, clippy, tidy, generated code, licences, bans and sources
    Lint,
    /// What CI runs: lint, then test
    Ci,
    /// Generates proto/src/generated from proto/proto
    Codegen(codegen::Arguments),
    /// Checks the rules of the house that no other tool knows
    Tidy,
    /// Runs a benchmark in the release profile
    Bench(bench::Arguments),
    /// Runs `flinkspark demo`, with a planted defect if one is named
    Demo(demo::Arguments),
    /// Fuzzes every decoder of bytes from strangers, or the named ones
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::compile(std::env::args_os().skip(1)) {
        return code;
    }
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode, Failure> {
    let workspace = Workspace::load()?;
    match task {
        Task::Test(arguments) => return test::run(&workspace, &arguments),
        Task::Demo(arguments) => return demo::run(&workspace, &arguments),
        Task::Bench(arguments) => return bench::run(&workspace, &arguments),
        Task::Lint => lint::run(&workspace)?,
        Task::Ci => {
            lint::run(&workspace)?;
            return test::run(&workspace, &test::Arguments::default());
        }
        Task::Codegen(arguments) => codegen::run(&workspace, &arguments)?,
        Task::Tidy => tidy::run(&workspace)?,
        Task::Fuzz(arguments) => fuzz::run(&workspace, &arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
