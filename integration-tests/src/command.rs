//! Runs the binary's commands.
//!
//! The binary comes from the environment, which `cargo xtask test` sets. Invariant: a command
//! never sees the settings of whoever runs the tests.

use crate::{Failure, Step};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// The binary that users build, or the one with fail points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// As users build it.
    Plain,
    /// With fail points.
    Faults,
}

/// Where a binary is.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command says where the binaries are"
)]
pub fn binary(build: Build) -> Step<PathBuf> {
    let name = match build {
        Build::Plain => "FLINKSPARK_BIN",
        Build::Faults => "FLINKSPARK_FAULTS_BIN",
    };
    let path = std::env::var_os(name).map(PathBuf::from);
    path.ok_or_else(|| format!("{name} is not set: run `cargo xtask test system`").into())
}

/// A command of the binary with a clean environment.
pub fn flinkspark(build: Build) -> Step<Command> {
    let mut command = Command::new(binary(build)?);
    for name in [
        "ADVERTISE",
        "CONFIG",
        "DATA_DIR",
        "FAULTS",
        "GRPC",
        "HTTP",
        "LOG",
        "MEMORY",
        "TLS_CA",
        "TLS_CERT",
        "TLS_CLIENT_CA",
        "TLS_IDENTITY",
        "TLS_KEY",
        "TOKEN",
        "TOKEN_FILE",
        "URL",
    ] {
        command.env_remove(format!("FLINKSPARK_{name}"));
    }
    command.stdin(Stdio::null());
    Ok(command)
}

/// What a command said.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its output.
    pub out: String,
    /// Its messages.
    pub err: String,
}

impl Said {
    /// The output as one JSON document.
    pub fn json(&self) -> Step<Value> {
        serde_json::from_str(&self.out).map_err(|cause| format!("{cause} in {self:?}").into())
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// Runs a command to its end, whatever that is.
pub fn run(arguments: &[&str]) -> Step<Said> {
    Ok(flinkspark(Build::Plain)?.args(arguments).output()?.into())
}

/// Runs a command that must end with 0.
pub fn must(command: &mut Command) -> Step<Said> {
    let said = Said::from(command.output()?);
    if said.code == Some(0) {
        Ok(said)
    } else {
        Err(Failure::from(format!("{command:?} failed: {said:?}")))
    }
}

/// Runs a command to its end; none where that did not come within the limit, and the command was killed.
pub fn within(command: &mut Command, limit: Duration) -> Step<Option<Said>> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn()?;
    let pid = child.id().to_string();
    let (sender, ended) = sync_channel(1);
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(limit) {
        Ok(output) => Ok(Some(output?.into())),
        Err(_) => {
            Command::new("kill").args(["-KILL", &pid]).status()?;
            Ok(None)
        }
    }
}
