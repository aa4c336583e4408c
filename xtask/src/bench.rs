//! Runs a benchmark: always in the release profile, never in CI.

use crate::process::{self, Failure};
use crate::python;
use crate::workspace::Workspace;
use std::process::ExitCode;

/// What `cargo xtask bench` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The benchmark, such as `lookup` or `hourly`, and its own arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    name: Vec<String>,
}

/// Builds and runs; the benchmark's exit code is the task's.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode, Failure> {
    // Benchmarks that start a server start the one that is packaged.
    process::run(&mut process::cargo(&[
        "build",
        "--release",
        "--package",
        "flinkspark-bridge",
    ]))?;
    let mut command = process::cargo(&[
        "run",
        "--release",
        "--package",
        "flinkspark-integration-tests",
    ]);
    command.args(["--bin", "bench", "--"]).args(&arguments.name);
    if arguments
        .name
        .first()
        .is_some_and(|name| matches!(name.as_str(), "formats" | "segments"))
    {
        command.env("FLINKSPARK_PEERS", python::environments(workspace)?);
    }
    command.env(
        "FLINKSPARK_BIN",
        workspace.target.join("release/flinkspark"),
    );
    process::exit_code(&mut command).map(process::pass_on)
}
