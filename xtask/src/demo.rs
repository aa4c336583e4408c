//! Runs `flinkspark demo`, on request with a defect planted in it.

use crate::process::{self, Failure};
use crate::profile::{self, Binary};
use crate::workspace::Workspace;
use std::process::{Command, ExitCode};

/// What `cargo xtask demo` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Plants this defect, such as doubled-commit, to show that the demo notices it
    #[arg(long, value_name = "DEFECT")]
    plant: Option<String>,
}

/// Builds the binary that the request needs and runs it; its exit code is the task's.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let binary = if arguments.plant.is_some() {
        Binary::Faults
    } else {
        Binary::Plain
    };
    let mut command = Command::new(profile::build(workspace, binary)?);
    command.arg("demo");
    if let Some(defect) = &arguments.plant {
        command.args(["--plant", defect]);
    }
    process::exit_code(&mut command).map(process::pass_on)
}
